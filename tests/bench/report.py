# SPDX-License-Identifier: MIT
"""The table, and the same as JSON.

{"machine": {"cpu", "cores", "kernel", "system", "compiler", "buildtype", "libraries": {name: version}},
 "options": {...},                  how it was called
 "seconds": ...,                    what all took
 "rows": [{"section", "of", "name", "bus", "figure", "unit", "target", "least", "verdict", "rounds": [...], "remark"}]}

of is the row that a name stands indented below, else "". figure is the median of rounds (which may be one only). target is a
number that it may not exceed, or has to reach where least is true; null: a figure beside the others. verdict is "held",
"missed", "missed by far", or "" without a target.
"""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

from relay_process import BUILD_DIR

# A busy machine is no fault: only what is worse than its target by that much fails.
BY_FAR = 2

LIBRARIES = ("glib-2.0", "libsoup-3.0", "json-glib-1.0", "libsystemd", "sqlite3", "gnutls")
PROGRAMS = {"dbus-daemon": ["dbus-daemon", "--version"], "dbus-broker": ["dbus-broker", "--version"],
            "python": ["/usr/bin/python3", "--version"], "node": ["node", "--version"]}


def output_of(command):
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    except OSError:
        return ""


def version_of(command):
    match = re.search(r"\d+(\.\d+)*", output_of(command))
    return match[0] if match else "none"


def build_option(name):
    options = json.loads((BUILD_DIR / "meson-info" / "intro-buildoptions.json").read_text())
    return next(o["value"] for o in options if o["name"] == name)


def compiler():
    targets = json.loads((BUILD_DIR / "meson-info" / "intro-targets.json").read_text())
    command = next(s["compiler"] for t in targets for s in t["target_sources"] if s.get("language") == "c")
    return output_of([*command, "--version"]).split("\n")[0]


def describe_machine():
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    system = re.search(r'PRETTY_NAME="?([^"\n]*)', pathlib.Path("/etc/os-release").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
        "system": system[1] if system else "", "load": os.getloadavg()[0],
        "compiler": compiler(), "buildtype": build_option("buildtype"),
        "libraries": {**{name: output_of(["pkg-config", "--modversion", name]) for name in LIBRARIES},
                      **{name: version_of(command) for name, command in PROGRAMS.items()}},
    }


def shown(figure):
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.1f}" if abs(figure) >= 100 else f"{figure:.2f}"


class Report:
    """Prints each section as it is done, and remembers what was missed."""

    def __init__(self, options):
        self.began = time.monotonic()
        self.options = options
        self.machine = describe_machine()
        self.rows = []
        self.failed = []
        libraries = ", ".join(f"{name} {version}" for name, version in self.machine["libraries"].items())
        print(f"{self.machine['cores']} cores of {self.machine['cpu']}, load {self.machine['load']:.2f}, Linux "
              f"{self.machine['kernel']}, {self.machine['system']}\n"
              f"built with {self.machine['compiler']}, {self.machine['buildtype']}; {libraries}", flush=True)

    def section(self, title):
        self.title, self.parent = title, ""
        print(f"\n{title}\n{'':46} {'bus':12} {'figure':>10} {'':9} {'target':>9}", flush=True)

    def add(self, name, rounds, unit, *, bus="", target=None, least=False, slack=None, remark=""):
        """rounds: a list of figures, or one. slack: how much more than the target is far, where twice as much is not."""
        figure = statistics.median(rounds) if isinstance(rounds, list) else rounds
        verdict = ""
        if target is not None:
            held = figure >= target if least else figure <= target
            far = figure < target / BY_FAR if least else figure > (target * BY_FAR if slack is None else target + slack)
            verdict = "held" if held else "missed by far" if far else "missed"
        if not name.startswith(" "):
            self.parent = name
        of = self.parent if name.startswith(" ") else ""
        if verdict == "missed by far" and not self.options.get("quick"):
            self.fail(": ".join(filter(None, (of, name.strip()))) + (f" ({bus})" if bus else ""))
        self.rows.append({"section": self.title, "of": of, "name": name.strip(), "bus": bus, "figure": figure, "unit": unit, "target": target,
                          "least": least, "verdict": verdict, "rounds": rounds if isinstance(rounds, list) else [rounds],
                          "remark": remark})
        wanted = "" if target is None else f"{'≥' if least else '≤'} {target:g}"
        print(f"{name:46} {bus:12} {shown(figure):>10} {unit:9} {wanted:>9} {verdict}{' ' + remark if remark else ''}".rstrip(),
              flush=True)
        return figure

    def fail(self, what):
        self.failed.append(what)

    def finish(self, path=None):
        """Writes it there; ends the program with a failure if there was one."""
        print()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({
                "machine": self.machine, "options": self.options, "seconds": round(time.monotonic() - self.began, 1),
                "rows": self.rows}, indent=1, ensure_ascii=False) + "\n")
            print(f"written to {path}")
        missed = [row for row in self.rows if row["verdict"].startswith("missed")]
        print(f"{sum(row['verdict'] == 'held' for row in self.rows)} targets held, {len(missed)} missed")
        if self.failed:
            sys.exit("failed: " + "; ".join(self.failed))
