# SPDX-License-Identifier: MIT
"""prpctl against a relay that does as it is told: every state, every error, absence and return."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from gi.repository import GLib

from fake_relay import CHANNEL, ERROR, NAME, NO_ANSWER, RELAY, SECONDS, WRAPPER, Connection, FakeRelay, Refusal, wait_until
from prpctl_bench import ANSWER_SEC, PRPCTL, bus, environment, is_instrumented, monitor, prpctl, relay, start

__all__ = ["bus", "environment", "monitor", "prpctl", "relay", "start"]  # fixtures

# The bus here is dbus-daemon, whatever others run on: once is enough.
pytestmark = pytest.mark.bus("dbus-daemon")


# -- status

def test_status_connected(relay, prpctl):
    relay.add_channel("project:a")
    relay.add_channel("project:b", state="pending")
    result = prpctl("status")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("● connected to wss://relay.example/ws\n")
    assert "1 active, 1 pending" in result.stdout and "conn_abc123" in result.stdout
    assert "\033" not in result.stdout


def test_status_json(relay, prpctl):
    result = prpctl("status", "--json")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 1
    value = json.loads(result.stdout)
    assert value == {key: list(v) if isinstance(v, tuple) else v
                     for key, v in ((k, v.unpack()) for k, v in relay.properties.items())}


@pytest.mark.parametrize("state, advice", [
    ("connecting", ""), ("waiting", "prpctl connect"), ("offline", "network"), ("unauthorized", "prpctl login"),
    ("disconnected", "prpctl connect")])
def test_status_not_connected(relay, prpctl, state, advice):
    code = {"unauthorized": "AUTH_FAILED", "connecting": "CODE_OF_ANOTHER_DAY"}.get(state, "REFUSED")
    relay.properties.update(State=GLib.Variant("s", state), Attempts=GLib.Variant("u", 3),
                            LastError=GLib.Variant("(ss)", (code, "Nothing \033[1m there.")),
                            NextAttempt=GLib.Variant("t", int((time.time() + 3600) * 1e6)))
    result = prpctl("status")
    assert result.returncode == 4
    assert advice in result.stdout and f"{code}: Nothing �[1m there." in result.stdout
    assert re.search(r"Next attempt: in (1 h 0|59) min", result.stdout)
    result = prpctl("--json", "status")
    assert result.returncode == 4 and json.loads(result.stdout)["State"] == state


def test_no_relay(bus, prpctl):
    for arguments in (["status"], ["status", "--no-start"], ["subscribe", "project:a"], ["channels"], ["ping"],
                      ["monitor", "project:a"]):
        result = prpctl(*arguments)
        assert (result.returncode, result.stdout) == (3, ""), arguments
        assert result.stderr.startswith("prpctl: prp-relayd is not running") and "systemctl --user start" in result.stderr


def test_activation(bus, prpctl, tmp_path):
    started = tmp_path / "started"
    (bus.services / f"{NAME}.service").write_text(f'[D-BUS Service]\nName={NAME}\nExec=/bin/sh -c "mkdir {started}; exit 1"\n')
    assert prpctl("status", "--no-start").returncode == 3
    assert not started.exists()
    result = prpctl("status")
    assert result.returncode == 3 and "could not be started" in result.stderr
    assert started.exists()


def test_no_bus(prpctl, environment):
    environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
    result = prpctl("status")
    assert (result.returncode, result.stdout) == (3, "") and "session bus" in result.stderr


def test_bus_that_hangs_up(prpctl, environment, tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "rude"))
        listener.listen()
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        environment["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={tmp_path / 'rude'}"
        result = prpctl("status")
    assert (result.returncode, result.stdout) == (3, "") and "session bus" in result.stderr


# -- errors

@pytest.mark.parametrize("error, status", [
    (ERROR + "InvalidChannel", 5), (ERROR + "SubscriptionLimit", 5), (ERROR + "RateLimited", 5), (ERROR + "AuthFailed", 5),
    (ERROR + "TokenExpired", 5), (ERROR + "InvalidAction", 5), (ERROR + "Server", 5), (ERROR + "NotConnected", 4),
    (ERROR + "NotSubscribed", 1), (ERROR + "Timeout", 6), (ERROR + "Configuration", 1),
    ("org.freedesktop.DBus.Error.LimitsExceeded", 1), ("org.freedesktop.DBus.Error.AccessDenied", 1)])
def test_error(relay, prpctl, error, status):
    for method, arguments in [("Subscribe", ["subscribe", "project:a"]), ("Unsubscribe", ["unsubscribe", "project:a"]),
                              ("Ping", ["ping"]), ("Reload", ["reload"]), ("Hold", ["monitor", "project:a"])]:
        relay.refusals[method] = Refusal(error, "Because \033[5m.")
        result = prpctl(*arguments)
        assert (result.returncode, result.stdout) == (status, ""), arguments
        assert result.stderr.splitlines()[0].endswith("Because �[5m.")


@pytest.mark.parametrize("method, arguments", [
    ("Subscribe", ["subscribe", "project:a"]), ("Ping", ["ping"]), ("Hold", ["monitor", "project:a"])])
def test_timeout(relay, prpctl, method, arguments):
    relay.refusals[method] = NO_ANSWER
    began = time.monotonic()
    result = prpctl("--timeout", str(ANSWER_SEC), *arguments)
    assert (result.returncode, result.stdout) == (6, "")
    assert time.monotonic() - began >= ANSWER_SEC
    assert "--timeout" in result.stderr


@pytest.mark.parametrize("method, arguments", [
    ("Subscribe", ["subscribe", "project:a"]), ("Ping", ["ping"]), ("Hold", ["monitor", "project:a"])])
def test_relay_dies_in_the_call(relay, start, method, arguments):
    relay.refusals[method] = NO_ANSWER
    one = start(*arguments)
    wait_until(lambda: relay.calls_of(method), f"{method}")
    relay.close()
    assert one.end() == 3
    assert "ended before it answered" in one.notes[0]


@pytest.mark.parametrize("arguments", [
    [], ["frobnicate"], ["status", "x"], ["subscribe"], ["unsubscribe"], ["status", "--count", "1"], ["ping", "--seconds", "1"],
    ["channels", "--quiet"], ["monitor", "--count", "0"], ["--timeout", "-1", "ping"], ["--frobnicate"],
    ["history", "x"], ["history", "--since", "soon"], ["history", "-n", "-1"], ["history", "--from", "there"],
    ["history", "--seconds", "1"], ["history", "--clear", "--prp", "p"], ["monitor", "--from", "a:b"],
    ["monitor", "--lines", "5"], ["monitor", "--since", "1h"], ["ping", "--type", "x"], ["ping", "--from", "now"],
    ["history", "--exec", "true"], ["history", "--channel", "a:b"]])
def test_usage(relay, prpctl, arguments):
    result = prpctl(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("prpctl: ")
    assert relay.calls == []


def test_not_utf8(relay, prpctl):
    for arguments in (["subscribe"], ["monitor"]):
        result = prpctl(*arguments, b"project:\xff")
        assert result.returncode == 2 and "project:�" in result.stderr
    assert not relay.calls_of("Subscribe") and not relay.calls_of("Hold")


def test_help_and_version(prpctl, environment):
    del environment["DBUS_SESSION_BUS_ADDRESS"]
    for arguments in (["--help"], ["help"], ["help", "--help"], ["help", "-h"], ["--json", "-h"]):
        result = prpctl(*arguments)
        assert result.returncode == 0 and "\n  monitor [CHANNEL…]" in result.stdout and "--timeout" in result.stdout
    for arguments in (["-h", "monitor"], ["monitor", "--help"], ["help", "monitor"], ["monitor", "project:a", "-h"]):
        result = prpctl(*arguments)
        assert result.returncode == 0 and result.stdout.startswith("Usage: prpctl monitor [OPTION…] [CHANNEL…]\n")
        assert "--count NUMBER" in result.stdout and "--json" in result.stdout and "--since" not in result.stdout
    assert re.fullmatch(r"prpctl \d+\.\d+\.\d+\n", prpctl("--version").stdout)


@pytest.mark.parametrize("arguments, words", [
    (["statsu"], "Did you mean “status”?"), (["help", "monitr"], "Did you mean “monitor”?"),
    (["monitr", "--help"], "Did you mean “monitor”?"), (["ping", "--jsn"], "Did you mean --json?"),
    (["frobnicate"], "'prpctl --help' shows"), (["ping", "--count", "1"], "'prpctl ping --help' shows")])
def test_what_was_meant(prpctl, arguments, words):
    result = prpctl(*arguments)
    assert (result.returncode, result.stdout) == (2, "") and words in result.stderr.splitlines()[1]


def color_of(environment, *arguments, **variables):
    """What it writes to a terminal."""
    parent, child = os.openpty()
    with contextlib.suppress(OSError):
        try:
            subprocess.run([*WRAPPER, str(PRPCTL), *arguments], env={**environment, **variables}, stdin=subprocess.DEVNULL,
                           stdout=child, timeout=SECONDS, check=False)
            os.close(child)
            return os.read(parent, 65536).decode()
        finally:
            os.close(parent)


def test_color(relay, prpctl, environment):
    """On a terminal only, and on none that is not to have it."""
    terminal = {"TERM": "xterm"}
    for arguments in (["status"], ["history", "-n1"]):
        relay.store_deleted("a")
        assert "\033[" in color_of(environment, *arguments, **terminal)
        for variables in ({}, {"TERM": "dumb"}, {"TERM": ""}, {**terminal, "NO_COLOR": "1"}):
            assert "\033[" not in color_of(environment, *arguments, **variables), variables
        assert "\033[" in color_of(environment, *arguments, **terminal, NO_COLOR="")
        assert "\033[" not in color_of(environment, *arguments, "--no-color", **terminal)
        assert "\033[" not in color_of(environment, *arguments, "--json", **terminal)
        environment.update(terminal)
        assert "\033[" not in prpctl(*arguments).stdout
        del environment["TERM"]


def test_output_that_cannot_be_written(relay, prpctl, start, environment):
    with open("/dev/full", "w") as full:
        result = subprocess.run([*WRAPPER, str(PRPCTL), "status"], env=environment, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1 and "No space left" in result.stderr


# -- channels

def test_subscribe(relay, prpctl):
    result = prpctl("subscribe", "project:a", "agent:long_name", "project:a")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "project:a        active\nagent:long_name  active\n"
    assert relay.calls_of("Subscribe") == [("Subscribe", ["project:a", "agent:long_name", "project:a"])]


def test_subscribe_partly(relay, prpctl):
    relay.states.update({"project:bad": "rejected", "project:full": "pending"})
    relay.add_channel("project:full", state="pending", error=("SUBSCRIPTION_LIMIT", "No more."))
    result = prpctl("subscribe", "project:a", "project:bad", "project:full")
    assert result.returncode == 5
    assert result.stdout.splitlines() == [
        "project:a     active",
        "project:bad   rejected  the server does not accept this channel",
        "project:full  pending   SUBSCRIPTION_LIMIT: No more."]


def test_subscribe_offline(relay, prpctl):
    relay.properties["State"] = GLib.Variant("s", "offline")
    relay.states["project:a"] = "pending"
    result = prpctl("subscribe", "project:a")
    assert result.returncode == 0
    assert result.stdout == "project:a  pending   not connected now: will be asked for on the next connection\n"
    result = prpctl("subscribe", "--json", "project:a")
    assert json.loads(result.stdout) == {"project:a": "pending"}


def test_unsubscribe(relay, prpctl):
    result = prpctl("unsubscribe", "project:a", "project:b")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert relay.calls == [("Unsubscribe", ["project:a", "project:b"])]


def test_channels(relay, prpctl):
    result = prpctl("channels")
    assert result.returncode == 0 and "prpctl subscribe" in result.stdout
    assert prpctl("channels", "--json").stdout == "[]\n"

    since = int(time.time() * 1e6)
    relay.add_channel("project:b", "rejected", ("INVALID_CHANNEL", "No such."))
    relay.add_channel("project:a", durable=False, holders=[(":1.9", "my-app", "for fun")], since=since)
    result = prpctl("channels")
    lines = result.stdout.splitlines()
    assert result.returncode == 0
    assert lines[0].split() == ["CHANNEL", "STATE", "DURABLE", "SINCE", "HELD", "BY", "ERROR"]
    assert re.fullmatch(r"project:a +active +no +[-0-9: ]+ +my-app", lines[1])
    assert re.fullmatch(r"project:b +rejected +yes +INVALID_CHANNEL: No such\.", lines[2])
    assert json.loads(prpctl("channels", "--json").stdout) == [
        {"Name": "project:a", "State": "active", "Error": ["", ""], "Durable": False,
         "Holders": [[":1.9", "my-app", "for fun"]], "ActiveSince": since},
        {"Name": "project:b", "State": "rejected", "Error": ["INVALID_CHANNEL", "No such."], "Durable": True,
         "Holders": [], "ActiveSince": 0}]


# -- the small ones

def test_ping(relay, prpctl):
    assert prpctl("ping").stdout == "12.3 ms\n"
    assert prpctl("ping", "-j").stdout == '{"rtt_usec":12345}\n'


@pytest.mark.parametrize("verb, method", [("connect", "Connect"), ("disconnect", "Disconnect"), ("reload", "Reload")])
def test_silent(relay, prpctl, verb, method):
    result = prpctl(verb)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert relay.calls == [(method,)]


# -- monitor

def test_monitor_words(relay, monitor):
    one = monitor("project:a", "project:b")
    assert relay.calls_of("Hold") == [("Hold", ["project:a", "project:b"], {"app-id": "prpctl", "reason": "prpctl monitor"})]
    relay.emit_event("PrpCreated", "sssss", "prp_789012", "proj_123456", "Implement Authentication", "pending", "high")
    relay.emit_event("PrpCreated", "sssss", "prp_2", "proj_1", "\033]0;owned\007\nnext", "", "")
    relay.emit_event("OtherEvent", "s", "build.finished", data=GLib.Variant("a{sv}", {"ok": GLib.Variant("b", True)}))
    one.wait_lines(3)
    assert one.stop() == 0
    texts = []
    for line in one.out:
        assert re.match(r"\d\d:\d\d:\d\d  ", line)
        texts.append(line[10:])
    assert texts == ["PRP prp_789012 “Implement Authentication” created in proj_123456 (high)",
                     "PRP prp_2 “�]0;owned� next” created in proj_1",
                     'build.finished {"ok":true}']


def test_monitor_json(relay, monitor):
    one = monitor("--json")
    assert relay.calls_of("Hold") == []
    data = GLib.Variant("a{sv}", {
        "n": GLib.Variant("g", ""), "x": GLib.Variant("x", -2**63), "t": GLib.Variant("t", 2**64 - 1), "d": GLib.Variant("d", 1.0),
        "i": GLib.Variant("d", float("inf")), "b": GLib.Variant("b", False), "s": GLib.Variant("s", "\033\u202e\n\"\\日本"),
        "a": GLib.Variant("av", [GLib.Variant("a{sv}", {}), GLib.Variant("av", [])])})
    relay.emit_event("OtherEvent", "s", "x", data=data, metadata=GLib.Variant("a{sv}", {"version": GLib.Variant("s", "1")}),
                     further=GLib.Variant("x", 5))
    one.wait_lines(1)
    assert one.stop() == 0
    value = json.loads(one.out[0])
    assert list(value) == ["id", "type", "timestamp", "data", "metadata", "further"]
    assert value["data"] == {"n": None, "x": -2**63, "t": 2**64 - 1, "d": 1.0, "i": float("inf"), "b": False,
                             "s": "\033\u202e\n\"\\日本", "a": [{}, []]}
    assert type(value["data"]["d"]) is float
    assert "\033" not in one.out[0] and "日本" in one.out[0]


def test_monitor_misses_nothing_at_the_start(relay, start):
    """What comes between the hold and its answer is shown."""
    relay.during["Hold"] = lambda: relay.emit_deleted("early")
    one = start("monitor", "--count", "1", "project:a")
    assert one.end() == 0
    assert "early" in one.out[0]


def test_monitor_count(relay, monitor):
    one = monitor("--json", "-n2")
    for i in range(5):
        relay.emit_deleted(f"p{i}")
    assert one.end() == 0
    assert [json.loads(line)["id"] for line in one.out] == ["msg_p0", "msg_p1"]


def test_monitor_seconds(relay, prpctl):
    result = prpctl("monitor", "--seconds", "0.3", "--quiet")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_monitor_signal(relay, monitor, number):
    one = monitor("project:a")
    relay.emit_deleted("p")
    one.wait_lines(1)
    one.process.send_signal(number)
    assert one.end() == 0


def test_monitor_signal_while_starting(relay, start):
    relay.refusals["Hold"] = NO_ANSWER
    one = start("monitor", "project:a")
    wait_until(lambda: relay.calls_of("Hold"), "Hold")
    assert one.stop() == 0


def test_monitor_reader_leaves(relay, monitor):
    one = monitor(read=False)
    one.process.stdout.close()  # no event is needed for it to be noticed
    assert one.end() == 0
    assert len(one.notes) == 1

    result = subprocess.run(["sh", "-c", '"$@" | head -1', "sh", *WRAPPER, str(PRPCTL), "help"], capture_output=True, text=True,
                            timeout=SECONDS)
    assert result.stdout.startswith("Usage") and result.stderr == ""


def test_monitor_closed_output(relay, environment):
    """Nothing is written to whatever got the descriptor of a closed standard output."""
    process = subprocess.Popen(["sh", "-c", 'exec "$@" >&-', "sh", *WRAPPER, str(PRPCTL), "monitor", "--json", "--count", "2"],
                               env=environment, stderr=subprocess.PIPE, text=True)
    assert "monitoring" in process.stderr.readline()
    relay.emit_deleted("a")
    relay.emit_deleted("b")
    assert process.wait(SECONDS) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_monitor_full_output(relay, environment):
    with open("/dev/full", "w") as full:
        process = subprocess.Popen([*WRAPPER, str(PRPCTL), "monitor"], env=environment, stdout=full, stderr=subprocess.PIPE,
                                   text=True)
        assert "monitoring" in process.stderr.readline()
        relay.emit_deleted("a")
        assert process.wait(SECONDS) == 1
        assert "No space left" in process.stderr.read()
        process.stderr.close()


def test_monitor_slow_reader(relay, monitor):
    """While nobody reads, it stays small and obeys; then everything comes, in order."""
    count = 20000 if not WRAPPER else 2000
    one = monitor("--json", read=False)
    filler = GLib.Variant("a{sv}", {"text": GLib.Variant("s", "x" * 300)})
    for i in range(count):
        relay.emit_deleted(str(i), data=filler)
    relay.connection.flush_sync(None)
    one.read()
    one.wait_lines(count)
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{one.process.pid}/status").read_text())[1])
    assert one.stop() == 0
    assert [json.loads(line)["id"] for line in one.out] == [f"msg_{i}" for i in range(count)]
    if not is_instrumented():
        assert peak < 24 * 1024, "kB"


def test_monitor_stuck_reader(relay, monitor):
    """A full pipe does not keep it from ending."""
    one = monitor("--json", read=False)
    for i in range(2000):
        relay.emit_deleted(str(i))
    relay.connection.flush_sync(None)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(SECONDS) == 0
    one.read()
    one.end()
    assert len(one.out) > 0
    for line in one.out[:-1]:
        json.loads(line)


def test_monitor_state_at_the_start(relay, bus, monitor):
    """A successor that is connected when it is asked is said to be so, though its predecessor was too."""
    one = monitor()
    relay.close()
    one.wait_note("went away")
    successor = FakeRelay(bus.address)
    one.wait_note("relay: connected to")
    assert one.stop() == 0
    assert len(one.notes) == 4
    successor.close()


def test_monitor_state_before_the_answer(relay, bus, monitor):
    """A change that comes while all of the successor's properties are asked for is told once, with their words."""
    one = monitor()
    relay.close()
    one.wait_note("went away")

    def prepare(fake):
        fake.during["Version"] = lambda: fake.set(State=GLib.Variant("s", "connecting"))

    successor = FakeRelay(bus.address, prepare=prepare)
    one.wait_note("relay: connecting to wss://relay.example/ws")
    assert one.stop() == 0
    assert len(one.notes) == 4
    successor.close()


