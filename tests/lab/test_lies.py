# SPDX-License-Identifier: MIT
"""A server that lies: what it says is believed of what was asked for only, costs nothing that grows, and the truth is taken when it
comes."""

import json
import time

import pytest

from prp_server import CLOSE, TEXT, frame
from relay_bus import BusError, event_of
from waiting import SCALE, wait_until

MAX_MEMORY_BYTES = 24 * 1024 * 1024
ANSWER_SEC = 10  # how long an answer for a channel is waited for


def event(event_id, **data):
    return {"id": event_id, "type": "agent.progress", "timestamp": "2024-01-15T13:00:00Z",
            "data": {"agentId": "agent_001", "prpId": "prp_1", "progress": 1, "currentTask": "x", **data}}


def silent_to(server, *actions):
    """It says nothing to these by itself."""
    async def on_message(_, message):
        return message["action"] in actions
    server.on_message = on_message


def tell_truth(server):
    server.on_message = None


def ids(client):
    return [event_of(s)["id"] for s in client.events() if s.member != "Gap"]


def check_well(relay, server, client, instrumented, connections=1):
    """It is none the worse for it."""
    tell_truth(server)
    server.wait_connection(connections).send(event("the-end"))
    client.wait_event_id("the-end")
    assert client.subscribe("project:honest") == {"project:honest": "active"}
    assert len(server.connections) == connections
    if not instrumented:
        assert relay.status("VmHWM") < MAX_MEMORY_BYTES


# -- confirmations

def test_another_channel_is_confirmed(connected, server, client, instrumented):
    """It says nothing of the one that was asked for, and makes nobody a subscriber of what nobody wants."""
    silent_to(server, "subscribe")
    call = client.subscribe_async("project:a", "project:b")
    server.connection.wait_action("subscribe")
    for wrong in (["project:never"], [], ["project:A", "project:a ", "project", "agent:a"], ["project:b"] * 1000):
        server.run(server.say(server.connection, "subscription.confirmed", {"subscribedChannels": wrong}))
    client.wait_channel("project:b", State="active")
    assert sorted(client.channels()) == ["project:a", "project:b"]
    assert client.channels()["project:a"]["State"] == "pending" and not call.done()
    server.run(server.confirm(server.connection, ["project:a"]))
    assert call.result().unpack()[0] == {"project:a": "active", "project:b": "active"}
    check_well(connected, server, client, instrumented)


def test_confirmed_before_it_is_asked_for(connected, server, client, instrumented):
    """What was said of a channel before anybody wanted it does not count."""
    server.run(server.say(server.connection, "subscription.confirmed", {"subscribedChannels": ["project:a"]}))
    assert client.channels() == {}
    silent_to(server, "subscribe")
    call = client.subscribe_async("project:a")
    server.connection.wait_action("subscribe", ["project:a"])
    client.wait_channel("project:a", State="pending")
    server.run(server.confirm(server.connection, ["project:a"]))
    assert call.result().unpack()[0] == {"project:a": "active"}
    check_well(connected, server, client, instrumented)


def test_confirmed_too_late(relay, monotonic, server, client, instrumented):
    """Behind the 10 s: who called was told that it is pending; it is active when the server says so at last."""
    silent_to(server, "subscribe")
    relay.start(client)
    client.wait_state("connected")
    call = client.subscribe_async("project:a")
    server.connection.wait_action("subscribe")
    monotonic.advance(ANSWER_SEC + 1)
    assert call.result().unpack()[0] == {"project:a": "pending"}
    assert client.channels()["project:a"]["State"] == "pending"
    server.connection.send(event("early"))  # it was subscribed all the time, and knew how to hide it
    client.wait_event_id("early")
    server.run(server.confirm(server.connection, ["project:a"]))
    client.wait_channel("project:a", State="active")
    # Nor is what nobody wants any more, and is confirmed then, left at the server.
    call = client.subscribe_async("project:b")
    server.connection.wait_action("subscribe", ["project:b"])
    monotonic.advance(ANSWER_SEC + 1)
    assert call.result().unpack()[0] == {"project:b": "pending"}
    client.unsubscribe("project:b")
    server.run(server.confirm(server.connection, ["project:b"]))
    server.connection.wait_action("unsubscribe", ["project:b"])
    check_well(connected_relay(relay), server, client, instrumented)
    assert sorted(client.channels()) == ["project:a", "project:honest"]


