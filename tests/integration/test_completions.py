# SPDX-License-Identifier: MIT
"""The completions of bash, fish and zsh, in these shells."""

import os
import re
import shlex
import subprocess

import pytest

import shell_completion
from fake_relay import NAME, NO_ANSWER, WRAPPER
from prpctl_bench import PRPCTL, bus, environment, prpctl, relay, start

__all__ = ["bus", "environment", "prpctl", "relay", "start"]  # fixtures

SIMULATOR = PRPCTL.parents[1] / "simulator" / "prp-simulator"
SHELLS = ["bash", "fish", "zsh"]


@pytest.fixture(params=SHELLS)
def complete(request, environment, tmp_path):
    """complete(LINE) → the words that the shell offers."""
    programs = tmp_path / "bin"
    programs.mkdir()
    wrapper = programs / "prpctl"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.join([*WRAPPER, str(PRPCTL)])} "$@"\n')
    wrapper.chmod(0o755)
    environment.update(PATH=f"{programs}:{os.environ['PATH']}", HOME=str(tmp_path))
    return lambda line: getattr(shell_completion, request.param)(line, environment, tmp_path)


def options_of(text):
    """The long options that a --help lists."""
    return set(re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", text, re.MULTILINE))


def offered(prpctl, *words):
    return [line.split("\t") for line in prpctl("_complete", "--", *words).stdout.splitlines()]


def test_commands_and_options(complete, prpctl):
    """Of the shells' words, those of --help, with no relay and no bus needed."""
    commands = set(re.findall(r"^  ([a-z]+)", prpctl("help").stdout.split("\n\n")[2], re.MULTILINE))
    assert "monitor" in commands and len(commands) > 9
    assert complete("prpctl ") == commands
    assert complete("prpctl mo") == {"monitor"}
    for command in ("ping", "history"):
        options = options_of(prpctl(command, "--help").stdout)
        assert "--json" in options
        assert complete(f"prpctl {command} --") == options
    assert complete("prpctl --json history --sinc") == {"--since"}
    assert complete("prpctl ping ") == set()


def test_simulator(complete):
    text = subprocess.run([*WRAPPER, SIMULATOR, "--help"], capture_output=True, text=True, check=True).stdout
    options = options_of(text)
    assert "--token-file" in options and len(options) > 15
    assert {option.rstrip("=") for option in complete("prp-simulator --")} == options
    assert {option.rstrip("=") for option in complete("prp-simulator --any")} == {"--any-token"}
    assert complete("prp-simulator --rate ") == set()
    assert complete("prp-simulator --listen loc") == {"localhost"}


def test_channels(complete, relay):
    relay.add_channel("project:a")
    relay.add_channel("agent:held", durable=False, holders=[(":1.9", "app", "")])
    relay.store_deleted("seen")
    assert complete("prpctl unsubscribe ") == {"project:a"}
    assert complete("prpctl monitor pro") == {"project:a", "project:proj_1"}
    assert complete("prpctl monitor project:p") == {"project:proj_1"}
    assert complete("prpctl monitor project:a project:") == {"project:proj_1"}
    assert complete("prpctl subscribe ") == {"project:a", "agent:held", "project:proj_1", "prp:seen"}


def test_values(complete, relay):
    relay.store_deleted("one", "two")
    relay.store_deleted("x;reboot", "$(reboot)", "`x`", "a b", "it's", "\033[1m")
    assert complete("prpctl history --prp ") == {"one", "two"}
    assert complete("prpctl history --prp=o") == {"--prp=one"}
    assert complete("prpctl history --project ") == {"proj_1"}
    assert complete("prpctl history --type prp.d") == {"prp.deleted"}
    assert complete("prpctl history --from ") == {"start", "now", f"{relay.history.id}:{relay.history.last}"}
    assert complete("prpctl history --since y") == {"yesterday"}


def test_files_and_programs(complete, relay, tmp_path):
    """Those are the shells' own."""
    (tmp_path / "cursor-of-mine").touch()
    offers = complete(f"prpctl monitor --cursor-file {tmp_path}/cursor-")
    assert {offer.split("/")[-1] for offer in offers} == {"cursor-of-mine"}
    assert "printenv" in complete("prpctl monitor --exec printen")


def test_descriptions(relay, prpctl):
    """Told to the shells that show them: what somebody knows a thing by."""
    relay.add_channel("project:a", state="rejected")
    relay.emit_event("PrpCreated", "sssss", "prp_1", "proj_1", "A\tname\n\033", "", "")
    relay.store_deleted("prp_1")
    assert ["project:a", "rejected"] in offered(prpctl, "subscribe", "")
    assert ["prp_1", "A name �"] in offered(prpctl, "history", "--prp", "p")


def test_letters(prpctl):
    assert offered(prpctl, "ping", "-j") == [["-j", "JSON instead of words"]]
    assert offered(prpctl, "frobnicate", "") == []
    assert prpctl("_complete").stdout == ""


def test_never_in_the_way(bus, relay, prpctl, start, tmp_path):
    """A relay that does not answer, or is not there, costs a second at most, is not started, and brings no words."""
    relay.refusals.update(GetManagedObjects=NO_ANSWER, ListEvents=NO_ANSWER)
    for words in (["subscribe", ""], ["history", "--prp", ""]):
        result = prpctl("_complete", "--", *words)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert len(relay.calls) == 2
    relay.close()
    started = tmp_path / "started"
    (bus.services / f"{NAME}.service").write_text(f'[D-BUS Service]\nName={NAME}\nExec=/bin/sh -c "mkdir {started}; exit 1"\n')
    assert offered(prpctl, "history", "--type", "e") == [["error", ""]]
    assert not started.exists()


def test_no_bus(prpctl, environment):
    environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent"
    assert [word for word, _ in offered(prpctl, "history", "--from", "")] == ["start", "now"]
    result = prpctl("_complete", "--", "subscribe", "")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_zsh_takes_it_for_a_completion():
    """compinit knows a function by its first line."""
    for program in ("prpctl", "prp-simulator"):
        script = shell_completion.COMPLETIONS / f"_{program}"
        assert script.read_text().startswith(f"#compdef {program}\n")
        subprocess.run(["zsh", "-n", script], check=True)
