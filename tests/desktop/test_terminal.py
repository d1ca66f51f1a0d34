# SPDX-License-Identifier: MIT
"""prpctl watch in a real terminal: xterm, on a screen of Xvfb; keys are pressed, the picture is looked at.

The picture of the README is made anew by

    PRP_BUILD_DIR=BUILD /usr/bin/python3 -m pytest tests/desktop/test_terminal.py -k picture --keep-screenshots data/screenshots
"""

import os
import re
import shlex
import subprocess
import time

import pytest
from gi.repository import GLib

from fake_relay import SECONDS, wait_until
from prpctl_bench import PRPCTL, bus, environment, relay

__all__ = ["bus", "environment", "relay"]  # fixtures

COLUMNS, LINES = 110, 14
BAR = "#26A269"
# The colors that GNOME's terminals have.
COLORS = {"background": "#1D1D20", "foreground": "#E6E6E6", "color2": BAR, "color8": "#4A484F", "color9": "#F66151",
          "color10": "#33DA7A", "color11": "#E9AD0C", "colorBD": "#FFFFFF"}

# Name, status, agent, progress, task, and how many seconds ago.
PRPS = [
    ("Migrate to SQLite", "completed", "agent_002", 100, "", 3 * 3600),
    ("Rotate Backups", "completed", "agent_004", 100, "", 47 * 60),
    ("Export to CSV", "pending", None, None, None, 26 * 60),
    ("Übersetzung der Oberfläche", "pending", None, None, None, 19 * 60),
    ("Harden the Upload Path", "blocked", "agent_005", 22, "Waiting for review", 12 * 60),
    ("検索機能を追加する", "active", "agent_003", 8, "トークナイザーを選ぶ", 4 * 60),
    ("Speed Up the Dashboard", "active", "agent_004", 88, "Measure again", 95),
    ("Add Full-Text Search", "active", "agent_002", 61, "Rank the results", 20),
    ("Implement Authentication", "active", "agent_001", 45, "Implementing JWT middleware", 3),
]


def tell(relay, now):
    for number, (name, status, agent, progress, task, ago) in enumerate(PRPS):
        prp_id = f"prp_{789012 + number}"
        times = {"received": GLib.Variant("t", int((now - ago) * 1e6))}
        relay.emit_event("PrpCreated", "sssss", prp_id, "proj_atlas", name, status, "high", **times)
        if agent:
            relay.emit_event("AgentAssigned", "sss", agent, prp_id, "high", **times)
            relay.emit_event("AgentProgress", "ssds", agent, prp_id, float(progress), task, **times)


class Screen:
    """A screen with an xterm on it, in which a command runs; what that writes is in a file too."""

    def __init__(self, directory, environment, *command):
        self.log = directory / "typescript"
        self.processes = []
        read_end, write_end = os.pipe()
        self.start(["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1280x720x24", "-nolisten", "tcp"], environment,
                   pass_fds=[write_end])
        os.close(write_end)
        with os.fdopen(read_end) as display:
            self.environment = dict(environment, DISPLAY=":" + display.readline().strip(), HOME=str(directory))
        colors = [word for name, color in COLORS.items() for word in ("-xrm", f"XTerm*{name}: {color}")]
        self.terminal = self.start(
            ["xterm", *colors, "-u8", "-fa", "DejaVu Sans Mono", "-fd", "Noto Sans Mono CJK JP", "-fs", "11", "-b", "8", "-geometry",
             f"{COLUMNS}x{LINES}+0+0", "-e", "script", "-qefc", shlex.join(command), str(self.log)], self.environment)

    def start(self, command, environment, **options):
        self.processes.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, **options))
        return self.processes[-1]

    def run(self, *command):
        return subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True,
                              timeout=SECONDS).stdout

    def written(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_written(self, text):
        wait_until(lambda: text in self.written(), lambda: f"{text!r} in {self.written()[-2000:]!r}")

    def find_window(self):
        """Of xterm's class, once it is there."""
        wait_until(lambda: subprocess.run(["xdotool", "search", "--class", "xterm"], env=self.environment, stdout=subprocess.PIPE,
                                          check=False).stdout.split(), "xterm's window")
        return self.run("xdotool", "search", "--class", "xterm").split()[-1]

    def press(self, key):
        self.run("xdotool", "mousemove", "200", "100", "key", key)

    def picture(self, path):
        self.run("import", "-window", self.find_window(), str(path))
        return path

    def count_pixels(self, path, color):
        histogram = self.run("convert", str(path), "-depth", "8", "-format", "%c", "histogram:info:-")
        return sum(int(count) for count, name in re.findall(r"(\d+): \([^)]*\) (#[0-9A-F]{6})", histogram) if name == color)

    def finish(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(SECONDS)


@pytest.fixture
def screen(tmp_path, environment, relay):
    relay.set(Url=GLib.Variant("s", "wss://api.prp.dev/v1/ws/prps"))
    tell(relay, time.time())
    screen = Screen(tmp_path, environment, str(PRPCTL), "watch", "project:proj_atlas")
    yield screen
    screen.finish()


def test_picture(screen, tmp_path, pictures):
    """Every row is there, the bars are as long as they say, and this is what the README shows."""
    screen.wait_written("7 of 9 PRPs active")
    pixels = {}

    def is_drawn():
        pixels["bars"] = screen.count_pixels(screen.picture(tmp_path / "picture.png"), BAR)
        return pixels["bars"] > 2000
    wait_until(is_drawn, lambda: f"green bars; there are {pixels}")
    screen.wait_written("Implementing JWT")
    screen.run("convert", str(tmp_path / "picture.png"), "-strip", "+dither", "-colors", "256", str(pictures / "watch.png"))


def test_keys_and_size(screen, tmp_path):
    """A key of the keyboard, another size, and the main screen again in the end."""
    screen.wait_written("7 of 9 PRPs active")
    window = screen.find_window()
    screen.press("question")
    screen.wait_written("Ctrl-L")
    screen.press("a")
    screen.wait_written("a all")
    before = len(screen.written())
    screen.run("xdotool", "windowsize", window, "420", "200")
    wait_until(lambda: "\033[2J" in screen.written()[before:], "a picture of the new size")
    screen.press("q")
    assert screen.terminal.wait(SECONDS) == 0
    assert screen.written().count("\033[?1049l") == 1
