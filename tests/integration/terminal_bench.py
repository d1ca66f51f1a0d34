# SPDX-License-Identifier: MIT
"""A terminal for a program that draws on one: a pseudo-terminal, and behind it python3-pyte, which knows what a terminal would
show. pyte measures characters by a table of its own (wcwidth)."""

import contextlib
import fcntl
import os
import signal
import struct
import termios
import threading

import pyte

from fake_relay import SECONDS, news, wait_until


class Terminal:
    """Runs @arguments in a session of its own, on a terminal of that size."""

    def __init__(self, environment, arguments, columns=100, lines=24):
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.output = b""       # all that was ever written
        self.reading = True     # a slow terminal takes nothing for a while
        self.ended = False
        self.status = None
        self.master, slave = os.openpty()
        self.keeper = os.dup(slave)  # so that its modes can be looked at afterwards
        self.set_size(columns, lines)
        self.modes_before = self.modes()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(OSError):
                os.setsid()
                fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
                for fd in range(3):
                    os.dup2(slave, fd)
                os.closerange(3, 256)
                os.execvpe(arguments[0], arguments, {"TERM": "xterm-256color", **environment})
            os._exit(127)
        os.close(slave)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            wait = threading.Event()
            while not self.reading and not self.ended:
                wait.wait(0.01)
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            with news:
                self.output += data
                self.stream.feed(data)
                news.notify_all()

    # -- what is to be seen

    def text(self):
        with news:
            return "\n".join(line.rstrip() for line in self.screen.display)

    def line_of(self, words):
        """The line with these words, None if there is none."""
        return next((line for line in self.text().splitlines() if words in line), None)

    def wait_text(self, *words):
        wait_until(lambda: all(word in self.text() for word in words), lambda: f"{words} on:\n{self.text()}")

    def wait_no_text(self, words):
        wait_until(lambda: words not in self.text(), lambda: f"no {words} on:\n{self.text()}")

    def wait_line(self, name, *words):
        """A line with @name that has all of the words."""
        wait_until(lambda: all(word in (self.line_of(name) or "") for word in words),
                   lambda: f"a line {name!r} with {words} on:\n{self.text()}")

    def order(self, *names):
        """These names, from the top to the bottom."""
        text = self.text()
        return sorted((name for name in names if name in text), key=text.index)

    def modes(self):
        return termios.tcgetattr(self.keeper)

    def is_given_back(self):
        """The main screen, the cursor, wrapping, and the modes: all as before."""
        def last(on, off):
            return self.output.rfind(on) >= self.output.rfind(off)
        return (last(b"\033[?1049l", b"\033[?1049h") and last(b"\033[?25h", b"\033[?25l") and
                last(b"\033[?7h", b"\033[?7l") and self.modes() == self.modes_before)

    # -- what is done to it

    def press(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def set_size(self, columns, lines):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns, lines):
        with news:
            self.screen.resize(lines, columns)
            self.screen.reset()
        self.set_size(columns, lines)

    def send_signal(self, number):
        os.kill(self.pid, number)

    # -- its end

    def poll(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid != 0:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def end(self):
        """The exit status of what ends by itself; all of its output is there then."""
        wait_until(lambda: self.poll() is not None, lambda: f"its end; it shows:\n{self.text()}")
        self.finish()
        return self.status

    def finish(self):
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            wait_until(lambda: self.poll() is not None, "the end of what was killed")
        self.reading = True
        if self.keeper is not None:
            self.modes_after = self.modes()
            self.modes = lambda: self.modes_after
            os.close(self.keeper)  # the last one: reading ends
            self.keeper = None
            self.thread.join(SECONDS)
            self.ended = True
            os.close(self.master)
