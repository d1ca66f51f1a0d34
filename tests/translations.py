#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the messages and their translations: none is missing, none is stale, and plurals come out right.

    tests/translations.py [SOURCE]      the tree to look at, by default the one this file is in

The plural rules of the table below are those of Unicode's CLDR, written down here a second time, so that a header of a
translation that counts otherwise is found. Speaks TAP, a test per check and language.
"""

import gettext
import pathlib
import re
import subprocess
import sys
import tempfile


def east_slavic(n):
    if n % 10 == 1 and n % 100 != 11:
        return 0
    return 1 if n % 10 in (2, 3, 4) and n % 100 not in (12, 13, 14) else 2


# Language: how many forms it has, which of them a number takes, and characters without which a text is not in it.
LANGUAGES = {
    'de': (2, lambda n: int(n != 1), None),
    'es': (2, lambda n: int(n != 1), None),
    'fr': (2, lambda n: int(n > 1), None),
    'ja': (1, lambda n: 0, r'[\u3040-\u30ff\u4e00-\u9fff]'),
    'pt_BR': (2, lambda n: int(n > 1), None),
    'ru': (3, east_slavic, r'[\u0400-\u04ff]'),
    'zh_CN': (1, lambda n: 0, r'[\u4e00-\u9fff]'),
}
NUMBERS = [*range(0, 31), *range(99, 126), 1000, 1001, 1011, 1021, 1000000]

SOURCE = pathlib.Path(__file__).resolve().parent.parent

# Of this many words on, a text that is the same as in English was not translated.
SAME_WORDS = 4
# What is the same in every language: formats, options, keys, the file that they are in.
NO_WORDS = re.compile(r'%[-\d.]*[a-zA-Z]|--[\w-]+|\w+=|relay\.conf')

XGETTEXT = ['xgettext', '--from-code=UTF-8', '--add-comments', '--keyword=_', '--keyword=N_', '--keyword=C_:1c,2', '--keyword=NC_:1c,2',
            '--keyword=g_dngettext:2,3', '--keyword=g_dcgettext:2', '--keyword=g_dpgettext2:2c,3',
            '--flag=N_:1:pass-c-format', '--flag=C_:2:pass-c-format', '--flag=NC_:2:pass-c-format',
            '--flag=g_dngettext:2:pass-c-format', '--flag=g_strdup_printf:1:c-format',
            '--flag=g_string_printf:2:c-format', '--flag=g_string_append_printf:2:c-format',
            '--flag=g_set_error:4:c-format', '--flag=g_printerr:1:c-format', '--flag=g_print:1:c-format']


def run(*command):
    """(exit status, standard output and error together)"""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          errors='replace', check=False)
    return done.returncode, done.stdout


def unquote(line):
    return re.sub(r'\\(.)', lambda m: {'n': '\n', 't': '\t'}.get(m.group(1), m.group(1)), line[line.index('"') + 1:line.rindex('"')])


def entries(path):
    """The messages of a .po file, each a dictionary: msgctxt, msgid, msgid_plural, msgstr (a list), flags."""
    entry, key = {'flags': set(), 'msgstr': []}, None
    for line in [*path.read_text().splitlines(), '']:
        match = re.match(r'(msgctxt|msgid_plural|msgid|msgstr)(?:\[\d+\])? "', line)
        if match:
            key = match.group(1)
            if key == 'msgstr':
                entry['msgstr'].append(unquote(line))
            else:
                entry[key] = unquote(line)
        elif line.startswith('"'):
            if key == 'msgstr':
                entry['msgstr'][-1] += unquote(line)
            else:
                entry[key] += unquote(line)
        elif line.startswith('#,'):
            entry['flags'] |= {flag.strip() for flag in line[2:].split(',')}
        elif not line:
            if 'msgid' in entry:
                yield entry
            entry, key = {'flags': set(), 'msgstr': []}, None


class Checks:
    def __init__(self, source, scratch):
        self.po, self.scratch, self.source = source / 'po', scratch, source
        self.pot = scratch / 'prp-relay.pot'
        self.languages = re.sub(r'#.*', '', (self.po / 'LINGUAS').read_text()).split()

    def template(self):
        """xgettext takes all messages without a complaint"""
        status, output = run(*XGETTEXT, '--directory', self.source, '--files-from', self.po / 'POTFILES', '--output', self.pot)
        if status != 0 or output.strip():
            yield from [f'exit status {status}', *output.splitlines()]
        elif not self.pot.is_file() or len(list(entries(self.pot))) < 100:
            yield 'the messages were not found'

    def listed(self):
        """po/LINGUAS has every language, and po/ no other"""
        if sorted(self.languages) != sorted(LANGUAGES):
            yield f'listed are {self.languages}, to be there are {sorted(LANGUAGES)}'
        found = sorted(path.stem for path in self.po.glob('*.po'))
        if found != sorted(LANGUAGES):
            yield f'files are there for {found}'

    def complete(self, language):
        """every message is translated, and none is left over"""
        path = self.po / f'{language}.po'
        wanted = {(e.get('msgctxt'), e['msgid']): e for e in entries(self.pot) if e['msgid']}
        there = {(e.get('msgctxt'), e['msgid']): e for e in entries(path) if e['msgid']}
        yield from (f'missing: {key}' for key in wanted.keys() - there.keys())
        yield from (f'stale: {key}' for key in there.keys() - wanted.keys())
        for key, entry in there.items():
            n_forms = LANGUAGES[language][0] if 'msgid_plural' in entry else 1
            if 'fuzzy' in entry['flags']:
                yield f'fuzzy: {key}'
            if len(entry['msgstr']) != n_forms or not all(entry['msgstr']):
                yield f'not translated: {key}'
        if '#~' in path.read_text():
            yield 'there are obsolete messages'

    def correct(self, language):
        """msgfmt has no objection; formats, line ends and headers fit"""
        status, output = run('msgfmt', '--check', '--output-file', self.scratch / f'{language}.mo', self.po / f'{language}.po')
        if status != 0 or output.strip():
            yield from [f'exit status {status}', *output.splitlines()]

    def translated(self, language):
        """it is another language than English"""
        letters = LANGUAGES[language][2]
        for entry in entries(self.po / f'{language}.po'):
            words = re.findall(r'[A-Za-z]{2,}', re.sub(NO_WORDS, '', entry['msgid']))
            if not entry['msgid'] or len(words) < SAME_WORDS:
                continue
            for text in entry['msgstr']:
                if text == entry['msgid'] or letters and not re.search(letters, text):
                    yield f'not translated: {entry["msgid"]!r}'

    def plural(self, language):
        """each number gets the form that the language has for it"""
        n_forms, rule, _ = LANGUAGES[language]
        plurals = [e for e in entries(self.po / f'{language}.po') if 'msgid_plural' in e]
        if not plurals:
            yield 'there is no message with a plural'
        with open(self.scratch / f'{language}.mo', 'rb') as file:
            translations = gettext.GNUTranslations(file)
        for entry in plurals:
            for n in NUMBERS:
                context = entry.get('msgctxt')
                text = (translations.npgettext(context, entry['msgid'], entry['msgid_plural'], n) if context is not None
                        else translations.ngettext(entry['msgid'], entry['msgid_plural'], n))
                if text != entry['msgstr'][rule(n)]:
                    yield f'{n}: {text!r} and not {entry["msgstr"][rule(n)]!r}'
        for n in range(n_forms):
            if not any(rule(number) == n for number in NUMBERS):
                yield f'the numbers leave out form {n}'


def main():
    number = 0
    failed = False

    def report(name, problems):
        nonlocal number, failed
        number += 1
        failed |= bool(problems)
        print(f'{"not ok" if problems else "ok"} {number} - {name}', flush=True)
        for problem in problems[:50]:
            print(f'# {problem}')

    with tempfile.TemporaryDirectory() as scratch:
        checks = Checks(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else SOURCE), pathlib.Path(scratch))
        per_tree, per_language = [checks.template, checks.listed], [checks.complete, checks.correct, checks.translated, checks.plural]
        print(f'1..{len(per_tree) + len(per_language) * len(checks.languages)}')
        for check in per_tree:
            report(check.__doc__, list(check()))
        for language in checks.languages:
            for check in per_language:
                report(f'{language}: {check.__doc__}', list(check(language)))
    return failed


if __name__ == '__main__':
    sys.exit(main())
