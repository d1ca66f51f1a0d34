# SPDX-License-Identifier: MIT
"""kill -9 at any time: what was signalled is stored, no number comes twice, and a reader misses nothing."""

import collections
import json
import random
import sqlite3
import threading
import time

from event_stream import EventStream, gaps_of
from relay_bus import BusError, EVENTS, event_of
from waiting import SCALE, wait_until

CHANNELS = [f"project:{n}" for n in range(4)]
RATE = 1000


class Reader:
    """Follows the recipe: matches the signals, lists what it has not seen, and drops what it has. In a thread of its own."""

    def __init__(self, client):
        self.client = client
        self.cursor = 0
        self.taken = []  # (sequence, id)
        self._listed = None  # the relay that was asked for what its predecessors had stored
        self._position = 0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _take(self, event):
        if event["sequence"] > self.cursor:
            self.cursor = event["sequence"]
            self.taken.append((event["sequence"], event["id"] or event["type"]))

    def list(self):
        more = True
        while more:
            events, _, more = self.client.list_events(after=self.cursor)
            for event in events:
                self._take(event)

    def _handle(self, signal):
        if signal.sender != self._listed:
            # Another relay: what the last one stored and did not come to signal is only in the history.
            self.list()
            self._listed = signal.sender
        if signal.member == "Gap":
            self._take({"sequence": signal.body.unpack()[4], "id": "", "type": "relay.gap"})
        else:
            self._take(event_of(signal))

    def _run(self):
        while not self._stopping:
            try:
                while self._position < len(self.client.signals):
                    signal = self.client.signals[self._position]
                    if signal.interface == EVENTS:
                        self._handle(signal)
                    self._position += 1
            except BusError:
                pass  # gone in the middle of it: the next one will be asked
            time.sleep(0.005)

    def stop(self):
        self._stopping = True
        self._thread.join()


def stored(relay):
    """(sequence, body) of the file, as it lies there."""
    path = relay.home.state / "prp-relay" / "relay.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return database.execute("SELECT sequence, body FROM events ORDER BY sequence").fetchall()


def test_killed_at_random(relay, server, client, new_client, instrumented, record_property):
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    record_property("seed", seed)
    dice = random.Random(seed)
    rounds = 10 if instrumented else 100
    reader = Reader(new_client())
    relay.configure(History={"MaxEvents": 1000000})
    relay.start(client)
    client.wait_state("connected")
    client.subscribe(*CHANNELS)
    stream = EventStream(server, CHANNELS, RATE)
    for n in range(rounds):
        n_connections = len(server.connections)
        time.sleep(dice.choice([0, dice.uniform(0, 0.05), dice.uniform(0, 0.4)]) * SCALE)
        relay.kill()
        if n % 20 == 0:
            stored(relay)
        relay.start(client)
        if dice.random() < 0.8:
            server.wait_connection(n_connections + 1)
            if dice.random() < 0.8:
                # That connection may be the last one of the relay that was killed.
                wait_until(lambda: any(c.requests("subscribe") for c in server.connections[n_connections:]),
                           lambda: f"the channels to be asked for; the log:\n{relay.log[-4000:]}")
    client.wait_state("connected")
    wait_until(lambda: {c["State"] for c in client.channels().values()} == {"active"}, "all channels")
    number = len(stream.sent)
    client.wait_event(lambda s: s.member == "AgentProgress" and int(event_of(s)["id"][3:]) >= number, "an event", 20)
    stream.stop()
    last = f"ev_{len(stream.sent) - 1}"
    client.wait_event_id(last, 20)
    reader.stop()
    reader.list()
    relay.stop()

    rows = stored(relay)
    signalled = [(event_of(s)["sequence"], event_of(s)["id"]) for s in client.events("AgentProgress")]
    signalled += [(g.sequence, "relay.gap") for g in gaps_of(client.signals)]
    assert len(set(sequence for sequence, _ in signalled)) == len(signalled), "a number was used twice"
    ids = {sequence: body for sequence, body in rows}
    missing = [(sequence, name) for sequence, name in signalled if sequence not in ids or f'"{name}"' not in ids[sequence]]
    assert not missing, f"signalled, and not stored: {missing[:5]}"
    doubles = [name for name, count in collections.Counter(i for _, i in signalled if i != "relay.gap").items() if count > 1]
    assert not doubles, f"relayed twice: {doubles[:5]}"

    # The reader has seen all that there is, once, in order.
    assert [sequence for sequence, _ in reader.taken] == [sequence for sequence, _ in rows]
    # What nobody got was sent while no relay was there to hear. That was told: by a signal, or where the relay was killed just then,
    # by what it had stored.
    gaps = [json.loads(body)["data"] for _, body in rows if '"relay.gap"' in body]
    known = {name for _, name in reader.taken}
    missed = [n for n in range(len(stream.sent)) if f"ev_{n}" not in known]
    print(f"{rounds} rounds: {len(rows)} stored, {len(signalled)} signalled, {len(missed)} of {len(stream.sent)} missed, "
          f"{len(gaps)} gaps")
    for number in missed:
        channel, usec = stream.sent[number].channel, stream.sent[number].time * 1e6
        assert any(channel in g["channels"] and g["since"] <= usec <= g["until"] for g in gaps), (
            f"event {number} of {channel} at {usec:.0f} was missed, and no gap tells")
