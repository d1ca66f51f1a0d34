# SPDX-License-Identifier: MIT
"""Networks that break, with real packets between two machines: whatever happens to them, the relay says so, tries again, and what was
missed is told."""

import random

import pytest

from certificates import server_context
from network_lab import FAR_ADDRESS, FAR_NAME, HOME_ADDRESS, OTHER_HOME_ADDRESS, PORT, FarServer, NameServer, Network
from waiting import holds_for, wait_until
from witness import RETRANSMISSION_SEC

HANDSHAKE_SEC = 20  # what the relay gives a handshake


@pytest.fixture
def network(relay):
    network = Network(relay)
    yield network
    network.finish()


@pytest.fixture
def far(relay, network, certificates, token):
    """The server at the far end; the relay, not started, is quick to notice."""
    server = FarServer(network, server_context(certificates.elsewhere))
    server.tokens = {token}
    relay.configure(Server={"Url": server.url(), "CaFile": certificates.ca_file},
                    Heartbeat={"PingIntervalSec": "0.5", "PongTimeoutSec": "0.7"})
    yield server
    server.finish()


@pytest.fixture
def witness(relay, far, client, new_witness):
    """The relay runs, and is connected."""
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(far, client)
    witness.wait_flow()
    return witness


def wait_lost(client, witness, *codes):
    wait_until(lambda: set(codes) & {code for code, _ in client.changes("LastError")},
               lambda: f"{codes}; there were {client.changes('LastError')}", 20)
    witness.check_planned()
    witness.check_answers()


# -- a connection that breaks

def test_blackhole(network, witness, client):
    network.blackhole()
    wait_lost(client, witness, "TIMEOUT")
    network.heal()
    witness.finish()
    assert len(witness.gaps()) == 1


@pytest.mark.parametrize("how,lost,attempts", [
    ("tcp reset", "CONNECTION_LOST", "REFUSED"),
    ("icmp host-unreachable", "TIMEOUT", "UNREACHABLE"),
    ("icmp port-unreachable", "TIMEOUT", "REFUSED")])
def test_reject(network, witness, client, how, lost, attempts):
    """What is under way hears of a reset, but not of unreachable hosts (RFC 5461 §2.2); who connects hears of both."""
    network.reject(how)
    wait_lost(client, witness, lost)
    wait_lost(client, witness, attempts)
    network.heal()
    witness.finish()
    assert len(witness.gaps()) == 1


def test_the_sockets_are_killed(network, witness, client):
    """As an administrator, or a VPN that goes down, does."""
    network.home.run(f"ss -K dst {FAR_ADDRESS}")
    wait_until(lambda: "CONNECTION_LOST" in {code for code, _ in client.changes("LastError")}, "the end of it")
    witness.finish()
    assert len(witness.gaps()) == 1


def test_the_servers_machine_starts_anew(network, witness, far, client):
    """It knows nothing of the connection any more (half-open): a reset comes only when somebody speaks."""
    network.set_wire(cut=True)
    far.kill()  # the reset of it gets lost
    far.restart()
    network.set_wire()
    wait_until(lambda: "CONNECTION_LOST" in {code for code, _ in client.changes("LastError")}, "the end of it", 20)
    witness.finish()
    assert len(witness.gaps()) == 1


def test_the_servers_machine_is_gone(network, witness, far, client):
    network.set_wire(cut=True)
    far.kill()
    wait_lost(client, witness, "TIMEOUT")
    network.set_wire()
    wait_lost(client, witness, "REFUSED")
    far.restart()
    witness.finish()
    assert len(witness.gaps()) == 1


def test_another_address(network, witness, client):
    """What was connected from the old one is dead."""
    network.set_address(OTHER_HOME_ADDRESS, old=HOME_ADDRESS)
    wait_until(lambda: client.get("Connections") >= 2, "another connection", 20)
    witness.finish()
    assert len(witness.gaps()) == 1


def test_a_cable_that_is_loose(relay, network, witness, far, client):
    """Out and in again, each time sooner than anything is given up: nothing is lost, and nothing told."""
    relay.configure(Heartbeat={"PingIntervalSec": "30", "PongTimeoutSec": "30"})
    client.command("Reload")
    far.connection.abort()
    far.wait_connection(2)
    witness.wait_flow()
    gaps = len(witness.gaps())
    for _ in range(3):
        network.home.run("ip link set a0 down")
        network.home.run("ip link set a0 up")
        network.home.run(f"ip route replace default via {FAR_ADDRESS} dev a0")
        witness.wait_flow()
    witness.finish()
    assert len(far.connections) == 2 and len(witness.gaps()) == gaps


