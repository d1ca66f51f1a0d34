# SPDX-License-Identifier: MIT
"""prp-notify: what a person in front of a notification server gets to see. Relay and service are real, the server is told."""

import signal
import subprocess

import pytest

from notification_server import DISMISSED, EXPIRED
from notify_bench import QUIET_SEC, desktop, idle_notifier, notifier, service, stays
from waiting import holds_for, wait_until
from wake_lab import preload

__all__ = ["desktop", "idle_notifier", "notifier", "service"]  # fixtures


# -- one notification per PRP

def test_a_life(notifier, desktop, service):
    """Seven events, one notification that changes in its place."""
    service.create("p", "Login", priority="high")
    first = desktop.wait_shown("Login", "Created", "pending", "high")
    service.assign("p", "agent_7")
    desktop.wait_shown("Agent agent_7 was assigned")
    for percent in (10, 40, 75, 100):
        service.progress("p", percent, f"Step {percent}")
        desktop.wait_shown(f"{percent}% done: Step {percent}")
    service.status("p", "completed", "All requirements met")
    last = desktop.wait_shown("Login", "Completed", "All requirements met")
    assert {n.id for n in desktop.sent} == {first.id}
    assert [n.replaces for n in desktop.sent] == [0] + [first.id] * (len(desktop.sent) - 1)
    quiet = [n.hints.get("suppress-sound", False) for n in desktop.sent]
    assert quiet == [False, False, True, True, True, True, False]
    assert [n.hints.get("value") for n in desktop.sent] == [None, None, 10, 40, 75, 100, None]
    assert last.app == "PRP relay" and last.icon == "dev.prp.Relay1" and last.hints["desktop-entry"] == "dev.prp.Notify1"
    assert last.hints["category"] == "x-prp.card" and last.timeout == -1
    service.delete("p")
    desktop.wait_shown("Login", "Deleted", "Duplicate entry")


def test_many_prps(notifier, desktop, service):
    """Each has its own."""
    for prp in ("a", "b", "c"):
        service.create(prp)
    desktop.wait_shown("Name of c", count=3)
    service.status("b", "active")
    desktop.wait_shown("Name of b", "active", count=3)
    assert len({n.id for n in desktop.sent}) == 3


def test_what_comes_together_is_shown_together(notifier, desktop, service):
    service.create("p", "Login")
    service.assign("p", "agent_7")
    service.status("p", "active", "Go")
    desktop.wait_shown("Login", "Status: active (was pending)", "Go", "agent_7")
    stays(desktop, 1)


def test_one_call_at_a_time(notifier, desktop, service):
    """What changes while the first is on its way is sent when its id is known; the newest only."""
    desktop.hold = True
    service.create("p")
    desktop.wait_sent(1)
    service.assign("p", "agent_1")
    service.status("p", "active")
    service.status("p", "review")
    stays(desktop, 1)
    desktop.release()
    desktop.wait_shown("review")
    assert [n.replaces for n in desktop.sent] == [0, desktop.sent[0].id]
    stays(desktop, 2)


def test_nothing_is_said_twice(notifier, desktop, service):
    """What is not due yet when the answer comes is said with what waited for it, and not once more."""
    desktop.hold = True
    service.create("p")
    desktop.wait_sent(1)
    service.assign("p", "agent_1")
    stays(desktop, 1)
    service.status("p", "active")
    notifier.wait_log("prp.status_changed of PRP p")
    desktop.release()
    desktop.wait_shown("agent_1", "active")
    stays(desktop, 2)


@pytest.mark.parametrize("reason", [DISMISSED, EXPIRED])
def test_closed(notifier, desktop, service, reason):
    """Mere progress does not bring it back; news does, as a new one."""
    service.create("p")
    first = desktop.wait_shown("Created")
    desktop.close(first.id, reason)
    for percent in (10, 20):
        service.progress("p", percent)
    service.send("prp.updated", id="p", changes={"name": {"old": "x", "new": "Renamed"}})
    stays(desktop, 1)
    service.status("p", "active")
    assert desktop.wait_shown("Renamed", "active", "20% done").replaces == 0
    assert len(desktop.sent) == 2


def test_closed_with_a_change_on_its_way(notifier, desktop, service):
    """The person closes it while progress is being sent, which opens it anew: it is closed again."""
    service.create("p")
    first = desktop.wait_shown("Created")
    desktop.hold = True
    service.progress("p", 10)
    desktop.wait_sent(2)
    desktop.close(first.id)
    desktop.shown[99] = desktop.sent[1]  # what the server makes of a notification that is not there any more
    desktop.held = [(desktop.held[0][0], 99)]
    desktop.release()
    desktop.wait_nothing_shown()
    assert desktop.closed == [99]
    # With news on its way it is another thing.
    service.status("p", "active")
    third = desktop.wait_shown("active")
    desktop.hold = True
    service.status("p", "completed")
    desktop.wait_sent(4)
    desktop.close(third.id)
    desktop.shown[100] = desktop.sent[3]
    desktop.held = [(desktop.held[0][0], 100)]
    desktop.release()
    service.progress("p", 50)
    service.status("p", "failed")
    assert desktop.wait_shown("Failed").replaces == 100


