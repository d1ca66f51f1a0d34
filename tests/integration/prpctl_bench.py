# SPDX-License-Identifier: MIT
"""Runs prpctl on a bus of its own, with a relay that does as it is told. Nothing of the daemon is needed.

Environment: PRP_BUILD_DIR (where prpctl was built), PRP_TEST_WRAPPER (runs it inside something, as valgrind),
PRP_TEST_TIMEOUT_SCALE (stretches every deadline).
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading

import pytest

from fake_relay import SCALE, SECONDS, WRAPPER, Bus, FakeRelay, news, wait_until

BUILD_DIR = pathlib.Path(os.environ.get("PRP_BUILD_DIR", "build")).resolve()
PRPCTL = BUILD_DIR / "src" / "prpctl" / "prpctl"
ANSWER_SEC = 2 * SCALE  # a --timeout in which an answer does come


class Running:
    """A prpctl that goes on. Its output is gathered line by line, unless told not to read it."""

    def __init__(self, environment, *arguments, read=True):
        self.process = subprocess.Popen([*WRAPPER, str(PRPCTL), *arguments], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.out, self.notes = [], []
        self.threads = [self.gather(self.process.stderr, self.notes)]
        if read:
            self.read()

    def read(self):
        self.threads.append(self.gather(self.process.stdout, self.out))

    @staticmethod
    def gather(stream, lines):
        def run():
            for line in stream:
                with news:
                    lines.append(line.rstrip("\n"))
                    news.notify_all()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def wait_note(self, text, times=1):
        wait_until(lambda: sum(text in note for note in self.notes) >= times,
                   lambda: f"{times} × {text!r} on stderr; there is {self.notes}")

    def wait_lines(self, count):
        """The time counts from the last line: thousands of them take theirs on a busy machine."""
        while (have := len(self.out)) < count:
            wait_until(lambda have=have: len(self.out) > have,
                       lambda: f"{count} lines; there are {len(self.out)}, the last {self.out[-20:]}")

    def end(self):
        """The exit status of a process that ends by itself."""
        status = self.process.wait(SECONDS)
        for thread in self.threads:
            thread.join(SECONDS)
        return status

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.end()


def is_instrumented():
    """Figures of time and memory say nothing then."""
    options = json.loads((BUILD_DIR / "meson-info" / "intro-buildoptions.json").read_text())
    return bool(WRAPPER) or next(o["value"] for o in options if o["name"] == "b_sanitize") != "none"


@pytest.fixture
def bus(tmp_path):
    bus = Bus(tmp_path)
    yield bus
    bus.stop()


@pytest.fixture
def relay(bus):
    relay = FakeRelay(bus.address)
    yield relay
    relay.close()


@pytest.fixture
def environment(bus):
    passed_on = ("PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "G_SLICE", "LD_LIBRARY_PATH")
    return {"DBUS_SESSION_BUS_ADDRESS": bus.address, "LC_ALL": "C.UTF-8", "TZ": "UTC", "G_DEBUG": "fatal-criticals",
            **{key: os.environ[key] for key in passed_on if key in os.environ}}


@pytest.fixture
def prpctl(environment):
    def run(*arguments, **options):
        return subprocess.run([*WRAPPER, str(PRPCTL), *arguments], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS, **options)
    return run


@pytest.fixture
def start(environment):
    """A prpctl that goes on; ended with the test."""
    running = []

    def run(*arguments, **options):
        running.append(Running(environment, *arguments, **options))
        return running[-1]

    yield run
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.wait()


@pytest.fixture
def monitor(start):
    """One that follows the events already."""
    def run(*arguments, **options):
        one = start("monitor", *arguments, **options)
        one.wait_note("monitoring")
        return one
    return run
