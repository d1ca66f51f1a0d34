#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the relay does, beside what the bus allows and beside what one would write instead.

    meson test --benchmark -C BUILD --verbose
    PRP_BUILD_DIR=BUILD tests/bench/benchmark.py [--only MEASURE] [--rounds N] [--bus BUS] [--quick] [--json FILE]

Prints a table, each figure beside its target, and writes all as JSON (the fields: report.py). It fails where a target is missed
by far, or where events are lost; the table shows every miss.

Absolute figures are this machine's, this moment's. So everything is done side by side: in a round each contender has its turn,
with the same number of the same events, the same listener, the same server, after a warm-up; who is first changes from round to
round; a ratio is taken within a round, and what is shown are medians of rounds. Build it as a distribution does
(-Dbuildtype=release): else it says little.
"""

import argparse
import contextlib
import itertools
import pathlib
import sys
import tempfile

import calls
import channels
import idle
import latency
import memory
import startup
import throughput
from bed import TOOLS, Bed
from contenders import Peer, install_peers, peer_directories
from report import Report, build_option

MEASURES = {"throughput": throughput, "latency": latency, "memory": memory, "startup": startup, "idle": idle, "calls": calls,
            "channels": channels}
BUSES = ("dbus-daemon", "dbus-broker")


class Run:
    """How much of everything, and where."""

    def __init__(self, options, scratch, stores):
        self.options = options
        self.quick = options.quick
        self.rounds = options.rounds or (1 if options.quick else 5)
        self.flood_events = options.events or (5000 if options.quick else 40000)
        self.paced_events = 200 if options.quick else 2000
        self.memory_events = (2000, 5000) if options.quick else (100000, 1000000)
        self.stored_events = 1000 if options.quick else 100000
        self.call_events = 20000 if options.quick else 100000
        self.idle_sec = options.idle_sec or (2 if options.quick else 60)
        self.peers = []
        self._scratch, self._stores = scratch, stores
        self._numbers = itertools.count()

    @contextlib.contextmanager
    def bed(self, kind, **options):
        bed = Bed(kind, self._scratch / str(next(self._numbers)), self._stores, **options)
        try:
            yield bed
        finally:
            bed.finish()

    def beds(self, kinds=BUSES, **options):
        """One after the other, on the buses that are wanted."""
        for kind in kinds:
            if self.options.bus in (None, kind):
                with self.bed(kind, **options) as bed:
                    yield bed

    @staticmethod
    def turns(contenders, number):
        """Who is first changes from round to round."""
        turn = number % len(contenders)
        return contenders[turn:] + contenders[:turn]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MEASURES, action="append", help="this measure; may be given several times")
    parser.add_argument("--bus", choices=BUSES, help="on this message bus only")
    parser.add_argument("--rounds", type=int, help="5, if nothing else is said")
    parser.add_argument("--events", type=int, help="in a flood; 40,000, if nothing else is said")
    parser.add_argument("--idle-sec", type=int, help="how long an idle minute is")
    parser.add_argument("--quick", action="store_true", help="one tiny round: shows that it works, and no figures")
    parser.add_argument("--without-peers", action="store_true", help="what one would write instead is not measured")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def find_peers(run, report):
    """Those that can run here. One that cannot is a failure: the relay would win against nobody."""
    troubles, found = install_peers(), []
    with run.bed("dbus-daemon") as bed:
        for directory in peer_directories():
            try:
                if directory.name not in troubles:
                    with Peer(bed, directory):
                        found.append(directory)
            except (OSError, RuntimeError) as error:
                troubles[directory.name] = " ".join(str(error).split())
    for name, trouble in troubles.items():
        print(f"{name} cannot run here (--without-peers goes on without): {trouble}")
        report.fail(f"{name} cannot run here")
    return found


def main():
    options = parse()
    if not (TOOLS / "listener").exists():
        sys.exit(f"there is nothing in {TOOLS}: build it, and set PRP_BUILD_DIR to where")
    report = Report({key: str(value) for key, value in vars(options).items() if value})
    if build_option("optimization") not in ("2", "3", "s"):
        print(f"This build is not optimised ({build_option('buildtype')}): its figures are not those of what is shipped.")
    # The stores on a disk, beside the build; sockets in a place with a short name.
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=TOOLS) as stores:
        run = Run(options, pathlib.Path(scratch), pathlib.Path(stores))
        if not options.without_peers:
            run.peers = find_peers(run, report)
        for name in options.only or MEASURES:
            report.section(MEASURES[name].TITLE)
            MEASURES[name].run(run, report)
    report.finish(options.json)


main()
