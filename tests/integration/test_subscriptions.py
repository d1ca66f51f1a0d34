# SPDX-License-Identifier: MIT
"""Channels: durable subscriptions and holds, what the server refuses, and how all come back after a loss."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from gi.repository import GLib

from relay_bus import ERROR, HERE, LIMITS_EXCEEDED, NAME, PATH, RELAY, BusError, Client
from waiting import SCALE, wait_until

FOUR = ["project:p1", "agent:a1", "invalid:channel", "prp:x1"]


def fails(call, *arguments):
    """The name of the error that the call is answered with."""
    with pytest.raises(BusError) as caught:
        call(*arguments)
    assert caught.value.message
    return caught.value.name


# -- asking

def test_subscribe(connected, server, client):
    assert client.subscribe("project:p1", "agent:a1") == {"project:p1": "active", "agent:a1": "active"}
    assert server.connection.requests("subscribe") == [["project:p1", "agent:a1"]]
    request = server.connection.wait_action("subscribe")
    assert isinstance(request["id"], str) and request["id"]


def test_repeating_a_call_is_harmless(connected, server, client):
    client.subscribe("project:p1", "project:p1")
    assert client.subscribe("project:p1") == {"project:p1": "active"}
    client.ping()
    assert server.connection.requests("subscribe") == [["project:p1"]]
    client.unsubscribe("project:p1")
    server.connection.wait_action("unsubscribe", ["project:p1"])
    assert client.channels() == {}


@pytest.mark.parametrize("request_ids", [True, False, "its own number 7"])
@pytest.mark.parametrize("refusal", ["whole", "partial", "partial-error-first"])
def test_one_of_four_is_refused(connected, server, client, refusal, request_ids):
    server.refusal, server.request_ids = refusal, request_ids
    server.refused = {"invalid:channel": "INVALID_CHANNEL"}
    states = client.subscribe(*FOUR)
    assert states == {"project:p1": "active", "agent:a1": "active", "prp:x1": "active",
                      "invalid:channel": "rejected"}
    assert sorted(client.channels()) == ["agent:a1", "project:p1", "prp:x1"]
    assert server.connection.subscribed == {"project:p1", "agent:a1", "prp:x1"}
    # What the server complained about is an event like any other.
    error = client.wait_event(lambda s: s.member == "ServerError")
    assert error.body.unpack()[:2] == ("INVALID_CHANNEL", "Channel 'invalid:channel' does not exist")


def test_server_that_confirms_all_it_has(connected, server, client):
    server.confirm_all = True
    client.subscribe("project:p1")
    assert client.subscribe("agent:a1") == {"agent:a1": "active"}
    assert sorted(client.channels()) == ["agent:a1", "project:p1"]


@pytest.mark.parametrize("code,error", [
    ("INVALID_CHANNEL", "InvalidChannel"), ("SUBSCRIPTION_LIMIT", "SubscriptionLimit"),
    ("INVALID_ACTION", "InvalidAction"), ("SOMETHING_NEW", "Server")])
def test_all_refused_fails_by_the_servers_code(connected, server, client, code, error):
    server.refused = {"invalid:channel": code}
    assert fails(client.subscribe, "invalid:channel") == ERROR + error
    assert fails(client.hold, "invalid:channel") == ERROR + error
    assert client.channels() == {}


def test_many_refused_among_many(connected, server, client):
    channels = [f"prp:{i}" for i in range(60)]
    server.refused = {f"prp:{i}": "INVALID_CHANNEL" for i in (0, 17, 18, 59)}
    states = client.subscribe(*channels)
    assert {c for c, state in states.items() if state == "rejected"} == set(server.refused)
    assert {c for c, state in states.items() if state == "active"} == set(channels) - set(server.refused)


def test_two_hundred_calls_at_once(connected, server, new_client):
    callers = [new_client() for _ in range(10)]
    replies = [callers[i % 10].subscribe_async(f"prp:{i}") for i in range(200)]
    assert [r.result().unpack()[0] for r in replies] == [{f"prp:{i}": "active"} for i in range(200)]
    requests = server.connection.requests("subscribe")
    assert len(requests) <= 20
    assert sorted(c for r in requests for c in r) == sorted(f"prp:{i}" for i in range(200))


def test_more_than_fit_into_one_message(connected, server, client):
    client.subscribe(*[f"prp:{i}" for i in range(1200)])
    assert [len(r) for r in server.connection.requests("subscribe")] == [500, 500, 200]


@pytest.mark.parametrize("channel", [
    "", "project", ":", "project:", ":p1", "project:a b", "project:é", "project:\x01", "project:\x7f",
    " project:p1", "project:p1\n", "project:" + "x" * 248])
def test_bad_syntax_is_refused_before_anything_is_sent(connected, server, client, channel):
    assert fails(client.subscribe, "project:fine", channel) == ERROR + "InvalidChannel"
    assert fails(client.hold, channel) == ERROR + "InvalidChannel"
    client.ping()
    assert server.connection.requests("subscribe") == []
    assert client.channels() == {}


@pytest.mark.parametrize("channel", ["a:b", "a:b:c", "~!@:#$%/\\\"'{}", "project:" + "x" * 247, "unknown_kind:9"])
def test_unusual_names_go_to_the_server(connected, server, client, channel):
    assert client.subscribe(channel) == {channel: "active"}
    assert server.connection.subscribed == {channel}


def test_unsubscribe_of_what_is_not_subscribed(connected, server, client):
    assert fails(client.unsubscribe, "project:p1") == ERROR + "NotSubscribed"
    client.hold("project:p1")
    assert fails(client.unsubscribe, "project:p1") == ERROR + "NotSubscribed"


# -- the daemon's own limits

def test_too_many_channels(relay, server, client):
    relay.configure(Limits={"MaxChannels": 5})
    relay.start(client)
    client.wait_state("connected")
    assert fails(client.subscribe, *[f"prp:{i}" for i in range(6)]) == LIMITS_EXCEEDED
    client.ping()
    assert server.connection.requests("subscribe") == []
    client.subscribe(*[f"prp:{i}" for i in range(5)])
    assert fails(client.subscribe, "prp:5") == LIMITS_EXCEEDED
    assert client.subscribe("prp:4") == {"prp:4": "active"}
    client.unsubscribe("prp:0")
    server.connection.wait_action("unsubscribe", ["prp:0"])
    assert client.subscribe("prp:5") == {"prp:5": "active"}


def test_too_many_holds(relay, server, client, new_client):
    relay.configure(Limits={"MaxHoldsPerClient": 2})
    relay.start(client)
    client.wait_state("connected")
    cookie, _ = client.hold("prp:0")
    client.hold("prp:1")
    assert fails(client.hold, "prp:2") == LIMITS_EXCEEDED
    client.ping()
    assert sorted(c for r in server.connection.requests("subscribe") for c in r) == ["prp:0", "prp:1"]
    assert new_client().hold("prp:2")[1] == {"prp:2": "active"}
    client.release(cookie)
    client.hold("prp:3")


# -- holds

def test_hold_and_release(connected, server, client):
    cookie, states = client.hold("project:p1", app_id="org.example.App", reason="to show it")
    assert cookie != 0 and states == {"project:p1": "active"}
    have = client.channels()["project:p1"]
    assert have["Holders"] == [(client.name, "org.example.App", "to show it")] and not have["Durable"]
    client.release(cookie)
    server.connection.wait_action("unsubscribe", ["project:p1"])
    wait_until(lambda: client.channels() == {}, "no channel")
    assert fails(client.release, cookie) == ERROR + "NoSuchHold"


def test_only_its_owner_may_release(connected, client, new_client):
    cookie, _ = client.hold("project:p1")
    assert fails(new_client().release, cookie) == ERROR + "NoSuchHold"
    assert fails(client.release, 0) == ERROR + "NoSuchHold"
    assert client.channels()["project:p1"]["State"] == "active"


def test_two_holds_of_one_channel(connected, server, client, new_client):
    other = new_client()
    first, _ = client.hold("project:p1")
    second, _ = client.hold("project:p1", reason="again")
    third, _ = other.hold("project:p1")
    assert len({first, second, third}) == 3 and 0 not in (first, second, third)
    client.release(first)
    other.release(third)
    client.ping()
    assert server.connection.requests("unsubscribe") == []
    assert client.channels()["project:p1"]["Holders"] == [(client.name, "", "again")]
    client.release(second)
    server.connection.wait_action("unsubscribe", ["project:p1"])


def test_a_hold_keeps_what_was_unsubscribed(connected, server, client):
    client.subscribe("project:p1")
    cookie, _ = client.hold("project:p1")
    client.unsubscribe("project:p1")
    client.ping()
    assert server.connection.requests("unsubscribe") == []
    client.release(cookie)
    server.connection.wait_action("unsubscribe", ["project:p1"])


def test_bad_hold_options(connected, client):
    def hold_with(**options):
        client.call(PATH, RELAY, "Hold", "(asa{sv})", ["project:p1"], options)

    assert fails(lambda: hold_with(reason=GLib.Variant("u", 5))).endswith(".InvalidArgs")
    assert client.channels() == {}


HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from relay_bus import Client
client = Client(sys.argv[2])
print(client.hold(*sys.argv[3:])[0], flush=True)
sys.stdin.read()
"""


