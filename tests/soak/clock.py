# SPDX-License-Identifier: MIT
"""The relay's clocks, which tests/integration/shim-clock.c sets apart from the machine's."""

import struct
import time

# The relay lives a day ahead: set back by minutes it is still in the time in which the certificates are valid.
AHEAD_SEC = 86400


class Clock:
    def __init__(self, path):
        self.path = path
        self._slept, self._set = 0, AHEAD_SEC
        self.steps = [(0.0, float(AHEAD_SEC))]  # (when, what is added to the machine's clock from then on)
        path.write_bytes(b"\0" * 16)
        self._write()

    def _write(self):
        with open(self.path, "r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=qq", int(self._slept * 1e6), int(self._set * 1e6)))

    def set(self, seconds):
        """The time of day alone is set."""
        self._set += seconds
        self._note()

    def sleep(self, seconds):
        """As if the machine had slept."""
        self._slept += seconds
        self._note()

    def _note(self):
        self.steps.append((time.time(), float(self._slept + self._set)))
        self._write()
