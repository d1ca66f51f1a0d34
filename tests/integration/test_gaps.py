# SPDX-License-Identifier: MIT
"""What was missed is told: once, from the last proof of life to the confirmation, with the channels that were heard before."""

import signal
import time

import pytest

from certificates import server_context
from event_stream import gaps_of
from prp_server import CLOSE, frame
from relay_bus import Client, PrivateBus, event_of
from relay_process import Relay
from waiting import holds_for, wait_until

HEARTBEAT = {"id": "hb", "type": "heartbeat", "timestamp": "2024-01-15T10:01:00Z", "data": {"serverTime": "x"}}


def event(number):
    return {"id": f"ev_{number}", "type": "agent.progress", "timestamp": "2024-01-15T13:00:00Z",
            "data": {"agentId": "agent_001", "prpId": "prp_1", "progress": number % 100, "currentTask": "x"}}


def now():
    return time.time() * 1e6


def wait_gap(client, n=1):
    return wait_until(lambda: len(gaps_of(client.signals)) >= n and gaps_of(client.signals)[n - 1],
                      lambda: f"gap {n}; there are {gaps_of(client.signals)}")


def wait_active(client, *channels):
    for channel in channels:
        client.wait_channel(channel, State="active")


def check_listed(client, gap):
    """The gap stands in the history in its place, with all that the signal said."""
    events = client.list_events(after=gap.sequence - 1, limit=1)[0]
    assert [(e["sequence"], e["type"], e["id"]) for e in events] == [(gap.sequence, "relay.gap", "")]
    assert events[0]["data"] == dict(gap._asdict())
    assert events[0]["received"] == gap.until


def test_a_cut_connection(connected, server, client):
    client.subscribe("project:b", "project:a")
    client.hold("agent:c")
    server.connection.send(event(1))
    client.wait_event_id("ev_1")
    server.answer = (503, {})
    cut = now()
    server.connection.abort()
    wait_until(lambda: len(server.handshakes) >= 3, "attempts")
    client.subscribe("project:new")  # is not heard yet: nothing of it was missed
    client.unsubscribe("project:b")  # nor does anybody mind any more
    server.answer = None
    back = server.wait_connection(2)
    back.wait_action("subscribe")
    gap = wait_gap(client)
    assert gap.channels == ["agent:c", "project:a"] and gap.cause == "CONNECTION_LOST"
    assert gap.since <= cut < gap.until <= now()
    wait_active(client, "agent:c", "project:a", "project:new")
    back.send(event(2))
    after = event_of(client.wait_event_id("ev_2"))
    assert event_of(client.wait_event_id("ev_1"))["sequence"] < gap.sequence < after["sequence"]
    check_listed(client, gap)
    holds_for(lambda: len(gaps_of(client.signals)) == 1, "another gap", 0.3)


def test_the_proof_of_life(connected, server, client):
    """Whatever is heard of the server is one."""
    client.subscribe("project:a")
    heard = now()
    server.connection.send(HEARTBEAT)
    server.connection.settle()
    server.connection.abort()
    gap = wait_gap(client)
    # The kernel tells the time of arrival to its tick, and the way back counts as well: 50 ms are plenty.
    assert heard - 50_000 <= gap.since <= now()


