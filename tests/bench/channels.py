# SPDX-License-Identifier: MIT
"""What an event costs with few and with many channels, each of which is subscribed durably and held; and how long it takes to have
all of them again when the server returns.

The relays with few and with many run beside each other, each on a bus and with a server of its own, and get the same events in
turn. The way back is from the moment when the server listens again, and the relay is told to connect (else it would wait for
as long as chance has it), to the answer of a Ping that follows the server's last confirmation.
"""

import contextlib
import time

from contenders import RelayWithout
from relay_bus import PATH, RELAY
from throughput import flood

TITLE = "10,000 channels"
AMOUNTS = (10, 1000, 10000)
QUICK_AMOUNTS = (10, 100)
MAX_COST_RATIO = 1.1
MAX_RETURN_SEC = 1
HOLD_CHANNELS = 100  # in one hold; a client may have a hundred
PATIENT_SEC = "60"


class RelayOf(RelayWithout):
    settings = {"Reconnect": {"InitialDelaySec": PATIENT_SEC, "MaxDelaySec": PATIENT_SEC}}

    def __init__(self, bed, n_channels):
        super().__init__(bed)
        self.n_channels = n_channels

    def start(self):
        super().start()
        names = [f"prp:prp_{number:06}" for number in range(self.n_channels - 1)]
        for begin in range(0, len(names), HOLD_CHANNELS):
            self.bed.client.call_async(PATH, RELAY, "Hold", "(asa{sv})", names[begin:begin + HOLD_CHANNELS], {})
        self.bed.client.subscribe_async(*names)
        self.bed.server.ask("complete", self.n_channels)
        self.bed.client.ping()


def run(run_options, report):
    amounts = QUICK_AMOUNTS if run_options.quick else AMOUNTS
    with contextlib.ExitStack() as stack:
        relays = []
        for amount in amounts:
            bed = stack.enter_context(run_options.bed("dbus-daemon"))
            relays.append(stack.enter_context(RelayOf(bed, amount)))
        cost(relays, run_options, report)
        returning(relays[-1], "ws", run_options, report)
    with run_options.bed("dbus-daemon", tls=True) as bed, RelayOf(bed, amounts[-1]) as relay:
        returning(relay, "wss", run_options, report)


def cost(relays, run_options, report):
    figures = {relay.n_channels: [] for relay in relays}
    for number in range(-1, run_options.rounds):
        for relay in run_options.turns(relays, number):
            result = flood(relay, run_options.flood_events)
            if result.lost or result.breaks:
                report.fail(f"{relay.n_channels} channels: {result.lost} lost, {result.breaks} breaks")
            if number >= 0:  # the first is to warm up
                figures[relay.n_channels].append(result.cpu)
    fewest = figures[relays[0].n_channels]
    for relay in relays:
        mine = figures[relay.n_channels]
        report.add(f"CPU an event, {relay.n_channels:,} channels and holds", mine, "µs")
        if relay is not relays[0]:
            report.add(f"  against {relays[0].n_channels}", [a / b for a, b in zip(mine, fewest)], "x", target=MAX_COST_RATIO)
        report.add("  memory", relay.rss_bytes() / 1e6, "MB")


def returning(relay, scheme, run_options, report):
    client, server = relay.bed.client, relay.bed.server
    figures = []
    for _ in range(run_options.rounds):
        server.ask("leave")
        client.wait_state("waiting", seconds=30)
        began = int(server.ask("return"))
        client.command("Connect")
        server.ask("complete", relay.n_channels)
        client.ping()
        figures.append((time.monotonic_ns() - began) / 1e9)
    report.add(f"all {relay.n_channels:,} channels back, {scheme}", figures, "s", target=MAX_RETURN_SEC)