def test_a_killed_caller_loses_its_holds(connected, bus, server, client):
    client.hold("project:kept")
    command = [sys.executable, "-c", HOLDER, str(HERE), bus.address, "project:lost", "project:kept"]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert int(holder.stdout.readline()) != 0
        assert len(client.channels()["project:kept"]["Holders"]) == 2
    finally:
        holder.kill()
        holder.communicate()
    server.connection.wait_action("unsubscribe", ["project:lost"])
    wait_until(lambda: list(client.channels()) == ["project:kept"], "one channel")
    assert client.channels()["project:kept"]["Holders"] == [(client.name, "", "")]
    assert server.connection.subscribed == {"project:kept"}


def test_a_caller_that_leaves_before_the_answer(connected, server, client, new_client):
    server.answer_subscribes = False
    other = new_client()
    other.call_async(PATH, RELAY, "Hold", "(asa{sv})", ["project:p1"], {})
    server.connection.wait_action("subscribe", ["project:p1"])
    other.close()
    wait_until(lambda: client.channels() == {}, "no channel")
    server.connection.send({"id": "late", "type": "subscription.confirmed", "timestamp": "t",
                            "data": {"subscribedChannels": ["project:p1"]}})
    server.connection.wait_action("unsubscribe", ["project:p1"])