@pytest.mark.parametrize("who", ["server", "relay"])
def test_a_server_that_lingers(connected, server, client, new_server, who):
    """Behind its goodbye a server says no more event. What happens until it hangs up, much later, was missed."""
    client.subscribe("project:a")
    connection = server.connection
    # From here on, only what is written here goes out, and the relay's answer is not heard.
    server.loop.call_soon_threadsafe(connection.socket.transport.pause_reading)
    if who == "server":
        said = now()
        connection.write(frame(CLOSE, b"\x03\xe9"))
    else:
        other = new_server()
        other.answer_subscribes = False
        connected.configure(Server={"Url": other.url()})
        client.command("Reload")
        request = other.connection.wait_action("subscribe")
        said = now()
        connection.write(frame(CLOSE, b"\x03\xe9"))
    holds_for(lambda: True, "", 0.7)
    server.loop.call_soon_threadsafe(connection.socket.transport.resume_reading)
    connection.wait_closed()
    if who == "relay":
        other.answer_subscribes = True
        other.run(other._answer(other.connection, request))
    gap = wait_gap(client)
    assert gap.since <= said + 50_000 < gap.until


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_goodbye_that_is_read_late(idle_relay, client, token, new_server, certificates, tls):
    """The relay was stopped when the server said goodbye, and when it hung up: by when was all heard?"""
    server = new_server(tls=server_context(certificates.good) if tls else None)
    idle_relay.configure(Server={"Url": server.url(), "CaFile": certificates.ca_file},
                         Auth={"TokenFile": idle_relay.home.write_secret("token", token)},
                         Reconnect={"InitialDelaySec": "0.2", "MaxDelaySec": "0.3"})
    idle_relay.start(client)
    client.wait_state("connected")
    client.subscribe("project:a")
    connection = server.connection
    idle_relay.process.send_signal(signal.SIGSTOP)
    said = now()
    connection.write(frame(CLOSE, b"\x03\xe9"))
    holds_for(lambda: True, "", 0.7)
    server.loop.call_soon_threadsafe(connection.socket.transport.close)
    holds_for(lambda: True, "", 0.1)
    idle_relay.process.send_signal(signal.SIGCONT)
    gap = wait_gap(client)
    assert gap.since <= said + 50_000 < gap.until


def test_nothing_was_heard(connected, server, client):
    """Without a channel nothing can be missed."""
    server.connection.abort()
    server.wait_connection(2)
    client.wait_state("connected")
    assert client.subscribe("project:a") == {"project:a": "active"}
    assert not gaps_of(client.signals)


def test_lost_twice(connected, server, client):
    """An attempt that comes to nothing belongs to the same loss."""
    client.subscribe("project:a")
    server.answer_subscribes = False
    cut = now()
    server.connection.abort()
    for n in (2, 3):
        connection = server.wait_connection(n)
        connection.wait_action("subscribe")
        server.answer_subscribes = n == 3
        connection.abort()
    gap = wait_gap(client)
    server.wait_connection(4)
    wait_active(client, "project:a")
    assert gap.since <= cut and gap.cause == "CONNECTION_LOST"
    holds_for(lambda: len(gaps_of(client.signals)) == 1, "another gap", 0.3)


def test_refused_for_a_while(connected, server, client):
    """A channel that the server takes later is told of later, from the first loss on."""
    client.subscribe("project:a", "project:b")
    server.refused = {"project:b": "INVALID_CHANNEL"}
    server.connection.abort()
    first = wait_gap(client)
    assert first.channels == ["project:a"]
    client.wait_channel("project:b", State="rejected")
    server.refused = {}
    client.command("Reload")
    second = wait_gap(client, 2)
    assert second.channels == ["project:b"]
    assert second.since == first.since and second.until > first.until


def test_asked_for(connected, server, client):
    client.subscribe("project:a")
    client.command("Disconnect")
    client.wait_state("disconnected")
    client.command("Connect")
    assert wait_gap(client).cause == "DISCONNECTED"


def test_another_server(connected, server, client, new_server):
    other = new_server()
    client.subscribe("project:a")
    connected.configure(Server={"Url": other.url()})
    client.command("Reload")
    gap = wait_gap(client)
    assert gap.cause == "RECONFIGURED" and gap.channels == ["project:a"]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_restart(relay, server, client, how):
    """The relay was not there to hear: of the durable channels that is known."""
    relay.start(client)
    client.wait_state("connected")
    client.subscribe("project:a", "project:b")
    client.hold("agent:held")
    server.connection.send(event(1))
    first = event_of(client.wait_event_id("ev_1"))
    server.refused = {"project:b": "INVALID_CHANNEL"}
    ended = now()
    relay.stop() if how == "SIGTERM" else relay.kill()
    gone = now()
    server.answer = (503, {})
    relay.start(client)
    wait_until(lambda: len(server.handshakes) >= 2, "an attempt")
    new = client.subscribe_async("project:new")
    client.wait_channel("project:new", Durable=True)
    # A second time, before it was connected: the loss is still the first one.
    relay.stop() if how == "SIGTERM" else relay.kill()
    new.exception()
    relay.start(client)
    server.answer = None
    gap = wait_gap(client)
    assert gap.channels == ["project:a"] and gap.cause == "RESTARTED"
    assert first["received"] - 50_000 <= gap.since <= gone and ended < gap.until
    assert gap.sequence > first["sequence"]
    client.wait_channel("project:b", State="rejected")
    check_listed(client, gap)

    # What is refused now is known to be missed, also over a restart.
    server.refused = {}
    relay.stop() if how == "SIGTERM" else relay.kill()
    relay.start(client)
    wait_until(lambda: any("project:b" in g.channels for g in gaps_of(client.signals)), "its gap")
    b = next(g for g in gaps_of(client.signals) if "project:b" in g.channels)
    assert b.channels == ["project:b"] and abs(b.since - gap.since) < 1_000_000
    later = wait_until(lambda: next((g for g in gaps_of(client.signals)
                                     if "project:a" in g.channels and g.sequence != gap.sequence), None), "that of the others")
    assert "project:b" not in later.channels and later.since > gap.until - 1_000_000


