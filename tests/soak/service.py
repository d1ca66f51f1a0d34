# SPDX-License-Identifier: MIT
"""The service: things happen in it on channels, at a rate, and each is told to whoever is subscribed at any of its servers.

It lives in a thread with a loop of its own. What happened is in the record, told or not.
"""

import asyncio
import itertools
import json
import random
import threading
import time

from front import GARBAGE, ODD_DATA, Front
from prp_server import TEXT, fragments, frame
from record import Record

CALL_SEC = 20
TICK_SEC = 0.02
BUSY_PART = 0.7
REPLAYED_EVENTS = 1000  # so many of the last ones are kept to be said again

TYPES = ["agent.progress"] * 5 + ["prp.created", "prp.updated", "prp.status_changed", "prp.deleted", "agent.assigned",
                                  "error", "review.requested"]


def _data_of(kind, number):
    prp, agent = f"prp_{number % 50}", f"agent_{number % 7}"
    return {
        "agent.progress": {"agentId": agent, "prpId": prp, "progress": number % 101, "currentTask": "Soaking"},
        "prp.created": {"id": prp, "projectId": "proj_1", "name": "Ünïcödé ☂", "status": "pending", "priority": "high"},
        "prp.updated": {"id": prp, "changes": {"status": {"old": None, "new": number}}},
        "prp.status_changed": {"id": prp, "previousStatus": "active", "newStatus": "completed", "reason": "done"},
        "prp.deleted": {"id": prp, "projectId": "proj_1", "reason": "Duplicate entry"},
        "agent.assigned": {"agentId": agent, "prpId": prp, "priority": "low"},
        # One that names no request is taken for the answer to the only one that waits, so this names somebody else's.
        "error": {"code": "SOMETHING_ELSE", "message": "to another client", "details": {"requestId": f"theirs-{number}"}},
    }.get(kind, {"anything": [number, {"nested": [True, None, 0.5]}]})


class Service:
    def __init__(self, seed, busy, channels, grants, rate, tls_contexts):
        """Most of what happens does so on the busy ones of the channels. One server for each context; None is one without TLS."""
        self.dice = random.Random(f"events {seed}")
        self.record = Record(channels)
        self.rate, self._busy = rate, busy
        self.mutation = None       # "drop" or "double": what the record is made to hide or to invent, to see the oracle object
        self.n_mutated = 0
        self._recent = []          # (frame, channel)
        self._stopping = False
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="service", daemon=True)
        self._thread.start()
        numbers, ids = itertools.count(1), itertools.count(1)
        self.fronts = [Front(self.record, grants, numbers, ids, tls) for tls in tls_contexts]
        for front in self.fronts:
            self.run(front.start())
        self._happening = None

    def run(self, coroutine):
        """In the service's thread; waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(CALL_SEC)

    def do(self, function, *arguments):
        """Likewise, for what is no coroutine."""
        async def call():
            return function(*arguments)
        return self.run(call())

    def begin(self):
        self._happening = asyncio.run_coroutine_threadsafe(self._happen(), self.loop)

    def stop(self):
        """Nothing more happens; whoever is connected stays so."""
        if self._happening is not None:
            self._stopping = True
            self._happening.result(CALL_SEC)
            self._happening = None

    def finish(self):
        self.stop()
        for front in self.fronts:
            self.run(front.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CALL_SEC)
        self.loop.close()

    @property
    def lines(self):
        return [line for front in self.fronts for line in front.lines]

    async def _happen(self):
        due, last = 0.0, time.monotonic()
        while not self._stopping:
            now = time.monotonic()
            # After a standstill of this whole program not all is made up for.
            due, last = due + min(now - last, 0.5) * self.rate, now
            for _ in range(int(due)):
                self.publish()
            due -= int(due)
            for line in self.lines:
                line.look()
            await asyncio.sleep(TICK_SEC)

    def publish(self, channel=None, data=None):
        """Something happens. In the service's thread."""
        channel = channel or self.dice.choice(self._busy if self.dice.random() < BUSY_PART else self.record.channels)
        number = self.record.add(channel, time.time())
        kind = self.dice.choice(TYPES)
        data = json.dumps(_data_of(kind, number)) if data is None else data
        if self.dice.random() < 0.01:
            data = data[:-1] + ', "more": "' + "x" * self.dice.randint(1000, 30000) + '"}'
        text = (f'{{"id": "ev_{number}", "type": "{kind}", "timestamp": "2024-01-15T13:00:00Z", "data": {data}'
                + (', "metadata": {"version": "1.0", "source": "soak"}}' if number % 3 == 0 else "}")).encode()
        whole = fragments(TEXT, text, self.dice.randint(2, 9)) if self.dice.random() < 0.02 else frame(TEXT, text)
        for line in self.lines:
            if channel in line.subscribed and line.put(whole, number):
                self.record.copies[number] += 1
                if time.monotonic() < line.twice_until and line.put(whole, number):
                    self.record.n_repeated += 1
        if self.record.copies[number] > 0:
            self._recent = [*self._recent[1 - REPLAYED_EVENTS:], (whole, number)]
        self._mutate(number)

    def _mutate(self, number):
        if self.mutation is None or number % 23 != 22:
            return
        self.n_mutated += 1
        if self.mutation == "drop":  # it was said, but we know nothing of it
            self.record.copies[number] = 0
        else:                        # we are sure that it was said, but it was not
            invented = self.record.add(self.record.channels[0], time.time())
            self.record.copies[invented] = 1

    # -- faults; in the service's thread

    def say_garbage(self, which):
        if which in ODD_DATA:
            self.publish(data='{"odd": ' + ODD_DATA[which] + "}")
        else:
            for line in self.lines:
                line.put(GARBAGE[which])

    def replay(self, amount):
        """What was said is said again, by whoever is connected now."""
        for whole, _ in self._recent[-amount:]:
            for line in self.lines:
                if line.put(whole):
                    self.record.n_repeated += 1
