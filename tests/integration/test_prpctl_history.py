# SPDX-License-Identifier: MIT
"""prpctl history, and prpctl monitor --from, against a relay that does as it is told."""

import json
import re
import subprocess

import pytest
from gi.repository import GLib

from fake_relay import NO_ANSWER, SECONDS, WRAPPER, FakeRelay, History, Refusal, wait_until
from prpctl_bench import ANSWER_SEC, PRPCTL, bus, environment, monitor, prpctl, relay, start

__all__ = ["bus", "environment", "monitor", "prpctl", "relay", "start"]  # fixtures

# The bus here is dbus-daemon, whatever others run on: once is enough.
pytestmark = pytest.mark.bus("dbus-daemon")


# -- history

def ids(lines):
    return [json.loads(line)["id"] for line in lines]


def names(count, start=1):
    return [f"msg_{i}" for i in range(start, start + count)]


@pytest.fixture
def full_relay(relay):
    """It has kept events 1 to 250."""
    relay.store_deleted(*map(str, range(1, 251)))
    return relay


def test_history_words(relay, prpctl):
    result = prpctl("history")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "No events.\n")
    relay.store_deleted("old", received=GLib.Variant("t", 1705334400000000))
    relay.emit_event("PrpCreated", "sssss", "prp_2", "proj_1", "\033]0;owned\007\nnext", "", "")
    result = prpctl("history")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "2024-01-15 16:00:00  PRP old deleted from proj_1"
    assert re.fullmatch(r"\d\d:\d\d:\d\d  PRP prp_2 “�\]0;owned� next” created in proj_1", lines[1])
    assert len(lines) == 2


def test_history_lines(full_relay, prpctl):
    assert ids(prpctl("history", "--json").stdout.splitlines()) == names(100, 151)
    assert ids(prpctl("history", "--json", "-n", "3").stdout.splitlines()) == names(3, 248)
    for every in (["-n", "all"], ["-n", "0"], ["--lines", "2000"], ["--from", "start"], ["--since", "1 h"]):
        assert ids(prpctl("history", "--json", *every).stdout.splitlines()) == names(250), every


def test_history_pages(full_relay, prpctl):
    """More than the relay gives at once, of the first and of the last."""
    full_relay.history.page = 7
    assert ids(prpctl("history", "--json", "-n", "all").stdout.splitlines()) == names(250)
    assert ids(prpctl("history", "--json").stdout.splitlines()) == names(100, 151)
    assert ids(prpctl("history", "--json", "-n", "5").stdout.splitlines()) == names(5, 246)
    result = prpctl("history", "--json", "-n", "100", "--from", "history-1:200", "--show-cursor")
    assert ids(result.stdout.splitlines()) == names(50, 201)
    assert result.stderr == "-- cursor: history-1:250\n"


def test_history_filters(relay, prpctl):
    relay.store_deleted("a")
    relay.emit_event("AgentProgress", "ssds", "agent_1", "a", 5.0, "", id="msg_p")
    relay.emit_event("ServerError", "ss", "X", "", id="msg_e")
    def listed(*arguments):
        return ids(prpctl("history", "--json", *arguments).stdout.splitlines())
    assert listed("--type", "prp.*") == ["msg_a"]
    assert listed("--type", "prp.*", "--type", "err?r") == ["msg_a", "msg_e"]
    assert listed("--prp", "a") == ["msg_a", "msg_p"]
    assert listed("--prp", "a", "--agent", "agent_1") == ["msg_p"]
    assert listed("--project", "proj_1") == ["msg_a"]
    assert listed("--since", "2 days ago") == ["msg_a", "msg_p", "msg_e"]
    assert listed("--since", "2999-01-01") == []
    assert relay.calls[-1][3]["since"] == 32472144000000000


def test_history_cursor(full_relay, prpctl):
    """What one call ends with, the next one begins with."""
    result = prpctl("history", "--json", "-n", "2", "--show-cursor")
    cursor = result.stderr.removeprefix("-- cursor: ").strip()
    assert cursor == "history-1:250"
    assert [json.loads(line)["cursor"] for line in result.stdout.splitlines()] == ["history-1:249", cursor]
    full_relay.store_deleted("251")
    full_relay.emit_event("ServerError", "ss", "X", "")
    for given in (cursor, "250"):
        result = prpctl("history", "--json", "--from", given, "--type", "prp.*", "--show-cursor")
        assert (result.returncode, ids(result.stdout.splitlines())) == (0, ["msg_251"])
        assert result.stderr == "-- cursor: history-1:252\n"  # it has looked so far
    result = prpctl("history", "--from", "now", "--show-cursor")
    assert (result.stdout, result.stderr) == ("", "No events.\n-- cursor: history-1:252\n")


