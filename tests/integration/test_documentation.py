# SPDX-License-Identifier: MIT
"""Every command that the README and the man pages show is run, with the installed programs, a relay and a service.

What cannot be run as it stands is in one table, document_rules.py.
"""

import contextlib
import itertools
import json
import os
import re
import select
import shlex
import signal
import subprocess
import threading
import time

import pytest

from document_rules import ELSEWHERE, ENDLESS, EXAMPLE, OUTPUT, RULES, UNIT, find_rule
from documents import SOURCE_DIR, all_blocks, is_configuration, statements
from prp_server import PrpServer
from relay_bus import Client, PrivateBus
from relay_process import BUILD_DIR, Home, Relay
from waiting import SCALE, wait_until

STATEMENT_SEC = 30  # for what ends by itself, and for the first line of what does not

# What a PRP goes through, with the names that the documents use; again and again.
LIFE = [
    ("prp.created", {"id": "prp_789012", "projectId": "proj_123456", "name": "Implement Authentication", "status": "pending",
                     "priority": "high"}),
    ("agent.assigned", {"agentId": "agent_001", "prpId": "prp_789012", "priority": "high"}),
    ("agent.progress", {"agentId": "agent_001", "prpId": "prp_789012", "progress": 45, "currentTask": "Middleware"}),
    ("prp.status_changed", {"id": "prp_789012", "previousStatus": "active", "newStatus": "completed", "reason": "Done"}),
]

BLOCKS = list(all_blocks())


class Life:
    """Tells whoever is connected of a PRP's life."""

    def __init__(self, server):
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for number, (kind, data) in enumerate(itertools.cycle(LIFE)):
            if self._stop.wait(0.05):
                return
            with contextlib.suppress(Exception):  # nobody is connected, or not any more
                self._server.connections[-1].send({"id": f"msg_{number}", "type": kind, "timestamp": "2026-11-23T14:00:00Z",
                                                   "data": data})

    def finish(self):
        self._stop.set()
        self._thread.join()


class Stage:
    """Where the commands are run: a home, a bus, a service that has something to tell, a relay, all that is installed."""

    def __init__(self, directory):
        self.stack = contextlib.ExitStack()
        self.root = directory / "root"
        subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "-C", BUILD_DIR, "--destdir", self.root], check=True,
                       stdout=subprocess.DEVNULL)
        directory = directory / "home"
        directory.mkdir()
        self.home = Home(directory)
        (directory / ".config").symlink_to(self.home.config)
        (directory / ".cache").mkdir()
        script = directory / "bin" / "on-status"
        script.parent.mkdir()
        script.write_text("#!/bin/sh\ncat > /dev/null\necho on-status ran\n")
        script.chmod(0o755)
        self.bus = PrivateBus("dbus-daemon", directory, self.home.environment)
        self.stack.callback(self.bus.stop)
        self.server = PrpServer()
        self.stack.callback(self.server.finish)
        self.relay = Relay(self.home, self.bus)
        self.environment = {**self.relay.environment, "PATH": f"{self.program('prpctl').parent}:{os.environ['PATH']}"}
        # As they are meant to be for whoever reads: where the programs look without being told.
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
            del self.environment[name]
        self.configure()
        client = Client(self.bus.address)
        self.stack.callback(client.close)
        self.relay.start(client)
        self.stack.callback(self.relay.stop)
        client.wait_state("connected")
        life = Life(self.server)
        self.stack.callback(life.finish)
        self._start_simulator(directory / "simulator")

    def configure(self):
        """Some statements write a relay.conf of their own."""
        token = self.home.write_secret("relay-token", "a-token")
        self.relay.configure(Server={"Url": self.server.url()}, Auth={"TokenFile": token})

    def program(self, name):
        return next(path for path in self.root.rglob(name) if path.parent.name in ("bin", "libexec"))

    def _start_simulator(self, directory):
        directory.mkdir()
        self.simulator = subprocess.Popen(
            [self.program("prp-simulator"), "--port", "0", "--port-file", directory / "port", "--token-file", directory / "token",
             "--refresh-token-file", directory / "refresh", "--token-life", "3600"], env=self.environment,
            stdin=subprocess.DEVNULL, stdout=open(directory / "log", "w"), stderr=subprocess.STDOUT)
        self.stack.callback(self.simulator.wait)
        self.stack.callback(self.simulator.terminate)
        wait_until(lambda: (directory / "port").exists() and (directory / "port").read_text().strip(), "the simulator")
        self.port = (directory / "port").read_text().strip()
        self.simulator_log = directory / "log"

    def finish(self):
        self.stack.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("documents"))
    yield stage
    stage.finish()


@pytest.fixture
def workplace(stage, tmp_path):
    """Where the statements of one block are run, one behind the other; what they leave running ends with it."""
    groups = []
    stage.configure()
    (tmp_path / "token.txt").write_text("a-token\n")
    (tmp_path / "event.json").write_text(json.dumps({"id": "m", "type": "x", "timestamp": "2026-11-23T14:00:00Z", "data": {}}))

    def start(statement, **options):
        process = subprocess.Popen(["bash", "-c", f"set -euo pipefail\n{statement}"], cwd=tmp_path, env=stage.environment,
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **options)
        groups.append(process)
        return process

    yield start
    for process in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def run(start, statement, stdin):
    """Its exit status and what it said. What it left in the background may hold its output open."""
    said = []
    process = start(statement, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL)

    def read():
        with contextlib.suppress(ValueError):  # closed at the end of the test
            said.extend(process.stdout)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    if stdin:
        process.stdin.write(stdin)
        process.stdin.close()
    status = process.wait(STATEMENT_SEC * SCALE)
    reader.join(0.5)
    return status, "".join(said)


