# SPDX-License-Identifier: MIT
"""How the commands of the README and the man pages are run where they cannot be run as they stand: one table.

A statement that no rule names is run as it stands, and has to succeed. For one that cannot be, add a rule below; the first
whose pattern is found in the statement counts. A rule that no statement needs any more is to be deleted; a test says so.
"""

import collections
import re

# What is done with a statement that has been substituted.
RUN = "run"                # it ends by itself, with 0
ENDLESS = "endless"        # it goes on until it is ended: to be seen is a line that `shows` matches
UNIT = "unit"              # systemctl: the unit that it names has to be installed
ELSEWHERE = "elsewhere"    # it is run by another test: `where` is (file, text that is in it)
OUTPUT = "output"          # no command: what the simulator says when it is ready
EXAMPLE = "example"        # a file that is shown as a whole: one of data/examples/, which have tests of their own

Rule = collections.namedtuple("Rule", "pattern how substitute stdin shows where", defaults=(RUN, (), None, r"prp_789012", None))

RULES = [
    # The whole of the project.
    Rule(r"^\./data/demo$", ELSEWHERE, where=(".ci/run", "data/demo")),
    Rule(r"^\./tests/run$", ELSEWHERE, where=(".ci/run", "tests/run")),
    Rule(r"^meson setup build ", ELSEWHERE, where=("data/setup.sh", "meson setup")),
    Rule(r"^meson compile -C build$", ELSEWHERE, where=("data/setup.sh", "ninja -C")),
    Rule(r"^meson install -C build$", ELSEWHERE, where=("tests/packaging.py", "'meson', 'install'")),
    Rule(r"^@include ", EXAMPLE),

    # What is systemd's.
    Rule(r"^systemctl --user enable --now \S+$", UNIT),
    Rule(r"^gnome-extensions (enable|prefs) prp-relay@prp\.dev$", ELSEWHERE, where=("tests/desktop/extension_bed.py", "prp-relay@prp.dev")),
    Rule(r"^\[Service\]$", ELSEWHERE, where=("tests/desktop/test_systemd.py", "drop_in")),
    Rule(r"^ReadWritePaths=%h/", ELSEWHERE, where=("tests/desktop/test_systemd.py", '"ReadWritePaths=%h/')),
    Rule(r"^LoadCredential=prp-token:", ELSEWHERE, where=("tests/desktop/test_systemd.py", "LoadCredential=prp-token:")),

    # What a person types in.
    Rule(r"^prpctl login --refresh-token", stdin="a-token\nand-another\n"),
    Rule(r"^prpctl login [^<]*$", stdin="a-token\n"),

    # Needs a keyring that runs.
    Rule(r"^secret-tool (lookup|store) ", ELSEWHERE, where=("tests/desktop/keyring_lab.py", "secret-tool")),

    # What goes on until somebody ends it. Placeholders are what stands in capitals.
    Rule(r"^prpctl monitor --from CURSOR", ENDLESS, substitute=[("CURSOR", "start")]),
    Rule(r"^prpctl monitor .*--exec 'printenv PRP_NAME'$", ENDLESS, shows="^Implement Authentication$"),
    Rule(r"^prpctl monitor .*--exec ~/bin/on-status$", ENDLESS, shows="^on-status ran$"),
    Rule(r"^prpctl monitor .*--count"),
    Rule(r"^prpctl monitor .*\.data\.name'$", ENDLESS, shows="^Implement Authentication$"),
    Rule(r"^prpctl monitor --json --quiet --show-cursor .*while read", ENDLESS, shows="^prp.created msg_"),
    Rule(r"^prpctl monitor", ENDLESS),
    Rule(r"^prpctl watch (?!--json)", ENDLESS, substitute=[("^(.*)$", "TERM=xterm script -qefc 'stty cols 100 rows 30; \\1' /dev/null")],
         shows="Implement Authentication"),
    Rule(r"^gdbus monitor ", ENDLESS),
    Rule(r"^busctl .*member='Gap'.*monitor$", ENDLESS, shows="Monitoring bus message stream"),
    Rule(r"^busctl .*monitor$", ENDLESS),
    Rule(r"^busctl .* monitor \|", ENDLESS),
    Rule(r"^dbus-monitor ", ENDLESS),

    # The simulator, at a port that is free.
    Rule(r"^listening on ws://127\.0\.0\.1:8787/v1/ws/prps$", OUTPUT),
    Rule(r"^prp-simulator (?!.*--port)", ENDLESS, substitute=[("^prp-simulator", "prp-simulator --port 0")],
         shows="listening on ws://127.0.0.1:"),
    Rule(r"^curl .*refresh_token=TOKEN", substitute=[("=TOKEN", "=$(cat $HOME/simulator/refresh)"), ("8787", "{port}"),
                                                     ("^curl", "curl -sSf")]),
    Rule(r"^curl .*:8787/", substitute=[("8787", "{port}"), ("^curl", "curl -sSf")]),
]


def find_rule(statement):
    """The statement's own, or the one for all others."""
    return next((rule for rule in RULES if re.search(rule.pattern, statement, re.DOTALL)), Rule(None))
