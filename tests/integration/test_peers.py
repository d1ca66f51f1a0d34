# SPDX-License-Identifier: MIT
"""The programs that the benchmark sets beside the relay do what it does: else their figures would say nothing.

PRP_PEERS: which ones, by default those that need nothing but packages of the distribution; a benchmark looks at all.
"""

import json
import os
import pathlib
import subprocess

import pytest

from expected import example, received
from relay_bus import NAME, event_of
from relay_process import BUILD_DIR, PASSED_ON
from test_events import RELAYED, message
from waiting import SCALE, wait_until

PEERS = pathlib.Path(__file__).resolve().parent.parent / "bench" / "peers"
NAMES = os.environ.get("PRP_PEERS", "python-dbus-next python-dbus-python").split()

# Beside the examples of the protocol page: each kind of JSON value, what is missing, what D-Bus cannot carry.
TEXTS = [
    *(example(name) for name in RELAYED),
    message("x.values", {"n": [0, -1, 2**53 - 1, 0.5, -2.5e300], "b": [True, False], "null": None, "empty": [{}, [], ""]}),
    message("x.deep", {"a": [[{"b": [{"c": [[None, "x"]]}]}]]}, metadata={"version": "1", "source": "s"}),
    message("x.text", {"umlaut": "Größe", "face": "\U0001f600", "nul": "a\0b", "lone": "\ud800", "last": "\uffff", "\ufffe": 1,
                       "__proto__": {"x": 1}}),
    message("prp.created", {"id": "p", "projectId": "q", "status": 5}),
    message("prp.created", {"id": "p"}, id="no-project"),
    message("prp.updated", {"id": "p", "changes": {"a": None, "b": [1], "c": {"new": 1, "old": {"x": []}}}}),
    message("agent.progress", {"agentId": "a", "prpId": "p", "progress": 45.5}),
    message("agent.progress", {"agentId": "a", "prpId": "p", "progress": True}, id="not-a-number"),
    '{"type":"x.bare"}',
    '{"id":"deep","type":"x.y","data":{"v":' + "[" * 14 + "7" + "]" * 14 + "}}",
]
# JSON.parse has no integers: these come out right where there are some.
INTEGERS = message("x.integers", {"n": [2**63 - 1, -2**63, 2**63, 2**64 - 1, 2**64, 1e2]})


def send_all(server, client, texts):
    """What came for them, without the sender's own numbers; those."""
    already = len(client.events())
    for text in [*texts, message("last.one", {}, id="last")]:
        server.connection.send(text)
    wait_until(lambda: any(event_of(s)["id"] == "last" for s in client.events()[already:]),
               lambda: f"the last event; there are {client.events()[already:]}")
    return zip(*(received(s) for s in client.events()[already:-1]))


@pytest.fixture
def start_peer(home, bus, server, token, client):
    """Starts one, and waits until it says `ready`."""
    processes = []

    def start(name, *channels):
        environment = dict({key: os.environ[key] for key in PASSED_ON if key in os.environ}, HOME=str(home.directory),
                           DBUS_SESSION_BUS_ADDRESS=bus.address, PRP_URL=server.url(), PRP_TOKEN=token,
                           PRP_CHANNELS=",".join(channels), PRP_BUILD_DIR=str(BUILD_DIR))
        if name.startswith("node"):
            subprocess.run([PEERS / name / "run", "--install"], check=True, env=dict(os.environ, **environment))
        environment.pop("LD_PRELOAD", None)
        processes.append(subprocess.Popen([PEERS / name / "run"], env=environment, stdin=subprocess.DEVNULL,
                                          stdout=subprocess.PIPE, text=True))
        assert processes[-1].stdout.readline() == "ready\n"
        owner = client.bus_call("GetNameOwner", "(s)", NAME)[0]
        assert client.bus_call("GetConnectionUnixProcessID", "(s)", owner)[0] == processes[-1].pid
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def of_the_relay(connected, server, client):
    """The signals of the relay for all texts; it has ended then."""
    signals, _ = send_all(server, client, [*TEXTS, INTEGERS])
    connected.stop()
    wait_until(lambda: client.owner() is None, "the name to be free")
    return signals


def test_peers_send_what_the_relay_sends(of_the_relay, server, client, start_peer):
    for name in NAMES:
        exact = not name.startswith("node")
        process = start_peer(name, "project:a", "agent:b")
        server.connection.wait_action("subscribe", ["project:a", "agent:b"])
        signals, numbers = send_all(server, client, [*TEXTS, INTEGERS] if exact else TEXTS)
        for got, wanted in zip(signals, of_the_relay):
            assert got == wanted, name
        assert len(signals) == len(of_the_relay) - (not exact), name
        assert [sequence for sequence, _ in numbers] == list(range(1, len(numbers) + 1)), name
        process.terminate()
        assert process.wait(10 * SCALE) == 0, name
        assert server.connection.wait_closed()[0] in (1000, 1001), name
        wait_until(lambda: client.owner() is None, "the name to be free")


@pytest.mark.parametrize("name", NAMES)
def test_peers_come_back(name, server, client, start_peer):
    """After a connection that was cut; and messages that are none do them no harm."""
    start_peer(name, "project:a")
    server.connection.abort()
    connection = server.wait_connection(2)
    connection.wait_action("subscribe", ["project:a"])
    for text in ["", "[1]", '{"type":1}', "[" * 100000, '{"id":"nan","type":"x.y","data":NaN}']:
        connection.send(text)
    signals, _ = send_all(server, client, [json.dumps({"id": "after", "type": "x.y"})])
    assert [member for member, _, _ in signals] == ["OtherEvent"]
