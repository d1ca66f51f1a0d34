# SPDX-License-Identifier: MIT
"""prpctl watch, on a terminal, against a relay that does as it is told."""

import json
import os
import re
import shlex
import signal
import subprocess
import time

import pytest
from gi.repository import GLib

from fake_relay import SECONDS, SOURCE_DIR, WRAPPER, Connection, FakeRelay, History, Refusal, news, wait_until
from prpctl_bench import PRPCTL, bus, environment, prpctl, relay, start
from terminal_bench import Terminal

__all__ = ["bus", "environment", "prpctl", "relay", "start"]  # fixtures

# The bus here is dbus-daemon, whatever others run on: once is enough.
pytestmark = pytest.mark.bus("dbus-daemon")

COMMAND = [*WRAPPER, str(PRPCTL), "watch"]


@pytest.fixture
def terminal(environment):
    """Makes terminals on which a `prpctl watch` runs, or another command."""
    made = []

    def make(*arguments, command=None, variables=None, **options):
        made.append(Terminal({**environment, **(variables or {})}, command or [*COMMAND, *arguments], **options))
        return made[-1]

    yield make
    for one in made:
        one.finish()


def create(relay, prp_id, name, status="active", **options):
    relay.emit_event("PrpCreated", "sssss", prp_id, "proj_1", name, status, "high", **options)


def progress(relay, prp_id, percent, task="", **options):
    relay.emit_event("AgentProgress", "ssds", "agent_001", prp_id, float(percent), task, **options)


def change(relay, prp_id, status):
    relay.emit_event("PrpStatusChanged", "ssss", prp_id, "active", status, "")


def ago(seconds):
    return GLib.Variant("t", int((time.time() - seconds) * 1e6))


# -- the list

def test_life(relay, terminal):
    """From the history, then as it goes on."""
    create(relay, "prp_1", "Implement Authentication", "pending")
    create(relay, "prp_2", "Rotate Backups")
    progress(relay, "prp_2", 30, "Prune old backups")
    one = terminal("project:proj_1")
    one.wait_text("connected to wss://relay.example/ws", "2 of 2 PRPs active")
    one.wait_line("Rotate Backups", "active", "30 %", "agent_001", "Prune old backups", "███")
    one.wait_line("Implement Auth", "pending")
    assert one.order("Implement Auth", "Rotate") == ["Rotate", "Implement Auth"]
    change(relay, "prp_1", "active")
    wait_until(lambda: one.order("Implement Auth", "Rotate") == ["Implement Auth", "Rotate"], one.text)
    progress(relay, "prp_1", 99.5, "Almost")
    one.wait_line("Implement Auth", "active", "99 %", "Almost")
    change(relay, "prp_1", "completed")
    one.wait_line("Implement Auth", "completed", "100 %")
    assert one.order("Implement Auth", "Rotate") == ["Rotate", "Implement Auth"]
    relay.emit_event("PrpDeleted", "sss", "prp_2", "proj_1", "")
    one.wait_line("Rotate Backups", "deleted")
    assert [call[:2] for call in relay.calls_of("Hold")] == [("Hold", ["project:proj_1"])]
    one.press("q")
    assert one.end() == 0 and one.is_given_back()


def test_ages(relay, terminal):
    create(relay, "prp_1", "Seconds", received=ago(5))
    create(relay, "prp_2", "Minutes", received=ago(3 * 60 + 30))
    create(relay, "prp_3", "Hours", received=ago(5 * 3600 + 60))
    create(relay, "prp_4", "Days", received=ago(30 * 86400 + 60))
    one = terminal()
    one.wait_line("Minutes", "3 min")
    one.wait_line("Hours", "5 h")
    one.wait_line("Days", "30 days")
    one.wait_line("Seconds", "7 s")  # by itself
    written = len(one.output)
    one.wait_line("Seconds", "8 s")
    assert len(one.output) - written < 200  # that one line


def test_idle(relay, terminal):
    """With nothing that changes, nothing is written: also no timer ticks for what is not to be seen."""
    create(relay, "prp_1", "Old", received=ago(5 * 86400))
    one = terminal()
    one.wait_line("Old", "5 days")
    one.wait_no_text("reading")
    one.press("j")  # makes a frame that is the same
    written = len(one.output)
    create(relay, "prp_2", "New", received=ago(5 * 86400))
    one.wait_text("New")
    assert len(one.output) - written < 600


