#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A PRP server that pours: [--tls CERTIFICATE KEY]

The handshake and the protocol are those of tests/integration/prp_server.py (python3-websockets). Events are frames made
beforehand, and are written by the quarter of a MiB straight to the transport, no faster than the other end reads: so the
server takes little of a processor beside the programs that are measured.

Prints its URL. Reads commands from stdin, a line each:
  await                 → `connected` as soon as a client that came since the last `await` is subscribed to something
  pour N FIRST          sends N events, numbered from FIRST on → `pouring`, then when it began and ended, in nanoseconds of
                        CLOCK_MONOTONIC
  pace N FIRST RATE     so many a second, evenly, each with the time right before it is written → likewise
  messages              → how many the client has sent
  leave                 listens no more, and cuts the connection → `gone`
  return                listens again → when
  complete N            → when the newest client was subscribed to that many channels
"""

import asyncio
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from certificates import Certificate, server_context
from prp_server import TEXT, PrpServer, frame
from waiting import wait_until

# Every field has a fixed width, so that all frames have the same length.
EVENT = ('{"id":"msg_%016d","type":"agent.progress","timestamp":"2024-01-15T13:00:00.000Z",'
         '"data":{"agentId":"agent_%03d","prpId":"prp_%06d","progress":%2d,"currentTask":"Implementing JWT middleware",'
         '"sentNsec":%15d},"metadata":{"version":"1.0","source":"agent-orchestrator"}}')
CHUNK_EVENTS = 800
SUBSCRIBE_SEC = 30
POUR_SEC = 300


def event_frame(number, sent_nsec):
    return frame(TEXT, (EVENT % (number, number % 100, number % 1000, number % 100, sent_nsec)).encode())


def chunks(n_events, first):
    """Whole frames, so that what the server says by itself goes between them."""
    now = time.monotonic_ns()
    for begin in range(first, first + n_events, CHUNK_EVENTS):
        end = min(begin + CHUNK_EVENTS, first + n_events)
        yield b"".join([event_frame(number, now) for number in range(begin, end)])


class LoadServer(PrpServer):
    def pour(self, connection, n_events, first):
        # Beforehand, as far as memory allows; of a million the rest is made on the way.
        ready = list(chunks(min(n_events, 100000), first))
        rest = chunks(n_events - 100000, first + 100000) if n_events > 100000 else ()

        async def run():
            began = time.monotonic_ns()
            for source in (ready, rest):
                for chunk in source:
                    connection.socket.transport.write(chunk)
                    async with connection.socket._drain_lock:
                        await connection.socket._drain()
            return began, time.monotonic_ns()
        print("pouring", flush=True)
        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(POUR_SEC)

    def pace(self, connection, n_events, first, rate):
        """From this thread, which sleeps up to the moment: a loop wakes by the millisecond only. It has nothing else to do
        meanwhile, and what a frame takes the socket has room for, so that the transport hands it on at once."""
        transport = connection.socket.transport
        print("pouring", flush=True)
        began = time.monotonic_ns()
        for i in range(n_events):
            due = began + i * 1000000000 // rate
            left = due - time.monotonic_ns()
            if left > 0:
                time.sleep(left / 1e9)
            transport.write(event_frame(first + i, time.monotonic_ns()))
        return began, time.monotonic_ns()


def main():
    tls = server_context(Certificate(*sys.argv[2:4])) if sys.argv[1:2] == ["--tls"] else None
    server = LoadServer(tls)
    print(server.url(), flush=True)
    n_known = 0
    for line in sys.stdin:
        command, *numbers = line.split()
        if command == "await":
            connection = wait_until(
                lambda: next((c for c in server.connections[n_known:] if c.subscribed and c.closed is None), None),
                "a client that subscribes", SUBSCRIBE_SEC)
            n_known = len(server.connections)
            print("connected", flush=True)
        elif command == "messages":
            print(len(connection.messages), flush=True)
        elif command == "leave":
            server.stop(abort=True)
            print("gone", flush=True)
        elif command == "return":
            began = time.monotonic_ns()
            server.start()
            print(began, flush=True)
        elif command == "complete":
            wait_until(lambda: next((c for c in server.connections if c.closed is None and len(c.subscribed) >= int(numbers[0])),
                                    None), "all channels", SUBSCRIBE_SEC)
            print(time.monotonic_ns(), flush=True)
        else:
            times = getattr(server, command)(connection, *map(int, numbers))
            print(*times, flush=True)
    server.finish()


if __name__ == "__main__":
    threading.current_thread().name = "commands"
    main()
