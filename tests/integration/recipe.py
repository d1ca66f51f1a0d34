# SPDX-License-Identifier: MIT
"""The examples of the recipe against missing anything, as programs that can be killed and started again."""

import os
import pathlib
import signal
import subprocess
import threading

EXAMPLES_DIR = pathlib.Path(__file__).resolve().parents[2] / "data" / "examples"

# As they stand in the documentation, by their own first lines.
EXAMPLES = ["catch-up.py", "catch-up.js", "catch-up.sh"]


class Example:
    """What it prints is gathered over all its lives."""

    def __init__(self, name, environment, tell):
        self.name = name
        self.environment = environment
        self.tell = tell
        self.state = pathlib.Path(environment["XDG_STATE_HOME"])
        self.lines, self.complaints = [], []
        self.process = None

    def start(self):
        self.process = subprocess.Popen([str(EXAMPLES_DIR / self.name)], env=self.environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.threads = [self._gather(self.process.stdout, self.lines), self._gather(self.process.stderr, self.complaints)]

    def _gather(self, stream, lines):
        def run():
            for line in stream:
                if line.endswith("\n"):  # one that was cut by its death is not told
                    lines.append(line.rstrip("\n"))
                    self.tell()
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def kill(self):
        """Without warning, with all that it has started."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for thread in self.threads:
            thread.join()
        self.process = None

    @property
    def ids(self):
        return [line.split()[3] for line in self.lines if line.startswith("event ")]

    @property
    def gaps(self):
        """(since, until, cause, channels) of each."""
        found = [line.split() for line in self.lines if line.startswith("gap ")]
        return [(int(words[1]), int(words[2]), words[3], words[4:]) for words in found]
