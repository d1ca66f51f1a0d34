# SPDX-License-Identifier: MIT
"""prpctl login and logout, fed by a pipe or at a terminal of the test's own."""

import fcntl
import os
import pty
import signal
import subprocess
import termios
import threading

from relay_process import BUILD_DIR, WRAPPER
from waiting import SCALE, tell, wait_until

PRPCTL = BUILD_DIR / "src" / "prpctl" / "prpctl"
SECONDS = 60 * SCALE


class Prpctl:
    """Runs it in a home, on a bus. No secret of the home may be in what it says."""

    def __init__(self, home, address):
        self.home = home
        self.environment = dict(home.environment, DBUS_SESSION_BUS_ADDRESS=address)
        self.folder = home.config / "prp-relay"
        self.terminals = []

    def check(self, *texts):
        for text in texts:
            assert not [s for s in self.home.secrets if s in text], f"a secret is in: {text}"

    def __call__(self, *arguments, text="", **environment):
        result = subprocess.run([*WRAPPER, str(PRPCTL), *arguments], env=dict(self.environment, **environment), input=text,
                                text=True, capture_output=True, timeout=SECONDS, check=False)
        self.check(result.stdout, result.stderr)
        return result

    def at_terminal(self, *command):
        self.terminals.append(Terminal([*WRAPPER, str(PRPCTL), *command], self.environment))
        return self.terminals[-1]

    def in_shell(self, script):
        """In bash, with job control."""
        self.terminals.append(Terminal(["bash", "--norc", "-mc", script], dict(self.environment, PRPCTL=str(PRPCTL))))
        return self.terminals[-1]

    def stored(self, name="token"):
        path = self.folder / name
        if not path.exists():
            return None
        assert path.stat().st_mode & 0o777 == 0o600
        return path.read_text()

    def finish(self):
        for terminal in self.terminals:
            terminal.finish()
            self.check(terminal.shown)


class Terminal:
    """A program whose input and output is a terminal, which is its own."""

    def __init__(self, command, environment):
        self.output = b""
        self.fd, self.slave = pty.openpty()

        def own_it():
            # Whoever started the tests may have had them ignored, as nohup does.
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(command, env=dict(environment, TERM="dumb"), stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, preexec_fn=own_it)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while data := os.read(self.fd, 65536):
                self.output += data
                tell()
        except OSError:
            pass

    @property
    def shown(self):
        return self.output.decode(errors="replace")

    @property
    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def wait_for(self, text, times=1):
        wait_until(lambda: self.shown.count(text) >= times, lambda: f"{text!r}; it showed {self.shown!r}")

    def wait_prompt(self, text="Token (it is not shown): ", times=1):
        self.wait_for(text, times)
        wait_until(lambda: not self.echoes, "the echo to be off")

    def type(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data[:1024]):]

    def wait_exit(self):
        wait_until(lambda: self.process.poll() is not None, lambda: f"its end; it showed {self.shown!r}", 30)
        return self.process.returncode

    def finish(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.fd)
