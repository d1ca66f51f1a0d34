# SPDX-License-Identifier: MIT
"""The examples of prp-relay-history(7) against a relay that does as it is told: what a real one seldom does."""

import os
import re
import shutil
import subprocess
import time

import pytest

from fake_relay import SECONDS, SOURCE_DIR, FakeRelay, History, news, wait_until
from prpctl_bench import PRPCTL, bus, environment, relay
from recipe import EXAMPLES, Example

__all__ = ["bus", "environment", "relay"]  # fixtures

# The bus here is dbus-daemon, whatever others run on: once is enough.
pytestmark = pytest.mark.bus("dbus-daemon")


def tell():
    with news:
        news.notify_all()


@pytest.fixture(params=EXAMPLES)
def example(request, environment, tmp_path):
    if request.param.endswith(".js") and shutil.which("gjs") is None:
        pytest.skip("gjs is not installed")
    environment.update(HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path / "state"))
    example = Example(request.param, environment, tell)
    yield example
    example.kill()


def wait_ids(example, *expected):
    wait_until(lambda: len(example.ids) >= len(expected),
               lambda: f"{expected}; there is {example.lines} and {example.complaints}")
    assert example.ids == list(expected)


def test_pages_and_live(relay, example):
    relay.history.page = 2
    relay.store_deleted("1", "2", "3", "4", "5")
    relay.during["ListEvents"] = lambda: (relay.during.clear(), relay.emit_deleted("6"))
    example.start()
    wait_ids(example, *[f"msg_{i}" for i in range(1, 7)])
    relay.emit_deleted("7")
    relay.emit_deleted("8")
    wait_ids(example, *[f"msg_{i}" for i in range(1, 9)])
    assert example.complaints == []


def test_its_restart_and_the_relays(relay, bus, example):
    example.start()
    relay.emit_deleted("1")
    wait_ids(example, "msg_1")
    relay.close()
    relay.store_deleted("2")
    successor = FakeRelay(bus.address, history=relay.history)
    wait_ids(example, "msg_1", "msg_2")
    successor.emit_deleted("3")
    wait_ids(example, "msg_1", "msg_2", "msg_3")
    wait_until(lambda: any(call[0] == "ListEvents" for call in successor.calls), "ListEvents")
    settled(example, successor)
    example.kill()
    successor.store_deleted("4")
    example.start()
    wait_ids(example, "msg_1", "msg_2", "msg_3", "msg_4")
    assert not any("may have been missed" in line for line in example.complaints)
    successor.close()


def settled(example, relay):
    """The cursor is stored: where the history ends."""
    path = next(iter(example.state.glob("*/cursor")))
    wait_until(lambda: path.read_text() == f"{relay.history.id} {relay.history.last}\n", path.read_text)


@pytest.mark.parametrize("change, told", [
    (lambda history: history.expire(4), "does not reach back that far"),
    (lambda history: history.clear("history-2"), "has another history"),
    (lambda history: history.expire(3), None)])
def test_missed(relay, example, change, told):
    relay.store_deleted("1", "2")
    example.start()
    wait_ids(example, "msg_1", "msg_2")
    settled(example, relay)
    example.kill()
    relay.store_deleted("3")
    change(relay.history)
    relay.store_deleted("4")
    example.start()
    wait_ids(example, "msg_1", "msg_2", *(["msg_3"] if told is None else []), "msg_4")
    if told:  # on another stream than the events
        wait_until(lambda: any(told in line for line in example.complaints), lambda: f"{told}: {example.complaints}")
    assert sum("may have been missed" in line for line in example.complaints) == (told is not None)


def test_lost_history(relay, bus, example):
    """The numbers begin anew."""
    relay.store_deleted("1", "2")
    example.start()
    wait_ids(example, "msg_1", "msg_2")
    relay.close()
    relay.history = History("history-2")
    relay.store_deleted("3")
    successor = FakeRelay(bus.address, history=relay.history)
    wait_ids(example, "msg_1", "msg_2", "msg_3")
    successor.emit_deleted("4")
    wait_ids(example, "msg_1", "msg_2", "msg_3", "msg_4")
    assert sum("may have been missed" in line for line in example.complaints) == 1
    successor.close()


def test_cleared_while_it_runs(relay, example):
    example.start()
    relay.emit_deleted("1")
    wait_ids(example, "msg_1")
    relay.change_history("history-2")
    relay.emit_deleted("2")
    wait_ids(example, "msg_1", "msg_2")
    settled(example, relay)
    example.kill()
    relay.store_deleted("3")
    example.start()
    wait_ids(example, "msg_1", "msg_2", "msg_3")


def test_gap(relay, example):
    example.start()
    relay.emit_deleted("1")
    wait_ids(example, "msg_1")
    until = int(time.time() * 1e6)
    relay.emit_gap(until - 1000, until, "CONNECTION_LOST", ["agent:a", "project:x"])
    wait_until(lambda: example.gaps, lambda: f"a gap; there is {example.lines} and {example.complaints}")
    relay.emit_deleted("2")
    wait_ids(example, "msg_1", "msg_2")
    assert example.gaps == [(until - 1000, until, "CONNECTION_LOST", ["agent:a", "project:x"])]
    assert [line.split()[0] for line in example.lines] == ["event", "gap", "event"]


def test_page_has_the_examples():
    """What is printed is what was run."""
    page = (SOURCE_DIR / "data" / "man" / "prp-relay-history.7.scd").read_text()
    assert re.findall(r"^```\n@include \.\./examples/(.*)\n```$", page, re.MULTILINE) == EXAMPLES


def test_one_liner_with_prpctl(relay, environment, tmp_path):
    """The block of the page, as it stands there, until its reader has seen enough."""
    page = (SOURCE_DIR / "data" / "man" / "prp-relay-history.7.scd").read_text()
    block = re.search(r"# WITH PRPCTL\n.*?```\n(.*?)```", page, re.DOTALL)[1]
    environment["PATH"] = f"{PRPCTL.parent}:{os.environ['PATH']}"
    seen = []
    for numbers in (["1", "2"], ["3"]):
        relay.store_deleted(*numbers)
        command = block.replace("prpctl monitor", f"prpctl monitor -n {len(numbers)}")
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=environment, cwd=tmp_path, capture_output=True,
                              text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        seen += done.stdout.splitlines()
    assert seen == [f"prp.deleted msg_{i}" for i in (1, 2, 3)]
    assert (tmp_path / "cursor").read_text() == "history-1:3\n"
