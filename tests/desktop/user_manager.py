# SPDX-License-Identifier: MIT
"""A real `systemd --user` with its journal, in a place of its own (user_manager_inside.py), for an ordinary user of its own.

What is installed there is a build, in the directories that it was configured for. The network and the time are the machine's; the
processes, users, units, devices, homes and control groups are not. It needs root, as in a container, or in a sandbox of CI.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import types

import pytest

from relay_bus import Client
from relay_process import BUILD_DIR
from waiting import SCALE, wait_until

HERE = pathlib.Path(__file__).resolve().parent
USER, UID = "prp-test", 20017
COMMAND_SEC = 60  # for anything that is run inside, on however slow a machine
NEEDED = {"unshare": "util-linux", "nsenter": "util-linux", "setpriv": "util-linux", "prlimit": "util-linux",
          "/lib/systemd/systemd": "systemd", "/lib/systemd/systemd-journald": "systemd", "systemctl": "systemd",
          "dbus-daemon": "dbus-daemon", "/usr/lib/systemd/user/dbus.socket": "dbus-user-session"}


def check_machine():
    """Fails in words where no user manager can be had; an ordinary user, who can do nothing about it, skips. In CI
    that is a failure, too: there nobody would see that these tests are gone."""
    missing = [f"{what} (package {package})" for what, package in NEEDED.items()
               if not (pathlib.Path(what).exists() if what[0] == "/" else shutil.which(what))]
    assert not missing, f"a user manager cannot be tried without: {', '.join(missing)}"
    if os.geteuid() != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("only root may give a user manager a control group of its own")


def install(directory):
    """The build, below the directory; readable for everyone."""
    subprocess.run(["meson", "install", "--no-rebuild", "--quiet", "-C", str(BUILD_DIR), "--destdir", str(directory)],
                   check=True, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.umask(0o022))
    return directory


class UserManager:
    """Started, and its bus there. Everything in it ends with this process, however that ends."""

    def __init__(self, installed, userns=True):
        check_machine()
        order = {"uid": UID, "user": USER, "installed": str(installed), "userns": userns}
        self._process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", sys.executable, str(HERE / "user_manager_inside.py"),
             json.dumps(order)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        report = json.loads(self._process.stdout.readline() or '{"failed": "no word from it"}')
        if "failed" in report:
            self.finish()
            raise AssertionError(f"no user manager: {report['failed']}")
        self.pid, self.manager = report["pid"], report["manager"]
        self.inner_home, self.inner_runtime = f"/home/{USER}", f"/run/user/{UID}"
        # As this process sees them.
        self.home = pathlib.Path(f"/proc/{self.pid}/root{self.inner_home}")
        self.runtime = pathlib.Path(f"/proc/{self.pid}/root{self.inner_runtime}")
        self.config, self.state = self.home / ".config" / "prp-relay", self.home / ".local" / "state" / "prp-relay"
        self._clients = []

    def finish(self):
        for client in getattr(self, "_clients", []):
            client.close()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(COMMAND_SEC * SCALE)

    # -- inside

    def _enter(self, environment):
        """What is to be put before a command, to run it as root (None), or as the user."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--cgroup"]
        if environment is not None:
            inside += ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups", "env", "-i"]
            inside += [f"{key}={value}" for key, value in {
                "HOME": self.inner_home, "USER": USER, "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin",
                "XDG_RUNTIME_DIR": self.inner_runtime, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.inner_runtime}/bus",
                **environment}.items()]
        return inside

    @contextlib.contextmanager
    def background(self, *command, **environment):
        """A command that runs as the user meanwhile, with all that it starts."""
        process = subprocess.Popen([*self._enter(environment), *command], stdin=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(COMMAND_SEC * SCALE)

    def run(self, *command, user=True, check=True, stdin=None, **environment):
        """What it printed (and errors behind it), of a command run as the user, or as root."""
        inside = self._enter(environment if user else None)
        done = subprocess.run([*inside, *command], input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SEC * SCALE,
                              check=False)
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def systemctl(self, *words, **options):
        return self.run("systemctl", "--user", "--no-pager", *words, **options)

    def show(self, unit, name):
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def wait_show(self, unit, seconds=20, **wanted):
        """For properties of a unit to be these."""
        def have():
            return {name: self.show(unit, name) for name in wanted}
        return wait_until(lambda: have() == wanted, lambda: f"{unit} {wanted}; it is {have()}\n{self.log(unit)}", seconds)

    def journal(self, unit):
        """The messages of a unit and about it, oldest first, as dictionaries."""
        self.run("journalctl", "--sync", user=False)
        text = self.run("journalctl", "--user", "-q", "--no-pager", "-o", "json")
        # The journal knows the unit of a process that still is there when it gets to its message: the last words of one
        # that has ended are found by its name only.
        fields = {"_SYSTEMD_USER_UNIT": f"{unit}.service", "USER_UNIT": f"{unit}.service", "SYSLOG_IDENTIFIER": unit}
        return [entry for entry in map(json.loads, text.splitlines())
                if any(entry.get(name) == value for name, value in fields.items())]

    def log(self, unit):
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.journal(unit))

    def write(self, path, text, mode=0o600):
        """A file of the user's, with the folders on the way to it."""
        for parent in reversed(path.relative_to(self.home).parents):
            if not (self.home / parent).exists():
                (self.home / parent).mkdir(mode=0o700)
                os.chown(self.home / parent, UID, UID)
        path.unlink(missing_ok=True)
        path.touch()
        path.chmod(mode)
        os.chown(path, UID, UID)
        path.write_text(text, encoding="utf-8")
        return self.inner(path)

    def inner(self, path):
        """Where a path of the home is for those inside."""
        return f"{self.inner_home}/{path.relative_to(self.home)}"

    # -- units

    def drop_in(self, unit, *lines, section="Service"):
        """The only drop-in of this run's, or none without lines."""
        directory = self.home / ".config/systemd/user" / f"{unit}.service.d"
        if lines:
            self.write(directory / "50-test.conf", "".join(f"{line}\n" for line in (f"[{section}]", *lines)))
        else:
            shutil.rmtree(directory, ignore_errors=True)
        self.systemctl("daemon-reload")

    # -- the bus

    @contextlib.contextmanager
    def door(self):
        """Something with the address of the bus, good for as long as this lasts. Only the user is let in there, so this
        process is that user meanwhile; and as only root can look into the place, the way begins at an open folder in it."""
        folder = os.open(self.runtime, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        os.seteuid(UID)
        try:
            yield types.SimpleNamespace(address=f"unix:path=/proc/self/fd/{folder}/bus")
        finally:
            os.seteuid(0)
            os.close(folder)

    def client(self, **options):
        with self.door() as bus:
            self._clients.append(Client(bus.address, **options))
        return self._clients[-1]