def connected_relay(relay):
    assert relay.is_running()
    return relay


def test_half_is_confirmed_and_half_is_refused_twice(connected, server, client, instrumented):
    """Confirmations and refusals of the same channel, in any order: the last word counts, and each caller is answered once."""
    async def on_message(connection, message):
        if message["action"] != "subscribe":
            return False
        channels = message["payload"]["channels"]
        for _ in range(3):
            await server._refuse(connection, message, "INVALID_CHANNEL", "No")
            await server.confirm(connection, channels)
        return True

    server.on_message = on_message
    for n in range(20):
        try:
            states = client.subscribe(f"project:{n}-a", f"project:{n}-b")
        except BusError as error:
            assert error.name.endswith("InvalidChannel")
        else:
            assert set(states.values()) <= {"active", "rejected"}
    requests = len(server.connection.requests("subscribe"))
    assert requests <= 20 * 3, f"{requests} requests for 20 calls"
    check_well(connected, server, client, instrumented)


def test_a_refusal_that_is_always_for_another_channel(connected, server, client, instrumented):
    """Every request is refused, for a channel that is in none of them: that ends."""
    async def on_message(connection, message):
        if message["action"] == "subscribe":
            await server._refuse(connection, message, "INVALID_CHANNEL", "Channel 'project:elsewhere' does not exist")
            return True
        return False

    server.on_message = on_message
    client.command("Reload")
    with pytest.raises(BusError, match="InvalidChannel"):
        client.subscribe(*[f"project:{n}" for n in range(8)])
    # A batch of n is taken apart until each has its own answer: 2 n - 1.
    assert len(server.connection.requests("subscribe")) <= 15
    assert client.channels() == {}
    check_well(connected, server, client, instrumented)


# -- who and what it says that it is

def test_established_over_and_over(connected, server, client, instrumented):
    """With other ids: the newest is shown; it is the same connection, and nothing is asked for anew."""
    assert client.subscribe("project:a") == {"project:a": "active"}
    states = len(client.changes("State"))
    for n in range(200):
        server.connection.send({"id": f"est_{n}", "type": "connection.established", "timestamp": "t", "data": {
            "connectionId": f"conn_{n}", "serverVersion": f"2.{n}", "features": [f"f{n}"]}})
    client.wait_get("ConnectionId", "conn_199")
    assert client.get("ServerVersion") == "2.199" and client.get("Features") == ["f199"]
    assert client.get("Connections") == 1 and len(client.changes("State")) == states
    assert server.connection.requests("subscribe") == [["project:a"]]
    check_well(connected, server, client, instrumented)


def test_events_before_anything_else(relay, server, client, instrumented):
    """Before the greeting and before the confirmation: relayed, each once, in order."""
    sent = []

    async def on_connection(connection):
        for n in range(50):
            sent.append(f"first-{len(sent)}")
            await connection.socket.send(json.dumps(event(sent[-1])))
        return False

    async def on_message(connection, message):
        if message["action"] == "subscribe":
            for n in range(50):
                sent.append(f"first-{len(sent)}")
                await connection.socket.send(json.dumps(event(sent[-1])))
        return False

    server.on_connection, server.on_message = on_connection, on_message
    relay.start(client)
    client.wait_state("connected")
    assert client.subscribe("project:a") == {"project:a": "active"}
    client.wait_event_id(sent[-1])
    assert ids(client) == sent and len(sent) == 100
    assert not client.events("Gap")
    check_well(relay, server, client, instrumented)


