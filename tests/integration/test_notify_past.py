# SPDX-License-Identifier: MIT
"""prp-notify and the relay: what happened while nobody listened, once; and trouble that the person has to see to."""

import threading
import time

import pytest
from gi.repository import GLib

from fake_relay import Connection, FakeRelay, History, Refusal
from notify_bench import desktop, idle_notifier, monotonic, notifier, service, stays
from notify_process import NAME
from relay_bus import CALL_SEC
from waiting import SCALE, holds_for, wait_until

__all__ = ["desktop", "idle_notifier", "monotonic", "notifier", "service"]  # fixtures

MEANWHILE = "What happened in the meantime:"


def wait_stored(client, event_id):
    """The relay has it."""
    client.wait_event_id(event_id)


# -- what is past

def test_the_first_run_tells_of_nothing(connected, client, idle_notifier, desktop, service):
    for prp in "abc":
        wait_stored(client, service.create(prp, f"Name {prp}"))
    idle_notifier.start()
    stays(desktop, 0)
    # But it knows the names.
    service.progress("b", 30)
    desktop.wait_shown("Name b", "30% done", "Status: pending")


def test_an_absence(notifier, client, desktop, service):
    """One digest of what happened, each event once."""
    service.create("p", "Login")
    desktop.wait_shown("Login")
    notifier.stop()
    desktop.wait_nothing_shown()  # taken back: its buttons would lead nowhere
    for prp in "abcdefg":
        service.create(prp)
        wait_stored(client, service.status(prp, "completed"))
    wait_stored(client, service.status("p", "failed"))
    notifier.start()
    n = desktop.wait_shown("15 events · 8 PRPs", MEANWHILE, "1 PRP failed, 7 PRPs completed, 7 PRPs created")
    stays(desktop, 2)
    desktop.close(n.id)
    service.status("a", "reopened")
    desktop.wait_shown("Name of a", "Status: reopened (was completed)")
    notifier.stop()
    notifier.start()
    stays(desktop, 3)


def test_an_absence_of_one_prp(notifier, client, desktop, service):
    """Its notification says more than a digest."""
    notifier.stop()
    service.create("p", "Login")
    service.progress("p", 80)
    wait_stored(client, service.status("p", "completed"))
    notifier.start()
    desktop.wait_shown("Login", "Completed")
    stays(desktop, 1)


def test_killed(notifier, client, desktop, service):
    """What it had told is told once, up to some seconds before."""
    service.create("a")
    desktop.wait_shown("Name of a")
    wait_until(lambda: (notifier.state / "notify.cursor").read_text().splitlines()[1].endswith(
        f":{client.list_events()[1]}"), "the cursor")
    notifier.kill()
    for prp in "bc":
        wait_stored(client, service.create(prp))
    notifier.start()
    desktop.shown.pop(1)  # nobody took it back
    desktop.wait_shown("2 events · 2 PRPs")
    stays(desktop, 2)


def test_the_relay_is_started_anew(notifier, connected, client, desktop, service, server):
    """What it received before it was found again is one digest; nothing is started by prp-notify."""
    client.subscribe("project:x")
    connected.stop()
    notifier.wait_log("The relay left the bus")
    holds_for(lambda: client.owner() is None, "the relay was started", 0.5)
    connected.start(client)
    client.wait_state("connected")
    for prp in "ab":
        service.create(prp)
    desktop.wait_shown(count=2)
    notifier.wait_log("Caught up", 2)


def test_from_history_and_signals(bus, idle_notifier, desktop):
    """Signals that come while the history is listed: each event counts once."""
    relay = FakeRelay(bus.address)
    relay.store_deleted("old")
    idle_notifier.start()
    idle_notifier.stop()
    relay.store_deleted(*map(str, range(500)))
    numbers = iter(range(500, 100000))
    relay.history.page = 50
    relay.during.update(ListEvents=lambda: relay.emit_deleted(str(next(numbers))))
    idle_notifier.start()
    total = relay.history.last - 1
    assert total > 505
    desktop.wait_shown(f"{total} events · {total} PRPs")
    idle_notifier.stop()
    relay.close()


