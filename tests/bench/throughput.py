# SPDX-License-Identifier: MIT
"""How many events a second, and what of a processor each takes in the relay.

From the moment when the first is sent (by the server, or the plain sender) to that at which the listener has the last one.
Each contender is started afresh in each round, and warmed up with a tenth of the events. A ratio is that of one round. That the server is not what limits them shows in how fast
it is into a sink, which does nothing but read, and in how little of a processor it takes beside the relay. What limits them is the
bus, where that is busy all the time: then no sender can be quicker than the plain one but by what it leaves it of the processors.
"""

import collections
import time

import sink
from bed import cpu_sec_of
from contenders import contenders_on

TITLE = "Throughput and CPU"

# bus → history → the least of the plain sender's throughput; and the most of its CPU
THROUGHPUT = {"dbus-daemon": {"off": 1.25, "on": 1.0}, "dbus-broker": {"off": 1.0, "on": 0.85}}
CPU = {"off": 1.0, "on": 1.6}

SETTLE_SEC = 0.05  # to end what belongs to the last events


Flood = collections.namedtuple("Flood", "rate cpu server_cpu bus_busy lost breaks")


def flood(contender, n_events):
    """Events a second; µs of CPU for each in the contender, and in the server; for what part of the time the bus was busy (in %);
    how many did not come, or out of order."""
    bed = contender.bed
    bed.listen(n_events)
    cpu = contender.cpu_sec()
    contender.begin(n_events)
    bus_cpu = cpu_sec_of(bed.router)
    server_cpu = bed.server.cpu_sec()
    began, _ = contender.end()
    heard = bed.heard()
    bus_cpu = cpu_sec_of(bed.router) - bus_cpu
    time.sleep(SETTLE_SEC)
    seconds = max(heard["last_nsec"] - began, 1) / 1e9
    return Flood(heard["events"] / seconds, (contender.cpu_sec() - cpu) / n_events * 1e6,
                 (bed.server.cpu_sec() - server_cpu) / n_events * 1e6, bus_cpu / seconds * 100, n_events - heard["events"], heard["breaks"])


def run_round(contenders, n_events, figures):
    for contender in contenders:
        with contender:
            flood(contender, max(n_events // 10, 1))
            figures.setdefault(contender.name, []).append(flood(contender, n_events))


def ratios(figures, name, what):
    return [getattr(mine, what) / getattr(plain, what) for mine, plain in zip(figures[name], figures["plain sender"])]


def run(run_options, report):
    for bed in run_options.beds():
        contenders = contenders_on(bed, run_options.peers)
        figures, sunk = {}, []
        for number in range(run_options.rounds):
            run_round(run_options.turns(contenders, number), run_options.flood_events, figures)
            sunk.append(sink.rate(bed, run_options.flood_events))
        for contender in contenders:
            show(report, bed.kind, contender, figures)
        report.add("the server, into a sink", sunk, "events/s", bus=bed.kind)
        report.add("  CPU an event of the relay's", [f.server_cpu for f in figures["relay, history off"]], "µs", bus=bed.kind)


def show(report, kind, contender, figures):
    name, mine = contender.name, figures[contender.name]
    history = {"relay, history off": "off", "relay, history on": "on"}.get(name)
    remark = " ".join(f"{sum(getattr(f, what) for f in mine)} {what}" for what in ("lost", "breaks")
                      if any(getattr(f, what) for f in mine))
    if remark and not contender.is_peer:
        report.fail(f"{name} ({kind}): {remark}")
    report.add(name, [f.rate for f in mine], "events/s", bus=kind, remark=remark)
    if name != "plain sender":
        report.add("  against the plain sender", ratios(figures, name, "rate"), "x", bus=kind,
                   target=THROUGHPUT[kind][history] if history else None, least=True)
    report.add("  the bus is busy", [f.bus_busy for f in mine], "% of the time", bus=kind)
    report.add("  CPU an event", [f.cpu for f in mine], "µs", bus=kind)
    if name != "plain sender":
        report.add("  CPU against the plain sender", ratios(figures, name, "cpu"), "x", bus=kind,
                   target=CPU[history] if history else None)