def test_many_pages(relay, terminal):
    """A history of more than the relay gives at once, and signals that come meanwhile."""
    relay.history.page = 10
    for i in range(95):
        create(relay, f"prp_{i}", f"Name-{i}-", stored=True)
    numbers = iter(range(95, 1000))

    def one_more():
        i = next(numbers)
        create(relay, f"prp_{i}", f"Name-{i}-")
    relay.during.update(ListEvents=one_more, HistoryId=one_more)
    one = terminal(lines=40)
    wait_until(lambda: len(relay.calls_of("ListEvents")) >= 5, "pages")
    relay.during.clear()
    total = next(numbers)
    one.wait_text(f"{total} of {total} PRPs active")
    one.wait_no_text("reading the history")
    assert f"Name-{total - 1}-" in one.text().splitlines()[2]


def test_since(relay, terminal):
    create(relay, "prp_1", "Old", received=ago(2 * 86400))
    create(relay, "prp_2", "New", received=ago(60))
    one = terminal("--since", "1 day ago")
    one.wait_text("New", "1 of 1 PRP active")


def test_empty(relay, terminal):
    one = terminal()
    one.wait_text("No PRPs yet", "prpctl channels", "0 of 0 PRPs active")
    create(relay, "prp_1", "The first")
    one.wait_text("The first")
    one.wait_no_text("No PRPs yet")


# -- keys

def test_keys(relay, terminal):
    for i in range(100):
        create(relay, f"prp_{i}", f"Name-{i}-", "completed" if i < 50 else "active")
    one = terminal(columns=80, lines=13)
    one.wait_text("Name-99-", "1–10 of 100")
    for keys, text in (("j", "2–11 of 100"), ("k", "1–10"), ("k", "1–10"), ("\033[B\033[B", "3–12"), ("\033OA", "2–11"),
                       ("\033[6~", "11–20"), (" ", "20–29"), ("\033[5~", "11–20"), ("\033[F", "91–100"), ("j", "91–100"),
                       ("\033[H", "1–10"), ("G", "91–100"), ("g", "1–10")):
        one.press(keys)
        one.wait_text(f" {text.removesuffix(' of 100')} of 100")
    assert "Name-0-" not in one.text()
    one.press("G")
    one.wait_text("Name-0-")
    one.press("a")
    one.wait_text("1–10 of 50", "a all")
    one.press("G")
    one.wait_text("41–50 of 50", "Name-50-")
    one.press("a")
    one.wait_text("1–10 of 100", "a active only")
    one.press("?")
    one.wait_text("q  Ctrl-C         quit")
    one.press("?")
    one.wait_no_text("Ctrl-C")
    one.wait_text("Name-99-")
    one.press("h")
    one.wait_text("Ctrl-C")
    one.press("x")
    one.wait_no_text("Ctrl-C")
    one.press("Q")
    assert one.end() == 0 and one.is_given_back()


def test_pause(relay, terminal):
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    one.press("p")
    one.wait_text("PAUSED", "p go on")
    create(relay, "prp_2", "The second")
    progress(relay, "prp_1", 50)
    relay.set(State=GLib.Variant("s", "offline"))
    one.wait_text("offline")  # how the relay is, is still told
    assert "The second" not in one.text() and "50 %" not in one.text()
    one.press("p")
    one.wait_text("The second", "50 %")
    one.wait_no_text("PAUSED")


def test_redraw(relay, terminal):
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    with news:
        one.stream.feed(b"\033[2J")  # somebody else wrote on it
    one.press("\f")
    one.wait_text("The first", "connected")


# -- the terminal

def test_resize(relay, terminal):
    create(relay, "prp_1", "Implement Authentication")
    progress(relay, "prp_1", 45, "Implementing JWT middleware")
    one = terminal(columns=120)
    one.wait_text("Implement Authentication", "Implementing JWT", "TASK")
    one.resize(60, 10)
    one.wait_text("Implement", "45 %", "q quit")
    assert "TASK" not in one.text()
    one.resize(160, 40)
    one.wait_text("Implement Authentication", "Implementing JWT middleware", "prp_1")
    for columns, lines in ((20, 5), (10, 2), (5, 1), (1, 1), (2, 3), (1, 50)):
        one.resize(columns, lines)
        wait_until(lambda: one.text().startswith("●"), one.text)
    one.resize(80, 24)
    one.wait_text("Implement Auth", "q quit")
    one.press("q")
    assert one.end() == 0 and one.is_given_back()


