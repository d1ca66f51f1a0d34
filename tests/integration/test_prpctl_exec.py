# SPDX-License-Identifier: MIT
"""prpctl monitor: what it lets through, the commands that it runs, and the cursor that it keeps."""

import json
import os
import signal
import stat
import subprocess
import time

import pytest
from gi.repository import GLib

from fake_relay import SCALE, SECONDS, WRAPPER, FakeRelay, wait_until
from prpctl_bench import PRPCTL, bus, environment, monitor, prpctl, relay, start

__all__ = ["bus", "environment", "monitor", "prpctl", "relay", "start"]  # fixtures


SOME_SEC = 2 * SCALE  # enough for a script to begin and end, on a busy machine


@pytest.fixture
def script(tmp_path, environment):
    """script(TEXT) → the path of a shell script, whose $OUT is a folder for it to leave things in."""
    out = tmp_path / "out"
    out.mkdir()
    environment["OUT"] = str(out)

    def make(text, name="script"):
        path = tmp_path / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)
    make.out = out
    return make


def created(relay, prp, project="proj_1", **options):
    relay.emit_event("PrpCreated", "sssss", prp, project, f"name of {prp}", "pending", "high", id=f"msg_{prp}", **options)


def changed(relay, prp, **options):
    relay.emit_event("PrpStatusChanged", "ssss", prp, "active", "completed", "done", id=f"msg_{prp}_changed", **options)


def ids(one):
    return [json.loads(line)["id"] for line in one.out]


# -- what is shown

def test_type(relay, monitor):
    one = monitor("--json", "--type", "prp.*", "--type=error")
    created(relay, "a")
    relay.emit_event("AgentProgress", "ssds", "agent_1", "a", 50.0, "task", id="no")
    relay.emit_event("ServerError", "ss", "CODE", "text", id="yes")
    relay.emit_event("OtherEvent", "s", "prpx", id="no")
    changed(relay, "a")
    one.wait_lines(3)
    assert one.stop() == 0
    assert ids(one) == ["msg_a", "yes", "msg_a_changed"]


def test_type_from_the_history(relay, start):
    relay.store_deleted("old")
    for i in range(5):
        created(relay, f"p{i}")
    one = start("monitor", "--json", "--type", "prp.cr*", "--from", "start", "--count", "6")
    one.wait_note("monitoring")
    relay.emit_deleted("no")
    created(relay, "new")
    assert one.end() == 0
    assert ids(one) == [f"msg_p{i}" for i in range(5)] + ["msg_new"]


def test_ids(relay, monitor):
    one, two = monitor("--json", "--prp", "a"), monitor("--json", "--project", "proj_1", "--type", "*changed")
    for prp, project in (("a", "proj_1"), ("b", "proj_2")):
        created(relay, prp, project)
        changed(relay, prp)
    created(relay, "c")
    changed(relay, "c")
    one.wait_lines(2)
    two.wait_lines(2)
    assert one.stop() == 0 and two.stop() == 0
    assert ids(one) == ["msg_a", "msg_a_changed"] and ids(two) == ["msg_a_changed", "msg_c_changed"]


def test_channel(relay, monitor):
    """Held are all that are named; shown is what concerns them, and what cannot be known not to."""
    one = monitor("--json", "--channel", "project:proj_1", "prp:q", "--channel=agent:agent_1")
    assert [call[1] for call in relay.calls_of("Hold")] == [["prp:q", "project:proj_1", "agent:agent_1"]]
    created(relay, "a")
    created(relay, "b", "proj_2")
    changed(relay, "a")
    changed(relay, "b")
    changed(relay, "unknown")
    created(relay, "q", "proj_2")
    relay.emit_event("AgentProgress", "ssds", "agent_1", "b", 50.0, "task", id="progress")
    relay.emit_event("AgentProgress", "ssds", "agent_2", "b", 50.0, "task", id="no")
    one.wait_lines(5)
    assert one.stop() == 0
    assert ids(one) == ["msg_a", "msg_a_changed", "msg_unknown_changed", "msg_q", "progress"]


def test_a_gap_is_never_left_unsaid(relay, monitor):
    one, two = monitor("--type", "prp.*"), monitor("--json", "--channel", "project:x", "--type", "relay.gap")
    until = int(time.time() * 1e6)
    for channels in (["project:y"], ["agent:a", "project:x"]):
        relay.emit_gap(until - 140_000_000, until, "DNS", channels)
    two.wait_lines(1)
    one.wait_note("gap: from", 2)
    assert one.stop() == 0 and two.stop() == 0
    assert one.out == [] and json.loads(two.out[0])["data"]["channels"] == ["agent:a", "project:x"]


