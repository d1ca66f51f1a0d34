# SPDX-License-Identifier: MIT
"""kill -9 at any time: what was signalled is stored, no number comes twice, and a reader misses nothing."""

import collections
import json
import random
import sqlite3
import time

from event_stream import EventStream, gaps_of
from recipe_reader import Reader
from relay_bus import event_of
from waiting import SCALE, wait_until

CHANNELS = [f"project:{n}" for n in range(4)]
RATE = 1000


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
