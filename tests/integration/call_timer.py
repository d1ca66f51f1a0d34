# SPDX-License-Identifier: MIT
"""How long a method call takes, seen by a program of its own: ADDRESS. Calls from the first line on stdin to the
second, and prints the milliseconds of each call as JSON."""

import json
import sys
import threading
import time

from relay_bus import Client


def main():
    client = Client(sys.argv[1], listens=False)
    client.get("State")
    print("ready", flush=True)
    sys.stdin.readline()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
    times = []
    while not ended.is_set():
        began = time.perf_counter()
        client.get("State")
        times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times), flush=True)


main()
