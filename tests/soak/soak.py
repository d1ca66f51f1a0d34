#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A soak of the relay: everything that can happen to it, at random, and an oracle that knows what must hold all the same.

    tests/run --soak MINUTES [--seed N]          one run after another on both buses, with TLS and without
    PRP_BUILD_DIR=BUILD tests/soak/soak.py --seconds N [--seed N] [--bus KIND] [--tls off|on|mixed]

The seed makes the plan of the faults (plan.py) and what happens in the service; it is printed first. The same seed gives the same
faults at the same times again, though not the same interleaving of processes. It ends by itself, with status 0 if the oracle
(oracle.py) has no finding, and leaves nothing behind; with --keep, the folder with all logs is kept if it has one.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from faults import Faults  # noqa: E402
from oracle import Seen, judge  # noqa: E402
from plan import make_calm_plan, make_plan  # noqa: E402
from relay_process import is_instrumented  # noqa: E402
from stage import DURABLE, Stage  # noqa: E402
from waiting import wait_until  # noqa: E402

LIVE_SEC = 5
LIVE_LINES = 120  # no more of them in a long run
RATE = 40  # events a second
SAMPLE_SEC = 1.0


class Soak:
    def __init__(self, options, directory):
        self.options = options
        self.troubles = []
        self.plan = (make_calm_plan if options.calm else make_plan)(options.seed, options.seconds)
        self.stage = Stage(directory, options.bus, options.tls, options.seed, options.rate, self._trouble, self._note)
        self.begun = 0.0
        self.rss = []  # of the life that counts

    def _trouble(self, what):
        self.troubles.append(what)
        self._note(f"TROUBLE: {what}")

    def _note(self, what):
        if self.options.verbose or what.startswith("TROUBLE"):
            print(f"# {what}".replace("\n", "\n#   "), flush=True)

    # -- the run

    def run(self):
        stage = self.stage
        stage.service.mutation = self.options.mutate
        for listener in stage.listeners:
            listener.start()
        for listener in stage.listeners:
            wait_until(lambda listener=listener: listener.outputs[0].read_text() == "ready\n", "a listener", 20)
        stage.start_relay()
        stage.client.wait_state("connected", seconds=20)
        states = stage.client.subscribe(*DURABLE)
        assert set(states.values()) == {"active"}, states
        self.begun = time.time()
        stage.service.begin()
        stage.reader.start()
        stage.monitor.start()
        stage.begin_audit()
        faults = self.faults = Faults(stage, self.plan, self.begun)
        last_line = 0
        while (elapsed := time.time() - self.begun) < self.plan.seconds:
            faults.work(min(time.time() + SAMPLE_SEC, self.begun + self.plan.seconds))
            if elapsed > self.plan.life_begins + 1 and stage.is_up():
                self.rss.append(stage.measure().rss)
            if elapsed - last_line >= max(LIVE_SEC, self.plan.seconds / LIVE_LINES):
                last_line = elapsed
                self._show_live(elapsed)
        self._end()

    def _show_live(self, elapsed):
        record, faults = self.stage.service.record, self.faults
        rss = f"{self.rss[-1] / 2**20:.1f} MiB" if self.rss else "-"
        gaps = sum(row.gap is not None for row in self.stage.history[-100000:])
        print(f"# {elapsed:5.0f} s  {len(record)} events, {sum(faults.done.values())} faults (last: {faults.shown}), {gaps} gaps, "
              f"{sum(f.n_lines for f in self.stage.service.fronts)} connections, {self.stage.n_starts} starts, {rss}", flush=True)

    def _end(self):
        """All comes to rest; then all of them end, each after it had what there is."""
        stage, faults = self.stage, self.faults
        faults.settle()
        for channel in DURABLE:
            stage.service.do(stage.service.publish, channel)
        stage.service.stop()
        stage.service.do(lambda: [line.look() for line in stage.service.lines])
        copies = stage.service.record.copies
        name = f"ev_{max(n for n in range(len(copies)) if copies[n] > 0)}"
        stage.end_audit()

        def is_told():
            stage.audit()
            return any(row.id == name for row in reversed(stage.history))
        try:
            wait_until(is_told, f"the last event, {name}, in the history", 30)
            wait_until(lambda: all(f" {name}\n" in path.read_text()[-20000:] for path in stage.heard_paths.values()),
                       f"the last event, {name}, at all listeners", 30)
            wait_until(lambda: name in stage.reader.outputs[-1].read_text()[-20000:], f"{name} at the reader", 60)
            wait_until(lambda: name in stage.monitor.outputs[-1].read_text()[-90000:], f"{name} at the monitor", 60)
        except AssertionError as error:
            self._trouble(str(error))
        faults.work(time.time() + 1.5)
        self.last = stage.measure()
        self.pid_seconds = cpu_seconds(stage.pid)
        for program in [*stage.listeners, stage.reader, stage.monitor]:
            program.end(signal.SIGTERM)
        stage.audit()
        stage.end_relay(signal.SIGTERM, "terminate")

    # -- the verdict

    def judge(self):
        stage, faults, record = self.stage, self.faults, self.stage.service.record
        self.seen = Seen(
            record=record, wanted={c: [(i[0], i[1]) for i in intervals] for c, intervals in faults.wanted.items()},
            steps=stage.clock.steps, history=stage.history, stored=stage.stored(), history_ids=stage.history_ids,
            listeners=stage.heard(),
            readers={"catch-up": ([event_ids(stage.reader, n, False) for n in range(len(stage.reader.outputs))], 1),
                     "monitor": ([event_ids(stage.monitor, n, True) for n in range(len(stage.monitor.outputs))], 50)},
            ends=stage.ends, warm=None if is_instrumented() else faults.warm, last=self.last, traces=stage.traces(),
            troubles=self.troubles)
        verdict, n_told = judge(self.seen)
        if is_instrumented():
            verdict.pop("no more memory, descriptors, threads")
        return verdict, n_told

    def summary(self, verdict, n_told):
        stage, faults, record = self.stage, self.faults, self.stage.service.record
        options, rest = self.options, resource.getrusage(resource.RUSAGE_CHILDREN)
        own = resource.getrusage(resource.RUSAGE_SELF)
        seconds = time.time() - self.begun
        cpu = own.ru_utime + own.ru_stime + rest.ru_utime + rest.ru_stime + (self.pid_seconds if options.bus == "dbus-daemon" else 0)
        rows = stage.history
        return {
            "seed": options.seed, "seconds": round(seconds, 1), "bus": options.bus, "tls": options.tls, "build": os.environ.get(
                "PRP_BUILD_DIR", "build"),
            "events": len(record), "events_told": sum(row.gap is None for row in rows), "events_missing_and_told": n_told,
            "said_again": record.n_repeated,
            "gaps": sum(row.gap is not None for row in rows),
            "faults": dict(sorted(faults.done.items())),
            "connections": sum(f.n_lines for f in stage.service.fronts),
            "handshakes_refused": sum(f.n_refused for f in stage.service.fronts),
            "renewals": stage.grants.n_granted, "signed_in_again": faults.n_signed_in,
            "relay_starts": stage.n_starts,
            "rss_kib": {"warm": faults.warm.rss >> 10 if faults.warm else None, "end": self.last.rss >> 10,
                        "max": max(self.rss, default=0) >> 10},
            "descriptors": {"warm": faults.warm.descriptors if faults.warm else None, "end": self.last.descriptors},
            "threads": {"warm": faults.warm.threads if faults.warm else None, "end": self.last.threads},
            "disk_of_its_own": stage.disk.is_ours,
            "load_percent": round(100 * cpu / seconds, 1),
            "mutated": stage.service.n_mutated,
            "findings": {title: found for title, found in verdict.items() if found},
            "verdict": "passed" if not any(verdict.values()) else "FAILED",
        }


