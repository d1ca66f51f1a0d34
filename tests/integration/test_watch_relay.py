# SPDX-License-Identifier: MIT
"""prpctl watch with a real relay, which loses its server, is killed, and comes back."""

import signal

import pytest

from relay_process import BUILD_DIR, WRAPPER
from terminal_bench import Terminal
from waiting import wait_until

CHANNEL = "project:proj_1"
COMMAND = [*WRAPPER, str(BUILD_DIR / "src" / "prpctl" / "prpctl"), "watch", CHANNEL]


class World:
    """What the server tells whoever is subscribed."""

    def __init__(self, server):
        self.server = server
        self.n_sent = 0

    def wait_subscribed(self):
        wait_until(lambda: any(CHANNEL in c.subscribed and not c.closed for c in self.server.connections), f"{CHANNEL} to be wanted")

    def send(self, kind, **data):
        self.n_sent += 1
        self.server.connections[-1].send({"id": f"msg_{self.n_sent}", "type": kind, "timestamp": "2026-11-23T14:00:00Z", "data": data})

    def create(self, prp_id, name):
        self.send("prp.created", id=prp_id, projectId="proj_1", name=name, status="active", priority="high")

    def progress(self, prp_id, percent, task):
        self.send("agent.progress", agentId="agent_001", prpId=prp_id, progress=percent, currentTask=task)


@pytest.fixture
def world(connected, server):
    return World(server)


@pytest.fixture
def terminal(connected, world):
    terminal = Terminal(dict(connected.environment, TZ="UTC"), COMMAND, columns=120)
    world.wait_subscribed()
    yield terminal
    terminal.finish()


def test_relay_is_killed(connected, client, world, terminal):
    world.create("prp_1", "The first")
    world.progress("prp_1", 30, "Begin")
    terminal.wait_line("The first", "active", "30 %", "Begin")
    for number in range(3):
        connected.kill()
        terminal.wait_text("the relay is not running", "correct as of", "The first")
        connected.start(client)
        terminal.wait_text("connected to ws://", "events may have been missed from")  # it cannot know
        terminal.wait_no_text("correct as of")
        world.wait_subscribed()
        world.progress("prp_1", 50 + number, f"Round {number}")
        terminal.wait_line("The first", f"{50 + number} %", f"Round {number}")
    terminal.send_signal(signal.SIGTERM)
    assert terminal.end() == 0 and terminal.is_given_back()


def test_server_goes(connected, client, server, world, terminal):
    """The list stays, and says since when; what the relay learns afterwards is in it."""
    world.create("prp_1", "The first")
    terminal.wait_line("The first", "active")
    server.stop()
    terminal.wait_text("correct as of", "The first")
    server.start()
    terminal.wait_text("connected to")
    terminal.wait_no_text("correct as of")
    world.wait_subscribed()
    world.send("prp.status_changed", id="prp_1", previousStatus="active", newStatus="completed", reason="")
    terminal.wait_line("The first", "completed")
    client.command("Disconnect")
    terminal.wait_text("disconnected from ws://", "correct as of")
    terminal.press("q")
    assert terminal.end() == 0 and terminal.is_given_back()
