# SPDX-License-Identifier: MIT
"""How long a method call takes while events pour in as fast as they can (Ping: with the server's answer, which has to come
through the same flood)."""

import json

from bed import TOOLS, Tool
from contenders import RelayWith

TITLE = "Method calls under flood"
METHODS = ("Get", "Subscribe", "Ping")
CALL_MSEC = 200  # each, one after the other; of a Ping, until the one under way is answered

LEAD_MSEC = 50


def run(run_options, report):
    for bed in run_options.beds():
        relay, figures = RelayWith(bed), {method: [] for method in METHODS}
        caller = Tool([TOOLS / "caller"], bed.environment, bed.home.directory / "caller.log")
        try:
            with relay:
                for _ in range(run_options.rounds):
                    call(bed, relay, caller, run_options, figures, report)
        finally:
            caller.finish()
        for method, values in figures.items():
            remark = f"{sum(v['calls'] for v in values):,} calls"
            for name, words in (("p50_usec", "median"), ("p99_usec", "p99"), ("max_usec", "longest")):
                report.add(f"{method}: {words}", [v[name] / 1000 for v in values], "ms", bus=bed.kind, remark=remark)
                remark = ""


def call(bed, relay, caller, run_options, figures, report):
    n_events = run_options.call_events
    bed.listen(n_events)
    relay.begin(n_events)
    caller.ask("Get", LEAD_MSEC)  # until the flood is everywhere
    for method in METHODS:
        answer = json.loads(caller.ask(method, CALL_MSEC if not run_options.quick else 20))
        figures[method].append(answer)
    relay.end()
    heard = bed.heard()
    if heard["events"] != n_events:
        report.fail(f"calls ({bed.kind}): {n_events - heard['events']} lost")
    if heard["last_nsec"] < answer["ended_nsec"]:
        print("  (the flood was over before the calls were)", flush=True)
