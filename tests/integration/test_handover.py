# SPDX-License-Identifier: MIT
"""Make before break: tokens expire under a flood of events, and connections are cut in the middle of it."""

import asyncio
import itertools
import random
import socket
import struct

import pytest

from event_stream import EventStream, check_stream, gaps_of, numbers_of
from relay_bus import event_of
from waiting import holds_for, wait_until

CHANNELS = [f"project:{n}" for n in range(10)]
EXPIRED = {"id": "srv_expired", "type": "token_expired", "timestamp": "2024-01-15T10:00:00Z", "data": {}}


@pytest.fixture
def renewing(relay, server, endpoint, home, client):
    """Connected, subscribed, and with an endpoint that has a new token for whoever asks."""
    numbers = itertools.count(1)
    server.tokens |= {home.secret(f"renewed-token-{n:04}") for n in range(1, 1000)}

    class Replies(list):
        """The next token each time."""
        def __getitem__(self, index):
            return 200, {"access_token": f"renewed-token-{next(numbers):04}", "token_type": "Bearer"}, {}

    endpoint.replies = Replies([None])
    relay.configure(Auth={"RefreshUrl": endpoint.url, "RefreshTokenFile": home.write_secret("refresh", "refresh-token-x1")})
    relay.start(client)
    client.wait_state("connected")
    assert set(client.subscribe(*CHANNELS).values()) == {"active"}
    return relay


@pytest.fixture
def rate(instrumented):
    return 200 if instrumented else 2000


def cut(connection, hard):
    """Ends the connection without a word; the hard way, what is under way is lost with it."""
    def end():
        transport = connection.socket.transport
        if transport.is_closing():
            return  # it is over already
        if hard:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    connection.server.loop.call_soon_threadsafe(end)


def wait_relayed(client, number, seconds=30):
    """For that event, or a later one."""
    wait_until(lambda: any(n >= number for n in numbers_of(client.signals[-200:])),
               lambda: f"event {number}; the last ones are {numbers_of(client.signals)[-3:]}", seconds)


def wait_all_active(client):
    wait_until(lambda: {c["State"] for c in client.channels().values()} == {"active"}, lambda: client.channels())


def test_three_expired_tokens_in_a_row(renewing, server, client, rate):
    stream = EventStream(server, CHANNELS, rate)
    wait_relayed(client, 1)
    before = len(client.signals)
    for n in range(3):
        old = server.wait_connection(n + 1)
        old.send(EXPIRED)
        new = server.wait_connection(n + 2)
        assert old.wait_closed(20) == (1000, "another connection has taken over")
        assert new.subscribed == set(CHANNELS)
        wait_relayed(client, len(stream.sent))
    stream.stop()
    wait_relayed(client, len(stream.sent) - 1)
    assert not gaps_of(client.signals)
    assert not check_stream(stream, numbers_of(client.signals), [])
    assert len(server.connections) == 4
    states = [s.body.unpack()[1].get("State") for s in client.signals[before:] if s.member == "PropertiesChanged"]
    assert set(states) <= {None}, "the state has changed"
    assert client.get("Connections") == 4 and client.get("Attempts") == 0
    sequences = [event_of(s)["sequence"] for s in client.events("AgentProgress")]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))


@pytest.mark.parametrize("victim", ["old", "new", "either"])
def test_cut_at_random(renewing, server, client, rate, instrumented, victim, record_property):
    """Whichever connection is cut, and when: nothing is missed, or it is told."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    record_property("seed", seed)
    dice = random.Random(seed)
    rounds = 5 if instrumented else {"old": 50}.get(victim, 15)
    stream = EventStream(server, CHANNELS, rate)
    n_missed = n_gaps = 0
    for n in range(rounds):
        wait_relayed(client, len(stream.sent))
        n_connections, first_gap = len(server.connections), len(gaps_of(client.signals))
        # Else the new one has taken over by the time that it is cut.
        server.answer_subscribes = victim != "new" or dice.random() < 0.3
        old = server.connection
        old.send(EXPIRED)
        # From the word of the server's until the old one is closed.
        delay = dice.choice([dice.uniform(0, 0.03), dice.uniform(0, 0.1)])
        moment = dice.choice(["time", "handshake", "subscribe"])
        if moment != "time" or victim == "new":
            wait_until(lambda: len(server.connections) > n_connections, "a second connection", 20)
        if moment == "subscribe":
            server.connections[n_connections].wait_action("subscribe")
            delay /= 10
        asyncio.run_coroutine_threadsafe(asyncio.sleep(delay), server.loop).result()
        targets = {"old": [old], "new": server.connections[n_connections:n_connections + 1]}
        targets["either"] = [dice.choice(targets["old"] + targets["new"])]
        for connection in targets[victim]:
            cut(connection, hard=dice.random() < 0.5)
        server.answer_subscribes = True
        old.wait_closed(30)
        wait_until(lambda: any(c.closed is None and c.subscribed == set(CHANNELS) for c in server.connections),
                   "a connection with all channels", 30)
        wait_all_active(client)
        wait_relayed(client, len(stream.sent))
        gaps = gaps_of(client.signals)[first_gap:]
        assert len(gaps) <= 1, f"round {n} of seed {seed}: one loss, and {gaps}"
        n_gaps += len(gaps)
    stream.stop()
    wait_relayed(client, len(stream.sent) - 1)
    n_missed = len(check_stream(stream, numbers_of(client.signals), gaps_of(client.signals)))
    print(f"{rounds} rounds: {n_missed} of {len(stream.sent)} events missed, {n_gaps} gaps told")
    record_property("missed", n_missed)
    live = [c for c in server.connections if c.closed is None]
    assert len(live) == 1


def test_the_new_token_is_refused(renewing, server, client):
    """The old connection goes on as long as the server lets it."""
    server.tokens.clear()
    server.connection.send(EXPIRED)
    wait_until(lambda: any(h.status == 401 for h in server.handshakes), "a refused handshake")
    handshakes = len(server.handshakes)
    holds_for(lambda: len(server.handshakes) == handshakes and client.get("State") == "connected",
              "it tried again, or gave up", 1.5)
    server.connection.close(4001, "expired")
    client.wait_state("unauthorized")
    assert len(server.handshakes) == handshakes


def test_slow_answers(renewing, server, client):
    """All channels are confirmed at last: until then nothing is closed."""
    old = server.connection
    server.answer_subscribes = False
    old.send(EXPIRED)
    new = server.wait_connection(2)
    request = new.wait_action("subscribe", CHANNELS)
    holds_for(lambda: old.closed is None and client.get("State") == "connected", "the old one is gone", 1)
    server.answer_subscribes = True
    server.run(server._answer(new, request))
    assert old.wait_closed()[0] == 1000
    assert not gaps_of(client.signals)
    assert {c["State"] for c in client.channels().values()} == {"active"}
    assert not [s for s in client.signals if s.member == "PropertiesChanged" and "channel" in s.path and
                s.body.unpack()[1].get("State") == "pending"], "a channel was not active for a while"
