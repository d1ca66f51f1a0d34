# SPDX-License-Identifier: MIT
"""How often the relay wakes when nothing happens: the context switches that its threads asked for, in a minute.

Each is to be one of these: a frame of the server's, a heartbeat that is due (the silence was long enough for a ping), the
watchdog that systemd wants to hear of. What is left is what it wakes for without a reason.
"""

import time

from contenders import RelayWith
from relay_process import NotifySocket

TITLE = "Wake-ups in an idle minute"
SETTLE_SEC = 3


class IdleRelay(RelayWith):
    name = "relay"

    def __init__(self, bed, notify, watchdog_sec, heartbeat):
        super().__init__(bed)
        self.settings = {"Heartbeat": heartbeat} if heartbeat else {}
        self.extra = {"NOTIFY_SOCKET": str(notify.path), "WATCHDOG_USEC": str(int(watchdog_sec * 1e6))}


def run(run_options, report):
    for bed in run_options.beds(("dbus-daemon",)):
        notify = NotifySocket(bed.home.directory)
        relay = IdleRelay(bed, notify, *(1, {"PingIntervalSec": "1"}) if run_options.quick else (60, None))
        with relay:
            time.sleep(SETTLE_SEC if not run_options.quick else 1)
            before = state_of(relay, notify)
            time.sleep(run_options.idle_sec)
            after = state_of(relay, notify)
        switches, pings, watchdogs = (b - a for a, b in zip(before, after))
        report.add("wake-ups", switches, "", remark=f"in {run_options.idle_sec} s")
        report.add("  pings that were due, and their pongs", 2 * pings, "")
        report.add("  watchdog", watchdogs, "")
        report.add("  for nothing of these", max(0, switches - 2 * pings - watchdogs), "", target=0, slack=10)
        notify.finish()


def state_of(relay, notify):
    return (relay.voluntary_switches(), int(relay.bed.server.ask("messages")),
            sum(line == "WATCHDOG=1" for line in notify.lines))
