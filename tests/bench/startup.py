# SPDX-License-Identifier: MIT
"""From the start of the program until its name is owned, as its starter sees it.

(With a million events in the store: the benchmark "history".)
"""

import subprocess
import time

from gi.repository import Gio

from bed import TOOLS
from contenders import RelayWith, TheRelay, contenders_on
from relay_bus import NAME
from waiting import tell, wait_until

TITLE = "Start until the name is owned"
MAX_MSEC = 15
REPEATS = 3  # in a round


class RelayWithMany(RelayWith):
    name = "relay, 100,000 events stored"

    def fill(self, n_events):
        directory = self.state / "prp-relay"
        directory.mkdir(mode=0o700)
        subprocess.run([TOOLS / "fill-history", directory, str(n_events), "500"], check=True, stdout=subprocess.DEVNULL)


class Watch:
    """When the name appeared."""

    def __init__(self, client):
        self.appeared = None
        client.connection.signal_subscribe("org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged", None, NAME,
                                           Gio.DBusSignalFlags.NONE, self._on_owner)
        client.bus_call("GetId")

    def _on_owner(self, *arguments):
        if arguments[5].unpack()[2]:
            self.appeared = time.perf_counter()
            tell()


def run(run_options, report):
    for bed in run_options.beds(("dbus-daemon",)):
        watch = Watch(bed.client)
        contenders = contenders_on(bed, run_options.peers)
        contenders.insert(3, RelayWithMany(bed))
        contenders[3].fill(run_options.stored_events)
        figures = {contender.name: [] for contender in contenders}
        for number in range(run_options.rounds * REPEATS):
            for contender in run_options.turns(contenders, number):
                watch.appeared = None
                began = time.perf_counter()
                contender.launch()
                wait_until(lambda: watch.appeared, f"{NAME} of {contender.name}", 30)
                figures[contender.name].append((watch.appeared - began) * 1000)
                contender.become_ready()
                contender.stop()
        for contender in contenders:
            report.add(contender.name, figures[contender.name], "ms",
                       target=MAX_MSEC if isinstance(contender, TheRelay) else None)
