#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds the tree to its plan: who includes whom, which library lives where, how long things may get.

The plan is the tables below; the rest only reads the tree and compares. What a table does not allow is an error,
also a room that it does not name, so a new folder has to be given its place here. Speaks TAP, a test per rule.

    tests/layers.py [DIRECTORY]     the tree to look at, by default the one this file is in
"""

import pathlib
import re
import sys

# -- the plan -------------------------------------------------------------------------------------------------

# Floor 1 < 2 < 3 < 4, and the programs beside them: a room includes itself, what is named here, and nothing else.
# No entry names a room of a higher floor or the neighbour's: link and bus know nothing of each other.
ROOMS = {
    'common': set(),
    'wire': {'common'},
    'config': {'common'},
    'auth': {'common'},
    'store': {'common', 'wire'},
    'link': {'common', 'wire', 'auth'},
    'bus': {'common', 'wire'},
    'relayd': {'common', 'config', 'wire', 'auth', 'store', 'link', 'bus'},
    'client': {'common'},
    'prpctl': {'common', 'client', 'auth/credential.h', 'auth/secret-service.h'},
    'notify': {'common', 'client', 'config'},
    'simulator': {'common'},
}

# A foreign library is included in these rooms or files only ("common/http" is its .c and .h); nowhere where there is no one.
LIBRARIES = {
    'libsoup/': {'common/http', 'auth', 'link', 'simulator'},
    'sqlite3.h': {'store'},
    'systemd/sd-bus': {'common/bus-source', 'bus', 'link/wake', 'relayd', 'client', 'prpctl', 'notify'},
    'systemd/sd-daemon.h': {'relayd', 'notify/daemon', 'simulator'},
    'systemd/sd-journal.h': {'common/log'},
    'libsecret/': {'auth/secret-service'},
    'json-glib/': {'wire/action', 'auth', 'prpctl', 'simulator'},
}

# D-Bus is spoken with sd-bus. GIO brings another implementation along, under these names.
FORBIDDEN_NAMES = re.compile(r'\b(g_dbus_\w+|g_bus_(?:get|own|watch|unown|unwatch)\w*|GDBus\w+)\b')

# "path: name": why it may be there.
NAME_EXCEPTIONS = {
    'auth/secret-service.c: GDBusConnection': "libsecret's connection, which has to be told not to end the process",
    'auth/secret-service.c: g_bus_get': 'the same',
    'auth/secret-service.c: g_bus_get_finish': 'the same',
    'auth/secret-service.c: g_dbus_connection_is_closed': 'the same, or has ended by itself',
    'auth/secret-service.c: g_dbus_connection_set_exit_on_close': 'the same',
}

# Pure code: time and randomness are handed in, nothing is read or written.
PURE = {'wire', 'bus/marshal', 'link/backoff', 'notify/burst', 'notify/card', 'notify/deck', 'notify/digest', 'notify/hints',
        'notify/markup', 'notify/news', 'notify/trouble', 'notify/words'}
IMPURE_NAMES = re.compile(
    r'\b(g_get_monotonic_time|g_get_real_time|g_date_time_new_now\w*|clock_gettime|gettimeofday|time|'
    r'g_random_\w+|g_rand_\w+|getrandom|rand|random|g_timeout_\w+|g_idle_\w+|g_getenv|getenv|'
    r'open|read|write|fopen|g_file_\w+|socket|send|recv|printf|g_print\w*|relay_log\w*|relay_(?:debug|info|notice|warning|err))\s*\(')

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 80
# "path" or "path:function": why it may be longer.
LENGTH_EXCEPTIONS = {
}

# Each module has its unit test, tests/unit/ROOM/test-MODULE.c, but for these, and why.
WITHOUT_UNIT_TEST = {
    'prpctl/complete': 'needs a relay to ask: tests/integration/test_completions.py',
    'notify/daemon': 'ties the parts together: tests/integration/test_notify*.py see it from outside',
    'notify/desk': 'needs a bus with a notification server: tests/integration/test_notify.py',
    'notify/main': 'a command line: tests/integration/test_notify_service.py runs it',
    'notify/notices': 'needs a bus with a notification server: tests/integration/test_notify_past.py',
    'notify/opener': 'needs a desktop: tests/integration/test_notify_actions.py',
    'notify/relay': 'needs a relay to talk to: tests/integration/test_notify_past.py',
    'notify/server': 'needs a notification server to talk to: tests/integration/test_notify_server.py',
    'prpctl/history': 'needs a relay to ask: tests/integration/test_prpctl_history.py',
    'prpctl/login': 'needs a keyring and a relay: tests/integration/test_login.py, tests/desktop/test_keyring.py',
    'prpctl/main': 'a command line: tests/integration/test_prpctl_fake.py runs it',
    'prpctl/monitor-bus': 'needs a relay to listen to: tests/integration/test_prpctl_fake.py',
    'prpctl/monitor-chain': 'needs a relay to talk to: tests/integration/test_prpctl_fake.py',
    'prpctl/monitor-exec': 'needs events to run commands for: tests/integration/test_prpctl_exec.py',
    'prpctl/monitor': 'needs a relay to listen to: tests/integration/test_prpctl_fake.py',
    'prpctl/relay-client': 'needs a relay to talk to: tests/integration/test_prpctl_fake.py',
    'prpctl/relay-state': 'needs a relay to talk to: tests/integration/test_login.py',
    'prpctl/verbs': 'needs a relay to talk to: tests/integration/test_prpctl_fake.py',
    'prpctl/watch': 'needs a terminal and a relay: tests/integration/test_watch.py',
    'prpctl/watch-relay': 'needs a relay to listen to: tests/integration/test_watch.py',
    'relayd/daemon': 'ties the rooms together: all of tests/integration/ sees it from outside',
    'relayd/main': 'a command line: tests/integration/test_lifecycle.py runs it',
    'simulator/main': 'a command line: data/demo runs it, and .ci/run that',
}

# Files that hold somebody's data or text, not ours to sign with a line of comment.
SPDX_EXEMPT = re.compile(
    r'^(README\.md|data/LICENSE|po/LINGUAS|po/.*\.(po|pot)|tests/fuzz/(corpus|seeds)/.*|tests/data/.*|.*\.(json|json\.in|pem|png|svg))$')

# -- reading --------------------------------------------------------------------------------------------------

TOKENS = re.compile(r'''/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ''', re.DOTALL | re.VERBOSE)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
FUNCTION_NAME = re.compile(r'^(\w+) ?\(')


def sources(top):
    return sorted(p for pattern in ('*.c', '*.h') for p in (top / 'src').rglob(pattern))


def blank(match):
    """A comment or a string, emptied but for its line ends."""
    return re.sub(r'[^\n]', ' ', match.group())


def code_of(text):
    """The text without comments and strings, line for line."""
    return TOKENS.sub(blank, text)


def comments_gone(text):
    return TOKENS.sub(lambda m: m.group() if m.group()[0] in '"\'' else blank(m), text)


def functions(text):
    """(name, first line, length) of each function. A body is what stands between '{' and '}' in column 0."""
    lines = code_of(text).split('\n')
    start = None
    for i, line in enumerate(lines):
        if line.rstrip() == '{' and i > 0 and lines[i - 1].rstrip().endswith(')'):
            start = i
        elif line.rstrip() == '}' and start is not None:
            first = start - 1
            while first > 0 and not FUNCTION_NAME.match(lines[first]) and lines[first].strip():
                first -= 1
            name = FUNCTION_NAME.match(lines[first])
            yield (name.group(1) if name else '?'), first + 1, i - first + 1
            start = None


def tree_files(top):
    for path in sorted(top.rglob('*')):
        parts = path.relative_to(top).parts
        if parts[0] == '.git' or parts[0].startswith('build') or any(
                p in ('__pycache__', '.pytest_cache', '.cache') for p in parts):
            continue
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(top).as_posix(), path


def place(path, places):
    """Is "room/file.c" in one of places ("room", "room/file" or "room/file.h")?"""
    return path.parts[0] in places or path.with_suffix('').as_posix() in places or path.as_posix() in places


# -- the rules: each yields what breaks it --------------------------------------------------------------------

def rule_rooms(top):
    for path in sources(top):
        rel = path.relative_to(top / 'src')
        room = rel.parts[0]
        if room not in ROOMS or len(rel.parts) != 2:
            yield f'src/{rel}: in no room of the plan'
            continue
        for quote, name in INCLUDE.findall(comments_gone(path.read_text())):
            if quote == '<' or name == 'build-config.h':
                continue
            target = pathlib.PurePosixPath(name)
            if not (top / 'src' / target).is_file():
                yield f'src/{rel}: includes "{name}", which is no file of src/ (includes are written from src/)'
            elif target.parts[0] != room and not place(target, ROOMS[room]):
                yield f'src/{rel}: {room}/ must not include "{name}"'


def rule_plan(top):
    """The table itself: no two rooms that include each other, by however many steps."""
    def reach(room):
        found, todo = set(), [room]
        while todo:
            for other in (o.split('/')[0] for o in ROOMS[todo.pop()]):
                if other not in found:
                    found.add(other)
                    todo.append(other)
        return found

    for room in ROOMS:
        if room in reach(room):
            yield f'{room}/ includes itself by way of others'
    if 'bus' in reach('link') or 'link' in reach('bus'):
        yield 'link/ and bus/ know of each other'


def rule_libraries(top):
    for path in sources(top):
        rel = path.relative_to(top / 'src')
        text = path.read_text()
        for _, name in INCLUDE.findall(comments_gone(text)):
            for library, places in LIBRARIES.items():
                if name.startswith(library) and not place(rel, places):
                    yield f'src/{rel}: <{name}> belongs to {", ".join(sorted(places))}'
        for number, line in enumerate(code_of(text).split('\n'), 1):
            for name in FORBIDDEN_NAMES.findall(line):
                if f'{rel}: {name}' not in NAME_EXCEPTIONS:
                    yield f'src/{rel}:{number}: {name}: D-Bus is spoken with sd-bus only'


def rule_pure(top):
    for path in sources(top):
        rel = path.relative_to(top / 'src')
        if place(rel, PURE):
            for number, line in enumerate(code_of(path.read_text()).split('\n'), 1):
                for name in IMPURE_NAMES.findall(line):
                    yield f'src/{rel}:{number}: {name}: this file is pure (no clock, no chance, no input or output)'


def rule_file_length(top):
    for rel, path in tree_files(top):
        if rel.endswith(('.c', '.h', '.py')) or rel in ('tests/run', 'data/demo'):
            n = len(path.read_text().splitlines())
            if n >= MAX_FILE_LINES and rel not in LENGTH_EXCEPTIONS:
                yield f'{rel}: {n} lines (fewer than {MAX_FILE_LINES})'


def rule_function_length(top):
    found = 0
    for rel, path in tree_files(top):
        if rel.endswith(('.c', '.h')):
            for name, line, length in functions(path.read_text()):
                found += 1
                if length >= MAX_FUNCTION_LINES and f'{rel}:{name}' not in LENGTH_EXCEPTIONS:
                    yield f'{rel}:{line}: {name} has {length} lines (fewer than {MAX_FUNCTION_LINES})'
    if found == 0:
        yield 'no function found: is this the tree?'


def rule_exceptions(top):
    """An exception that is no longer needed goes."""
    for key, reason in NAME_EXCEPTIONS.items():
        rel, _, name = key.partition(': ')
        if not reason.strip():
            yield f'{key}: an exception needs its reason'
        if not (top / 'src' / rel).is_file() or name not in FORBIDDEN_NAMES.findall(code_of((top / 'src' / rel).read_text())):
            yield f'{key}: needs no exception'
    for key, reason in LENGTH_EXCEPTIONS.items():
        rel, _, function = key.partition(':')
        path = top / rel
        if not reason.strip():
            yield f'{key}: an exception needs its reason'
        if not path.is_file():
            yield f'{key}: there is no such file'
        elif function and not any(n == function and k >= MAX_FUNCTION_LINES for n, _, k in functions(path.read_text())):
            yield f'{key}: needs no exception'
        elif not function and len(path.read_text().splitlines()) < MAX_FILE_LINES:
            yield f'{key}: needs no exception'


def rule_unit_tests(top):
    for path in sources(top):
        module = path.relative_to(top / 'src').with_suffix('').as_posix()
        room, name = module.split('/', 1)
        test = top / 'tests/unit' / room / f'test-{name}.c'
        if path.suffix == '.c' and not test.is_file() and module not in WITHOUT_UNIT_TEST:
            yield f'src/{module}.c: there is no tests/unit/{room}/test-{name}.c'
        elif test.is_file() and module in WITHOUT_UNIT_TEST:
            yield f'{module}: has a test, and needs no exception'
    for module in WITHOUT_UNIT_TEST:
        if not (top / 'src' / f'{module}.c').is_file():
            yield f'{module}: an exception for what is not there'


def rule_licence(top):
    for rel, path in tree_files(top):
        if not SPDX_EXEMPT.match(rel):
            head = path.read_bytes()[:400].split(b'\n')[:4]
            if not any(b'SPDX-License-Identifier: MIT' in line for line in head):
                yield f'{rel}: no SPDX-License-Identifier in its first lines'


RULES = [
    (rule_plan, 'the plan has no circle'),
    (rule_rooms, 'includes follow the plan'),
    (rule_libraries, 'each foreign library stays in its rooms'),
    (rule_pure, 'pure code has no clock, no chance, no input or output'),
    (rule_file_length, f'files have fewer than {MAX_FILE_LINES} lines'),
    (rule_function_length, f'functions have fewer than {MAX_FUNCTION_LINES} lines'),
    (rule_exceptions, 'each exception is needed and has a reason'),
    (rule_unit_tests, 'each module has its unit test'),
    (rule_licence, 'every file names its licence'),
]


def main():
    top = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    failed = 0
    print(f'1..{len(RULES)}')
    for number, (rule, title) in enumerate(RULES, 1):
        faults = list(rule(top))
        failed += bool(faults)
        for fault in faults:
            print(f'# {fault}')
        print(f'{"not ok" if faults else "ok"} {number} - {title}', flush=True)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