def test_monitor_state_changes(relay, monitor):
    one = monitor()
    relay.set(State=GLib.Variant("s", "waiting"), LastError=GLib.Variant("(ss)", ("CONNECTION_LOST", "Cut \033off.")),
              NextAttempt=GLib.Variant("t", int(time.time() * 1e6) + 12_600_000), ConnectedSince=GLib.Variant("t", 0))
    one.wait_note("waiting before the next attempt to connect to wss://relay.example/ws (CONNECTION_LOST: Cut �off.); "
                  "next attempt in 1")
    relay.set(Attempts=GLib.Variant("u", 1))
    relay.set(State=GLib.Variant("s", "connected"), LastError=GLib.Variant("(ss)", ("", "")), NextAttempt=GLib.Variant("t", 0))
    one.wait_note("relay: connected to wss://relay.example/ws")
    assert one.stop() == 0
    assert len(one.notes) == 3 and one.out == []


def test_monitor_says_what_is_not_active(relay, monitor):
    relay.properties["State"] = GLib.Variant("s", "offline")
    relay.states.update({"project:a": "pending", "project:bad": "rejected"})
    one = monitor("project:a", "project:bad")
    assert one.stop() == 0
    assert "offline" in one.notes[0]
    assert any("project:a  pending  not connected now" in note for note in one.notes)
    assert any("project:bad  rejected  the server does not accept" in note for note in one.notes)


