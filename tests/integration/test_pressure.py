# SPDX-License-Identifier: MIT
"""More events than the bus can take: nothing is lost, nothing grows, and calls are answered."""

import json
import os
import signal
import statistics
import subprocess
import sys

import pytest

from prp_server import TEXT, frame
from relay_bus import HERE, PATH, PROPERTIES, RELAY, event_of
from waiting import SCALE, holds_for, wait_until

MAX_MEMORY_BYTES = 24 * 1024 * 1024
EVENT_BYTES = 2000


@pytest.fixture
def amount(instrumented):
    """So many that what would be kept of them shows: 40 MB."""
    return 2000 if instrumented else 20000


def flood_of(amount, start=0):
    """Frames with the ids start … start + amount - 1."""
    template = json.dumps({"id": "@", "type": "agent.progress", "timestamp": "2024-01-15T13:00:00Z", "data": {
        "agentId": "agent_001", "prpId": "prp_1", "progress": 45, "currentTask": "x" * (EVENT_BYTES - 180)}})
    return b"".join(frame(TEXT, template.replace("@", str(start + n)).encode()) for n in range(amount))


def progress(client):
    return [s for s in client.signals if s.member == "AgentProgress"]


def wait_all(client, amount, seconds=60):
    """All of them, in order, each once."""
    wait_until(lambda: len(client.signals) >= amount and len(progress(client)) >= amount,
               lambda: f"{amount} events; there are {len(progress(client))}", seconds)
    events = [event_of(s) for s in progress(client)]
    assert [e["id"] for e in events] == [str(n) for n in range(amount)]
    assert [e["sequence"] for e in events] == list(range(events[0]["sequence"], events[0]["sequence"] + amount))


def check_memory(relay, instrumented):
    if not instrumented:
        peak = relay.status("VmHWM")
        assert peak < MAX_MEMORY_BYTES, f"{peak / 2**20:.1f} MiB"


def test_calls_are_answered_during_a_flood(connected, bus, server, client, instrumented, amount):
    timer = subprocess.Popen([sys.executable, str(HERE / "call_timer.py"), bus.address],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert timer.stdout.readline() == "ready\n"
        poured = server.connection.flood(flood_of(amount))
        wait_until(lambda: len(client.signals) > 0, "the flood")
        timer.stdin.write("begin\n")
        timer.stdin.flush()
        poured.result(60 * SCALE)
        times = json.loads(timer.communicate("end\n", timeout=60 * SCALE)[0])
    finally:
        timer.kill()
        timer.wait()
    wait_all(client, amount)
    check_memory(connected, instrumented)
    if not instrumented:
        assert len(times) >= 10 and statistics.median(times) < 50, sorted(times)


def test_the_bus_stands_still(connected, bus, server, client, instrumented, amount):
    router = bus.router_pid()
    os.kill(router, signal.SIGSTOP)
    try:
        poured = server.connection.flood(flood_of(amount))
        # What fits into buffers goes; then the relay reads no more, and TCP holds the server back.
        if not instrumented:
            holds_for(lambda: not poured.done(), "the relay has read it all: where did it put 40 MB?", 1.5)
        check_memory(connected, instrumented)
    finally:
        os.kill(router, signal.SIGCONT)
    poured.result(60 * SCALE)
    wait_all(client, amount)
    check_memory(connected, instrumented)
    assert len(server.connections) == 1
    assert client.get("EventsEmitted") == amount


def test_silence_is_not_measured_while_the_bus_stands_still(relay, bus, server, client, instrumented, amount):
    """It is we who do not read: the server is not to blame."""
    relay.configure(Heartbeat={"PingIntervalSec": "0.5", "PongTimeoutSec": "0.5"})
    relay.start(client)
    client.wait_state("connected")
    router = bus.router_pid()
    os.kill(router, signal.SIGSTOP)
    try:
        poured = server.connection.flood(flood_of(amount))
        holds_for(lambda: server.connection.closed is None, "it gave the connection up", 2.5)
    finally:
        os.kill(router, signal.SIGCONT)
    poured.result(60 * SCALE)
    wait_all(client, amount)
    assert len(server.connections) == 1


def test_sigterm_while_the_bus_stands_still(connected, bus, server):
    """Nothing that can be stuck keeps it from ending."""
    router = bus.router_pid()
    os.kill(router, signal.SIGSTOP)
    try:
        server.connection.flood(flood_of(5000)).add_done_callback(lambda f: f.exception())
        wait_until(lambda: connected.status("VmRSS"), "the flood")
        os.kill(connected.pid, signal.SIGTERM)
        connected.wait_exit(15)
    finally:
        os.kill(router, signal.SIGCONT)


LISTENER = """
import sys
sys.path.insert(0, sys.argv[1])
from relay_bus import Client
client = Client(sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.bus("dbus-daemon")
def test_a_listener_that_reads_no_more(connected, bus, server, client, instrumented, amount):
    """dbus-daemon keeps what is for it (dbus-broker hangs up on the sender at last); we and the others go on."""
    listener = subprocess.Popen([sys.executable, "-c", LISTENER, str(HERE), bus.address],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "ready\n"
        listener.send_signal(signal.SIGSTOP)
        server.connection.flood(flood_of(amount)).result(60 * SCALE)
        wait_all(client, amount)
        check_memory(connected, instrumented)
        assert client.ping() > 0
    finally:
        listener.kill()
        listener.communicate()


def test_a_flood_of_calls_starves_no_event(connected, server, client, new_client):
    caller = new_client()
    calls = [caller.call_async(PATH, PROPERTIES, "GetAll", "(s)", RELAY) for _ in range(3000)]
    server.connection.flood(flood_of(500)).result(60 * SCALE)
    wait_all(client, 500)
    assert all(c.result() for c in calls)


def test_nobody_listens(connected, server, client, new_client, instrumented, amount):
    """Nor is anything kept for those who might come."""
    observer = new_client(listens=False)
    client.close()
    server.connection.flood(flood_of(amount)).result(60 * SCALE)
    wait_until(lambda: observer.get("EventsEmitted") == amount, "all to be emitted", 60)
    check_memory(connected, instrumented)
