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
import itertools
import pathlib
import sys
import tempfile

import throughput
from bed import TOOLS, Bed
from contenders import install_peers, peer_directories
from report import Report, build_option

MEASURES = {"throughput": throughput}
BUSES = ("dbus-daemon", "dbus-broker")


class Run:
    """How much of everything, and where."""

    def __init__(self, options, scratch, stores):
        self.options = options
        self.rounds = options.rounds or (1 if options.quick else 5)
        self.flood_events = 5000 if options.quick else 50000
        self.peers = []
        self._scratch, self._stores = scratch, stores
        self._numbers = itertools.count()

    def beds(self, buses=BUSES, **options):
        """One after the other, of the buses that are wanted."""
        for kind in buses:
            if self.options.bus in (None, kind):
                bed = Bed(kind, self._scratch / str(next(self._numbers)), self._stores, **options)
                try:
                    yield bed
                finally:
                    bed.finish()


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MEASURES, action="append", help="this measure; may be given several times")
    parser.add_argument("--bus", choices=BUSES, help="on this message bus only")
    parser.add_argument("--rounds", type=int, help="5, if nothing else is said")
    parser.add_argument("--quick", action="store_true", help="one tiny round: shows that it works, and no figures")
    parser.add_argument("--without-peers", action="store_true", help="what one would write instead is not measured")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    return parser.parse_args()


def find_peers(report):
    troubles = install_peers()
    for name, trouble in troubles.items():
        print(f"{name} is not here: {trouble}")
        report.fail(f"{name} is not here")
    return [directory for directory in peer_directories() if directory.name not in troubles]


def main():
    options = parse()
    report = Report({key: str(value) for key, value in vars(options).items() if value})
    if build_option("optimization") not in ("2", "3", "s"):
        print(f"This build is not optimised ({build_option('buildtype')}): its figures are not those of what is shipped.")
    # The stores on a disk, beside the build; sockets in a place with a short name.
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory(dir=TOOLS) as stores:
        run = Run(options, pathlib.Path(scratch), pathlib.Path(stores))
        if not options.without_peers:
            run.peers = find_peers(report)
        for name in options.only or MEASURES:
            report.section(MEASURES[name].TITLE)
            MEASURES[name].run(run, report)
    if options.json:
        report.write(options.json)
        print(f"\nwritten to {options.json}")
    if report.failed:
        sys.exit("failed: " + "; ".join(report.failed))


main()