def test_the_status_comes_twice(notifier, desktop, service):
    """As a change of the PRP and as an event of its own."""
    service.create("p")
    desktop.wait_shown("Created")
    service.send("prp.updated", id="p", changes={"status": {"old": "pending", "new": "active"}})
    service.status("p", "active", "Go")
    desktop.wait_shown("Status: active (was pending)", "Go")
    stays(desktop, 2)


@pytest.mark.parametrize("name", ["<b>&\"'", "a\nb\x07\x1b[1m", "x" * 5000, "\u202egnp.exe", "&amp; <i>"])
def test_text_as_typed(notifier, desktop, service, name):
    """Nothing that a name holds is markup; the title is none anyway."""
    service.create("p", name, status=name)
    n = desktop.wait_shown()
    expected = name.replace("\n", " ").replace("\x07", " ").replace("\x1b", " ").replace("\u202e", "\ufffd")
    def cut(text, size):
        return text if len(text) <= size else text[:size] + "…"
    escaped = cut(expected, 60).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert n.summary == cut(expected, 120)
    assert f"Status: {escaped} " in n.body


def test_plain_where_there_is_no_markup(idle_notifier, desktop, connected, service):
    desktop.capabilities = ["body"]
    idle_notifier.start()
    service.create("p", "Login", status="<b>&\"")
    n = desktop.wait_shown("Status: <b>&\"")
    assert n.actions == {}


def test_urgency(notifier, desktop, service):
    for count, (prp, priority) in enumerate((("l", "low"), ("m", "medium"), ("c", "critical")), 1):
        service.create(prp, priority=priority)
        desktop.wait_shown(f"Name of {prp}", count=count)
    assert [n.hints["urgency"] for n in desktop.sent] == [0, 1, 2]


@pytest.mark.parametrize("name, value", [("dunst", 40), ("mako", 40), ("Xfce Notify Daemon", None), ("gnome-shell", None)])
def test_the_value_hint(idle_notifier, desktop, connected, service, name, value):
    desktop.name = name
    idle_notifier.start()
    service.progress("p", 40)
    assert desktop.wait_shown("40% done").hints.get("value") == value


def test_the_service_speaks(notifier, desktop, service, home):
    """By default neither errors nor unknown types are told."""
    service.send("error", code="X", message="Oops")
    service.send("agent.stuck", agentId="a", prpId="p")
    desktop.wait_shown("PRP p", "agent.stuck")
    stays(desktop, 1)


def test_a_gap_in_what_is_known(notifier, desktop, service):
    """A PRP of which nothing is known goes by its id; an event without an id is nobody's."""
    service.send("agent.progress", agentId="a", prpId="prp_9", progress=5)
    desktop.wait_shown("PRP prp_9", "5% done", "Agent: a")
    service.send("agent.progress", agentId="a", progress=6)
    service.create("p")
    desktop.wait_shown("Name of p", count=2)
    stays(desktop, 2)


# -- bursts

def test_burst(notifier, desktop, service, server):
    """200 events in a burst are one digest."""
    for i in range(200):
        prp = f"p{i % 40}"
        if i < 40:
            service.create(prp)
        else:
            service.progress(prp, i / 2)
    n = desktop.wait_shown("200 events · 40 PRPs", "40 PRPs created", "160 reports of progress", "Name of p0", ", …")
    assert n.hints["category"] == "x-prp.digest"
    assert len(desktop.sent) < 15
    stays(desktop, len(desktop.sent))


def test_no_digest_twice(notifier, desktop, service, client):
    """The last event of a burst comes with the answer that the digest before it waited for."""
    def digests():
        return [n for n in desktop.sent if n.hints["category"] == "x-prp.digest"]

    desktop.hold = True
    for prp in "abcdef":
        service.create(prp)
    wait_until(digests, "the digest")
    service.create("g")
    holds_for(lambda: len(digests()) == 1, "two calls at a time", QUIET_SEC)
    notifier.process.send_signal(signal.SIGSTOP)
    client.wait_event_id(service.status("a", "failed"))
    desktop.release()
    desktop.settle()
    notifier.process.send_signal(signal.SIGCONT)
    desktop.wait_shown("8 events · 7 PRPs")
    holds_for(lambda: len(digests()) == 2, digests, QUIET_SEC)