def test_pongs_that_nobody_asked_for(connected, server, client, instrumented):
    """The next answer is not taken for one of them: a round trip is what it is."""
    silent_to(server, "ping")
    server.connection.flood(b"".join(frame(TEXT, json.dumps({"id": f"p{n}", "type": "pong"}).encode())
                                     for n in range(5000))).result(60 * SCALE)
    assert server.connection.settle()
    ping = client.call_async("/dev/prp/Relay1", "dev.prp.Relay1", "Ping")
    server.connection.wait_action("ping")
    assert not ping.done()
    server.run(server.say(server.connection, "pong"))
    assert 0 < ping.result().unpack()[0] < 10e6 * SCALE
    check_well(connected, server, client, instrumented)


# -- errors

def test_ten_thousand_errors(connected, server, client, instrumented):
    """For requests that nobody made: each is signalled, none of them is taken for an answer, the log stays readable."""
    amount = 1000 if instrumented else 10000
    codes = ["INVALID_CHANNEL", "RATE_LIMITED", "SUBSCRIPTION_LIMIT", "NOBODY_KNOWS_IT"]
    assert client.subscribe("project:a") == {"project:a": "active"}
    log = len(connected.log)
    server.connection.flood(b"".join(frame(TEXT, json.dumps(
        {"id": f"e{n}", "type": "error", "timestamp": "t", "data": {
            "code": codes[n % 4], "message": "No", "details": {"requestId": f"other-{n}", "action": "subscribe"}}}).encode())
        for n in range(amount))).result(60 * SCALE)
    wait_until(lambda: len(client.events("ServerError")) == amount, "all of them", 60)
    assert client.channels()["project:a"]["State"] == "active"
    assert client.get("State") == "connected"
    assert len(connected.log) - log < 20000
    check_well(connected, server, client, instrumented)


def test_errors_while_a_call_waits(connected, server, client, instrumented):
    """For requests that were answered, were none or are not made yet: none of them is its answer."""
    client.subscribe("project:before")
    silent_to(server, "subscribe")
    call = client.subscribe_async("project:a", "project:b")
    server.connection.wait_action("subscribe", ["project:a", "project:b"])
    answered, asked = (m["id"] for m in server.connection.messages if m["action"] == "subscribe")
    others = [answered, f"{asked}0", f"0{asked}", asked.upper(), "relay-", "relay-ping-1", "relay-99999999999999999999"]
    for n in range(500):
        server.connection.send({"id": f"e{n}", "type": "error", "timestamp": "t", "data": {
            "code": "INVALID_CHANNEL", "message": "No project:a", "details": {
                "requestId": others[n % len(others)], "action": "unsubscribe" if n % len(others) in (2, 3) else "subscribe"}}})
    wait_until(lambda: len(client.events("ServerError")) == 500, "all of them", 60)
    assert not call.done()
    server.run(server.confirm(server.connection, ["project:a", "project:b"]))
    assert call.result().unpack()[0] == {"project:a": "active", "project:b": "active"}
    check_well(connected, server, client, instrumented)


def test_a_token_that_expires_over_and_over(relay, home, server, endpoint, client, instrumented):
    """Each new token is refused the moment that it is used: there is no loop of renewals, nor of connections."""
    home.secret("renewed-forever")
    server.tokens = None
    endpoint.reply(access_token="renewed-forever", token_type="Bearer")

    async def on_connection(connection):
        await server.say(connection, "connection.established", server.established)
        for n in range(100):
            await server.say(connection, "error", {"code": "TOKEN_EXPIRED", "message": "It has expired"})
            await server.say(connection, "token_expired", {})
        return True

    server.on_connection = on_connection
    relay.configure(Auth={"RefreshUrl": endpoint.url, "RefreshTokenFile": home.write_secret("refresh", "refresh-token-x1")})
    relay.start(client)
    endpoint.wait_requests(1)
    server.wait_connection(2)
    n_connections, n_renewals = wait_quiet(server, endpoint)
    assert n_connections <= 8 and n_renewals <= 8, f"{n_connections} connections, {n_renewals} renewals"
    # The connection at hand is kept as long as the server lets it be.
    assert client.get("State") in ("connected", "unauthorized") and client.get("NextAttempt") == 0
    server.on_connection = None
    assert relay.is_running()
    client.command("Connect")
    client.wait_state("connected")