# -- commands

def test_exec(relay, monitor, script):
    """The event on its input and in its environment; words as a shell would split them, and no shell."""
    path = script('cat > $OUT/event; env | grep ^PRP_ > $OUT/env; printf "%s\\n" "$@" > $OUT/words; echo done')
    one = monitor("--exec", f"{path} 'two words' $HOME * \"\"", "--count", "1")
    created(relay, "a")
    assert one.end() == 0
    assert one.out == ["done"]
    event = json.loads((script.out / "event").read_text())
    assert event["id"] == "msg_a" and (script.out / "event").read_text().count("\n") == 1
    assert (script.out / "words").read_text() == "two words\n$HOME\n*\n\n"
    values = dict(line.split("=", 1) for line in (script.out / "env").read_text().splitlines())
    assert float(values.pop("PRP_RECEIVED")) == pytest.approx(time.time(), abs=100)
    assert {key: value for key, value in values.items() if value} == {
        "PRP_EVENT_TYPE": "prp.created", "PRP_EVENT_ID": "msg_a", "PRP_SEQUENCE": "1", "PRP_ID": "a", "PRP_PROJECT_ID": "proj_1",
        "PRP_NAME": "name of a", "PRP_STATUS": "pending", "PRP_PRIORITY": "high", "PRP_CURSOR": "history-1:1"}
    assert {"PRP_AGENT_ID", "PRP_PROGRESS", "PRP_PREVIOUS_STATUS", "PRP_REASON", "PRP_CAUSE"} < set(values)


def test_environment_of_the_caller(relay, monitor, script, environment):
    """Passed on, but for what could be taken for the event's."""
    environment.update(PRP_REASON="stale", MINE="kept")
    one = monitor("--exec", script('echo "$MINE,$PRP_REASON,$PRP_CHANNELS,$PRP_CAUSE"'), "-n1")
    relay.emit_gap(1_500_000, 2_000_000, "DNS", ["a:b", "c:d"])
    assert one.end() == 0
    assert one.out == ["kept,,a:b c:d,DNS"]


def test_in_order(relay, monitor, script):
    one = monitor("--exec", script('echo $PRP_ID; sleep 0.0$(($PRP_SEQUENCE % 3))'), "--count", "20")
    for i in range(20):
        relay.emit_deleted(str(i))
    assert one.end() == 0
    assert one.out == [str(i) for i in range(20)]


def test_jobs(relay, monitor, script):
    """So many at once, and no more: each waits until all the others run too."""
    path = script('mkdir $OUT/$PRP_ID; until [ $(ls $OUT | wc -l) -ge 3 ]; do sleep 0.01; done; ls $OUT | wc -l')
    one = monitor("--exec", path, "--jobs", "3", "--count", "3")
    for i in range(3):
        relay.emit_deleted(str(i))
    assert one.end() == 0
    assert one.out == ["3"] * 3

    path = script('echo $$ > $OUT/run.$PRP_ID; n=$(ls $OUT/run.* | wc -l); [ $n -le 2 ] || echo $n; sleep 0.01; rm $OUT/run.$PRP_ID')
    one = monitor("--exec", path, "--jobs", "2", "--count", "30")
    for i in range(30):
        relay.emit_deleted(str(i))
    assert one.end() == 0
    assert one.out == []


def test_busy(relay, monitor, script):
    """What comes while it is busy, more than it holds, is in the history: nothing is lost, nothing comes twice."""
    count = 2500
    path = script('until [ -e $OUT/go ]; do sleep 0.01; done; echo $PRP_ID >> $OUT/ids')
    one = monitor("--exec", path, "--count", str(count))
    for i in range(count):
        relay.emit_deleted(str(i))
    relay.connection.flush_sync(None)
    (script.out / "go").touch()
    wait_until(lambda: (script.out / "ids").exists(), "the first command")
    one.process.wait(10 * SECONDS)
    assert one.end() == 0
    assert (script.out / "ids").read_text().split() == [str(i) for i in range(count)]
    assert relay.calls_of("ListEvents")


def test_failures(relay, monitor, script):
    """Each is told of; the others go on."""
    path = script('case $PRP_ID in a) exit 3 ;; b) kill -KILL $$ ;; c) sleep 1000 ;; d) echo fine ;; esac')
    one = monitor("--exec", path, "--exec-timeout", str(SOME_SEC), "--count", "4", "--show-cursor")
    for prp in "abcd":
        relay.emit_deleted(prp)
    assert one.end() == 8
    assert one.out == ["fine"]
    for words in ("event 1 (prp.deleted) ended with status 3", "event 2 (prp.deleted) was ended by signal 9",
                  "event 3 (prp.deleted) did not end in time"):
        one.wait_note(words)
    assert one.notes[-1] == "-- cursor: history-1:4"


