# SPDX-License-Identifier: MIT
"""prp-notify: what a person in front of a notification server gets to see. Relay and service are real, the server is told."""

import pytest

from notification_server import DISMISSED, EXPIRED, NotificationServer
from notify_process import Notifier, Service
from waiting import holds_for, wait_until

QUIET_SEC = 1.2  # that something is *not* shown is seen by waiting a bit longer than anything is put off


@pytest.fixture
def desktop(bus):
    server = NotificationServer(bus)
    yield server
    server.finish()


@pytest.fixture
def idle_notifier(home, bus):
    notifier = Notifier(home, bus)
    yield notifier
    notifier.finish()


@pytest.fixture
def service(server):
    return Service(server)


@pytest.fixture
def notifier(idle_notifier, desktop, connected):
    idle_notifier.start()
    return idle_notifier


def stays(desktop, count):
    """No further notification is sent."""
    holds_for(lambda: len(desktop.sent) == count, lambda: f"more than {count}: {desktop.sent[count:]}", QUIET_SEC)


# -- one notification per PRP

def test_a_life(notifier, desktop, service):
    """Seven events, one notification that changes in its place."""
    service.create("p", "Login", priority="high")
    first = desktop.wait_shown("Login", "Created", "pending", "high")
    service.assign("p", "agent_7")
    desktop.wait_shown("Agent agent_7 was assigned")
    for percent in (10, 40, 75, 100):
        service.progress("p", percent, f"Step {percent}")
        desktop.wait_shown(f"{percent}% done: Step {percent}")
    service.status("p", "completed", "All requirements met")
    last = desktop.wait_shown("Login", "Completed", "All requirements met")
    assert {n.id for n in desktop.sent} == {first.id}
    assert [n.replaces for n in desktop.sent] == [0] + [first.id] * (len(desktop.sent) - 1)
    quiet = [n.hints.get("suppress-sound", False) for n in desktop.sent]
    assert quiet == [False, False, True, True, True, True, False]
    assert [n.hints.get("value") for n in desktop.sent[2:6]] == [10, 40, 75, 100]
    assert last.app == "PRP relay" and last.icon == "dev.prp.Relay1" and last.hints["desktop-entry"] == "dev.prp.Notify1"
