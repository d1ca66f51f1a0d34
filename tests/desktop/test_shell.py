# SPDX-License-Identifier: MIT
"""The GNOME Shell of shell_bed.py does what tests expect of it."""

import struct

import pytest

from relay_process import Home
from shell_bed import HEIGHT, WIDTH, EvaluationError, Shell
from waiting import wait_until

NOTIFICATIONS = "org.freedesktop.Notifications"


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    shell = Shell(Home(tmp_path_factory.mktemp("shell")))
    try:
        yield shell.start()
    finally:
        shell.stop()


def notify(shell, title, body, *actions, replaces=0):
    return shell.client.call("/org/freedesktop/Notifications", NOTIFICATIONS, "Notify", "(susssasa{sv}i)", "Test",
                             replaces, "dialog-information", title, body, list(actions), {}, -1, name=NOTIFICATIONS,
                             start=True).unpack()[0]


def said(shell, member):
    """What the owner of the name has signalled; the Shell, for which it speaks, sends the same to everybody."""
    owner = shell.client.bus_call("GetNameOwner", "(s)", NOTIFICATIONS)[0]
    return [s.body.unpack() for s in list(shell.client.signals)
            if (s.sender, s.interface, s.member) == (owner, NOTIFICATIONS, member)]


def test_evaluates(shell):
    assert shell.evaluate("Main.sessionMode.currentMode") == "user"
    assert shell.evaluate("const a = [1, 'ä']; return {a};") == {"a": [1, "ä"]}
    assert shell.evaluate("undefined") is None
    with pytest.raises(EvaluationError, match="no such luck"):
        shell.evaluate("throw new Error('no such luck'); return 1;")


def test_screenshot(shell, tmp_path):
    def size(path):
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG")
        return struct.unpack(">II", data[16:24])

    assert size(shell.screenshot(tmp_path / "all.png")) == (WIDTH, HEIGHT)
    assert size(shell.screenshot(tmp_path / "part.png", (10, 0, 300, 200))) == (300, 200)


def test_notification(shell, tmp_path):
    number = notify(shell, "A title <b>", "A <b>bold</b> &amp; long body", "default", "Show", "open", "Open", "mute",
                    "Mute")
    shown = shell.wait_notification(lambda n: n["id"] == number)
    assert (shown["app"], shown["title"], shown["body"]) == ("Test", "A title <b>", "A bold & long body")
    assert (shown["actions"], shown["urgency"]) == (["Open", "Mute"], 1)
    area = shell.wait_banner("A title <b>")
    assert shell.screenshot(tmp_path / "banner.png", area).stat().st_size > 1000

    assert notify(shell, "Another", "", "open", "Open", "mute", "Mute", replaces=number) == number
    shown = shell.wait_notification(lambda n: n["title"] == "Another")
    assert shown["body"] == ""

    shell.activate(shown, "Mute")
    wait_until(lambda: (number, "mute") in said(shell, "ActionInvoked"), "ActionInvoked")
    wait_until(lambda: [n for n, _ in said(shell, "NotificationClosed")] == [number], "NotificationClosed")
    assert shell.notifications() == []

    number = notify(shell, "The third", "", "default", "Show")
    shell.activate(shell.wait_notification(lambda n: n["id"] == number))
    wait_until(lambda: (number, "default") in said(shell, "ActionInvoked"), "ActionInvoked")

    number = notify(shell, "The fourth", "")
    shell.dismiss(shell.wait_notification(lambda n: n["id"] == number))
    wait_until(lambda: (number, 2) in said(shell, "NotificationClosed"), "NotificationClosed")


def test_lock(shell):
    shell.lock()
    assert shell.evaluate("Main.sessionMode.isLocked") is True
    shell.unlock()
    assert shell.evaluate("Main.sessionMode.isLocked") is False
