# SPDX-License-Identifier: MIT
"""Waiting for conditions: whatever learns something new says so, whoever waits looks again then."""

import os
import threading
import time

# Programs under valgrind or a sanitizer take their time: every deadline of the tests is stretched by this.
SCALE = float(os.environ.get("PRP_TEST_TIMEOUT_SCALE", "1"))

# Some conditions (a file, a process) have nobody who says that they changed: they are looked at this often.
POLL_SEC = 0.02

_news = threading.Condition()


def tell():
    """Something changed: whoever waits shall look again. From any thread."""
    with _news:
        _news.notify_all()


def wait_until(condition, what, seconds=10.0):
    """Returns the condition's first true value; fails when there is none in time."""
    deadline = time.monotonic() + seconds * SCALE
    while True:
        value = condition()
        if value:
            return value
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError(f"waited {seconds * SCALE:g} s in vain for: {what() if callable(what) else what}")
        with _news:
            _news.wait(min(left, POLL_SEC))


def holds_for(condition, what, seconds):
    """That something does *not* happen can only be watched for a time: the one wait here that takes all of it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), what() if callable(what) else what
        with _news:
            _news.wait(POLL_SEC)
