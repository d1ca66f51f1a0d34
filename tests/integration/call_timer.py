# SPDX-License-Identifier: MIT
"""How long a method call takes, seen by a program of its own: ADDRESS COUNT. Waits for a line on stdin, then prints
milliseconds as JSON."""

import json
import sys
import time

from relay_bus import Client


def main():
    client = Client(sys.argv[1])
    client.get("State")
    print("ready", flush=True)
    sys.stdin.readline()
    times = []
    for _ in range(int(sys.argv[2])):
        began = time.perf_counter()
        client.get("State")
        times.append((time.perf_counter() - began) * 1000)
    print(json.dumps(times), flush=True)


main()