def test_one_row(relay, terminal):
    one = terminal(columns=20, lines=1)
    one.wait_text("● connected")
    one.send_signal(signal.SIGTERM)
    assert one.end() == 0 and one.is_given_back()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals(relay, terminal, number):
    one = terminal()
    one.wait_text("connected")
    assert not one.is_given_back()
    one.send_signal(number)
    assert one.end() == 0 and one.is_given_back()


def test_control_c(relay, terminal):
    one = terminal()
    one.wait_text("connected")
    one.press("\003")
    assert one.end() == 0 and one.is_given_back()


def test_abort(relay, terminal):
    """As a failed assertion in it would end it."""
    one = terminal()
    one.wait_text("connected")
    one.send_signal(signal.SIGABRT)
    one.end()
    assert one.status != 0 and one.is_given_back()


def test_terminal_hangs_up(relay, environment):
    one = Terminal(environment, COMMAND)
    one.wait_text("connected")
    os.close(one.keeper)
    one.keeper = None
    one.send_signal(signal.SIGSTOP)  # it only learns of it afterwards
    one.ended = True
    one.send_signal(signal.SIGHUP)
    one.send_signal(signal.SIGCONT)
    wait_until(lambda: one.poll() is not None, "its end")
    assert one.status == 0


def test_suspend(relay, terminal):
    """By Ctrl-Z and fg of a real shell; and stopped from outside."""
    one = terminal(command=["bash", "--norc", "--noprofile", "-i"], variables={"PS1": "shell> "})
    one.wait_text("shell>")
    at_the_prompt = one.modes()
    one.press(shlex.join(COMMAND) + "\n")
    create(relay, "prp_1", "The first")
    one.wait_text("The first", "q quit")
    entered = one.output.count(b"\033[?1049h")
    for _ in range(3):
        one.press("\032")
        wait_until(lambda: b"Stopped" in one.output.rpartition(b"\033[?1049l")[2], lambda: one.output[-500:])
        wait_until(lambda: one.modes() == at_the_prompt, one.modes)
        one.press("fg\n")
        entered += 1
        wait_until(lambda: one.output.count(b"\033[?1049h") >= entered, "the other screen")
        one.wait_text("q quit")
        one.press("?")
        one.wait_text("Ctrl-L")
        one.press("?")
        one.wait_no_text("Ctrl-L")
    one.press("q")
    wait_until(lambda: one.output.endswith(b"shell> ") or one.output.endswith(b"\033[?2004h"), lambda: one.output[-500:])
    wait_until(lambda: one.modes() == at_the_prompt, one.modes)
    one.press("exit\n")
    one.end()


def test_stopped_from_outside(relay, terminal):
    one = terminal()
    one.wait_text("connected")
    one.send_signal(signal.SIGSTOP)
    wait_until(lambda: open(f"/proc/{one.pid}/stat").read().rpartition(")")[2].split()[0] == "T", "it to stand still")
    create(relay, "prp_1", "Meanwhile")
    one.send_signal(signal.SIGCONT)
    one.wait_text("Meanwhile", "q quit")
    one.press("q")
    assert one.end() == 0 and one.is_given_back()


def test_no_terminal(relay, prpctl):
    result = prpctl("watch")
    assert (result.returncode, result.stdout) == (1, "")
    assert "standard output is none" in result.stderr and "'prpctl monitor'" in result.stderr and "--json" in result.stderr


def test_dumb_terminal(relay, terminal):
    one = terminal(variables={"TERM": "dumb"})
    assert one.end() == 1
    assert b"\033" not in one.output and b"cannot" in one.output


def test_not_from_standard_input(relay, terminal):
    """Keys are the terminal's, whatever standard input is."""
    one = terminal(command=["sh", "-c", '"$@" </dev/null', "sh", *COMMAND])
    one.wait_text("connected")
    one.press("q")
    assert one.end() == 0 and one.is_given_back()


# -- characters

