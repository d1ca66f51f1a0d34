#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fuzzes all targets of a build, side by side, and says what came of it.

    CC=clang meson setup build-fuzz -Dfuzzers=true -Db_sanitize=address,undefined -Db_lundef=false
    ninja -C build-fuzz fuzzers
    tests/fuzz/campaign.py --seconds 600 build-fuzz

A target begins with its seeds (tests/fuzz/corpus/TARGET) and with what earlier campaigns found, which is kept outside of
the tree (--corpus, by default ~/.cache/prp-relay/fuzz/) and minimised at the end: what reaches nothing of its own is left
out. To make a new seed, take a file from there, or write one; cut it down by hand until a reader sees what it is for, and
give it a name that says so.

With --afl the build is of CC=afl-clang-fast. With --coverage it is of clang with -fprofile-instr-generate and
-fcoverage-mapping: each target begins with the least that has its form, and the lines that it reached are counted.

The exit status is 1 if anything was found (each with a file that makes it happen again: fuzz-TARGET FILE), or if a target
reached too little.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent

# The files that a target is about; with --coverage, all that it begins with; and the part of the lines, in percent, that it
# has to reach from there.
#
# What is never reached of `event`: what no value of an enumeration leads to (g_assert_not_reached), the signal Gap, which is
# not made of what the server sends, a text over 64 MiB, a tape that is given back because it is larger than any input
# here, and comparing what is no string, which an event's own parts are never.
COVERED = {
    'config': (b'[Server]\n', 0, ['src/config/key-file.c', 'src/config/key.c', 'src/config/notifications.c',
                                  'src/relayd/config.c']),
    'dbus': (b'h prp:1\n', 0, [f'src/bus/{name}.c' for name in (
        'bulk-write', 'calls', 'channel-objects', 'filter', 'history-object', 'holds', 'listings', 'outbox', 'reply', 'service')]),
    'event': (b'{"type":"n"}', 95, ['src/wire/event.c', 'src/common/json-reader.c', 'src/bus/signals.c', 'src/bus/marshal.c']),
    'token-reply': (b'{}', 0, ['src/auth/token-reply.c', 'src/auth/jwt.c']),
}

ENVIRONMENT = {
    **os.environ,
    'ASAN_OPTIONS': 'detect_leaks=1:intercept_tls_get_addr=0:abort_on_error=1:symbolize=%d',
    'UBSAN_OPTIONS': 'halt_on_error=1:abort_on_error=1:print_stacktrace=1',
    'G_SLICE': 'always-malloc',
    'GIO_USE_PROXY_RESOLVER': 'dummy',
    'LC_ALL': 'C.UTF-8',
}
MAX_INPUT_BYTES = 4096
SECONDS_PER_INPUT = 10


def targets():
    return sorted(path.stem.removeprefix('fuzz-') for path in HERE.glob('fuzz-*.c'))


def environment(symbolize=True, **more):
    return {**ENVIRONMENT, 'ASAN_OPTIONS': ENVIRONMENT['ASAN_OPTIONS'] % symbolize, **more}


def dictionary(target, option):
    path = HERE / f'{target}.dict'
    return [f'{option}{path}'] if path.exists() else []


class Campaign:
    """One target. run() returns a line of the table; findings are files."""

    def __init__(self, target, options, work):
        self.target, self.options = target, options
        self.program = options.build / 'tests/fuzz' / f'fuzz-{target}'
        self.work = work / target
        self.results = options.results / target
        for folder in (self.work, self.results):
            folder.mkdir(parents=True, exist_ok=True)
        self.log = self.results / 'log'
        self.seeds = [HERE / 'corpus' / target]
        if options.coverage:
            (self.work / 'least').write_bytes(COVERED[target][0])
            self.seeds = []
        self.local = options.corpus / target if options.corpus else None
        if self.local:
            self.local.mkdir(parents=True, exist_ok=True)
            self.seeds.append(self.local)
        self.findings = []

    def call(self, *command, **env):
        with open(self.log, 'ab') as log:
            return subprocess.run(list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                  cwd=self.results, env=environment(**env), check=False).returncode

    def failed(self, what):
        print(f'  {self.target}: {what}; see {self.log}', file=sys.stderr)
        self.findings.append(self.log)

    def collect(self, pattern):
        self.findings += sorted(path for path in self.results.glob(pattern) if path.is_file())


class LibFuzzer(Campaign):
    def run(self):
        profile = self.work / 'profile'
        status = self.call(
            self.program, f'-max_total_time={self.options.each}', '-print_final_stats=1', f'-max_len={MAX_INPUT_BYTES}',
            f'-timeout={SECONDS_PER_INPUT}', f'-artifact_prefix={self.results}/',
            *dictionary(self.target, '-dict='), self.work, *self.seeds, LLVM_PROFILE_FILE=str(profile))
        self.collect('crash-*')
        self.collect('leak-*')
        self.collect('timeout-*')
        self.collect('oom-*')
        if status != 0 and not self.findings:
            self.failed(f'ended with {status}')
        if self.local and not self.findings:
            self.keep(profile)
        text = self.log.read_text(errors='replace')
        runs = re.findall(r'^stat::number_of_executed_units: (\d+)', text, re.M)
        edges = re.findall(r'^#\d+\s.*cov: (\d+) ft: (\d+)', text, re.M)
        return (int(runs[-1]) if runs else 0), *(map(int, edges[-1]) if edges else (0, 0))

    def keep(self, profile):
        """What is new goes to the local corpus, and of all that only what each file is needed for stays there."""
        smaller = self.work / 'smaller'
        smaller.mkdir()
        if self.call(self.program, '-merge=1', smaller, self.work, self.local, LLVM_PROFILE_FILE=str(profile) + '-merge') != 0:
            self.failed('the corpus could not be merged')
            return
        for path in self.local.iterdir():
            path.unlink()
        for path in smaller.iterdir():
            shutil.copy(path, self.local)