def run_endless(start, statement, shows):
    """None, once it has said what it is to; else what it said."""
    said, found = "", None
    process = start(statement, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + STATEMENT_SEC * SCALE
    # Not line by line: what draws on a terminal ends none.
    while not found and (left := deadline - time.monotonic()) > 0 and select.select([process.stdout], [], [], left)[0]:
        piece = os.read(process.stdout.fileno(), 65536).decode(errors="replace")
        if not piece:
            break
        said += piece
        found = re.search(shows, said, re.MULTILINE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    return None if found else f"it never said {shows!r}, but:\n{said}"


def check_configuration(stage, block, tmp_path, certificates):
    """prp-relayd takes it, and then finds that there is no bus to go on with."""
    path = tmp_path / "relay.conf"
    text = re.sub("~|/home/(YOU|you)", str(tmp_path), block.text)
    text = re.sub("(?<=^CaFile=).*", str(certificates.ca_file), text, flags=re.MULTILINE)
    path.write_text(text if text.startswith("[") else f"[Auth]\n{text}")
    done = subprocess.run([stage.program("prp-relayd"), "--config", path], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False, timeout=STATEMENT_SEC * SCALE,
                          env={**stage.environment, "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
    return None if str(path) not in done.stderr and "bus" in done.stderr else done.stderr


def check_statement(stage, start, statement):
    """None, or what is wrong."""
    rule = find_rule(statement)
    text = statement
    for pattern, replacement in rule.substitute:
        text = re.sub(pattern, replacement.format(port=stage.port), text)
    if rule.how == ELSEWHERE:
        path, needle = rule.where
        return None if needle in (SOURCE_DIR / path).read_text() else f"{path} does not have {needle!r} in it any more"
    if rule.how == EXAMPLE:
        name = text.split("/")[-1]
        return None if (SOURCE_DIR / "data" / "examples" / name).is_file() else f"there is no example {name}"
    if rule.how == UNIT:
        units = [word for word in shlex.split(text) if "." in word]
        return None if units and all(list(stage.root.rglob(unit)) for unit in units) else f"not all of {units} are installed"
    if rule.how == OUTPUT:
        said = stage.simulator_log.read_text()
        return None if text.replace("8787", stage.port) in said else f"the simulator says: {said}"
    if rule.how == ENDLESS:
        return run_endless(start, text, rule.shows)
    status, said = run(start, text, rule.stdin)
    return None if status == 0 else f"it ended with {status}, and said:\n{said}"


@pytest.mark.parametrize("block", BLOCKS, ids=[block.place for block in BLOCKS])
def test_block(stage, workplace, certificates, block, tmp_path):
    if is_configuration(block):
        wrong = check_configuration(stage, block, tmp_path, certificates)
        assert not wrong, f"{block.place}: prp-relayd does not take this configuration:\n{wrong}"
        return
    for line, statement in statements(block):
        wrong = check_statement(stage, workplace, statement)
        assert not wrong, (
            f"{block.place} (line {line + 1} of the block): this does not work as it is shown:\n\n    {statement}\n\n{wrong}\n"
            "Correct it, or the program. If it cannot be run as it stands (it never ends, it has a placeholder, it wants a "
            "whole system), say how it is to be run, or where else it is, with a line in RULES of document_rules.py.")


def test_blocks_are_found():
    """The documents are read as they are written."""
    documents = {block.place.split(":")[0] for block in BLOCKS}
    assert {"README.md", "prpctl.1.scd", "prp-simulator.1.scd", "relay.conf.5.scd"} <= documents
    assert sum(len(statements(block)) for block in BLOCKS) > 50


def test_rules_are_needed():
    """Each rule is some statement's first."""
    used = {find_rule(statement).pattern for block in BLOCKS if not is_configuration(block) for _, statement in statements(block)}
    assert [rule.pattern for rule in RULES if rule.pattern not in used] == [], "no statement needs these any more: delete them"


INLINE = re.findall(r"`(prpctl [a-z-][^`]*)`", (SOURCE_DIR / "README.md").read_text())


@pytest.mark.parametrize("command", sorted(set(INLINE)))
def test_inline(stage, command):
    """What the text of the README names in passing: there is such a command, and it takes these options."""
    done = subprocess.run([stage.program("prpctl"), *shlex.split(command)[1:], "--help"], env=stage.environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout
    assert set(re.findall(r"--[a-z-]+", command)) <= options_of_text(done.stdout)


def options_of_text(text):
    return set(re.findall(r"^ {2,6}(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE))


def options_of_help(stage, program):
    """What --help lists; of all its commands where it has some."""
    def lists(*arguments):
        return subprocess.run([stage.program(program), *arguments], env=stage.environment, capture_output=True, text=True,
                              check=True).stdout

    text = lists("--help")
    commands = re.findall(r"^  ([a-z]+)(?: |$)", text.partition("Commands:\n")[2].partition("\n\n")[0], re.MULTILINE)
    text += "".join(lists(command, "--help") for command in commands)
    return options_of_text(text)


@pytest.mark.parametrize("program", ["prp-relayd", "prp-notify", "prp-simulator", "prpctl"])
def test_options(stage, program):
    """The man page explains the options that there are."""
    page = (SOURCE_DIR / "data" / "man" / f"{program}.1.scd").read_text()
    explained = {option for line in re.findall(r"^\*-.*", page, re.MULTILINE) for option in re.findall(r"\*(--[a-z-]+)\*", line)}
    there_are = options_of_help(stage, program)
    assert {"--help", "--version"} < there_are
    assert explained == there_are, "the man page and --help do not list the same options"
