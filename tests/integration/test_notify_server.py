# SPDX-License-Identifier: MIT
"""prp-notify and the notification server: one that comes, goes, changes, is slow, refuses, or means no good."""

import shlex
import sys

from gi.repository import GLib

from notification_server import NotificationServer
from notify_bench import desktop, idle_notifier, monotonic, notifier, service, stays
from notify_process import NAME
from relay_bus import Client
from waiting import wait_until

__all__ = ["desktop", "idle_notifier", "monotonic", "notifier", "service"]  # fixtures

HERE = __file__.rsplit("/", 1)[0]


def test_nobody_is_asked_before_it_is_needed(notifier, desktop, service):
    stays(desktop, 0)
    assert desktop.calls == []
    service.create("p")
    desktop.wait_shown("Created")
    assert desktop.calls == ["GetCapabilities", "GetServerInformation", "Notify"]
    service.status("p", "active")
    desktop.wait_shown("active")
    assert desktop.calls.count("GetCapabilities") == 1


def test_another_server(notifier, desktop, service):
    """Ids are void, and it is asked what it can do."""
    service.create("p", "Login", status="<b>")
    service.create("q")
    desktop.wait_shown("Status: &lt;b&gt;", count=2)
    notifier.wait_log("is shown", 2)
    desktop.leave()
    desktop.capabilities, desktop.name = ["body"], "Xfce Notify Daemon"
    desktop.come()
    desktop.wait_calls("GetServerInformation", 2)
    stays(desktop, 2)  # what was seen need not be seen again
    service.progress("p", 10)
    n = desktop.wait_shown("Login", "10% done", "Status: <b>")
    assert (n.replaces, n.actions, n.hints.get("value")) == (0, {}, None)
    service.status("p", "active")
    assert desktop.wait_shown("Status: active (was <b>)").replaces == n.id


def test_it_leaves_with_a_notification_in_its_hands(notifier, desktop, service):
    service.create("p")
    service.create("q")
    desktop.wait_shown(count=2)
    notifier.wait_log("is shown", 2)
    desktop.hold = True
    service.status("p", "active")
    desktop.wait_sent(3)
    desktop.leave()
    desktop.hold = False
    desktop.come()
    assert desktop.wait_shown("active").replaces == 0
    stays(desktop, 4)


def test_no_server(idle_notifier, bus, connected, service):
    """It keeps quiet, says so once, and shows what is still true when one comes."""
    idle_notifier.start()
    service.create("p", "Login")
    idle_notifier.wait_log("There is no notification server")
    service.assign("p", "agent_7")
    service.status("p", "active")
    service.create("q")
    service.create("r")
    idle_notifier.wait_log("prp.created of PRP r")
    server = NotificationServer(bus)
    n = server.wait_shown("events · 3 PRPs", "What happened in the meantime:", "Login, Name of q, Name of r")
    assert n.summary == "5 events · 3 PRPs"
    stays(server, 1)
    assert idle_notifier.log.count("There is no notification server") == 1
    server.finish()


def test_no_server_and_one_prp(idle_notifier, bus, connected, service):
    idle_notifier.start()
    service.create("p", "Login")
    idle_notifier.wait_log("There is no notification server")
    service.status("p", "active")
    idle_notifier.wait_log("prp.status_changed of PRP p")
    server = NotificationServer(bus)
    server.wait_shown("Login", "Status: active")
    stays(server, 1)
    server.finish()


def test_what_nobody_saw_is_told_by_the_next(idle_notifier, bus, connected, service, desktop):
    """It ends before a server came: for its successor that is past."""
    desktop.finish()
    idle_notifier.start()
    service.create("p", "Login")
    service.create("q", "Logout")
    idle_notifier.wait_log("prp.created of PRP q")
    idle_notifier.wait_log("There is no notification server")
    idle_notifier.stop()
    desktop.come()
    idle_notifier.start()
    desktop.wait_shown("2 events · 2 PRPs", "Login, Logout")


def test_one_that_is_started(idle_notifier, bus, connected, service, client):
    """By the bus, when it is needed."""
    bus.add_service("org.freedesktop.Notifications", shlex.join([sys.executable, f"{HERE}/notification_program.py"]))
    client.bus_call("ReloadConfig")
    idle_notifier.start()
    owner = client.bus_call("NameHasOwner", "(s)", "org.freedesktop.Notifications")
    assert owner == (False,)
    service.create("p")
    idle_notifier.wait_log("Notifications go to a program")
    service.status("p", "active")


