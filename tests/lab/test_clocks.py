# SPDX-License-Identifier: MIT
"""The clock of the day is set, by hours, in whatever direction and at whatever moment; or the machine sleeps just then. What is waited
for is waited for by a clock that nobody sets, and what is told stays in order."""

import base64
import json
import time

import pytest

from prp_server import TEXT, frame
from relay_bus import HISTORY, event_of
from waiting import holds_for, wait_until
from witness import list_all

HOUR = 3600
DAY = 24 * HOUR
JUMPS = pytest.mark.parametrize("jump", [5 * HOUR, -5 * HOUR], ids=["forward", "back"])
EXPIRED = {"id": "srv_expired", "type": "token_expired", "timestamp": "2024-01-15T10:00:00Z", "data": {}}


def event(event_id):
    return {"id": event_id, "type": "some.thing", "timestamp": "2024-01-15T13:00:00Z", "data": {}}


def jwt(home, expires, number=0):
    def part(values):
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    return home.secret(f"{part({'alg': 'none'})}.{part({'exp': int(expires), 'n': number})}.c2lnbmF0dXJl")


# -- backoff

@JUMPS
def test_set_during_a_wait(relay, clock, server, client, jump):
    """The attempt comes when it was planned, neither at once nor hours later; and what is shown of it is by the clock as it is."""
    relay.configure(Reconnect={"InitialDelaySec": "2", "MaxDelaySec": "2"})
    server.answers = [(503, {"Retry-After": "3"})]
    relay.start(client)
    client.wait_state("waiting")
    client.wait_error("UNAVAILABLE")
    began = time.monotonic()
    clock.set(jump)
    client.wait_state("connected", seconds=15)
    assert 1.5 < time.monotonic() - began < 12
    assert len(server.handshakes) == 2
    # From here on all is by the new time.
    server.connection.abort()
    server.wait_connection(2)
    for planned in [p for p in client.changes("NextAttempt") if p][1:]:
        assert abs(planned - clock.now()) < 60e6, "by a clock of before"
    client.wait_state("connected")
    assert abs(client.get("ConnectedSince") - clock.now()) < 60e6


# -- gaps

@JUMPS
@pytest.mark.parametrize("moment", ["while lost", "with the channels", "before the loss"])
def test_set_around_a_gap(relay, clock, server, client, new_witness, jump, moment):
    """The gap is told once, by the clock as it is then, and is as long as it was. The numbers, which no clock makes, are in order in any
    case."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    if moment == "before the loss":
        clock.set(jump)
        witness.wait_flow()
    server.answer = (503, {}) if moment == "while lost" else None
    server.answer_subscribes = moment != "with the channels"
    before = len(server.connections)
    server.connection.abort()
    if moment == "while lost":
        wait_until(lambda: server.handshakes[-1].status == 503, "an attempt")
        clock.set(jump)
        server.answer = None
    elif moment == "with the channels":
        connection = server.wait_connection(before + 1)
        request = connection.wait_action("subscribe")
        clock.set(jump)
        server.answer_subscribes = True
        server.run(server._answer(connection, request))
    client.wait_state("connected")
    wait_until(lambda: {c["State"] for c in client.channels().values()} == {"active"}, "the channels")
    witness.wait_flow()
    [gap] = witness.gaps()
    assert abs(gap.until - clock.now()) < 60e6, "by a clock of before"
    assert 0 < gap.until - gap.since < 60e6, gap
    witness.stop()
    listed = list_all(client)
    assert [e["sequence"] for e in listed] == list(range(listed[0]["sequence"], listed[0]["sequence"] + len(listed)))
    assert [e["type"] for e in listed].count("relay.gap") == 1


# -- tokens

@pytest.fixture
def renewing(relay, home, server, endpoint):
    """Tokens that live for an hour, by the relay's clock."""
    made = []

    class Replies(list):
        def __getitem__(self, index):
            made.append(jwt(home, time.time() + offset[0] + HOUR, len(made) + 1))
            server.tokens.add(made[-1])
            return 200, {"access_token": made[-1], "token_type": "Bearer"}, {}

    offset = [0]
    endpoint.replies = Replies([None])
    first = jwt(home, time.time() + HOUR)
    server.tokens = {first}
    relay.configure(Auth={"TokenFile": home.write_secret("token", first), "RefreshUrl": endpoint.url,
                          "RefreshTokenFile": home.write_secret("refresh", "refresh-token-x1")})
    return offset


