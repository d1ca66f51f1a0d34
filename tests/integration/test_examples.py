# SPDX-License-Identifier: MIT
"""The examples in data/examples/, as they stand, with a real relay. (Those of the recipe against missing anything: test_recipe.py;
the one-liners, each by itself: test_documentation.py.)"""

import configparser
import os
import re
import shlex
import shutil
import subprocess

import pytest

from recipe import EXAMPLES, EXAMPLES_DIR, Example
from relay_process import BUILD_DIR
from waiting import SCALE, tell, wait_until

PRPCTL = BUILD_DIR / "src" / "prpctl" / "prpctl"
UNIT = EXAMPLES_DIR / "prp-on-completed.service"


class Running(Example):
    """An example with arguments, or something that runs one."""

    def __init__(self, command, environment, directory=None):
        super().__init__(command[0], environment, tell)
        self.command, self.directory = command, directory

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.environment, cwd=self.directory, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.threads = [self._gather(self.process.stdout, self.lines), self._gather(self.process.stderr, self.complaints)]

    def wait_line(self, text, times=1):
        wait_until(lambda: self.lines.count(text) >= times,
                   lambda: f"{text!r}; there is {self.lines}, and {self.complaints}", 20)

    def stop(self):
        self.process.terminate()
        status = self.process.wait(20 * SCALE)
        for thread in self.threads:
            thread.join()
        self.process = None
        return status


@pytest.fixture
def start(relay):
    running = []

    def run(*command, **options):
        environment = dict(relay.environment, PATH=f"{PRPCTL.parent}:{os.environ['PATH']}")
        one = Running([str(word) for word in command], environment, **options)
        running.append(one)
        one.start()
        return one

    yield run
    for one in running:
        one.kill()


def send(server, kind, **data):
    server.connection.send({"id": f"msg_{os.urandom(8).hex()}", "type": kind, "timestamp": "2026-11-23T14:00:00Z", "data": data})


def change(server, prp, status, reason="All met", **data):
    send(server, "prp.status_changed", id=prp, previousStatus="active", newStatus=status, reason=reason, **data)


def test_all_have_a_test():
    tested = {*EXAMPLES, "on-completed.sh", UNIT.name, "watch-one.py", "hold.js", "one-liners.sh"}
    assert {path.name for path in EXAMPLES_DIR.iterdir() if path.is_file()} == tested


def test_hold(connected, server, start):
    if shutil.which("gjs") is None:
        pytest.skip("gjs is not installed")
    one = start(EXAMPLES_DIR / "hold.js", "project:proj_1", "agent:agent_1")
    for channel in ("project:proj_1", "agent:agent_1"):
        one.wait_line(f"{channel}: active")
    change(server, "prp_1", "completed")
    send(server, "agent.progress", agentId="agent_1", prpId="prp_1", progress=5, currentTask="x")
    one.wait_line("PrpStatusChanged prp_1")
    one.wait_line("AgentProgress agent_1")
    assert one.complaints == []
    one.kill()
    server.connection.wait_action("unsubscribe")


def test_watch_one(connected, client, server, start):
    """What is about this PRP, and nothing else; and how the relay is, also when another one comes."""
    one = start(EXAMPLES_DIR / "watch-one.py", "prp_1")
    one.wait_line("relay: connected")
    one.wait_line("prp:prp_1: active")
    change(server, "prp_2", "active")
    change(server, "prp_1", "completed")
    send(server, "agent.progress", agentId="a", prpId="prp_2", progress=5, currentTask="x")
    send(server, "agent.progress", agentId="a", prpId="prp_1", progress=45.5, currentTask="Middleware")
    one.wait_line("prp_1: a has done 45.5 % (Middleware)")
    assert one.lines[2:] == ["prp_1: active → completed (All met)", "prp_1: a has done 45.5 % (Middleware)"]

    connected.stop()
    one.wait_line("relay: gone")
    connected.start(client)
    client.wait_state("connected")
    one.wait_line("relay: connected", 2)
    wait_until(lambda: "prp:prp_1" in server.connection.subscribed, "the channel to be held again")
    send(server, "prp.deleted", id="prp_1", projectId="proj_1")
    one.wait_line("prp_1: deleted")
    assert one.stop() == 0 and one.complaints == []


def test_watch_one_usage(relay):
    done = subprocess.run([EXAMPLES_DIR / "watch-one.py"], env=relay.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("Usage: ")


def test_on_completed(connected, server, start, home):
    """By the command that it shows at its top, which is started again later."""
    (home.directory / ".cache").mkdir()
    command = re.search(r"^#     (prpctl monitor .*)$", (EXAMPLES_DIR / "on-completed.sh").read_text(), re.MULTILINE)[1]
    one = start("bash", "-c", command, directory=EXAMPLES_DIR)
    cursor = home.directory / ".cache" / "on-completed"
    wait_until(cursor.exists, lambda: f"its cursor; {one.complaints}")
    change(server, "prp_1", "active")
    change(server, "prp_1", "completed", metrics={"actualHours": 7.5})
    one.wait_line("prp_1 completed after 7.5 hours: All met")
    wait_until(lambda: cursor.read_text().endswith(":2\n"), "the cursor behind it")
    assert one.stop() in (0, -15)

    change(server, "$(reboot)", "completed", reason="with `a` \"quote\"")
    one = start("bash", "-c", command, directory=EXAMPLES_DIR)
    one.wait_line('$(reboot) completed after ? hours: with `a` "quote"')
    assert len(one.lines) == 1


def read_unit():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    return unit


def test_unit(connected, server, start, home, tmp_path):
    """What systemd would run: its own test sees it do so where there is one."""
    service = read_unit()["Service"]
    state = home.directory / "unit-state"
    state.mkdir()
    script = home.directory / ".local" / "bin" / "on-completed.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(EXAMPLES_DIR / "on-completed.sh", script)
    words = [word.replace("${STATE_DIRECTORY}", str(state)).replace("%h", str(home.directory))
             for word in shlex.split(service["ExecStart"])]
    one = start(*words)
    wait_until(lambda: (state / "cursor").exists(), lambda: f"its cursor; {one.complaints}")
    change(server, "prp_1", "completed")
    one.wait_line("prp_1 completed after ? hours: All met")
    wait_until(lambda: (state / "cursor").read_text().endswith(":1\n"), "the cursor behind it")
    one.kill()
    change(server, "prp_2", "completed")
    one = start(*words)
    one.wait_line("prp_2 completed after ? hours: All met")
    assert one.lines == ["prp_2 completed after ? hours: All met"]
    assert one.stop() == 0


def test_unit_is_one(tmp_path):
    """systemd accepts it; it knows the exit statuses that are no failures of it."""
    assert read_unit()["Service"]["SuccessExitStatus"] == "7 8"
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / "run").mkdir(mode=0o700)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("ExecStart=prpctl", f'ExecStart="{PRPCTL}"'))
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(["systemd-analyze", "--user", "--man=no", "--recursive-errors=no", "verify", unit], env=environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 and UNIT.stem not in done.stdout, done.stdout
