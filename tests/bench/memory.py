# SPDX-License-Identifier: MIT
"""What is resident of the program (what it shares with others included) at its start, and after events."""

import time

from contenders import Peer, RelayWith, RelayWithout

TITLE = "Memory"
MAX_MB = {"ws": 16, "wss": 28}
MAX_GROWTH_MB = 1
SETTLE_SEC = 0.5  # to end what belongs to the start, or to the last events


def megabytes(contender, settle_sec=SETTLE_SEC):
    time.sleep(settle_sec)
    return contender.rss_bytes() / 1e6


def flood(contender, n_events):
    contender.bed.listen(n_events)
    contender.send(n_events)
    return n_events - contender.bed.heard()["events"]


def run(run_options, report):
    some, many = run_options.memory_events
    for scheme in ("ws", "wss"):
        for bed in run_options.beds(("dbus-daemon",), tls=scheme == "wss"):
            for contender in (RelayWithout(bed), RelayWith(bed)):
                figures = {}
                for _ in range(run_options.rounds if contender.history else 1):
                    measure(contender, run_options, figures, report)
                show(report, f"{contender.name}, {scheme}", figures, some, many, MAX_MB[scheme])
    for bed in run_options.beds(("dbus-daemon",)):
        for directory in run_options.peers:
            contender = Peer(bed, directory)
            with contender:
                at_start = megabytes(contender)
                lost = flood(contender, some)
                then = megabytes(contender)
            report.add(f"{contender.name}: at start", at_start, "MB")
            report.add(f"  after {some:,} events", then, "MB", remark=f"{lost} lost" if lost else "")


def measure(contender, run_options, figures, report):
    some, many = run_options.memory_events
    settle_sec = SETTLE_SEC if not run_options.quick else 0

    def note(name, figure):
        figures.setdefault(name, []).append(figure)

    with contender:
        note("start", megabytes(contender, settle_sec))
        lost = flood(contender, some)
        note("some", megabytes(contender, settle_sec))
        lost += flood(contender, many - some)
        note("many", megabytes(contender, settle_sec))
        note("peak", contender.peak_bytes() / 1e6)
    if lost:
        report.fail(f"{contender.name}: {lost} lost")


def show(report, name, figures, some, many, most):
    report.add(f"{name}: at start", figures["start"], "MB", target=most)
    report.add(f"  after {some:,} events", figures["some"], "MB", target=most)
    report.add(f"  after {many:,} events", figures["many"], "MB", target=most)
    report.add("  at most, at any time", figures["peak"], "MB", target=most)
    report.add(f"  growth from {some:,} to {many:,}", [b - a for a, b in zip(figures["some"], figures["many"])], "MB",
               target=MAX_GROWTH_MB, slack=MAX_GROWTH_MB)
