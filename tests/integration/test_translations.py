# SPDX-License-Identifier: MIT
"""The programs speak the languages of po/, and count in them. (tests/translations.py looks at the texts themselves.)"""

import gettext
import subprocess

import pytest
from gi.repository import GLib

from fake_relay import SECONDS, WRAPPER
from prpctl_bench import BUILD_DIR, PRPCTL, bus, environment, relay
from wake_lab import preload

__all__ = ["bus", "environment", "relay"]  # fixtures

LOCALES = BUILD_DIR / "po"
LANGUAGES = sorted(path.name for path in LOCALES.iterdir() if (path / "LC_MESSAGES" / "prp-relay.mo").exists())

# A program, and a text of its help.
PROGRAMS = {
    PRPCTL: "\nOptions of every command:\n",
    BUILD_DIR / "src" / "relayd" / "prp-relayd":
        "Usually started by systemd or D-Bus on demand. See prp-relayd(1) and relay.conf(5).",
    BUILD_DIR / "src" / "notify" / "prp-notify":
        "Usually started by systemd with the graphical session. See prp-notify(1) and relay.conf(5).",
    BUILD_DIR / "src" / "simulator" / "prp-simulator":
        "Once it runs, GET /control lists what can be demanded; see prp-simulator(1).",
}


def messages(language):
    return gettext.translation("prp-relay", LOCALES, [language])


def run(environment, language, program, *arguments):
    environment = dict(environment, LC_ALL="C.UTF-8", LANGUAGE=language, PRP_SHIM_LOCALEDIR=str(LOCALES))
    preload(environment, "locale")
    return subprocess.run([*WRAPPER, str(program), *arguments], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)


def test_there_are_some():
    assert len(LANGUAGES) >= 7


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_help(environment, program):
    assert PROGRAMS[program] in run(environment, "en", program, "--help").stdout
    for language in LANGUAGES:
        text = messages(language).gettext(PROGRAMS[program])
        assert text != PROGRAMS[program]
        done = run(environment, language, program, "--help")
        assert text in done.stdout, f"{language}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_plural(relay, environment, language):
    one, many = "%u failed since the last stable connection", "%u failed since the last stable connection"
    for number in (1, 2, 5, 11, 21, 22, 25, 101):
        relay.set(State=GLib.Variant("s", "waiting"), Attempts=GLib.Variant("u", number))
        wanted = messages(language).ngettext(one, many, number).replace("%u", str(number))
        done = run(environment, language, PRPCTL, "status")
        assert wanted in done.stdout, f"{number}: {done.stdout}{done.stderr}"