def event_ids(program, life, is_json):
    lines = program.whole_lines(life)
    if is_json:
        return [i for i in (json.loads(line).get("id", "") for line in lines) if i]
    return [line.split()[3] for line in lines if line.startswith("event ")]


def cpu_seconds(pid):
    words = pathlib.Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def show(summary):
    faults = ", ".join(f"{count} {kind}" for kind, count in summary["faults"].items())
    rss, fds, threads = summary["rss_kib"], summary["descriptors"], summary["threads"]
    print(f"# {summary['events']} events, {summary['events_told']} told once, {summary['events_missing_and_told']} within "
          f"{summary['gaps']} gaps, {summary['said_again']} said again and dropped\n"
          f"# {sum(summary['faults'].values())} faults: {faults}\n"
          f"# {summary['connections']} connections, {summary['renewals']} tokens renewed, {summary['signed_in_again']} times signed in "
          f"again, {summary['relay_starts']} starts of the relay\n"
          f"# memory {rss['warm']} KiB warm, {rss['end']} in the end, {rss['max']} at most; descriptors {fds['warm']}, {fds['end']}; "
          f"threads {threads['warm']}, {threads['end']}; load {summary['load_percent']} % of a core", flush=True)


def main():
    parser = argparse.ArgumentParser(description="A soak of the PRP relay.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--bus", choices=["dbus-daemon", "dbus-broker"], default="dbus-daemon")
    parser.add_argument("--tls", choices=["off", "on", "mixed"], default="mixed")
    parser.add_argument("--rate", type=float, default=RATE, help="events a second")
    parser.add_argument("--json", type=pathlib.Path, help="where to write the summary")
    parser.add_argument("--mutate", choices=["drop", "double"], help="spoil the service's record: the run has to fail")
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    parser.add_argument("--keep", action="store_true", help="keep the folder if there are findings")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    again = (f"tests/soak/soak.py --seconds {options.seconds:g} --seed {options.seed} --bus {options.bus} --tls {options.tls} "
             f"--rate {options.rate:g}")
    print(f"# seed {options.seed}: PRP_BUILD_DIR={os.environ.get('PRP_BUILD_DIR', 'build')} {again}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    directory = pathlib.Path(tempfile.mkdtemp(prefix="soak."))
    soak, good = None, False
    try:
        soak = Soak(options, directory)
        soak.run()
        verdict, n_told = soak.judge()
        summary = soak.summary(verdict, n_told)
        show(summary)
        good = summary["verdict"] == "passed"
        if options.json is not None:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(summary, indent=2) + "\n")
        for number, (title, found) in enumerate(verdict.items(), 1):
            for line in found:
                print("#   " + line.replace("\n", "\n#   "))
            if found:
                print(f"#   the same plan again: {again}")
            print(f"{'not ok' if found else 'ok'} {number} - {title}")
        print(f"1..{len(verdict)}")
    finally:
        if soak is not None:
            soak.stage.finish()
        if options.keep and not good:
            print(f"# kept: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