def test_no_such_command(relay, start):
    one = start("monitor", "--from", "start", "--exec", "/no/such/command")
    relay.emit_deleted("a")
    assert one.end() == 1
    assert any("“/no/such/command” cannot be started: No such file or directory" in note for note in one.notes)


def test_stdin_that_is_not_read(relay, monitor, script):
    """Megabytes for who does not want them: nobody waits."""
    filler = GLib.Variant("a{sv}", {"text": GLib.Variant("s", "x" * 1_000_000)})
    one = monitor("--exec", script('case $PRP_EVENT_ID in *stuck) exec sleep 1000 ;; *read) wc -c ;; *) exit 0 ;; esac'),
                  "--jobs", "2")
    for what in ("stuck", "left", "read"):
        relay.emit_deleted(what, data=filler)
    one.wait_lines(1)
    assert int(one.out[0]) > 1_000_000
    one.process.send_signal(signal.SIGTERM)
    assert one.end() == 0
    one.wait_note("was ended before it was done")


def test_nothing_is_left_behind(relay, monitor, script):
    """Told to end it ends what runs, together with what that has started, and has told no cursor behind it."""
    path = script('(sleep 1000 & echo $! > $OUT/new; mv $OUT/new $OUT/pid; wait)')
    one = monitor("--exec", path, "--show-cursor")
    relay.emit_deleted("a")
    wait_until(lambda: (script.out / "pid").exists(), "the command")
    pid = int((script.out / "pid").read_text())
    assert one.stop() == 0
    assert one.notes[-1] == "-- cursor: history-1:0"

    def is_gone():
        try:
            with open(f"/proc/{pid}/stat") as status:
                return status.read().split(")")[-1].split()[0] == "Z"
        except OSError:
            return True
    wait_until(is_gone, f"the end of {pid}")


def test_closed_input(relay, environment, script):
    """With its own standard input closed, the command's is the event all the same."""
    relay.emit_deleted("a")
    process = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *WRAPPER, str(PRPCTL), "monitor", "--from", "start", "--exec",
                              script("cat"), "-n1"], env=environment, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert json.loads(process.stdout)["id"] == "msg_a"


def test_the_time_is_over(relay, monitor, script):
    """--seconds ends the listening; what runs may come to its end."""
    one = monitor("--exec", script('mkdir $OUT/began; until [ -e $OUT/go ]; do sleep 0.01; done; echo done'), "--seconds", str(SOME_SEC))
    relay.emit_deleted("a")
    wait_until(lambda: (script.out / "began").exists(), "the command")
    time.sleep(SOME_SEC + 0.1)  # the time that it was given, and nothing is to happen in it
    assert one.process.poll() is None
    (script.out / "go").touch()
    assert one.end() == 0
    assert one.out == ["done"]


@pytest.mark.parametrize("arguments", [
    ["--exec", ""], ["--exec", "a 'b"], ["--jobs", "2"], ["--exec-timeout", "2"], ["--exec", "a", "--jobs", "0"],
    ["--exec", "a", "--jobs", "65"], ["--exec", "a", "--exec-timeout", "0"], ["--channel", ""], ["--cursor-file", ""],
    ["--type", ""]])
def test_usage(relay, prpctl, arguments):
    result = prpctl("monitor", *arguments)
    assert (result.returncode, result.stdout) == (2, "") and result.stderr.startswith("prpctl: ")
    assert relay.calls == []


# -- the cursor

def test_cursor_is_behind_all_that_is_done(relay, monitor, start, script):
    """Also where a later command ends first."""
    path = script('case $PRP_ID in b) until [ -e $OUT/go ]; do sleep 0.01; done ;; esac; echo $PRP_ID')
    file = script.out / "cursor"
    one = monitor("--exec", path, "--jobs", "4", "--cursor-file", str(file))
    for prp in "abcd":
        relay.emit_deleted(prp)
    one.wait_lines(3)
    assert sorted(one.out) == ["a", "c", "d"]
    wait_until(lambda: file.read_text() == "history-1:1\n", lambda: f"the cursor; it is {file.read_text()}")
    assert one.stop() == 0
    assert file.read_text() == "history-1:1\n"

    (script.out / "go").touch()
    two = start("monitor", "--exec", path, "--cursor-file", str(file), "-n3")
    assert two.end() == 0
    assert two.out == ["b", "c", "d"]
    assert file.read_text() == "history-1:4\n"