class Afl(Campaign):
    def run(self):
        start, out = self.work / 'start', self.work / 'out'
        start.mkdir()
        for folder in self.seeds:
            for path in folder.iterdir():
                shutil.copy(path, start)
        status = self.call(
            'afl-fuzz', '-i', start, '-o', out, '-V', self.options.each, '-m', 'none', '-t', SECONDS_PER_INPUT * 1000,
            *dictionary(self.target, '-x'), '--', self.program, symbolize=False, AFL_NO_UI='1', AFL_SKIP_CPUFREQ='1',
            AFL_NO_AFFINITY='1', AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES='1', AFL_FORKSRV_INIT_TMOUT='30000')
        stats = out / 'default/fuzzer_stats'
        if status != 0 or not stats.exists():
            self.failed(f'ended with {status}')
            return 0, 0, 0
        values = dict(re.findall(r'^(\w+)\s*: (.*)$', stats.read_text(), re.M))
        for path in [*out.glob('default/crashes/id*'), *out.glob('default/hangs/id*')]:
            shutil.copy(path, self.results / f'{path.parent.name}-{path.name.replace(":", "_")}')
        self.collect('crashes-*')
        self.collect('hangs-*')
        if self.local:
            for path in out.glob('default/queue/id*'):
                shutil.copy(path, self.local / f'afl-{path.name.replace(":", "_")}')
        return int(values['execs_done']), int(values['edges_found']), int(values['corpus_count'])


# -- coverage -------------------------------------------------------------------------------------------------

def report_coverage(campaign):
    """The table of the target's files; what was not reached; whether it was enough."""
    _, wanted, files = COVERED[campaign.target]
    profile = campaign.work / 'merged'
    subprocess.run(['llvm-profdata', 'merge', '-o', profile, *campaign.work.glob('profile*')], check=True)
    listing = subprocess.run(['llvm-cov', 'export', '--format=lcov', f'--instr-profile={profile}', campaign.program],
                             check=True, capture_output=True, text=True, cwd=campaign.options.build).stdout
    paths = [SOURCE / name for name in files]
    total = reached = 0
    missed = []
    for section in listing.split('end_of_record'):
        name = re.search(r'^SF:(.*)$', section, re.M)
        path = (campaign.options.build / name.group(1)).resolve() if name else None
        if path not in paths:
            continue
        lines = [(int(line), int(count)) for line, count in re.findall(r'^DA:(\d+),(\d+)', section, re.M)]
        n = sum(count > 0 for _, count in lines)
        print(f'  {campaign.target:12} {str(path.relative_to(SOURCE)):32} {n:5} of {len(lines):5} lines {100 * n / len(lines):6.1f} %')
        total, reached = total + len(lines), reached + n
        text = path.read_text().split('\n')
        missed += [f'    {path.name}:{line}: {text[line - 1].strip()}' for line, count in lines
                   if count == 0 and text[line - 1].strip() not in '{}']
    percent = 100 * reached / total
    print(f'  {campaign.target:12} {"all":32} {reached:5} of {total:5} lines {percent:6.1f} %')
    if wanted:
        print('\n'.join(['    not reached:', *missed]))
    if percent < wanted:
        print(f'  {campaign.target}: less than {wanted} %', file=sys.stderr)
    return percent >= wanted


# -- the whole ------------------------------------------------------------------------------------------------

def main():
    parser = argparse.ArgumentParser(description='Fuzzes all targets of a build.')
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--seconds', type=int, default=60, help='of the whole campaign')
    parser.add_argument('--jobs', type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument('--target', action='append', choices=targets())
    parser.add_argument('--corpus', type=pathlib.Path, help='where finds are kept; without it, they are not')
    parser.add_argument('--afl', action='store_true')
    parser.add_argument('--coverage', action='store_true')
    options = parser.parse_args()
    names = options.target or targets()
    options.build = options.build.resolve()
    options.results = options.build / 'findings'
    shutil.rmtree(options.results, ignore_errors=True)
    options.corpus = options.corpus and options.corpus.expanduser().resolve()
    options.each = max(1, options.seconds // -(-len(names) // options.jobs))

    with tempfile.TemporaryDirectory(prefix='fuzz-') as work, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        kind = Afl if options.afl else LibFuzzer
        campaigns = [kind(name, options, pathlib.Path(work)) for name in names]
        print(f'  {"target":12} {"executions":>12} {"per second":>11} {"edges":>7} {"queue" if options.afl else "features":>9}  findings')
        for campaign, (runs, edges, features) in zip(campaigns, pool.map(lambda c: c.run(), campaigns)):
            print(f'  {campaign.target:12} {runs:12} {runs // options.each:11} {edges:7} {features:9}  {len(campaign.findings)}',
                  flush=True)
        findings = [path for campaign in campaigns for path in campaign.findings]
        for path in findings:
            print(f'  found: {path}')
        enough = not options.coverage or all([report_coverage(campaign) for campaign in campaigns])
    return 1 if findings or not enough else 0


if __name__ == '__main__':
    sys.exit(main())