def test_one_that_cannot_be_started(idle_notifier, bus, connected, service, client):
    """It is tried again, but not in a loop."""
    bus.add_service("org.freedesktop.Notifications", "/bin/false")
    client.bus_call("ReloadConfig")
    idle_notifier.start()
    service.create("p")
    idle_notifier.wait_log("There is no notification server")
    assert idle_notifier.log.count("There is no notification server") == 1
    server = NotificationServer(bus)
    server.wait_shown("Name of p")
    server.finish()


def test_it_never_answers(idle_notifier, desktop, connected, service, monotonic):
    """Nothing hangs, nothing grows, nothing is told twice."""
    idle_notifier.start()
    desktop.mute = {"Notify"}
    service.create("p")
    desktop.wait_calls("Notify")
    for i in range(50):
        service.progress("p", i)
    monotonic.advance(11)
    idle_notifier.wait_log("does not answer")
    desktop.mute = set()
    monotonic.advance(61)
    service.status("p", "active")
    desktop.wait_shown("Status: active")


def test_it_does_not_say_what_it_can_do(idle_notifier, desktop, connected, service, monotonic):
    """Then it gets plain text."""
    desktop.mute = {"GetCapabilities", "GetServerInformation"}
    idle_notifier.start()
    service.create("p", status="<b>")
    desktop.wait_calls("GetCapabilities")
    monotonic.advance(31)
    desktop.wait_calls("GetServerInformation")
    monotonic.advance(31)
    n = desktop.wait_shown("Status: <b>")
    assert n.actions == {} and "value" not in n.hints
    # It is known by its first answer, whatever that is: it says what was closed.
    idle_notifier.wait_log("is shown")
    desktop.close(n.id)
    service.progress("p", 10)
    stays(desktop, 1)


def test_it_refuses(notifier, desktop, service):
    desktop.refusals["Notify"] = "org.freedesktop.Notifications.Error.ExcessNotificationGeneration"
    service.create("p")
    notifier.wait_log("refuses a notification")
    desktop.refusals.clear()
    service.status("p", "active")
    desktop.wait_shown("active")


def test_hostile(notifier, desktop, service, bus):
    """Ids that are nobody's, actions that there are not, strangers who speak in its name, floods of all that."""
    service.create("p")
    n = desktop.wait_shown("Created")
    for number in (0, n.id + 1, 4294967295):
        desktop.invoke(number, "mute", "token")
        desktop.close(number)
    for action in ("", "nonsense", "x" * 100000, "Mute"):
        desktop.invoke(n.id, action, "x" * 100000)
    stranger = Client(bus.address, listens=False)
    # Not even where the name went is theirs to tell.
    stranger.connection.emit_signal(NAME, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged", GLib.Variant(
        "(sss)", ("org.freedesktop.Notifications", "", stranger.connection.get_unique_name())))
    for member, signature, arguments in (("ActionInvoked", "(us)", (n.id, "mute")), ("NotificationClosed", "(uu)", (n.id, 2))):
        stranger.connection.emit_signal(NAME, "/org/freedesktop/Notifications", "org.freedesktop.Notifications", member,
                                        GLib.Variant(signature, arguments))
    for _ in range(5000):
        desktop.invoke(7777, "default", "t")
    stranger.bus_call("GetId")
    service.progress("p", 10)
    assert desktop.wait_shown("10% done").replaces == n.id
    assert notifier.run("--list-muted")[1] == ""
    stranger.close()


def test_the_same_id_for_all(notifier, desktop, service):
    """A server that gives one id to two notifications shows one of them: the later."""
    desktop._ids = iter([5] * 100)
    service.create("p")
    desktop.wait_shown("Name of p")
    service.create("q")
    desktop.wait_shown("Name of q")
    desktop.invoke(5, "mute")
    desktop.wait_nothing_shown()
    wait_until(lambda: notifier.run("--list-muted")[1] == "q\n", "the mute")


def test_it_hangs_at_the_start(idle_notifier, desktop, connected, service):
    """What waits for it meanwhile would be a volley: it is a digest."""
    desktop.mute = {"GetServerInformation"}
    idle_notifier.start()
    for prp in "abcd":
        service.create(prp)
    desktop.wait_calls("GetServerInformation")
    stays(desktop, 0)
    desktop.leave()
    desktop.mute = set()
    for prp in "efgh":
        service.create(prp)
    idle_notifier.wait_log("prp.created of PRP h")
    desktop.come()
    desktop.wait_shown("8 events · 8 PRPs")