@pytest.mark.parametrize("how", ["another history", "a short history", "a history that fails"])
def test_what_is_not_there_any_more(bus, idle_notifier, desktop, how):
    relay = FakeRelay(bus.address)
    relay.store_deleted("old")
    idle_notifier.start()
    idle_notifier.stop()
    if how == "another history":
        relay.history = History("history-2")
        relay.store_deleted("1", "2")
    else:
        relay.store_deleted(*map(str, range(10)))
        relay.history.expire(9)
    if how == "a history that fails":
        relay.refusals["ListEvents"] = Refusal("org.freedesktop.DBus.Error.Failed", "Disk on fire.")
    idle_notifier.start()
    if how == "a history that fails":
        desktop.wait_shown("PRP events were interrupted", "Some may have been missed.")
        assert "Disk on fire." in idle_notifier.log
    else:
        desktop.wait_shown("events · ", "Some may have been missed.", MEANWHILE)
    relay.emit_deleted("live")
    desktop.wait_shown("PRP live", "Deleted", count=2)
    idle_notifier.stop()
    relay.close()


def test_no_relay(idle_notifier, bus, client, desktop):
    """None that could be started: it is waited for."""
    idle_notifier.launch()
    idle_notifier.wait_log("There is no relay on the bus")
    relay = FakeRelay(bus.address)
    idle_notifier.wait_log("Caught up", 2)
    relay.emit_deleted("live")
    desktop.wait_shown("PRP live")
    idle_notifier.stop()
    relay.close()


def test_strangers_are_not_heard(notifier, client, desktop, service):
    """Anyone on the bus can send a signal."""
    body = GLib.Variant("(sssa{sv})", ("p", "j", "", {"type": GLib.Variant("s", "prp.deleted"), "sequence": GLib.Variant("t", 999999),
                                                       "data": GLib.Variant("a{sv}", {"id": GLib.Variant("s", "p")})}))
    client.connection.emit_signal(notifier_name(client), "/dev/prp/Relay1", "dev.prp.Relay1.Events", "PrpDeleted", body)
    service.create("q")
    desktop.wait_shown("Name of q")
    stays(desktop, 1)


def notifier_name(client):
    return client.bus_call("GetNameOwner", "(s)", "dev.prp.Notify1")[0]


# -- trouble

def test_unauthorized(connected, client, idle_notifier, desktop, server, home):
    """It is told once, and taken back when it is over."""
    idle_notifier.start()
    server.tokens = {"another"}
    server.connection.abort()
    client.wait_state("unauthorized")
    n = desktop.wait_shown("new credentials are needed", "prpctl login")
    assert n.timeout == 0
    tried = len(server.handshakes)
    home.write_secret("token", "no-better")  # tries it, in vain
    wait_until(lambda: len(server.handshakes) > tried, "an attempt")
    client.wait_state("unauthorized")
    stays(desktop, 1)
    home.write_secret("token", "another")
    client.wait_state("connected")
    desktop.wait_nothing_shown()
    assert desktop.closed == [n.id]


def test_trouble_that_was_seen(bus, idle_notifier, desktop):
    """Closed by the person, it does not come back while it lasts; the next one does."""
    relay = FakeRelay(bus.address)
    idle_notifier.start()
    def turn(state, *error):
        relay.set(State=GLib.Variant("s", state), LastError=GLib.Variant("(ss)", error or ("", "")))
    turn("unauthorized", "AUTH_FAILED", "The server refused <the> token.")
    n = desktop.wait_shown("new credentials are needed", "The server refused &lt;the&gt; token.")
    desktop.close(n.id)
    turn("connecting", "AUTH_FAILED", "The server refused the token.")
    turn("unauthorized", "TOKEN_EXPIRED", "The token has expired.")
    stays(desktop, 1)
    turn("connected")
    turn("unauthorized", "TOKEN_EXPIRED", "The token has expired.")
    desktop.wait_shown("The token has expired.")
    idle_notifier.wait_log("is shown", 2)
    desktop.leave()
    desktop.come()
    desktop.wait_shown("The token has expired.")  # it is still true
    turn("disconnected")
    desktop.wait_nothing_shown()
    idle_notifier.stop()
    relay.close()


def test_an_outage(bus, idle_notifier, desktop, monotonic):
    """No connection for two minutes is told once, and taken back."""
    relay = FakeRelay(bus.address)
    idle_notifier.start()
    relay.set(State=GLib.Variant("s", "waiting"), LastError=GLib.Variant("(ss)", ("DNS", "No such host.")))
    idle_notifier.wait_log("The relay is waiting")
    monotonic.advance(119)
    stays(desktop, 0)
    monotonic.advance(2)
    n = desktop.wait_shown("No PRP events since", "No such host.")
    relay.set(State=GLib.Variant("s", "connecting"))
    relay.set(State=GLib.Variant("s", "waiting"))
    stays(desktop, 1)
    relay.set(State=GLib.Variant("s", "connected"), LastError=GLib.Variant("(ss)", ("", "")))
    desktop.wait_nothing_shown()
    assert desktop.closed == [n.id]
    relay.close()
    idle_notifier.wait_log("The relay left")
    monotonic.advance(200)
    stays(desktop, 1)
    idle_notifier.stop()