def wait_quiet(server, endpoint, seconds=1.0):
    """The numbers of connections and of renewals, when neither has grown for so long."""
    seen = [None, 0]

    def is_quiet():
        now = (len(server.handshakes), len(endpoint.requests))
        if now != seen[0]:
            seen[:] = now, time.monotonic()
        return time.monotonic() - seen[1] > seconds and now
    return wait_until(is_quiet, lambda: f"an end of it; there are {seen[0]}", 20)


# -- messages that end nowhere

def test_close_in_the_middle_of_a_message(connected, server, client, instrumented):
    """A close frame between two fragments: what was begun is no message."""
    text = json.dumps(event("half")).encode()
    first = server.connection
    first.write(frame(TEXT, json.dumps(event("whole")).encode()) + frame(TEXT, text[:40], fin=False) + frame(0, text[40:60], fin=False) +
                frame(CLOSE, (1011).to_bytes(2, "big") + b"Out of order"))
    server.wait_connection(2)
    client.wait_state("connected")
    assert "SERVER_ERROR" in [code for code, _ in client.changes("LastError")]
    # The rest of it on the next connection belongs to nothing.
    server.connection.send(json.dumps(event("behind")))
    client.wait_event_id("behind")
    assert ids(client) == ["whole", "behind"]
    check_well(connected, server, client, instrumented, 2)


def test_fragments_of_a_byte(connected, server, client, instrumented):
    """A million of them, and no end: given up at MaxMessageBytes."""
    amount = 2 ** 20 + 1
    first = server.connection
    poured = first.flood(frame(TEXT, b'"', fin=False) + frame(0, b"x", fin=False) * amount)
    assert first.wait_closed(60)[0] == 1009
    poured.exception(60 * SCALE)
    client.wait_state("connected")
    check_well(connected, server, client, instrumented, 2)


# -- ids

def test_the_same_id_with_another_content(connected, server, client, instrumented):
    """An id is an event's name: the first one counts, whatever the others say, also on another connection."""
    for n in range(10):
        server.connection.send(event("same", progress=n))
    server.connection.send(dict(event("same"), type="prp.deleted", data={"id": "prp_1", "projectId": "p", "reason": "r"}))
    server.connection.abort()
    server.wait_connection(2)
    client.wait_state("connected")
    server.connection.send(event("same", progress=99))
    check_well(connected, server, client, instrumented, 2)
    assert ids(client) == ["same", "the-end"]
    assert [e["data"]["progress"] for e in client.list_events()[0] if e["id"] == "same"] == [0]
    assert client.get("DuplicatesDropped") == 11


def test_ids_that_look_like_ours(connected, server, client, instrumented):
    """The relay's own words (of a gap, of a request, of a ping) are no names that an event must not have."""
    names = ["", "relay-1", "relay-ping-1", "relay.gap", "x" * 4000, "%s%n", "\u2028", "'; DROP TABLE events; --"]
    for name in names:
        server.connection.send(dict(event(name), type="relay.gap", data={
            "since": 0, "until": 1 << 62, "cause": "LIE", "channels": ["project:a"], "sequence": 1}))
    check_well(connected, server, client, instrumented)
    assert not client.events("Gap"), "a gap was forged"
    assert ids(client) == [*names, "the-end"]
    signalled = [event_of(s)["sequence"] for s in client.events()]
    assert [e["sequence"] for e in client.list_events()[0]] == signalled