@pytest.mark.parametrize("cursor, cause, expected", [
    ("another:249", "HISTORY_CHANGED", names(50, 201)), ("251", "HISTORY_CHANGED", names(50, 201)),
    ("history-1:199", "HISTORY_TOO_SHORT", names(50, 201)), ("history-1:200", None, names(50, 201)),
    ("history-1:0", "HISTORY_TOO_SHORT", names(50, 201)), ("start", None, names(50, 201))])
def test_history_missed(full_relay, prpctl, cursor, cause, expected):
    full_relay.history.expire(201)
    result = prpctl("history", "--json", "--from", cursor)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == (7 if cause else 0)
    if cause:
        assert lines.pop(0) == {"id": "", "type": "prpctl.missed", "data": {"cause": cause}}
        assert result.stderr.startswith("prpctl: events may have been missed")
    assert [line["id"] for line in lines] == expected
    result = prpctl("history", "--from", cursor, "--strict")
    assert (result.returncode, result.stdout == "") == ((7, True) if cause else (0, False))


def test_history_clear(full_relay, prpctl):
    result = prpctl("history", "--clear")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert full_relay.calls == [("Clear",)]


def test_history_errors(relay, prpctl):
    relay.refusals["ListEvents"] = Refusal("org.freedesktop.DBus.Error.InvalidArgs", "No \033[5m.")
    result = prpctl("history")
    assert (result.returncode, result.stdout) == (1, "") and "No �[5m." in result.stderr
    relay.refusals["ListEvents"] = NO_ANSWER
    assert prpctl("history", "--timeout", str(ANSWER_SEC)).returncode == 6


def test_history_of_an_older_relay(bus, prpctl):
    relay = FakeRelay(bus.address, has_history=False)
    for arguments in (["history"], ["monitor", "--from", "1"], ["history", "--clear"]):
        result = prpctl(*arguments)
        assert (result.returncode, result.stdout) == (1, ""), arguments
        assert "has no history" in result.stderr
    relay.close()


def test_history_without_a_relay(bus, prpctl):
    assert prpctl("history").returncode == 3


def test_history_reader_leaves(full_relay, environment):
    result = subprocess.run(["sh", "-c", '"$@" | head -1', "sh", *WRAPPER, str(PRPCTL), "history", "-n", "all"], env=environment,
                            capture_output=True, text=True, timeout=SECONDS)
    assert result.stdout.endswith("PRP 1 deleted from proj_1\n") and result.stderr == ""
    with open("/dev/full", "w") as full:
        result = subprocess.run([*WRAPPER, str(PRPCTL), "history"], env=environment, stdout=full, stderr=subprocess.PIPE,
                                text=True)
    assert result.returncode == 1 and "No space left" in result.stderr


# -- monitor --from

def test_monitor_from(full_relay, monitor):
    """History, then live, each once."""
    one = monitor("--json", "--from", "history-1:248", "--show-cursor", "project:a")
    full_relay.emit_deleted("251")
    one.wait_lines(3)
    assert one.stop() == 0
    assert ids(one.out) == names(3, 249)
    assert [json.loads(line)["cursor"] for line in one.out] == [f"history-1:{i}" for i in (249, 250, 251)]
    assert one.notes[-1] == "-- cursor: history-1:251"
    assert [call[0] for call in full_relay.calls] == ["Hold", "ListEvents"]


def test_monitor_from_start_and_now(full_relay, monitor):
    start, now, words = monitor("--json", "--from", "start"), monitor("--json", "--show-cursor"), monitor("--from", "249")
    full_relay.emit_deleted("251")
    start.wait_lines(251)
    now.wait_lines(1)
    words.wait_lines(2)
    for one in (start, now, words):
        assert one.stop() == 0
    assert ids(start.out) == names(251) and ids(now.out) == ["msg_251"]
    assert now.notes[-1] == "-- cursor: history-1:251"
    assert [line[10:] for line in words.out] == ["PRP 250 deleted from proj_1", "PRP 251 deleted from proj_1"]


def test_monitor_from_while_events_come(full_relay, start):
    """Signals that come while the history is listed: those that are listed too, and those that are not."""
    full_relay.history.page = 50
    numbers = iter(range(251, 10000))
    def one_more():
        full_relay.emit_deleted(str(next(numbers)))
    full_relay.during.update(Hold=one_more, ListEvents=one_more, HistoryId=one_more)
    one = start("monitor", "--json", "--from", "start", "project:a")
    one.wait_note("monitoring")
    full_relay.during.clear()
    one_more()
    one.wait_lines(full_relay.history.last)
    assert one.stop() == 0
    assert ids(one.out) == names(full_relay.history.last)