def test_killed_before_it_is_told(relay, server, client):
    """A channel is back, the gap waits for another one, and the relay dies: the next one knows."""
    relay.start(client)
    client.wait_state("connected")
    client.subscribe("project:a", "project:b")
    server.answer_subscribes = False
    cut = now()
    server.connection.abort()
    back = server.wait_connection(2)
    back.wait_action("subscribe")
    server.run(server._confirm(back, ["project:a"]))
    wait_active(client, "project:a")
    back.send(event(1))
    client.wait_event_id("ev_1")
    relay.kill()
    server.answer_subscribes = True
    assert not gaps_of(client.signals)
    relay.start(client)
    gap = wait_gap(client)
    assert gap.channels == ["project:a", "project:b"] and gap.cause == "RESTARTED" and gap.since <= cut


def test_asked_for_in_good_order(connected, server, client):
    """The service answers the goodbye: until then all is known."""
    client.subscribe("project:a")
    holds_for(lambda: True, "", 0.5)
    asked = now()
    client.command("Disconnect")
    server.connections[0].wait_closed()
    holds_for(lambda: client.get("State") == "disconnected", "it is connected", 0.3)
    client.command("Connect")
    gap = wait_gap(client)
    assert gap.cause == "DISCONNECTED" and asked <= gap.since


def test_a_channel_that_never_was_heard(relay, server, client):
    """Durable, but refused from the first: nothing to tell, whoever restarts."""
    server.answer_subscribes = False
    relay.start(client)
    client.wait_state("connected")
    call = client.subscribe_async("project:a")
    server.connection.wait_action("subscribe")
    client.wait_channel("project:a", Durable=True)
    relay.stop()
    call.exception()
    server.answer_subscribes = True
    relay.start(client)
    wait_active(client, "project:a")
    holds_for(lambda: not gaps_of(client.signals), "a gap", 0.3)


def test_the_bus_is_lost(relay, server, client, home, tmp_path_factory):
    """A clean end with a failure; the next start has the whole history, and tells what it has missed."""
    relay.start(client)
    client.wait_state("connected")
    client.subscribe("project:a")
    for n in range(1, 101):
        server.connection.send(event(n))
    client.wait_event_id("ev_100")
    last = event_of(client.wait_event_id("ev_100"))["sequence"]
    history_id = client.history_id()
    relay.bus.kill()
    lost = now()
    assert relay.wait_exit() not in (0, -9, -11, -6)
    assert server.connections[0].wait_closed()[0] in (1001, 1006)

    bus = PrivateBus(relay.bus.kind, tmp_path_factory.mktemp("second"), home.environment)
    again = Client(bus.address)
    second = Relay(home, bus)
    try:
        second.settings = relay.settings
        second.start(again)
        gap = wait_gap(again)
        assert gap.cause == "RESTARTED" and gap.channels == ["project:a"]
        assert gap.since <= lost + 50_000 and gap.until > lost
        assert again.history_id() == history_id
        events, position, more = again.list_events()
        assert [e["id"] for e in events] == [f"ev_{n}" for n in range(1, 101)] + [""]
        assert [e["sequence"] for e in events[:100]] == list(range(last - 99, last + 1))
        assert not more and position >= gap.sequence > last
        second.stop()
    finally:
        if second.is_running():
            second.kill()
        again.close()
        bus.stop()
