#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How the relay does with a history of a million events, beside one with none.

Prints a table, the target beside the figure, and writes all figures as JSON (report.py). Medians of rounds, in each of which everything
is done once, in turn. It fails where a target is missed by far: a machine that is busy is no fault.

    meson test --benchmark -C BUILD history --verbose
    PRP_BUILD_DIR=BUILD tests/bench/history.py [--rounds N] [--events N] [--json FILE]
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from gi.repository import Gio, GLib

from relay_bus import HISTORY, NAME, PATH, Client, PrivateBus
from relay_process import BUILD_DIR, Home, Relay
from report import Report
from waiting import tell, wait_until

FILL = BUILD_DIR / "tests" / "bench" / "fill-history"

MAX_START_RATIO = 3
MAX_LIST_MSEC = 10

# The filter and the position of what is listed, 100 events each. Of the PRPs prp_… there are 1,000 in turn, and 100 events in a
# million are of the PRP "rare", so that all of the history has to be gone through for them; of "none" there are none.
LISTS = {
    "newest": (None, {}, True),
    "newest, prp, 1 in 1,000": (None, {"prp": "prp_7"}, True),
    "newest, prp, 1 in 10,000": (None, {"prp": "rare"}, True),
    "newest, prp, none": (None, {"prp": "none"}, True),
    "newest, prp and types": (None, {"prp": "prp_7", "types": ["agent.*"]}, True),
    "middle": (0.5, {}, False),
    "middle, prp, 1 in 1,000": (0.5, {"prp": "prp_7"}, False),
    "middle, prp, 1 in 10,000": (0.5, {"prp": "rare"}, False),
    "since the middle": (None, {}, False),
}
LIST_REPEATS = 5  # the first finds nothing in memory
BATCHES = {1: 2000, 50: 10000, 500: 20000}  # events in a commit → how many in all


def fill(directory, n_events, n_batch):
    """The seconds it took."""
    done = subprocess.run([FILL, directory, str(n_events), str(n_batch)], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout)


class Bench:
    def __init__(self, scratch, n_events):
        self.n_events = n_events
        self.figures = {}  # name → list
        self.home = Home(scratch)
        self.bus = PrivateBus("dbus-daemon", scratch, self.home.environment)
        self.client = Client(self.bus.address)
        self.relay = Relay(self.home, self.bus)
        token = self.home.write_secret("token", "no-secret")
        # Nobody is there: it is busy with its own things only.
        self.relay.configure(Server={"Url": "ws://127.0.0.1:1/"}, Auth={"TokenFile": token},
                             History={"MaxEvents": 10 * n_events, "MaxAgeDays": 10000})
        self.appeared = None
        self.client.connection.signal_subscribe(
            "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged", None, NAME, Gio.DBusSignalFlags.NONE,
            self._on_owner)

    def _on_owner(self, *arguments):
        if arguments[5].unpack()[2]:
            self.appeared = time.perf_counter()
            tell()

    def note(self, name, figure):
        self.figures.setdefault(name, []).append(figure)

    def start(self, name, state):
        """With the store in that folder; until the name is owned."""
        self.appeared = None
        began = time.perf_counter()
        self.relay.launch(XDG_STATE_HOME=str(state))
        wait_until(lambda: self.appeared, lambda: f"the relay; its log:\n{self.relay.log}", 60)
        self.note(name, (self.appeared - began) * 1000)

    def list(self, after, filters):
        """Milliseconds, and the number of events."""
        arguments = GLib.Variant("(tua{sv})", (after, 100, filters))
        began = time.perf_counter()
        reply = self.client.connection.call_sync(NAME, PATH, HISTORY, "ListEvents", arguments, None,
                                                 Gio.DBusCallFlags.NO_AUTO_START, 60000, None)
        return (time.perf_counter() - began) * 1000, reply.get_child_value(0).n_children()

    def lists(self):
        first, last = (self.client.get(name, interface=HISTORY) for name in ("FirstSequence", "LastSequence"))
        # The events are a second apart.
        middle_usec = int((time.time() - self.n_events / 2) * 1e6)
        for name, (place, filters, newest) in LISTS.items():
            values = {key: GLib.Variant("s" if key == "prp" else "as", value) for key, value in filters.items()}
            if newest:
                values["newest"] = GLib.Variant("b", True)
            if name.startswith("since"):
                values["since"] = GLib.Variant("t", middle_usec)
            after = int(first + (last - first) * place) if place else 0
            for i in range(LIST_REPEATS):
                msec, found = self.list(after, values)
                self.note(f"{name}{', first time' if i == 0 else ''}", msec)
                wanted = {"none": [0], "rare": range(40, 101)}.get(filters.get("prp"), [100])
                assert found in wanted, f"{name}: {found} events"

    def finish(self):
        if self.relay.is_running():
            self.relay.kill()
        self.client.close()
        self.bus.stop()


def run(options, report, scratch, stores):
    full, empty = stores / "full", stores / "empty"
    for folder in (full, empty):
        (folder / "prp-relay").mkdir(mode=0o700, parents=True)
    print(f"filling a store with {options.events:,} events", flush=True)
    filled_sec = fill(full / "prp-relay", options.events, 500)
    fill(empty / "prp-relay", 0, 1)
    megabytes = sum(path.stat().st_size for path in full.rglob("*") if path.is_file()) / 1e6

    bench = Bench(scratch, options.events)
    try:
        for number in range(options.rounds):
            # Who is first changes from round to round.
            for store in (empty, full)[::1 if number % 2 else -1]:
                bench.start(f"start {store.name}", store)
                if store is full:
                    bench.lists()
                bench.relay.stop()
                wait_until(lambda: bench.client.owner() is None, "the name to be free")
            for batch, amount in BATCHES.items():
                bench.note(f"append {batch}", fill(full / "prp-relay", amount, batch) / amount * 1e6)
    finally:
        bench.finish()

    figures = bench.figures
    report.section(f"A history of {options.events:,} events ({megabytes:.0f} MB, filled at "
                   f"{options.events / filled_sec:,.0f} events/s)")
    report.add("start until the name is owned, empty", figures["start empty"], "ms")
    report.add("start until the name is owned, full", figures["start full"], "ms")
    report.add("  full to empty", [a / b for a, b in zip(figures["start full"], figures["start empty"])], "x",
               target=MAX_START_RATIO)
    for name in LISTS:
        report.add(f"ListEvents of 100: {name}", figures[name], "ms", target=MAX_LIST_MSEC)
        report.add("  the first time after a start", figures[name + ", first time"], "ms", target=MAX_LIST_MSEC)
    for batch in BATCHES:
        report.add(f"store an event, {batch} in a commit", figures[f"append {batch}"], "µs")
    report.add("  alone to among 500", [a / b for a, b in zip(figures["append 1"], figures["append 500"])], "x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--events", type=int, default=1000000)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args()
    report = Report({key: str(value) for key, value in vars(options).items() if value})
    # The store on a disk, beside the build; the bus in a place with a short name.
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=FILL.parent) as stores:
        run(options, report, pathlib.Path(scratch), pathlib.Path(stores))
    report.finish(options.json)


main()