# -- without a connection

def test_subscribe_while_disconnected_is_pending(connected, server, client):
    client.command("Disconnect")
    client.wait_state("disconnected")
    assert client.subscribe("project:p1") == {"project:p1": "pending"}
    assert client.channels()["project:p1"]["State"] == "pending"
    client.command("Connect")
    server.wait_connection(2).wait_action("subscribe", ["project:p1"])
    have = client.wait_channel("project:p1", State="active")
    client.wait_told("State", "active", path=have["path"], interface="dev.prp.Relay1.Channel")


def test_subscribe_while_waiting_is_answered_when_connected(connected, server, client):
    server.stop(abort=True)
    client.wait_state("waiting")
    reply = client.subscribe_async("project:p1")
    server.start()
    assert reply.result().unpack()[0] == {"project:p1": "active"}


def test_a_server_that_does_not_answer(connected, server, client):
    """Ten seconds are waited, no more; what is late still counts."""
    server.answer_subscribes = False
    assert client.subscribe("project:p1") == {"project:p1": "pending"}
    server.connection.send({"id": "late", "type": "subscription.confirmed", "timestamp": "t",
                            "data": {"subscribedChannels": ["project:p1"]}})
    client.wait_channel("project:p1", State="active")


# -- coming back

@pytest.mark.parametrize("how", ["abort", 1000, 1001, 1011, 1012, 4000])
def test_three_hundred_come_back_in_one_message(connected, server, client, how):
    channels = [f"prp:{i}" for i in range(300)]
    client.subscribe(*channels[:200])
    client.hold(*channels[200:])
    server.connection.end(how)
    again = server.wait_connection(2)
    again.wait_action("subscribe", channels)
    wait_until(lambda: all(c["State"] == "active" for c in client.channels().values()), "all to be active")
    client.ping()
    assert len(again.requests("subscribe")) == 1
    assert len(client.channels()) == 300


def test_durable_across_restart(connected, server, client):
    client.subscribe("project:kept", "project:ended")
    client.hold("project:held")
    client.unsubscribe("project:ended")
    connected.stop()
    connected.start(client)
    server.wait_connection(2).wait_action("subscribe", ["project:kept"])
    client.wait_channel("project:kept", State="active", Durable=True, Holders=[])
    assert list(client.channels()) == ["project:kept"]


def test_durable_across_kill(relay, server, client):
    """What was answered lasts, were the daemon killed at that moment; also without a server that could answer."""
    server.stop()
    relay.start(client)
    client.command("Disconnect")
    channels = {"prp:kept"}
    client.subscribe(*channels)
    for i in range(10):
        client.subscribe(f"prp:{i}")
        channels.add(f"prp:{i}")
        relay.kill()
        relay.start(client)
        client.command("Disconnect")
        assert set(client.channels()) == channels
    while len(channels) > 1:
        client.unsubscribe(channels.pop())
        relay.kill()
        relay.start(client)
        client.command("Disconnect")
        assert set(client.channels()) == channels


def test_a_durable_channel_that_is_refused_later_stays(connected, server, client):
    client.subscribe("project:p1", "project:p2")
    server.refused = {"project:p1": "INVALID_CHANNEL"}
    server.connection.abort()
    have = client.wait_channel("project:p1", State="rejected", Durable=True)
    assert have["Error"][0] == "INVALID_CHANNEL" and "project:p1" in have["Error"][1]
    client.wait_channel("project:p2", State="active")

    server.refused = {}
    client.command("Reload")
    client.wait_channel("project:p1", State="active", Error=("", ""))

    server.refused = {"project:p1": "INVALID_CHANNEL"}
    server.connection.abort()
    client.wait_channel("project:p1", State="rejected")
    server.refused = {}
    server.connection.abort()
    client.wait_channel("project:p1", State="active")