def test_a_bad_wire(relay, network, far, client, new_witness, record_property):
    """Frames are lost, late and overtake each other, from the first one on: all arrives once, in order, and nothing need be told."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    record_property("seed", seed)
    relay.configure(Heartbeat={"PingIntervalSec": "30", "PongTimeoutSec": "30"})
    network.set_wire(loss=0.05, delay=0.02, seed=seed)
    relay.start(client)
    client.wait_state("connected", seconds=20)
    witness = new_witness(far, client, rate=300)
    for _ in range(3):
        witness.wait_flow()
    assert not witness.finish()
    assert not witness.gaps() and client.get("Connections") == 1
    assert client.get("DuplicatesDropped") == client.get("MalformedDropped") == 0


def test_a_wire_that_gets_worse(network, witness, client, record_property):
    """Until nothing passes, and well again: more than one connection is lost on it, and each is told."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    record_property("seed", seed)
    for loss in (0.1, 0.4, 0.9, 1.0):
        network.set_wire(loss=loss, delay=0.02, seed=seed)
        holds_for(lambda: client.get("State"), "no answer", 0.4)
    wait_lost(client, witness, "TIMEOUT")
    network.set_wire()
    witness.finish(slack=RETRANSMISSION_SEC)


# -- a connection that is being made

def test_blackhole_before(relay, monotonic, network, far, client):
    """Nobody answers the first packet."""
    network.blackhole()
    relay.start(client)
    client.wait_state("connecting")
    wait_until(lambda: FAR_ADDRESS in network.home.run("ss -Htn state syn-sent"), "a packet that nobody answers")
    monotonic.advance(HANDSHAKE_SEC)
    code, _ = client.wait_error("HANDSHAKE_TIMEOUT", "TIMEOUT")
    assert client.get("Attempts") == 1
    network.heal()
    client.wait_state("connected")
    assert client.subscribe("project:p1") == {"project:p1": "active"}


@pytest.mark.parametrize("moment", ["TLS", "HTTP"])
def test_blackhole_in_the_handshake(relay, monotonic, network, far, client, moment):
    if moment == "HTTP":
        far.on_handshake = lambda _: network.blackhole()
    else:
        far.stop()
        listener = network.far.listen("tcp", FAR_ADDRESS, PORT)
    relay.start(client)
    if moment == "HTTP":
        far.wait_handshakes(1)
        far.on_handshake = None
    else:
        listener.settimeout(10)
        peer, _ = listener.accept()
        assert peer.recv(65536)[0] == 22, "no hello"
        network.blackhole()
        peer.close()
        listener.close()
        far.start()
    assert client.get("State") == "connecting"
    monotonic.advance(HANDSHAKE_SEC)
    client.wait_error("HANDSHAKE_TIMEOUT")
    network.heal()
    client.wait_state("connected")
    assert client.subscribe("project:p1") == {"project:p1": "active"}


# -- names

@pytest.fixture
def names(relay, network, far):
    names = NameServer(network)
    relay.configure(Server={"Url": far.url(FAR_NAME)})
    yield names
    names.finish()


@pytest.mark.parametrize("how", ["NO_NAME", "FAILURE", "GARBAGE", "SILENT"])
def test_a_name_server_that_does_not_know(names, witness, far, client, how):
    """Or says nothing at all: calls are answered meanwhile."""
    names.how = getattr(NameServer, how)
    far.connection.abort()
    wait_until(lambda: client.get("State") != "connected", "the loss")
    witness.check_answers()
    wait_lost(client, witness, "DNS")
    assert FAR_NAME in client.get("LastError")[1]
    names.how = NameServer.RIGHT
    witness.finish()
    assert len(witness.gaps()) == 1


def test_a_name_server_that_lies(network, names, witness, far, client, certificates):
    """It leads to somebody else, who does not get to see the token."""
    network.far.run(f"ip address add {NameServer.OTHER_ADDRESS}/24 dev b0")
    other = FarServer(network, server_context(certificates.other_host), NameServer.OTHER_ADDRESS)
    try:
        names.how = NameServer.WRONG
        far.connection.abort()
        wait_lost(client, witness, "TLS_WRONG_HOST")
        assert not other.handshakes
        names.how = NameServer.RIGHT
        witness.finish()
        assert not other.handshakes
    finally:
        other.finish()
