# SPDX-License-Identifier: MIT
"""Sleep, and networks that come and go: what is at hand is probed, what was planned comes sooner, what was missed is told.

Liveness would find a dead peer too, later: its interval is set so far off that only the probe can have been it.
"""

import signal
import time

import pytest

from certificates import server_context
from relay_bus import event_of
from waiting import holds_for, wait_until
from wake_lab import Clock, Logind, Network, Tunnel, preload

HOUR = 3600
SLACK_USEC = 1_000_000  # between a time that we took and one that the relay did
QUIET = {"PingIntervalSec": "3600"}
CHANNEL = "project:p1"


@pytest.fixture
def clock(relay):
    return Clock(relay)


@pytest.fixture
def logind(relay):
    logind = Logind(relay)
    yield logind
    logind.finish()


@pytest.fixture
def tunnel(relay, server):
    """Between the relay and its server."""
    tunnel = Tunnel(server.port)
    relay.configure(Server={"Url": f"ws://127.0.0.1:{tunnel.port}/"}, Heartbeat=QUIET)
    yield tunnel
    tunnel.finish()


@pytest.fixture
def new_network(relay):
    networks = []

    def make(server):
        networks.append(Network(relay, server.port))
        return networks[-1]

    yield make
    for network in networks:
        network.finish()


def deleted(event_id):
    return {"id": event_id, "type": "prp.deleted", "timestamp": "2024-01-15T10:00:00Z",
            "data": {"id": "prp_1", "projectId": "p1", "deletedBy": "usr_1", "reason": "Because"}}


def start(relay, client):
    relay.start(client)
    client.wait_state("connected")
    client.subscribe(CHANNEL)


def hear(server, client, event_id):
    server.connection.send(deleted(event_id))
    client.wait_event_id(event_id)


def gaps(client):
    return [dict(zip(("since", "until", "cause", "channels", "sequence"), s.body.unpack()))
            for s in client.events("Gap")]


def wait_gap(client):
    wait_until(lambda: gaps(client), "a Gap")
    return gaps(client)[0]


def pings(server):
    return [m for c in server.connections for m in c.messages if m["action"] == "ping"]


# -- sleep, noticed by the clocks

@pytest.mark.parametrize("seconds", [HOUR, 1.5])
def test_a_peer_that_is_gone(relay, server, client, clock, tunnel, seconds):
    """The server vanished during the sleep: found dead by the probe, connected anew, and one gap that begins before the sleep."""
    start(relay, client)
    before = clock.now()
    hear(server, client, "before")
    tunnel.freeze()
    asleep = clock.now()
    server.connection.send(deleted("missed"))
    clock.advance(seconds)
    awake = clock.now()
    clock.tell()
    server.wait_connection(2, seconds=20).wait_action("subscribe", [CHANNEL])
    gap = wait_gap(client)
    assert before - SLACK_USEC <= gap["since"] <= asleep
    assert awake - SLACK_USEC <= gap["until"] <= clock.now()
    assert gap["channels"] == [CHANNEL] and gap["cause"] == "TIMEOUT"
    hear(server, client, "behind")
    assert [event_of(s)["id"] for s in client.events("PrpDeleted")] == ["before", "behind"]
    assert len(gaps(client)) == 1


@pytest.mark.parametrize("seconds", [HOUR, 1.5])
def test_a_peer_that_is_there(relay, server, client, clock, tunnel, seconds):
    """Proven alive by one ping; nothing is lost, so nothing is told."""
    start(relay, client)
    hear(server, client, "before")
    clock.advance(seconds)
    clock.tell()
    wait_until(lambda: len(pings(server)) == 1, "a ping", 20)
    holds_for(lambda: client.get("State") == "connected" and len(server.connections) == 1, "it broke off", 7)
    hear(server, client, "behind")
    assert not gaps(client) and len(pings(server)) == 1


def test_what_came_before_is_no_sign_of_life(relay, server, client, clock, tunnel):
    """Unread bytes of before the sleep are relayed, and the peer is found dead nonetheless."""
    start(relay, client)
    relay.process.send_signal(signal.SIGSTOP)  # as asleep as a process can be
    sent = clock.now()
    server.connection.send(deleted("in-the-buffer"))
    tunnel.wait_passed("in-the-buffer")
    tunnel.freeze()
    clock.advance(HOUR)
    clock.tell()
    relay.process.send_signal(signal.SIGCONT)
    client.wait_event_id("in-the-buffer")
    server.wait_connection(2, seconds=20)
    gap = wait_gap(client)
    assert gap["since"] <= sent + SLACK_USEC, "the read is taken for the arrival"
    assert gap["until"] - gap["since"] >= (HOUR - 60) * 1e6
    assert len(gaps(client)) == 1


def test_a_clock_that_is_set_is_no_sleep(relay, server, client, clock, tunnel):
    start(relay, client)
    clock.tell()
    clock.tell()
    holds_for(lambda: not pings(server), "it was taken for a sleep", 1)


def test_a_wait_ends_with_the_sleep(relay, server, client, clock):
    """A planned attempt that was far off comes at once."""
    relay.configure(Reconnect={"InitialDelaySec": "3600", "MaxDelaySec": "3600"})
    start(relay, client)
    server.stop()
    client.wait_state("waiting")
    server.start()
    clock.advance(HOUR)
    clock.tell()
    client.wait_state("connected", seconds=20)
    assert wait_gap(client)["channels"] == [CHANNEL]