def test_monitor_relay_goes_and_comes(relay, bus, monitor):
    one = monitor("project:a")
    relay.emit_deleted("before")
    one.wait_lines(1)
    relay.close()
    one.wait_note("went away")
    for i in range(2):
        successor = FakeRelay(bus.address, State=GLib.Variant("s", "connecting"))
        wait_until(lambda: successor.calls_of("Hold"), "a new hold")
        assert successor.calls_of("Hold")[0][1] == ["project:a"]
        one.wait_note("relay: is running", i + 1)
        one.wait_note("relay: connecting to", i + 1)
        successor.emit_deleted("behind")
        one.wait_lines(2 + i)
        successor.close()
        one.wait_note("went away", 2 + i)
    assert one.stop() == 0
    assert len(one.notes) == 2 + 2 * 3  # each thing once


def test_monitor_does_not_start_a_relay_that_went(relay, bus, monitor, tmp_path):
    started = tmp_path / "started"
    one = monitor("project:a")
    (bus.services / f"{NAME}.service").write_text(f'[D-BUS Service]\nName={NAME}\nExec=/bin/sh -c "mkdir {started}; exit 1"\n')
    relay.bus_call("ReloadConfig", None)
    relay.close()
    one.wait_note("went away")
    successor = FakeRelay(bus.address)
    wait_until(lambda: successor.calls_of("Hold"), "a new hold")
    successor.close()
    one.wait_note("went away", 2)
    assert one.stop() == 0
    assert not started.exists()