def test_monitor_from_under_a_flood(full_relay, start):
    """More signals than are held: they are listed."""
    floods = iter([251, 2251])
    def flood():
        for i in range(2000 if (first := next(floods, 0)) else 0):
            full_relay.emit_deleted(str(first + i))
    full_relay.during.update(ListEvents=flood)
    one = start("monitor", "--json", "--from", "start", "-n", "4250")
    assert one.end() == 0
    assert ids(one.out) == names(4250)


@pytest.mark.parametrize("cursor, cause", [("another:249", "HISTORY_CHANGED"), ("history-1:199", "HISTORY_TOO_SHORT")])
def test_monitor_from_missed(full_relay, start, cursor, cause):
    full_relay.history.expire(201)
    one = start("monitor", "--json", "--quiet", "--from", cursor)
    one.wait_lines(51)
    full_relay.emit_deleted("251")
    one.wait_lines(52)
    assert one.stop() == 7
    assert json.loads(one.out[0]) == {"id": "", "type": "prpctl.missed", "data": {"cause": cause}}
    assert ids(one.out[1:]) == names(51, 201)
    assert len(one.notes) == 1 and "events may have been missed" in one.notes[0]
    strict = start("monitor", "--strict", "--from", cursor)
    assert strict.end() == 7
    assert strict.out == [] and "events may have been missed" in strict.notes[-1]


def test_monitor_from_over_restarts(full_relay, bus, monitor):
    one = monitor("--json", "--from", "history-1:249", "--show-cursor")
    history, relay = full_relay.history, full_relay
    for number in (251, 254, 257):
        relay.emit_deleted(str(number))
        one.wait_lines(number - 249)
        relay.close()
        one.wait_note("went away", (number - 248) // 3)
        # What it received before anybody has found it again, and what it signals while its history is listed.
        relay.store_deleted(str(number + 1))
        def emit_while_listing(successor, number=number):
            successor.during["ListEvents"] = lambda: (
                history.last == number + 1 and successor.emit_deleted(str(number + 2)))
        relay = FakeRelay(bus.address, history=history, prepare=emit_while_listing)
        one.wait_lines(number + 2 - 249)
    assert one.stop() == 0
    assert ids(one.out) == names(10, 250)
    assert one.notes[-1] == "-- cursor: history-1:259"
    relay.close()


def test_monitor_from_in_the_middle_of_a_page(full_relay, bus, start):
    """The relay ends while its history is being shown to a reader who is slow."""
    filler = GLib.Variant("a{sv}", {"text": GLib.Variant("s", "x" * 2000)})
    full_relay.store_deleted(*map(str, range(251, 2001)), data=filler)
    full_relay.history.page = 20
    one = start("monitor", "--json", "--from", "start", read=False)
    wait_until(lambda: len(full_relay.calls_of("ListEvents")) >= 2, "a second page")
    full_relay.close()
    full_relay.store_deleted("2001")
    successor = FakeRelay(bus.address, history=full_relay.history)
    one.read()
    one.wait_lines(2001)
    assert one.stop() == 0
    assert ids(one.out) == names(2001)
    successor.close()


def test_monitor_from_another_history(full_relay, bus, monitor):
    """The relay comes back without its history; later one is cleared while it is there."""
    one = monitor("--json", "--from", "history-1:249", "--show-cursor")
    one.wait_lines(1)
    full_relay.close()
    one.wait_note("went away")
    full_relay.history = History("history-2")
    full_relay.store_deleted("1")
    successor = FakeRelay(bus.address, history=full_relay.history)
    one.wait_lines(3)
    successor.emit_deleted("2")
    one.wait_lines(4)
    successor.change_history("history-3")
    successor.emit_deleted("3")
    one.wait_lines(5)
    successor.close()
    one.wait_note("went away", 2)
    successor.store_deleted("4")
    third = FakeRelay(bus.address, history=successor.history)
    one.wait_lines(6)
    assert one.stop() == 7
    assert json.loads(one.out[1])["type"] == "prpctl.missed"
    assert ids(one.out) == ["msg_250", "", *names(4)]
    assert one.notes[-1] == "-- cursor: history-3:4"
    assert sum("may have been missed" in note for note in one.notes) == 1
    third.close()


def test_monitor_from_a_history_that_fails(full_relay, bus, monitor):
    one = monitor("--json", "--from", "history-1:249")
    one.wait_lines(1)
    full_relay.close()
    one.wait_note("went away")
    successor = FakeRelay(bus.address, {"ListEvents": Refusal("org.freedesktop.DBus.Error.Failed", "Disk \033 on fire.")},
                          history=full_relay.history,
                          prepare=lambda r: r.during.update(ListEvents=lambda: r.emit_deleted("251")))
    one.wait_lines(2)
    assert one.stop() == 7
    assert ids(one.out) == names(2, 250)
    assert any("Disk � on fire." in note for note in one.notes)
    successor.close()
