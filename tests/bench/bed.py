# SPDX-License-Identifier: MIT
"""What everything is measured on: a private bus, the load server, the listener; each a process of its own."""

import contextlib
import json
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from certificates import Certificates
from relay_bus import Client, PrivateBus
from relay_process import BUILD_DIR, Home
from waiting import wait_until

TOOLS = BUILD_DIR / "tests" / "bench"
TOKEN = "bench-token"
QUIET_MSEC = 15000  # of a contender that sends no more: it has lost the rest


def cpu_sec_of(pid):
    """What a process has used so far, all its threads, to the nanosecond (the clock of clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


class Tool:
    """A program that is told by lines what to do, and answers with lines."""

    def __init__(self, command, environment, log):
        self.log_path = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(list(map(str, command)), env=environment, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[0]} has ended: {self.log_path.read_text(errors='replace')[-2000:]}")
        return line.strip()

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def ask(self, *words):
        self.tell(*words)
        return self.read()

    def cpu_sec(self):
        return cpu_sec_of(self.process.pid)

    def finish(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Bed:
    """In a directory with a short name, for its sockets. The stores are elsewhere, on a disk: stores is a folder there."""

    def __init__(self, kind, directory, stores, tls=False):
        self.kind = kind
        directory.mkdir()
        self.stores = stores / directory.name
        self.stores.mkdir()
        with contextlib.ExitStack() as stack:
            self.home = Home(directory)
            self.bus = PrivateBus(kind, directory, self.home.environment)
            stack.callback(self.bus.stop)
            wait_until(self._try_bus, lambda: f"{kind}: {self.bus.log_path.read_text()}")
            self.router = self.bus.router_pid()
            self.environment = dict(self.home.environment, DBUS_SESSION_BUS_ADDRESS=self.bus.address)
            self.client = Client(self.bus.address, listens=False)
            stack.callback(self.client.close)
            self.listener = Tool([TOOLS / "listener"], self.environment, directory / "listener.log")
            stack.callback(self.listener.finish)
            self.ca_file, arguments = None, []
            if tls:
                (directory / "tls").mkdir()
                certificates = Certificates(directory / "tls")
                self.ca_file, arguments = certificates.ca_file, ["--tls", *certificates.good]
            self.server = Tool([sys.executable, HERE / "load_server.py", *arguments], self.environment,
                               directory / "server.log")
            stack.callback(self.server.finish)
            self.url = self.server.read()
            self._stack = stack.pop_all()

    def _try_bus(self):
        try:
            Client(self.bus.address, listens=False).close()
            return True
        except Exception:
            return False

    def listen(self, n_events, timed=False):
        self.listener.tell(n_events, int(timed), QUIET_MSEC)
        answer = self.listener.read()
        assert answer == "ready", answer

    def heard(self):
        return json.loads(self.listener.read())

    def finish(self):
        self._stack.close()
