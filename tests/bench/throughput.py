# SPDX-License-Identifier: MIT
"""How many events a second, and what of a processor each takes in the relay.

From the moment when the first is sent (by the server, or the plain sender) to that at which the listener has the last one.
Each contender is started afresh in each round, and warmed up with a tenth of the events. A ratio is that of one round.
"""

import time

from contenders import contenders_on

TITLE = "Throughput and CPU"

# bus → history → the least of the plain sender's throughput; and the most of its CPU
THROUGHPUT = {"dbus-daemon": {"off": 1.25, "on": 1.0}, "dbus-broker": {"off": 1.0, "on": 0.85}}
CPU = {"off": 1.0, "on": 1.6}

SETTLE_SEC = 0.05  # to end what belongs to the last events


def flood(contender, n_events):
    """(events/s, µs of CPU per event, lost, out of order)"""
    bed = contender.bed
    bed.listen(n_events)
    cpu = contender.cpu_sec()
    began, _ = contender.send(n_events)
    heard = bed.heard()
    time.sleep(SETTLE_SEC)
    cpu = contender.cpu_sec() - cpu
    seconds = max(heard["last_nsec"] - began, 1) / 1e9
    return heard["events"] / seconds, cpu / n_events * 1e6, n_events - heard["events"], heard["breaks"]


def run_round(contenders, n_events, figures):
    for contender in contenders:
        with contender:
            flood(contender, max(n_events // 10, 1))
            rate, cpu, lost, breaks = flood(contender, n_events)
        mine = figures.setdefault(contender.name, {"rate": [], "cpu": [], "lost": 0, "breaks": 0})
        mine["rate"].append(rate)
        mine["cpu"].append(cpu)
        mine["lost"] += lost
        mine["breaks"] += breaks


def ratios(figures, name, what):
    return [mine / plain for mine, plain in zip(figures[name][what], figures["plain sender"][what])]


def run(run_options, report):
    for bed in run_options.beds():
        contenders = contenders_on(bed, run_options.peers)
        figures = {}
        for number in range(run_options.rounds):
            run_round(run_options.turns(contenders, number), run_options.flood_events, figures)
        for contender in contenders:
            show(report, bed.kind, contender, figures)


def show(report, kind, contender, figures):
    name, mine = contender.name, figures[contender.name]
    history = {"relay, history off": "off", "relay, history on": "on"}.get(name)
    remark = " ".join(f"{mine[what]} {what}" for what in ("lost", "breaks") if mine[what])
    if remark and not contender.is_peer:
        report.fail(f"{name} ({kind}): {remark}")
    report.add(name, mine["rate"], "events/s", bus=kind, remark=remark)
    if name != "plain sender":
        report.add("  against the plain sender", ratios(figures, name, "rate"), "x", bus=kind,
                   target=THROUGHPUT[kind][history] if history else None, least=True)
    report.add("  CPU an event", mine["cpu"], "µs", bus=kind)
    if name != "plain sender":
        report.add("  against the plain sender", ratios(figures, name, "cpu"), "x", bus=kind,
                   target=CPU[history] if history else None)