def test_strangers(bus, idle_notifier, desktop):
    """Nobody but the bus says who is the relay, and nobody but the relay what happened."""
    relay = FakeRelay(bus.address)
    idle_notifier.start()
    stranger = Connection(bus.address)
    own_name = stranger.connection.get_unique_name()
    stranger.connection.emit_signal(NAME, "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameOwnerChanged",
                                    GLib.Variant("(sss)", ("dev.prp.Relay1", "", own_name)))
    stranger.emit("PrpDeleted", "(sssa{sv})", "forged", "proj_1", "", {"type": GLib.Variant("s", "prp.deleted"),
                  "data": GLib.Variant("a{sv}", {"id": GLib.Variant("s", "forged")})}, destination=NAME)
    stranger.bus_call("GetId", None)
    relay.emit_deleted("true")
    desktop.wait_shown("PRP true", "Deleted")
    stays(desktop, 1)
    idle_notifier.stop()
    stranger.close()
    relay.close()


def test_it_does_not_answer_at_first(bus, idle_notifier, desktop, monotonic):
    """A relay that was there, but stopped: it is asked again, and then nothing is missing."""
    relay = FakeRelay(bus.address)
    relay.store_deleted("old")
    idle_notifier.start()
    idle_notifier.stop()
    relay.store_deleted("meanwhile")
    asked, stopped = threading.Event(), threading.Event()
    relay.during["State"] = lambda: (asked.set(), stopped.wait(CALL_SEC * SCALE))
    idle_notifier.launch()
    idle_notifier.wait_log("is ready", 2)
    assert asked.wait(CALL_SEC * SCALE)
    monotonic.advance(31)
    idle_notifier.wait_log("does not answer")
    relay.during.clear()
    stopped.set()
    monotonic.advance(61)
    desktop.wait_shown("PRP meanwhile", "Deleted")
    relay.emit_deleted("live")
    desktop.wait_shown("PRP live", "Deleted", count=2)
    stays(desktop, 2)
    idle_notifier.stop()
    relay.close()


def test_the_relay_leaves_in_trouble(bus, idle_notifier, desktop, monotonic):
    """A relay that is started anew in the same trouble has not told of it twice; one that stays away has none."""
    trouble = {"State": GLib.Variant("s", "unauthorized")}
    relay = FakeRelay(bus.address, **trouble)
    idle_notifier.start()
    desktop.wait_shown("new credentials are needed")
    relay.close()
    idle_notifier.wait_log("The relay left")
    successor = FakeRelay(bus.address, history=relay.history, **trouble)
    idle_notifier.wait_log("The relay is unauthorized", 2)
    stays(desktop, 1)
    assert len(desktop.shown) == 1
    successor.close()
    idle_notifier.wait_log("The relay left", 2)
    monotonic.advance(6)
    desktop.wait_nothing_shown()
    idle_notifier.stop()


def test_gaps(bus, idle_notifier, desktop):
    """One of over two minutes is told, once, also to who was away."""
    relay = FakeRelay(bus.address)
    idle_notifier.start()
    now = int(time.time() * 1e6)
    relay.emit_gap(now - 100_000_000, now, "TIMEOUT", ["project:a"])
    relay.emit_gap(now - 121_000_000, now, "TIMEOUT", ["project:a"])
    n = desktop.wait_shown("PRP events were interrupted", "Some may have been missed between")
    stays(desktop, 1)
    desktop.close(n.id)
    idle_notifier.stop()
    relay.emit_gap(1, now, "RESTARTED", ["project:a"])
    idle_notifier.start()
    desktop.wait_shown("PRP events were interrupted", "Some may have been missed until")
    idle_notifier.stop()
    relay.emit_gap(now - 3600_000_000, now, "RESTARTED", ["project:a"])
    relay.store_deleted("a", "b")
    idle_notifier.start()
    desktop.wait_shown("2 events · 2 PRPs", MEANWHILE, "Some may have been missed between")
    idle_notifier.stop()
    relay.close()


def test_no_trouble_wanted(relay, client, idle_notifier, desktop, server):
    relay.configure(Notifications={"Trouble": "false"})
    relay.start(client)
    client.wait_state("connected")
    idle_notifier.start()
    server.tokens = {"another"}
    server.connection.abort()
    client.wait_state("unauthorized")
    stays(desktop, 0)
