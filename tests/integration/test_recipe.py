# SPDX-License-Identifier: MIT
"""The examples of prp-relay-history(7) with a real relay, while events stream and everything is restarted."""

import json
import shutil
import subprocess
import threading

import pytest
from gi.repository import GLib

from recipe import EXAMPLES, Example
from relay_bus import CALL_SEC, PATH
from relay_process import BUILD_DIR
from waiting import SCALE, tell, wait_until

HISTORY = "dev.prp.Relay1.History"
CHANNEL = "project:stream"
PAUSE_SEC = 0.003  # between two events
STEP = 60          # events from one disturbance to the next


class Stream:
    """Sends events to whoever is connected and subscribed, until it is stopped."""

    def __init__(self, server):
        self.server = server
        self.n_sent = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(PAUSE_SEC):
            connection = next((c for c in reversed(self.server.connections) if CHANNEL in c.subscribed and not c.closed), None)
            if connection is None:
                continue
            try:
                connection.send({"id": f"msg_{self.n_sent + 1}", "type": "prp.deleted", "timestamp": "2026-11-23T14:00:00Z",
                                 "data": {"id": f"prp_{self.n_sent + 1}", "projectId": "stream"}})
            except Exception:  # it has just been closed: whichever way that is told
                continue
            self.n_sent += 1
            tell()

    def wait_more(self, count=STEP):
        goal = self.n_sent + count
        wait_until(lambda: self.n_sent >= goal, lambda: f"{goal} events sent; there were {self.n_sent}", 20)

    def finish(self):
        self._stop.set()
        self._thread.join()


@pytest.fixture(params=EXAMPLES)
def example(request, relay):
    if request.param.endswith(".js") and shutil.which("gjs") is None:
        pytest.skip("gjs is not installed")
    example = Example(request.param, relay.environment, tell)
    yield example
    example.kill()


@pytest.fixture
def stream(server):
    stream = Stream(server)
    yield stream
    stream.finish()


def list_history(client):
    """All of it, as the relay tells it."""
    events, last, more = [], 0, True
    while more:
        page, last, more = client.call(PATH, HISTORY, "ListEvents", "(tua{sv})", last, 0, {}).unpack()
        events += page
    return events


def wait_caught_up(example, client):
    def newest():
        return client.call(PATH, HISTORY, "ListEvents", "(tua{sv})", 0, 1, {
            "newest": GLib.Variant("b", True), "types": GLib.Variant("as", ["prp.*"])}).unpack()[0][0]["id"]
    wait_until(lambda: example.ids and example.ids[-1] == newest(),
               lambda: f"{newest()}; there is {example.lines[-5:]} and {example.complaints}", 30)


def start_again(relay, client):
    """Until it hears the channel: one that leaves before that has told of nothing, and the next one tells of both times at once."""
    relay.start(client)
    client.wait_state("connected")
    client.wait_channel(CHANNEL, State="active")


def test_every_event_once(relay, client, server, example, stream):
    relay.start(client)
    client.wait_state("connected")
    client.subscribe(CHANNEL)
    example.start()
    stream.wait_more()
    relay.stop()
    start_again(relay, client)
    stream.wait_more()
    relay.kill()
    start_again(relay, client)
    stream.wait_more()
    example.kill()
    n_first_life = len(example.ids)
    stream.wait_more()
    relay.kill()
    start_again(relay, client)
    example.start()
    stream.wait_more()
    relay.stop()
    start_again(relay, client)
    stream.wait_more()
    stream.finish()
    server.connection.settle()
    assert client.ping() > 0  # what was sent before its answer has been handled
    wait_caught_up(example, client)

    history = list_history(client)
    seen = example.ids
    # Killed between dealing with an event and storing the cursor, it sees that one again, as the page says.
    if n_first_life > 0 and seen[n_first_life - 1:n_first_life] == seen[n_first_life:n_first_life + 1]:
        del seen[n_first_life]
    assert seen == [event["id"] for event in history if event["type"] != "relay.gap"]
    assert len(set(seen)) == len(seen) > 3 * STEP
    gaps = [event["data"] for event in history if event["type"] == "relay.gap"]
    assert len(gaps) == 4, "one for each time that the relay was not there"
    assert sorted(set(map(str, example.gaps))) == sorted(
        str((gap["since"], gap["until"], gap["cause"], gap["channels"])) for gap in gaps)
    assert not any("may have been missed" in line for line in example.complaints)


def test_prpctl_monitor(relay, client, server, stream, tmp_path):
    """The recipe as prpctl follows it."""
    relay.start(client)
    client.wait_state("connected")
    client.subscribe(CHANNEL)
    with open(tmp_path / "events", "wb") as out:
        monitor = subprocess.Popen([str(BUILD_DIR / "src" / "prpctl" / "prpctl"), "monitor", "--json", "--from", "start"],
                                   env=relay.environment, stdout=out, stderr=subprocess.DEVNULL)
    try:
        for end in (relay.stop, relay.kill, relay.kill):
            stream.wait_more()
            end()
            relay.start(client)
        stream.wait_more()
        stream.finish()
        server.connection.settle()
        assert client.ping() > 0
        expected = [(event["type"], event["id"]) for event in list_history(client)]

        def seen():
            lines = (tmp_path / "events").read_text().split("\n")[:-1]
            return [(event["type"], event["id"]) for event in map(json.loads, lines)]
        wait_until(lambda: len(seen()) >= len(expected), lambda: f"{len(expected)} events; there are {len(seen())}", 30)
        assert seen() == expected
    finally:
        monitor.terminate()
        assert monitor.wait() == 0


def test_gap(relay, client, server, example):
    """A loss of the connection, as it happens: told by the example, and by prpctl in the same words each time."""
    prpctl = str(BUILD_DIR / "src" / "prpctl" / "prpctl")
    relay.start(client)
    client.wait_state("connected")
    client.subscribe(CHANNEL)
    example.start()
    monitors = {}
    for how in ([], ["--json"]):
        monitors[" ".join(how)] = subprocess.Popen(
            [prpctl, "monitor", "--quiet", "--from", "start", "--count", "1", *how], env=relay.environment,
            stdout=subprocess.PIPE, text=True)
    server.connection.abort()
    wait_until(lambda: example.gaps, lambda: f"a gap; there is {example.lines} and {example.complaints}", 20)
    gap, = (event["data"] for event in list_history(client))
    assert example.gaps == [(gap["since"], gap["until"], gap["cause"], gap["channels"])]
    assert gap["channels"] == [CHANNEL] and gap["since"] <= gap["until"]
    for how, monitor in monitors.items():
        live, _ = monitor.communicate(timeout=CALL_SEC * SCALE)
        listed = subprocess.run([prpctl, "history", *how.split()], env=relay.environment, capture_output=True, text=True,
                                check=True).stdout
        assert live == listed and "CONNECTION_LOST" in live
