# SPDX-License-Identifier: MIT
"""data/examples/prp-on-completed.service in a real `systemd --user`: from an event of the service to an action, by the commands that
stand at its top."""

import re

import pytest

import user_manager
from recipe import EXAMPLES_DIR
from user_manager import UserManager
from waiting import wait_until

UNIT = "prp-on-completed"
COMMANDS = re.findall(r"^#     (.*)$", (EXAMPLES_DIR / f"{UNIT}.service").read_text(), re.MULTILINE)


@pytest.fixture
def manager(tmp_path_factory):
    user_manager.check_machine()
    manager = UserManager(user_manager.install(tmp_path_factory.mktemp("installed")))
    yield manager
    manager.finish()


def complete(server, prp):
    server.connection.send({"id": f"msg_{prp}", "type": "prp.status_changed", "timestamp": "2026-11-23T14:00:00Z",
                            "data": {"id": prp, "previousStatus": "active", "newStatus": "completed", "reason": "All met",
                                     "metrics": {"actualHours": 7.5}}})


def actions(manager):
    """As they are shown by the last of the commands."""
    manager.run("journalctl", "--sync", user=False)
    shown = manager.run("sh", "-c", f"{COMMANDS[-1]} --quiet --no-pager --output=cat")
    return re.findall(r"^(prp_\d) completed after 7.5 hours: All met$", shown, re.MULTILINE)


def said(manager):
    """All of the journal, whoever said it."""
    return manager.run("journalctl", "--no-pager", user=False)


def test_from_event_to_action(manager, server, token):
    path = manager.write(manager.home / "token", token + "\n")
    manager.write(manager.config / "relay.conf", f"[Server]\nUrl={server.url()}\n[Auth]\nTokenFile={path}\n")
    examples = manager.run("sh", "-c", "echo /usr/*/share/doc/prp-relay/examples /usr/share/doc/prp-relay/[e]xamples").split()[0]
    assert COMMANDS[-1] == f"journalctl --user -t {UNIT}"
    for command in COMMANDS[:-1]:
        manager.run("sh", "-c", f"cd {examples} && {command}")
    manager.wait_show(UNIT, ActiveState="active", UnitFileState="enabled")

    # The relay is started by the bus, for the unit.
    server.wait_connection(1, seconds=30)
    # Where the state of a user's unit is depends on the version of systemd.
    cursor = f"cat ~/.config/{UNIT}/cursor ~/.local/state/{UNIT}/cursor 2>/dev/null"
    wait_until(lambda: manager.run("sh", "-c", cursor, check=False), lambda: f"a cursor; {said(manager)}", 30)
    complete(server, "prp_1")
    wait_until(lambda: actions(manager) == ["prp_1"], lambda: f"the action; {said(manager)}", 30)

    manager.systemctl("stop", UNIT)
    manager.wait_show(UNIT, ActiveState="inactive", Result="success")
    complete(server, "prp_2")
    manager.systemctl("start", UNIT)
    wait_until(lambda: actions(manager) == ["prp_1", "prp_2"], lambda: f"what came meanwhile; {said(manager)}", 30)