def test_burst_takes_the_place(notifier, desktop, service):
    """What was told one by one before the burst was known to be one leaves the screen."""
    for prp in "abcde":
        service.create(prp)
    desktop.wait_shown("Name of e", count=5)
    service.create("f")
    desktop.wait_shown("6 events · 6 PRPs", "6 PRPs created", "Name of a, Name of b, Name of c, Name of d, Name of e, …")
    service.status("a", "failed")
    desktop.wait_shown("7 events · 6 PRPs", "1 PRP failed, 6 PRPs created")
    assert desktop.sent[-1].hints["suppress-sound"]


def test_behind_a_burst(notifier, desktop, service):
    """It is over some time; then a PRP is told of by its own notification again."""
    for prp in "abcdef":
        service.create(prp)
    digest = desktop.wait_shown("6 events · 6 PRPs")
    desktop.close(digest.id)
    service.status("a", "active")  # closed in a burst: it stays away until that is over
    desktop.wait_shown("Name of a", "active")
    service.status("b", "active")
    desktop.wait_shown("Name of b", "active", count=2)


def test_a_burst_of_one_prp(notifier, desktop, service):
    service.create("p")
    for percent in range(100):
        service.progress("p", percent)
    desktop.wait_shown("Name of p", "99% done")
    assert len(desktop.sent) < 10 and len({n.id for n in desktop.sent}) == 1


RUSSIAN = r'''msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

msgid "%u event"
msgid_plural "%u events"
msgstr[0] "%u событие"
msgstr[1] "%u события"
msgstr[2] "%u событий"

msgid "%u PRP"
msgid_plural "%u PRPs"
msgstr[0] "%u задача"
msgstr[1] "%u задачи"
msgstr[2] "%u задач"

msgid "Mute this PRP"
msgstr "Не сообщать об этой задаче"
'''


def test_plurals(idle_notifier, desktop, connected, service, home):
    """Each number has the form that it needs in the person's language."""
    catalogs = home.directory / "locale" / "ru" / "LC_MESSAGES"
    catalogs.mkdir(parents=True)
    (home.directory / "ru.po").write_text(RUSSIAN)
    subprocess.run(["msgfmt", "--output-file", catalogs / "prp-relay.mo", home.directory / "ru.po"], check=True)
    preload(idle_notifier.environment, "locale")
    idle_notifier.environment["PRP_SHIM_LOCALEDIR"] = str(home.directory / "locale")
    idle_notifier.start(LANGUAGE="ru")
    for prp in "abcde":
        service.create(prp)
    assert "Не сообщать об этой задаче" in desktop.wait_shown("Name of e", count=5).actions.values()
    service.status("a", "failed")
    desktop.wait_shown("6 событий · 5 задач")
    for count, text in ((21, "21 событие · 20 задач"), (22, "22 события · 21 задача")):
        for i in range(count - sum(desktop_count(desktop))):
            service.create(f"{count}-{i}")
        desktop.wait_shown(text)


def desktop_count(desktop):
    """What the digest on the screen counts to."""
    return [int(n.summary.split()[0]) for n in desktop.shown.values()]


# -- what is told, by configuration

def test_configuration(idle_notifier, desktop, relay, client, service):
    relay.configure(Notifications={"Types": "prp.deleted;error", "MinPriority": "medium"},
                    **{"Notifications prp:loud": {"Types": "*"}})
    relay.start(client)
    client.wait_state("connected")
    idle_notifier.start()
    service.create("p")
    service.create("low", priority="low")
    service.delete("low")
    service.create("loud")
    desktop.wait_shown("Name of loud", "Created")
    service.delete("p")
    desktop.wait_shown("Name of p", "Deleted", count=2)
    service.send("error", code="X_1", message="Oops")
    desktop.wait_shown("The PRP service reports an error", "Oops", "X_1", count=3)
    stays(desktop, 3)


def test_reload(notifier, desktop, relay, client, service):
    """A changed file counts as soon as the relay has read it; a bad one changes nothing."""
    relay.configure(Notifications={"Enabled": "false", "Channels": "project:x"})
    client.command("Reload")
    notifier.wait_log("Configuration read again")
    client.wait_channel("project:x", State="active")
    service.create("p")
    stays(desktop, 0)
    relay.write_config("[Notifications]\nEnabled=perhaps\n")
    notifier.process.send_signal(1)
    notifier.wait_log("The old configuration stays")
    assert "Enabled=perhaps" in notifier.log
    relay.configure(Notifications={"Enabled": "true", "Channels": "project:y"})
    client.command("Reload")
    client.wait_channel("project:y", State="active")
    wait_until(lambda: "project:x" not in client.channels(), "the release of project:x")
    service.status("p", "active")
    desktop.wait_shown("Name of p", "active")
