# SPDX-License-Identifier: MIT
"""How late an event is: from right before the server's write (the plain sender's making of it) to the listener, at 1,000 a second."""

from contenders import TheRelay, contenders_on

TITLE = "Latency at 1,000 events a second"
RATE = 1000
WARM_UP_EVENTS = 200

PERCENTILES = ("p50", "p99", "p999")
NAMES = {"p50": "p50", "p99": "p99", "p999": "p99.9"}


def pace(contender, n_events):
    contender.bed.listen(n_events, timed=True)
    contender.send(n_events, RATE)
    return contender.bed.heard()


def run(run_options, report):
    for bed in run_options.beds():
        contenders = contenders_on(bed, run_options.peers)
        figures = {contender.name: {p: [] for p in PERCENTILES} for contender in contenders}
        lost = dict.fromkeys(figures, 0)
        for number in range(run_options.rounds):
            for contender in run_options.turns(contenders, number):
                with contender:
                    pace(contender, WARM_UP_EVENTS)
                    heard = pace(contender, run_options.paced_events)
                lost[contender.name] += run_options.paced_events - heard["events"]
                for p in PERCENTILES:
                    figures[contender.name][p].append(heard[f"{p}_usec"] / 1000)
        peers = [contender.name for contender in contenders if contender.is_peer]
        for contender in contenders:
            show(report, bed.kind, contender, figures, lost[contender.name], peers)


def show(report, kind, contender, figures, lost, peers):
    if lost and not contender.is_peer:
        report.fail(f"{contender.name} ({kind}): {lost} lost")
    for p in PERCENTILES:
        mine = figures[contender.name][p]
        report.add(f"{contender.name}: {NAMES[p]}", mine, "ms", bus=kind, remark=f"{lost} lost" if lost else "")
        if isinstance(contender, TheRelay) and peers and p != "p999":
            quickest = [min(values) for values in zip(*(figures[peer][p] for peer in peers))]
            report.add("  against the quickest peer", [a / b for a, b in zip(mine, quickest)], "x", bus=kind, target=1)