def test_asleep_over_a_tokens_end(relay, clock, server, endpoint, client, new_witness, renewing):
    """It has expired when the machine wakes up: it is renewed once, make before break, and nothing is missed."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    assert client.get("TokenExpires") > clock.now()
    renewing[0] = 2 * HOUR
    clock.advance(2 * HOUR)
    clock.tell()
    endpoint.wait_requests(1, seconds=15)
    server.wait_connection(2)
    client.wait_get("Connections", 2)
    holds_for(lambda: len(endpoint.requests) == 1, "it goes on to renew", 1)
    assert client.get("TokenExpires") > clock.now()
    witness.finish()
    assert not witness.gaps()


def test_back_before_a_tokens_beginning(relay, clock, server, endpoint, client, new_witness, renewing):
    """No reason to renew it: it lives the longer."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    clock.set(-5 * HOUR)
    holds_for(lambda: not endpoint.requests and client.get("State") == "connected", "it is renewed", 1)
    server.connection.abort()
    server.wait_connection(2)
    assert not endpoint.requests
    client.wait_state("connected")
    witness.wait_flow()


def test_to_and_fro(relay, clock, server, endpoint, client, new_witness, renewing):
    """As two daemons do that both keep the time: no storm of renewals or connections comes of it."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    for n in range(20):
        renewing[0] = 2 * HOUR if n % 2 else -2 * HOUR
        clock.set(renewing[0])
        holds_for(lambda: client.get("State"), "no answer", 0.05)
    renewing[0] = 0
    clock.set(0)
    witness.finish()
    assert len(endpoint.requests) <= 3 and len(server.handshakes) <= 4
    assert not witness.gaps()


def test_asleep_during_a_handover(relay, clock, server, endpoint, client, new_witness, renewing):
    """The machine sleeps while the second connection is being made, and both are dead when it wakes up."""
    relay.configure(Heartbeat={"PingIntervalSec": "3600"})
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    server.answer_subscribes = False
    server.connection.send(EXPIRED)
    server.wait_connection(2).wait_action("subscribe")
    server.stop_process()
    renewing[0] = 8 * HOUR
    clock.advance(8 * HOUR)
    clock.tell()
    server.answer_subscribes = True
    # The server has forgotten them, and does not even know it.
    server.loop.call_soon_threadsafe(lambda: [c.socket.transport.abort() for c in server.connections])
    server.go_on()
    witness.wait_flow(30)
    client.wait_state("connected")
    witness.stop()
    assert len([c for c in server.connections if c.closed is None]) == 1
    assert len(witness.gaps()) == 1
    [gap] = witness.gaps()
    assert gap.until - gap.since > 7 * HOUR * 1e6


# -- the history

def pour(server, client, ids):
    server.connection.flood(b"".join(frame(TEXT, json.dumps(event(i)).encode()) for i in ids)).result(60)
    client.wait_event_id(ids[-1])


def test_over_midnights_and_back(relay, clock, server, client):
    """Events leave when they are too old by the clock; one that is set back for a while makes nothing leave, and numbers are never
    given again."""
    relay.configure(History={"MaxAgeDays": "2"})
    relay.start(client)
    client.wait_state("connected")
    pour(server, client, [f"first-{n}" for n in range(50)])
    clock.set(-10 * DAY)
    pour(server, client, [f"earlier-{n}" for n in range(50)])
    assert len(list_all(client)) == 100
    clock.set(0)
    # Over two midnights, of which the second makes them too old.
    clock.set(DAY)
    pour(server, client, ["a-day-later"])
    assert len(list_all(client)) == 101
    clock.set(3 * DAY)
    pour(server, client, ["three-days-later"])
    client.command("Reload")
    wait_until(lambda: [e["id"] for e in list_all(client)][:1] in (["a-day-later"], ["three-days-later"]),
               lambda: f"the old ones to leave; the first is {list_all(client)[:1]}", 20)
    sequences = [event_of(s)["sequence"] for s in client.events()]
    assert sequences == list(range(sequences[0], sequences[0] + 102))
    assert client.get("FirstSequence", interface=HISTORY) == list_all(client)[0]["sequence"]
    history = client.history_id()
    clock.set(0)
    pour(server, client, ["back-again"])
    relay.kill()
    wait_until(lambda: client.owner() is None, "the name to be free")
    relay.start(client)
    client.wait_state("connected")
    pour(server, client, ["after-all"])
    assert client.history_id() == history
    listed = list_all(client)
    assert [e["id"] for e in listed][-2:] == ["back-again", "after-all"]
    assert listed[-1]["sequence"] > sequences[-1] + 1