def test_cursor_file(relay, bus, monitor, start, prpctl, tmp_path):
    """From one run to the next nothing is missed and nothing is shown twice, with history as well."""
    file = tmp_path / "cursor"
    relay.store_deleted("before")
    one = monitor("--json", "--cursor-file", str(file))
    wait_until(file.exists, "a cursor")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    relay.emit_deleted("a")
    one.wait_lines(1)
    assert one.stop() == 0
    relay.store_deleted("b", "c")
    one = start("monitor", "--json", "--cursor-file", str(file), "--from", "start", "-n2")
    assert one.end() == 0
    assert ids(one) == ["msg_b", "msg_c"]
    relay.store_deleted("d")
    result = prpctl("history", "--json", "--cursor-file", str(file))
    assert [json.loads(line)["id"] for line in result.stdout.splitlines()] == ["msg_d"]
    assert prpctl("history", "--json", "--cursor-file", str(file)).stdout == ""
    relay.history.clear("history-2")
    relay.store_deleted("e")
    assert prpctl("history", "--json", "--cursor-file", str(file)).returncode == 7
    assert file.read_text() == f"history-2:{relay.history.last}\n"


def test_cursor_file_of_a_quiet_one(relay, start, tmp_path):
    """It is kept as soon as the place is known, and moves past what is not shown."""
    file = tmp_path / "cursor"
    one = start("monitor", "--quiet", "--cursor-file", str(file), "--type", "no", "--exec", "true")
    for number in range(3):
        wait_until(lambda: file.exists() and file.read_text() == f"history-1:{number}\n", f"cursor {number}")
        relay.emit_deleted(str(number))
    assert one.stop() == 0


def test_cursor_file_that_is_none(relay, prpctl, tmp_path):
    file = tmp_path / "cursor"
    file.write_text("what?")
    for verb in ("monitor", "history"):
        for path in (file, tmp_path, file / "x"):
            result = prpctl(verb, "--cursor-file", str(path))
            assert (result.returncode, result.stdout) == (1, "") and str(path) in result.stderr
    result = prpctl("history", "--cursor-file", str(tmp_path / "no" / "cursor"))
    assert result.returncode == 1 and "cannot be kept" in result.stderr


def test_strict(relay, start, script):
    """Ends at a command that fails, before its event."""
    relay.store_deleted("a", "b", "c")
    file = script.out / "cursor"
    one = start("monitor", "--from", "start", "--strict", "--cursor-file", str(file), "--exec",
                script('echo $PRP_ID; [ $PRP_ID != b ]'))
    assert one.end() == 8
    assert one.out == ["a", "b"] and "event 2 (prp.deleted) ended with status 1" in one.notes[-1]
    assert file.read_text() == "history-1:1\n"


def test_relay_comes_back(relay, bus, monitor, script):
    """Over a restart of the relay each event's command is run once, also while one runs."""
    path = script('[ $PRP_ID != b ] || until [ -e $OUT/go ]; do sleep 0.01; done; echo $PRP_ID')
    one = monitor("--exec", path)
    relay.emit_deleted("a")
    relay.emit_deleted("b")
    one.wait_lines(1)
    relay.emit_deleted("c")
    relay.close()
    one.wait_note("went away")
    successor = FakeRelay(bus.address, history=relay.history)
    successor.emit_deleted("d")
    one.wait_note("is running")
    (script.out / "go").touch()
    one.wait_lines(4)
    successor.emit_deleted("e")
    one.wait_lines(5)
    assert one.stop() == 0
    assert one.out == list("abcde")
    successor.close()


def test_killed(relay, start, script):
    """kill -9 at any time: the next run goes on at the first event whose command had not ended; none is left out."""
    file = script.out / "cursor"
    path = script('echo $PRP_ID >> $OUT/ids')
    count = 60
    relay.store_deleted(*(str(i) for i in range(count)))
    for run in range(3):
        one = start("monitor", "--from", "start", "--cursor-file", str(file), "--jobs", "3", "--exec", path)
        wait_until(lambda: (script.out / "ids").exists() and
                   len((script.out / "ids").read_text().split()) >= 5 + 15 * run, "some commands")
        os.kill(one.process.pid, signal.SIGKILL)
        one.process.wait()
    one = start("monitor", "--from", "start", "--cursor-file", str(file), "--exec", path)
    wait_until(lambda: file.read_text() == f"history-1:{count}\n", lambda: f"the last; there is {file.read_text()}")
    assert one.stop() == 0
    seen = (script.out / "ids").read_text().split()
    assert set(seen) == {str(i) for i in range(count)}
    assert len(seen) < 2 * count