def test_monitor_hold_fails_later(relay, bus, monitor):
    """At the start a refusal ends it; later it is only told of."""
    one = monitor("project:a")
    relay.close()
    one.wait_note("went away")
    successor = FakeRelay(bus.address, {"Hold": Refusal(ERROR + "RateLimited", "Slow down.")})
    one.wait_note("Slow down.")
    successor.emit_deleted("p")
    one.wait_lines(1)
    assert one.stop() == 0
    successor.close()


def test_monitor_waits_for_a_relay(bus, monitor):
    one = monitor("--no-start", "project:a")
    assert "not running" in one.notes[0]
    relay = FakeRelay(bus.address)
    wait_until(lambda: relay.calls_of("Hold"), "a hold")
    relay.emit_deleted("p")
    one.wait_lines(1)
    assert one.stop() == 0
    relay.close()


def test_monitor_believes_only_the_relay(relay, bus, monitor):
    one = monitor("project:a")
    stranger = Connection(bus.address)
    for destination in (None, relay.caller):
        stranger.emit("PrpDeleted", "(sssa{sv})", "forged", "", "", {}, destination=destination)
    stranger.emit("PropertiesChanged", "(sa{sv}as)", RELAY, {"State": GLib.Variant("s", "offline")}, [],
                  interface="org.freedesktop.DBus.Properties", destination=relay.caller)
    stranger.bus_call("GetId", None)  # the bus has passed them on
    relay.emit_deleted("real")
    one.wait_lines(1)
    assert one.stop() == 0
    assert [line[10:] for line in one.out] == ["PRP real deleted from proj_1"]
    assert len(one.notes) == 1
    stranger.close()


