# SPDX-License-Identifier: MIT
"""The relay's clocks, pushed from outside by the shims of tests/integration. Each is made before the relay is started."""

import signal
import struct
import time

import wake_lab


class Clock(wake_lab.Clock):
    """As for a sleep, and CLOCK_REALTIME may also be set."""

    def __init__(self, relay):
        self._set = 0
        super().__init__(relay)

    def _write(self):
        with open(self._path, "r+b" if self._path.exists() else "wb") as file:
            file.write(struct.pack("=qq", int(self._slept * 1e6), int(self._set * 1e6)))

    def now(self):
        return int((time.time() + self._slept + self._set) * 1e6)

    def set(self, seconds):
        """That far off the right time, in whatever direction; and the kernel says so."""
        self._set = seconds
        self._write()
        self.tell()


class Monotonic:
    """CLOCK_MONOTONIC: deadlines pass without anybody's waiting for them."""

    def __init__(self, relay):
        self._relay = relay
        self._path = relay.home.directory / "monotonic"
        self._path.write_bytes(struct.pack("=q", 0))
        self._ahead = 0
        wake_lab.preload(relay.environment, "monotonic")
        relay.environment["PRP_SHIM_MONOTONIC"] = str(self._path)

    def advance(self, seconds):
        self._ahead += seconds
        with open(self._path, "r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=q", int(self._ahead * 1e6)))
        self._relay.process.send_signal(signal.SIGRTMIN)