def test_a_wait_that_was_asked_for_goes_on(relay, server, client, clock):
    """By the server: it would be asked again by everyone who wakes up."""
    start(relay, client)
    server.answer = (503, {"Retry-After": "1000"})
    server.connection.abort()
    server.wait_handshakes(2)
    wait_until(lambda: client.get("LastError")[0] == "UNAVAILABLE", "the server's word")
    before = len(server.handshakes)
    clock.advance(100)
    clock.tell()
    holds_for(lambda: len(server.handshakes) == before, "it does not wait", 2)
    assert not gaps(client)


# -- sleep, noticed by logind

def test_logind(relay, server, client, logind, tunnel):
    """The clocks say nothing (a machine whose firmware hides it): logind is believed."""
    start(relay, client)
    wait_until(lambda: "Listening to logind" in relay.log, "the relay to listen to logind")
    hear(server, client, "before")
    logind.prepare_for_sleep(True)
    tunnel.freeze()
    server.connection.send(deleted("missed"))
    holds_for(lambda: not pings(server), "it probes before the sleep", 0.5)
    logind.prepare_for_sleep(False)
    server.wait_connection(2, seconds=20).wait_action("subscribe", [CHANNEL])
    assert wait_gap(client)["channels"] == [CHANNEL]


def test_logind_and_the_clocks(relay, server, client, clock, logind, tunnel):
    """Both notice: one ping."""
    start(relay, client)
    wait_until(lambda: "Listening to logind" in relay.log, "the relay to listen to logind")
    logind.prepare_for_sleep(True)
    clock.advance(HOUR)
    logind.prepare_for_sleep(False)
    clock.tell()
    wait_until(lambda: pings(server), "a ping", 20)
    holds_for(lambda: len(pings(server)) == 1, "a second ping", 2)


def test_losing_the_system_bus(relay, server, client, logind, clock, tunnel):
    start(relay, client)
    wait_until(lambda: "Listening to logind" in relay.log, "the relay to listen to logind")
    logind.kill_bus()
    wait_until(lambda: "Without the system bus" in relay.log, "a word in the log")
    hear(server, client, "still-there")
    clock.advance(HOUR)
    clock.tell()
    wait_until(lambda: pings(server), "a ping", 20)


# -- the network

def in_network(relay, server_made, new_network, certificates, url_host, token):
    server = server_made(tls=server_context(certificates.elsewhere))
    server.tokens = {token}
    network = new_network(server)
    relay.configure(Server={"Url": f"wss://{url_host}:4443/", "CaFile": certificates.ca_file}, Heartbeat=QUIET)
    return server, network


def test_network_down_and_up(relay, new_server, client, new_network, certificates, token):
    """The connection survives, and is asked whether it did: nothing is lost, and nothing told."""
    server, network = in_network(relay, new_server, new_network, certificates, Network.ADDRESS, token)
    start(relay, client)
    hear(server, client, "before")
    network.down()
    server.connection.send(deleted("on-the-way"))
    holds_for(lambda: client.get("State") == "connected", "it gave up at once", 1)
    network.up()
    wait_until(lambda: pings(server), "a ping", 20)
    client.wait_event_id("on-the-way", 20)
    assert client.get("State") == "connected" and len(server.connections) == 1
    assert not gaps(client)


def test_an_attempt_waits_for_the_network(relay, new_server, client, new_network, certificates, token):
    server, network = in_network(relay, new_server, new_network, certificates, Network.ADDRESS, token)
    relay.configure(Reconnect={"InitialDelaySec": "3600", "MaxDelaySec": "3600"})
    network.down()
    relay.start(client)
    client.wait_state("offline")
    assert client.get("LastError")[0] == "UNREACHABLE"
    assert client.get("NextAttempt") > time.time() * 1e6
    network.up()
    client.wait_state("connected", seconds=20)


def test_a_server_on_this_machine_needs_no_network(relay, server, client, new_network, token):
    """Neither a reason to doubt it, nor one to wait."""
    network = new_network(server)
    relay.configure(Server={"Url": "ws://127.0.0.1:4443/"}, Heartbeat=QUIET)
    network.down()
    start(relay, client)
    network.up()
    network.down()
    network.up()
    holds_for(lambda: not pings(server), "it doubts a server on this machine", 1.5)
    hear(server, client, "heard")


# -- names

def test_a_name_that_does_not_resolve_at_first(relay, new_server, client, clock, certificates, token, home):
    """As after a sleep: the network is there, the name server not yet."""
    server = new_server(tls=server_context(certificates.elsewhere))
    server.tokens = {token}
    names = home.directory / "names"
    names.write_text("relay.test 127.0.0.1\n")
    preload(relay.environment, "names")
    relay.environment["PRP_SHIM_NAMES"] = str(names)
    tunnel = Tunnel(server.port)
    relay.configure(Server={"Url": f"wss://relay.test:{tunnel.port}/", "CaFile": certificates.ca_file}, Heartbeat=QUIET,
                    Reconnect={"InitialDelaySec": "0.2", "MaxDelaySec": "3600"})
    start(relay, client)
    hear(server, client, "before")
    names.write_text("")
    tunnel.freeze()
    clock.advance(HOUR)
    clock.tell()
    wait_until(lambda: any(code == "DNS" for code, _ in client.changes("LastError")), "it to miss the name", 20)
    names.write_text("relay.test 127.0.0.1\n")
    server.wait_connection(2, seconds=20).wait_action("subscribe", [CHANNEL])
    gap = wait_gap(client)
    assert gap["until"] - gap["since"] >= HOUR * 1e6 and len(gaps(client)) == 1
    tunnel.finish()
