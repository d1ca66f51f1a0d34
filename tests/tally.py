#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Counts what meson's tests did, down to the single test inside each program.

    tests/tally.py --seconds N DIRECTORY           one line for one run of meson test (its testlog*.json is in DIRECTORY),
                                                   and below it whatever failed
    tests/tally.py --skips FILE --total DIRECTORY  all runs below DIRECTORY and the file `steps` in it; ends with the line
                                                   N passed, N failed, N skipped; exit status 1 if that is no success

A program that speaks TAP counts as its subtests, one that leaves a JUnit file (pytest) as its cases, any other as one.
A program that ends badly without a subtest to blame for it (a crash, a leak found at exit, a timeout, a plan that was not
fulfilled) is one failure more.
"""

import argparse
import collections
import fnmatch
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

TAP_LINE = re.compile(r'^(not )?ok\b\s*\d*\s*(?:-\s*)?([^#]*?)\s*(?:#\s*(\w+)\s*(.*))?$')
SHOWN_LINES = 40
NOISE = re.compile(r'^# [\w-]+-DEBUG: ')  # what libraries say of themselves in g_test's output

Case = collections.namedtuple('Case', 'name outcome detail')  # outcome: passed, failed, skipped


def tap_cases(text):
    remarks = []  # lines since the last result: what is behind a failure stands before it
    for line in text.splitlines():
        match = TAP_LINE.match(line)
        if not match:
            if not NOISE.match(line):
                remarks.append(line)
        else:
            bad, name, directive, reason = match.groups()
            directive = (directive or '').upper()
            if directive == 'SKIP':
                yield Case(name, 'skipped', reason)
            elif directive == 'TODO':
                yield Case(name, 'failed', 'TODO is not for this house')
            else:
                yield Case(name, 'failed' if bad else 'passed', '\n'.join(remarks))
            remarks = []


def junit_cases(path):
    for case in ElementTree.parse(path).iter('testcase'):
        name = f'{case.get("classname", "")}.{case.get("name", "")}'
        skipped = case.find('skipped')
        fault = next((f for f in (case.find('failure'), case.find('error')) if f is not None), None)
        if fault is not None:
            yield Case(name, 'failed', (fault.get('message') or '') + '\n' + (fault.text or ''))
        elif skipped is not None:
            yield Case(name, 'skipped', skipped.get('message') or '')
        else:
            yield Case(name, 'passed', '')


def program_cases(entry, directory):
    """The cases of one line of testlog.json."""
    name = entry['name'].split(' / ')[-1]
    junit = directory / f'{name}.xml'
    output = entry.get('stdout') or ''
    if junit.is_file():
        try:
            cases = list(junit_cases(junit))
        except ElementTree.ParseError:
            cases = []
    else:
        cases = list(tap_cases(output))
    result = entry['result']
    good = result in ('OK', 'SKIP')
    lines = (output + '\n' + (entry.get('stderr') or '')).splitlines()
    tail = '\n'.join([line for line in lines if not NOISE.match(line)][-SHOWN_LINES:])
    if result == 'SKIP' and not cases:
        cases = [Case('', 'skipped', output.strip()[:200])]
    elif not good and not any(c.outcome == 'failed' for c in cases):
        cases.append(Case('', 'failed', f'{result.lower()}, exit status {entry.get("returncode")}\n{tail}'))
    elif not good:
        cases = [c._replace(detail=c.detail if c.detail.strip() else tail) if c.outcome == 'failed' else c for c in cases]
    elif not cases:
        cases = [Case('', 'passed', '')]
    return [c._replace(name=f'{directory.name}/{name}' + (f'/{c.name.strip("/")}' if c.name else '')) for c in cases]


def run_cases(directory):
    """The cases of one run of meson test. None at all is a failure: something was to run."""
    cases = []
    for log in sorted(directory.glob('testlog*.json')):
        for line in log.read_text(errors='replace').splitlines():
            cases += program_cases(json.loads(line), directory)
    return cases or [Case(f'{directory.name}', 'failed', 'no test ran')]


def count(cases):
    numbers = collections.Counter(c.outcome for c in cases)
    return numbers['passed'], numbers['failed'], numbers['skipped']


def read_skips(path):
    allowed = []
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith('#'):
            glob, _, reason = re.sub(r'\s{2,}', '\t', line.strip(), count=1).partition('\t')
            if not reason:
                sys.exit(f'{path}: "{glob}" has no reason')
            allowed.append((glob, reason))
    return allowed


def show_run(directory, seconds):
    cases = run_cases(directory)
    passed, failed, skipped = count(cases)
    words = 'FAILED' if failed else ' ok '
    numbers = f'{passed} passed' + (f', {failed} failed' if failed else '') + (f', {skipped} skipped' if skipped else '')
    print(f' {words.strip():<2} {seconds:5} s  {numbers}')
    for case in cases:
        if case.outcome == 'failed':
            print(f'    FAILED {case.name}')
            for line in case.detail.strip().splitlines()[-SHOWN_LINES:]:
                print(f'    | {line}')


def show_total(results, skips):
    cases = []
    steps = results / 'steps'
    if steps.is_file():
        cases += tap_cases(steps.read_text())
    for directory in sorted(d for d in results.iterdir() if d.is_dir()):
        cases += run_cases(directory)
    allowed = read_skips(skips)
    good = bool(cases)
    expected = collections.Counter()
    for case in cases:
        if case.outcome == 'skipped':
            entry = next((e for e in allowed if fnmatch.fnmatchcase(case.name, e[0])), None)
            if entry is not None:
                expected[entry] += 1
            else:
                good = False
                print(f'  skipped, and not on the list of skips: {case.name} {case.detail}'.rstrip())
    for (glob, reason), times in expected.items():
        print(f'  skipped {times} of {glob}: {reason}')
    passed, failed, skipped = count(cases)
    good = good and failed == 0 and passed > 0
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 0 if good else 1


def main():
    parser = argparse.ArgumentParser(description='Counts the results of tests.')
    parser.add_argument('--seconds', type=int, default=0)
    parser.add_argument('--skips', type=pathlib.Path)
    parser.add_argument('--total', action='store_true')
    parser.add_argument('directory', type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.total:
        return show_total(arguments.directory, arguments.skips)
    show_run(arguments.directory, arguments.seconds)
    return 0


if __name__ == '__main__':
    sys.exit(main())