# -- the server's limits

def test_subscription_limit_keeps_what_fits(connected, server, client):
    server.limit = 3
    states = client.subscribe(*[f"prp:{i}" for i in range(5)])
    assert sorted(states.values()) == ["active"] * 3 + ["rejected"] * 2
    assert sorted(client.channels()) == sorted(c for c, state in states.items() if state == "active")
    assert fails(client.subscribe, "prp:9") == ERROR + "SubscriptionLimit"


def test_subscription_limit_on_a_later_connection(connected, server, client):
    channels = {f"prp:{i}" for i in range(5)}
    client.subscribe(*channels)
    server.limit = 3
    server.connection.abort()
    server.wait_connection(2)

    def states():
        have = client.channels()
        assert set(have) == channels
        return sorted((c["State"], c["Error"][0]) for c in have.values())

    wait_until(lambda: states() == [("active", "")] * 3 + [("pending", "SUBSCRIPTION_LIMIT")] * 2,
               lambda: f"three to fit, two to wait: {states()}")
    active = next(name for name, c in client.channels().items() if c["State"] == "active")
    client.unsubscribe(active)
    channels.remove(active)
    wait_until(lambda: states() == [("active", "")] * 3 + [("pending", "SUBSCRIPTION_LIMIT")],
               lambda: f"another to take the room: {states()}")


def test_rate_limited_is_repeated(connected, server, client):
    server.errors = ["RATE_LIMITED", "RATE_LIMITED"]
    assert client.subscribe("project:p1", "project:p2") == {"project:p1": "active", "project:p2": "active"}
    assert [sorted(r) for r in server.connection.requests("subscribe")] == [["project:p1", "project:p2"]] * 3


def test_actions_are_paced(relay, server, client):
    """Ten a second: what comes at once is gathered; what comes one by one waits its turn."""
    relay.configure(Limits={"ActionsPerSec": 5})
    relay.start(client)
    client.wait_state("connected")
    replies = []
    done = threading.Event()

    def one_after_the_other():
        for i in range(40):
            replies.append(client.subscribe(f"prp:{i}"))
            if len(server.connection.requests("subscribe")) > 8:
                break
        done.set()

    threading.Thread(target=one_after_the_other, daemon=True).start()
    assert done.wait(30 * SCALE)
    assert all(list(r.values()) == ["active"] for r in replies)
    connection = server.connection
    assert len(connection.requests("subscribe")) > 8
    span = connection.times[8] - connection.times[0]
    assert span > 0.5, f"9 messages within {span:.3f} s, where 5 a second are allowed (and 5 at once)"


def test_calls_from_many_while_the_connection_is_lost(connected, server, client, new_client):
    """Nobody waits for ever, whatever happens to the connection meanwhile."""
    callers = [new_client() for _ in range(5)]
    replies = [caller.subscribe_async(f"prp:{i}-{n}") for i in range(20) for n, caller in enumerate(callers)]
    server.connection.abort()
    assert all(list(r.result().unpack()[0].values())[0] == "active" for r in replies)


def test_too_many_calls_that_wait(connected, server, client, new_client):
    """A caller that asks without end is told so; it costs the others nothing, and those that wait are answered."""
    server.answer_subscribes = False
    replies = [client.subscribe_async(f"prp:{i}") for i in range(1100)]
    refused = wait_until(lambda: [r for r in replies if r.done()], "the refusal of what is too many")
    assert new_client().get("State") == "connected"
    client.command("Disconnect")
    wait_until(lambda: all(r.done() for r in replies), "all to be answered")
    failed = [r.exception() for r in replies if r.exception()]
    assert {f.name for f in failed} == {LIMITS_EXCEEDED} and len(refused) <= len(failed) <= 76
    assert all(r.exception() or r.result().unpack()[0] == {f"prp:{i}": "pending"} for i, r in enumerate(replies))


def test_stopped_while_a_call_waits(connected, server, client):
    server.answer_subscribes = False
    reply = client.subscribe_async("project:p1")
    server.connection.wait_action("subscribe", ["project:p1"])
    os.kill(connected.pid, signal.SIGTERM)
    assert connected.wait_exit() == 0
    wait_until(reply.done, "an answer, be it an error")


def test_a_stranger_ends_no_hold(bus, connected, client):
    """Only the bus says who has left it."""
    holder, stranger = Client(bus.address), Client(bus.address, listens=False)
    holder.hold("project:a")
    client.wait_channel("project:a", State="active")
    name = holder.connection.get_unique_name()
    stranger.connection.emit_signal(NAME, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged",
                                    GLib.Variant("(sss)", (name, name, "")))
    stranger.ping()  # it is handled by then
    assert "project:a" in client.channels()
    holder.close()
    wait_until(lambda: "project:a" not in client.channels(), "the end of the hold")
    stranger.close()
