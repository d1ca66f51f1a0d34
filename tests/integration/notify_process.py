# SPDX-License-Identifier: MIT
"""prp-notify under test: its start and its end, and a service whose events it tells of."""

import itertools
import re
import shutil
import signal
import subprocess

from relay_process import BUILD_DIR
from relay_process import WRAPPER as PLAIN_WRAPPER
from waiting import wait_until

NOTIFIER = BUILD_DIR / "src" / "notify" / "prp-notify"
NAME = "dev.prp.Notify1"

# By its path: a test may give the program another PATH.
WRAPPER = [shutil.which(PLAIN_WRAPPER[0]), *PLAIN_WRAPPER[1:]] if PLAIN_WRAPPER else []


class Notifier:
    """A prp-notify, not yet started. May be started again when it has ended."""

    def __init__(self, home, bus):
        self.home = home
        self.environment = dict(home.environment, DBUS_SESSION_BUS_ADDRESS=bus.address)
        self.log_path = home.directory / "notify.log"
        self.state = home.state / "prp-relay"
        self.process = None

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def run(self, *arguments, **environment):
        """Runs it to its end: (exit status, stdout, stderr)."""
        done = subprocess.run([*WRAPPER, str(NOTIFIER), *arguments], env=dict(self.environment, **environment), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def launch(self, *arguments, **environment):
        assert not self.is_running()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*WRAPPER, str(NOTIFIER), "--verbose", *arguments], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=dict(self.environment, **environment))

    def start(self, *arguments, **environment):
        """Starts it, and waits until it has listed the history."""
        before = self.log.count("Caught up")
        self.launch(*arguments, **environment)
        self.wait_log("Caught up", before + 1)

    def wait_log(self, text, count=1):
        def there():
            assert text in self.log or self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log}"
            return self.log.count(text) >= count
        wait_until(there, lambda: f"{text!r} in the log:\n{self.log}", 15)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def wait_exit(self):
        wait_until(lambda: self.process.poll() is not None, lambda: f"its end; the log:\n{self.log}", 15)
        return self.process.returncode

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.wait_exit()
        assert status == 0, f"SIGTERM made it end with {status}:\n{self.log}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def finish(self):
        try:
            if self.is_running():
                self.stop()
            bad = re.search(r"^.*(CRITICAL|\*\* WARNING|runtime error:|AddressSanitizer|LeakSanitizer|smashing).*", self.log, re.M)
            assert not bad, f"{bad[0]}\n\n{self.log}"
        finally:
            if self.is_running():
                self.kill()


class Service:
    """Events of the PRP service, sent to the relay."""

    def __init__(self, server):
        self.server = server
        self._numbers = itertools.count(1)

    def send(self, kind, **data):
        event_id = f"n_{next(self._numbers)}"
        self.server.connection.send({"id": event_id, "type": kind, "timestamp": "2024-01-15T10:00:00Z", "data": data})
        return event_id

    def create(self, prp, name=None, priority="medium", status="pending"):
        return self.send("prp.created", id=prp, projectId="proj_1", name=name or f"Name of {prp}", status=status, priority=priority)

    def assign(self, prp, agent="agent_1"):
        return self.send("agent.assigned", agentId=agent, prpId=prp, priority="medium")

    def progress(self, prp, percent, task="Testing"):
        return self.send("agent.progress", agentId="agent_1", prpId=prp, progress=percent, currentTask=task)

    def status(self, prp, new, reason="", previous="pending"):
        return self.send("prp.status_changed", id=prp, previousStatus=previous, newStatus=new, reason=reason)

    def delete(self, prp, reason="Duplicate entry"):
        return self.send("prp.deleted", id=prp, projectId="proj_1", deletedBy="u", reason=reason)
