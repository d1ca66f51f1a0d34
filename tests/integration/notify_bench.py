# SPDX-License-Identifier: MIT
"""Fixtures for tests of prp-notify: a notification server that does as it is told, and the program itself."""

import signal
import struct

import pytest

from notification_server import NotificationServer
from notify_process import Notifier, Service
from waiting import holds_for
from wake_lab import preload

QUIET_SEC = 0.6  # that something is *not* shown is seen by waiting a bit longer than anything is put off


@pytest.fixture
def desktop(bus):
    server = NotificationServer(bus)
    yield server
    server.finish()


@pytest.fixture
def idle_notifier(home, bus):
    """Not started."""
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


class Monotonic:
    """The program's clock for deadlines (shim-monotonic.c). It must be made before the program is started."""

    def __init__(self, notifier):
        self._notifier = notifier
        self._path = notifier.home.directory / "monotonic"
        self._path.write_bytes(struct.pack("=q", 0))
        self._ahead = 0
        preload(notifier.environment, "monotonic")
        notifier.environment["PRP_SHIM_MONOTONIC"] = str(self._path)

    def advance(self, seconds):
        self._ahead += seconds
        with open(self._path, "r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=q", int(self._ahead * 1e6)))
        self._notifier.process.send_signal(signal.SIGRTMIN)


@pytest.fixture
def monotonic(idle_notifier):
    return Monotonic(idle_notifier)


def stays(desktop, count):
    """No further notification is sent."""
    holds_for(lambda: len(desktop.sent) == count, lambda: f"more than {count}: {desktop.sent[count:]}", QUIET_SEC)


__all__ = ["desktop", "idle_notifier", "service", "notifier", "monotonic"]