def test_wide_characters(relay, terminal):
    """What pyte, which has a table of its own, thinks of where the columns are."""
    names = ["Plain name", "漢字の名前です", "한국어 이름", "e\u0301a\u0308o\u0302 combined", "ｆｕｌｌｗｉｄｔｈ", "Привет мир",
             "🚀🚀 rocket", "漢" * 60]
    for i, name in enumerate(names):
        create(relay, f"prp_{i}", name)
    one = terminal(columns=100)
    one.wait_text("8 of 8 PRPs active")
    one.wait_no_text("reading")
    with news:
        cells = [[one.screen.buffer[line][column].data for column in range(100)] for line in range(1, 10)]
    at = "".join(cells[0]).index("STATUS")
    assert {"".join(line[at:at + 6]) for line in cells[1:]} == {"active"}
    shown = {"".join(line[:at - 2]).rstrip() for line in cells[1:]}
    assert {"Plain name", "漢字の名前です", "한국어 이름", "Привет мир", "ｆｕｌｌｗｉｄｔｈ", "🚀🚀 rocket"} <= shown
    # As many of the wide ones as there is room for, and the sign that there are more.
    assert "漢" * ((at - 3) // 2) + "…" in shown


def test_hostile(relay, terminal):
    """Nothing that a server sends reaches the terminal as it came."""
    evil = "\033]0;owned\007\033[2J\033[?1049l\033[31mred\r\n\b\x9b31m\u202eltr\u2028"
    relay.emit_event("PrpCreated", "sssss", evil, "proj_1", evil, evil, evil)
    relay.emit_event("AgentProgress", "ssds", evil, evil, 50.0, evil)
    relay.states["project:b"] = "rejected"
    relay.set(State=GLib.Variant("s", evil), LastError=GLib.Variant("(ss)", (evil, evil)))
    one = terminal("project:b", columns=150)
    one.wait_text("50 %", "project:b")
    for bad in ("\033]", "\033[31m", "\007", "\r", "\b", "\x9b", "\u202e", "\u2028"):
        assert bad.encode() not in one.output, bad
    assert one.output.count(b"\033[?1049l") == 0
    one.press("q")
    assert one.end() == 0 and one.is_given_back()


def test_without_utf8(relay, terminal):
    create(relay, "prp_1", "Name äöü 漢字")
    progress(relay, "prp_1", 50)
    one = terminal(variables={"LC_ALL": "C"})
    one.wait_text("* connected")
    one.wait_line("Name", "50 %", "######")
    assert all(byte < 128 for byte in one.output)


def test_colors(relay, terminal):
    create(relay, "prp_1", "The first")
    for options in ({"variables": {"NO_COLOR": "1"}}, {"arguments": ["--no-color"]}):
        one = terminal(*options.pop("arguments", []), **options)
        one.wait_text("The first")
        assert set(re.findall(rb"\033\[[0-9;]*m", one.output)) <= {b"\033[0m"}
    one = terminal()
    one.wait_text("The first")
    assert b"\033[1;32m" in one.output


# -- the relay

def test_relay_restarts(relay, bus, terminal):
    """The list stays, says since when it is not right, and is right again."""
    create(relay, "prp_1", "The first")
    one = terminal("project:proj_1")
    one.wait_text("The first")
    history = relay.history
    relay.close()
    one.wait_text("the relay is not running", "correct as of", "The first")
    history.add(FakeRelay.make_event("PrpStatusChanged", "ssss", ("prp_1", "active", "completed", ""), {}))
    history.add(FakeRelay.make_event("PrpCreated", "sssss", ("prp_2", "p", "The second", "active", ""), {}))
    second = FakeRelay(bus.address, history=history)
    one.wait_text("connected to", "The second", "1 of 2 PRPs active")
    one.wait_line("The first", "completed")
    one.wait_no_text("correct as of")
    # Held by nobody meanwhile: the relay that came back knows of no gap.
    one.wait_text("events may have been missed from")
    assert second.calls_of("Hold") and second.calls_of("ListEvents")[0][1] == 1
    progress(second, "prp_2", 77)
    one.wait_line("The second", "77 %")
    second.close()


def test_relay_restarts_without_channels(relay, bus, terminal):
    """What others hold, or have subscribed to, is the relay's to tell."""
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    history = relay.history
    relay.close()
    one.wait_text("the relay is not running")
    second = FakeRelay(bus.address, history=history)
    create(second, "prp_2", "The second")
    one.wait_text("connected to", "The second")
    assert "missed" not in one.text()
    second.close()


def test_history_is_lost(relay, bus, terminal):
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    relay.close()
    one.wait_text("not running")
    second = FakeRelay(bus.address, history=History("another"))
    one.wait_text("history was lost", "The first")
    create(second, "prp_2", "The second")
    one.wait_text("The second")
    second.close()


def test_states(relay, terminal):
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("connected to")
    alive = int((time.time() - 3600) * 1e6)
    relay.set(State=GLib.Variant("s", "waiting"), LastAlive=GLib.Variant("t", alive),
              LastError=GLib.Variant("(ss)", ("REFUSED", "Nothing accepts connections.")),
              NextAttempt=GLib.Variant("t", int((time.time() + 3600) * 1e6)))
    # The day stands in between where it is another one.
    one.wait_text("waiting", "correct as of ", time.strftime(" %H:%M:%S", time.gmtime(alive // 1000000)))
    relay.set(State=GLib.Variant("s", "unauthorized"))
    one.wait_text("unauthorized", "The first")
    relay.set(State=GLib.Variant("s", "connected"), NextAttempt=GLib.Variant("t", 0),
              LastError=GLib.Variant("(ss)", ("", "")))
    one.wait_text("connected to")
    one.wait_no_text("correct as of")


def test_gap(relay, terminal):
    one = terminal(columns=120)
    one.wait_text("connected")
    now = int(time.time())
    relay.emit_gap((now - 60) * 1000000, (now - 30) * 1000000, "TIMEOUT", ["project:a"])
    one.wait_text("events may have been missed from ", time.strftime(" %H:%M:%S", time.gmtime(now - 60)))
    relay.emit_gap(1, (now - 20) * 1000000, "RESTARTED", ["project:a"])
    one.wait_text("events may have been missed until ", time.strftime(" %H:%M:%S", time.gmtime(now - 20)))


def test_old_gap_is_not_told(relay, terminal):
    day_ago = int((time.time() - 86400) * 1e6)
    relay.emit_gap(day_ago - 1000000, day_ago, "TIMEOUT", ["project:a"])
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    assert "missed" not in one.text()


def test_rejected_channel(relay, terminal):
    relay.states["project:b"] = "rejected"
    one = terminal("project:a", "project:b", columns=140)
    one.wait_text("connected", "project:b")


def test_refused(relay, terminal):
    relay.refusals["Hold"] = Refusal("dev.prp.Relay1.Error.InvalidChannel", "No \033[5m.")
    one = terminal("project:a")
    assert one.end() == 5 and one.is_given_back()
    assert one.output.rpartition(b"\033[?1049l")[2].startswith(b"prpctl: ")
    assert b"\033[5m" not in one.output


def test_without_a_relay(bus, terminal):
    one = terminal()
    assert one.end() == 3 and one.is_given_back()
    one = terminal("--no-start")
    one.wait_text("the relay is not running")
    relay = FakeRelay(bus.address)
    create(relay, "prp_1", "The first")
    one.wait_text("connected", "The first")
    relay.close()


def test_strangers_signals(relay, bus, terminal):
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    stranger = Connection(bus.address)
    stranger.emit("PrpCreated", "(sssssa{sv})", "prp_2", "p", "Stranger", "active", "",
                  FakeRelay.make_event("PrpCreated", "sssss", ("prp_2", "p", "Stranger", "active", ""), {}))
    stranger.close()
    create(relay, "prp_3", "The third")
    one.wait_text("The third")
    assert "Stranger" not in one.text()


def test_bus_goes(relay, bus, terminal):
    one = terminal()
    one.wait_text("connected")
    bus.process.terminate()
    assert one.end() != 0 and one.is_given_back()


# -- much

def test_flood(relay, terminal):
    """As many events as come: keys are answered, and few pictures are drawn."""
    for i in range(20):
        create(relay, f"prp_{i}", f"Name-{i}-")
    one = terminal(lines=30)
    one.wait_text("20 of 20 PRPs active")
    written = len(one.output)
    began = time.monotonic()
    for i in range(4000):
        progress(relay, f"prp_{i % 20}", (i // 20) % 100, f"Task {i}", stored=False)
        if i == 2000:
            one.press("?")
    one.wait_text("Ctrl-L")
    one.press("?")
    for i in range(20):
        one.wait_line(f"Name-{i}-", "99 %", f"Task {3980 + i}")
    frames = (time.monotonic() - began) * 10 + 10
    assert len(one.output) - written < frames * 20 * 200
    one.press("q")
    assert one.end() == 0


def test_slow_terminal(relay, terminal):
    """One that takes nothing for a while holds nothing up, and gets what is then, not all that was."""
    create(relay, "prp_1", "The first")
    one = terminal()
    one.wait_text("The first")
    one.reading = False
    for i in range(3000):
        progress(relay, "prp_1", i % 100, f"Task {i}", stored=False)
    create(relay, "prp_2", "The last")
    written = len(one.output)
    one.reading = True
    one.wait_text("The last", "Task 2999")
    assert len(one.output) - written < 100000
    one.press("q")
    assert one.end() == 0 and one.is_given_back()


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_terminal_that_takes_nothing(relay, terminal):
    """It waits for room, asleep, and ends all the same when it is told to."""
    for i in range(200):
        create(relay, f"prp_{i}", f"Name-{i}-")
    one = terminal(columns=500, lines=100)
    one.wait_text("200 of 200")
    one.reading = False
    for i in range(20):
        one.press("\f")
        one.set_size(500 - i % 2, 100)
        time.sleep(0.05)  # a picture each, until there is no room
    used = processor_seconds(one.pid)
    time.sleep(2)  # all that time there is a newer picture, of the next second
    assert processor_seconds(one.pid) - used < 0.5
    one.send_signal(signal.SIGTERM)
    wait_until(lambda: one.poll() is not None, "its end")
    assert one.status == 0


# -- JSON

def test_json(relay, start):
    create(relay, "prp_1", "The first", "pending")
    one = start("watch", "--json", "project:a")
    one.wait_lines(1)
    first = json.loads(one.out[0])
    assert first["state"] == "connected" and first["gap"] is None and first["as_of"] > 1.7e15
    assert [(prp["id"], prp["name"], prp["status"], prp["progress"]) for prp in first["prps"]] == [
        ("prp_1", "The first", "pending", None)]
    progress(relay, "prp_1", 45, "Work")
    wait_until(lambda: json.loads(one.out[-1])["prps"][0]["progress"] == 45, lambda: one.out)
    relay.set(State=GLib.Variant("s", "offline"))
    wait_until(lambda: json.loads(one.out[-1])["state"] == "offline", lambda: one.out)
    relay.close()
    wait_until(lambda: json.loads(one.out[-1])["state"] == "", lambda: one.out)
    assert one.stop() == 0 and one.notes == []


def test_json_once(relay, prpctl):
    """A list for a script: all of the history is in it."""
    relay.history.page = 7
    for i in range(50):
        create(relay, f"prp_{i}", f"Name-{i}-")
    result = prpctl("watch", "--json", "--count", "1")
    assert (result.returncode, result.stderr) == (0, "")
    (line,) = result.stdout.splitlines()
    assert [prp["id"] for prp in json.loads(line)["prps"]] == [f"prp_{i}" for i in range(49, -1, -1)]


def test_json_tells_a_person(relay, prpctl):
    relay.states["project:b"] = "rejected"
    result = prpctl("watch", "--json", "--count", "1", "project:a", "project:b")
    assert result.returncode == 0 and json.loads(result.stdout)["prps"] == []
    assert result.stderr.startswith("prpctl: project:b: ") and len(result.stderr.splitlines()) == 1


def test_example_of_the_page(relay, environment):
    """As prpctl(1) has it."""
    page = (SOURCE_DIR / "data" / "man" / "prpctl.1.scd").read_text()
    command = next(line for line in page.splitlines() if line.startswith("prpctl watch --json"))
    create(relay, "prp_1", "The first")
    create(relay, "prp_2", "The second", "completed")
    done = subprocess.run(["sh", "-c", command.replace("prpctl", '"$@"', 1), "sh", *WRAPPER, str(PRPCTL)], env=environment,
                          stdout=subprocess.PIPE, text=True, timeout=SECONDS, check=True)
    assert done.stdout == "The first\n"


def test_json_flood(relay, start):
    create(relay, "prp_1", "The first")
    one = start("watch", "--json")
    one.wait_lines(1)
    for i in range(2000):
        progress(relay, "prp_1", i / 20, stored=False)
    wait_until(lambda: json.loads(one.out[-1])["prps"][0]["progress"] == 99.95, lambda: one.out[-3:])
    assert len(one.out) < 1000
    assert one.stop() == 0


def test_options(relay, prpctl, terminal):
    for arguments in (["--count", "1"], ["--quiet"], ["--from", "now"], ["--type", "x"]):
        result = prpctl("watch", *arguments)
        assert result.returncode == 2 and "prpctl: " in result.stderr, arguments
    result = prpctl("watch", "--json", "--seconds", "0.1")
    assert result.returncode == 0
    one = terminal("--seconds", "0.2")
    assert one.end() == 0 and one.is_given_back()