def test_monitor_signals_of_tomorrow(relay, monitor):
    """What has no event in it is none; what has one is shown, whatever its arguments."""
    for arguments in ([], ["--json"]):
        one = monitor(*arguments)
        relay.emit("Tomorrow", "(ts)", 1, "x")
        relay.emit_event("PrpCreated", "s", "too few")
        relay.emit_deleted("p")
        one.wait_lines(2)
        assert one.stop() == 0
        assert "too few" in one.out[0]
        assert "p deleted" in one.out[-1] or "msg_p" in one.out[-1]
        assert len(one.notes) == 1


def test_monitor_bus_ends(relay, bus, monitor):
    one = monitor()
    relay.close()
    bus.process.kill()
    assert one.end() == 3
    assert "session bus hung up" in one.notes[-1]


def gap_words(start, end):
    return rf"gap: from {start} until {end} \(2 min 20 s\) events of agent:a, project:x may have been missed: CONNECTION_LOST"


def test_monitor_gap(relay, monitor, prpctl):
    """In words, and as JSON; in the history just the same."""
    one, two = monitor(), monitor("--json")
    until = int(time.time() * 1e6)
    relay.emit_gap(until - 140_000_000, until, "CONNECTION_LOST", ["agent:a", "project:x"])
    one.wait_lines(1)
    two.wait_lines(1)
    assert one.stop() == 0 and two.stop() == 0
    assert re.fullmatch(r"[-0-9: ]+  " + gap_words("[-0-9: ]+", "[-0-9: ]+"), one.out[0])
    assert json.loads(two.out[0])["data"] == {"since": until - 140_000_000, "until": until, "cause": "CONNECTION_LOST",
                                              "channels": ["agent:a", "project:x"], "sequence": 1}
    assert prpctl("history").stdout.splitlines()[0][-60:] == one.out[0][-60:]
    assert prpctl("history", "--json").stdout.splitlines() == two.out
