# SPDX-License-Identifier: MIT
"""prp-notify with the notification servers that people have, each real, on a screen of its own.

What prp-notify sends, and when, is the matter of tests/integration/test_notify.py. Here it is what comes of it.

The picture in data/screenshots is made anew by:

  PRP_BUILD_DIR=BUILD /usr/bin/python3 -m pytest tests/desktop/test_notifications.py -k picture --keep-screenshots data/screenshots
"""

import json
import subprocess
import time

import pytest

from notification_beds import BEDS, GnomeShell, PlainDunst, end
from notify_process import NAME, Notifier, Service
from relay_bus import Client
from waiting import tell, wait_until

TYPED = 'Fix <b>&" & &amp; in <i>it'   # as somebody has typed it, and wants to read it
EVENTS = 200
EVENTS_SEC = 2
MARGIN = 40   # around a picture of a notification


# -- the beds: one for all tests with that server

def start_bed(kind):
    bed = kind()
    try:
        yield bed.start()
    finally:
        bed.close()


@pytest.fixture(scope="module", params=BEDS, ids=lambda kind: kind.name)
def bed(request):
    yield from start_bed(request.param)


@pytest.fixture
def bus(bed):
    """In place of the bus of the bench: the one that the screen is on."""
    return bed.bus


class Monitor:
    """All that prp-notify asks of the server, as the bus sees it."""

    def __init__(self, address, directory):
        self.path = directory / "monitor.json"
        with open(self.path, "wb") as out:
            self._process = subprocess.Popen(["busctl", f"--address={address}", "--json=short", "monitor"], stdout=out,
                                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert "Monitoring" in self._process.stderr.readline()

    def close(self):
        end(self._process)
        self._process.stderr.close()

    def messages(self):
        return [json.loads(line) for line in self.path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def sent(self, sender):
        """(replaces, the id that the server gave, hints) of each notification of @sender, when all are answered."""
        return wait_until(lambda: (sent := self._sent(sender)) and all(given for _, given, _ in sent) and sent,
                          "an answer to each Notify")

    def _sent(self, sender):
        messages = self.messages()
        answers = {(m["destination"], m["reply_cookie"]): m["payload"]["data"][0] for m in messages
                   if m["type"] == "method_return" and m["payload"]["type"] == "u"}
        return [(m["payload"]["data"][1], answers.get((sender, m["cookie"])), m["payload"]["data"][6]) for m in messages
                if m["type"] == "method_call" and m["member"] == "Notify" and m["sender"] == sender]


@pytest.fixture
def monitor(bus, tmp_path):
    monitor = Monitor(bus.address, tmp_path)
    yield monitor
    monitor.close()


class Browser:
    """The person's browser: what the desktop opens an address with."""

    def __init__(self, home):
        self.path = home.directory / "opened"
        program = home.directory / "browser"
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >>{self.path}\n")
        program.chmod(0o755)
        applications = home.directory / "share" / "applications"
        applications.mkdir(parents=True)
        (applications / "test-browser.desktop").write_text(
            f"[Desktop Entry]\nType=Application\nName=Browser\nExec={program} %u\nMimeType=x-scheme-handler/https;\n")
        (home.config / "mimeapps.list").write_text("[Default Applications]\nx-scheme-handler/https=test-browser.desktop\n")

    def opened(self):
        return self.path.read_text().splitlines() if self.path.exists() else []


@pytest.fixture
def browser(home):
    return Browser(home)


@pytest.fixture
def client(bus):
    """In place of that of the bench, which wants to know every interface on its bus."""
    client = Client(bus.address)
    yield client
    client.close()


@pytest.fixture
def service(server):
    return Service(server)


@pytest.fixture
def notifier(bed, home, bus, relay, client, browser):
    """Started; nothing of what was before is on the screen."""
    relay.configure(Notifications={"OpenUrl": "https://prp.example/{project_id}/{prp_id}"})
    relay.start(client)
    client.wait_state("connected")
    notifier = Notifier(home, bus)
    if bed.shown():  # of a test that failed, or closed late
        bed.crash()
        bed.start()
    try:
        notifier.start(**bed.session)
        yield notifier
    finally:
        notifier.finish()
    if not bed.closes_late:
        bed.wait_shown(lambda all_: all_ == [], "nothing: it has taken all of its own with it")


@pytest.fixture
def sent(monitor, notifier, client):
    """What it has sent until now."""
    sender = client.bus_call("GetNameOwner", "(s)", NAME)[0]
    return lambda: monitor.sent(sender)


# -- the beds themselves

def test_a_bed_sees_and_does(bed, tmp_path):
    """What is relied on below, with notifications of the test's own."""
    buttons = ["open", "Open", "mute", "Mute"]
    def invoked():
        return [s.body.unpack() for s in bed.client.signals if s.member == "ActionInvoked" and s.sender == bed.owner()]

    number = bed.notify('A <b>&" name', "a body with &lt;b&gt;&amp;&quot;, <b>bold</b>", buttons)
    one = bed.wait_one()
    assert (one.summary, one.body) == ('A <b>&" name', 'a body with <b>&", bold')
    bed.press("Mute")
    wait_until(lambda: invoked() == [(number, "mute")], lambda: f"ActionInvoked for {number}; there was {invoked()}")
    if bed.shown():  # some leave one open whose button was pressed
        bed.call("CloseNotification", "(u)", number)
        bed.wait_shown(lambda all_: all_ == [], "nothing")

    number = bed.notify("Another", "one")
    assert bed.notify("Another", "in its place", replaces=number) == number
    bed.wait_one(lambda one: one.body == "in its place", "the other one in its place")
    bed.screenshot(tmp_path / "picture.png")
    bed.dismiss()
    bed.wait_shown(lambda all_: all_ == [], "nothing")

    bed.notify("A last", "one")
    bed.wait_one()
    bed.crash()
    bed.start()
    bed.wait_shown(lambda all_: all_ == [], "nothing, after a crash")


# -- prp-notify

def test_a_life_is_one_notification(bed, notifier, service, sent, browser, tmp_path):
    service.create("prp_1", TYPED, priority="high")
    one = bed.wait_one(lambda one: "Created" in one.body)
    assert one.summary == TYPED
    service.assign("prp_1")
    for percent in (10, 40, 75, 90):
        service.progress("prp_1", percent, f"{TYPED} {percent}")
        one = bed.wait_one(lambda one: f"{percent}%" in one.body, f"{percent}%")
        assert one.summary == TYPED and f"{TYPED} {percent}" in one.body
    bed.screenshot(tmp_path / "progress.png")
    service.status("prp_1", "completed", "All requirements met", previous="active")
    one = bed.wait_one(lambda one: "Completed" in one.body, "the end")
    assert one.summary == TYPED and "All requirements met" in one.body

    replaced, given, hints = zip(*sent())
    assert given[0] is not None and set(given) == {given[0]}, "the ids that the server has given"
    assert set(replaced) == {0, given[0]} and replaced.index(given[0]) == 1
    assert any("value" in h for h in hints) == bed.has_gauge, "the hint that not every server can be given"

    assert one.buttons is None or sorted(one.buttons) == ["Mute this PRP", "Open"]
    bed.press("Open")
    wait_until(browser.opened, "the browser")
    assert browser.opened() == ["https://prp.example/proj_1/prp_1"]
    bed.wait_shown(lambda all_: all_ == [], "nothing, as it was opened")


def test_a_muted_prp_is_not_heard_of_again(bed, notifier, service):
    service.create("prp_1", "The one that is loud")
    bed.wait_one()
    bed.press("Mute this PRP")
    bed.wait_shown(lambda all_: all_ == [], "nothing, as it is muted")
    service.status("prp_1", "active")
    service.create("prp_2", "Another one")
    bed.wait_one(lambda one: one.summary == "Another one", "the other one alone")


def test_what_is_dismissed_stays_away(bed, notifier, service):
    service.create("prp_1", "The first")
    bed.wait_one()
    bed.dismiss()
    bed.wait_shown(lambda all_: all_ == [], "nothing, as it was closed")
    service.progress("prp_1", 50)
    service.create("prp_2", "The second")
    bed.wait_one(lambda one: one.summary == "The second", "the second alone")


def test_many_events_are_one_digest(bed, notifier, service, sent, tmp_path):
    started = time.monotonic()
    for i in range(EVENTS):
        service.create(f"prp_{i}", f"{TYPED} {i}")
        time.sleep(max(0, started + (i + 1) * EVENTS_SEC / EVENTS - time.monotonic()))
    one = bed.wait_one(lambda one: str(EVENTS) in one.summary, "one digest of all")
    assert one.summary == f"{EVENTS} events · {EVENTS} PRPs" and f"{EVENTS} PRPs created" in one.body
    assert f"{TYPED} 0" in one.body
    bed.screenshot(tmp_path / "digest.png")
    # The first few came before it was known that there would be more.
    assert len({given for _, given, _ in sent()}) <= 6


def test_a_new_server_gives_new_ids(bed, notifier, service, sent):
    service.create("prp_1", "The first")
    service.create("prp_2", "The second")
    wait_until(lambda: len(sent()) >= 2, "both to be sent")
    before = len(sent())
    bed.crash()
    bed.start()
    service.status("prp_1", "active")
    bed.wait_shown(lambda all_: any("Status: active" in one.body for one in all_), "the first, changed")
    service.status("prp_1", "completed")
    bed.wait_shown(lambda all_: any("Completed" in one.body for one in all_), "the first, at its end")
    given = set()
    for replaced, number, _ in sent()[before:]:
        assert replaced == 0 or replaced in given, "no id of the server that is gone"
        given.add(number)


@pytest.mark.parametrize("bed", [PlainDunst], ids=lambda kind: kind.name, indirect=True)
def test_a_server_without_markup_shows_no_escapes(bed, notifier, service):
    assert "body-markup" not in bed.capabilities()
    service.create("prp_1", TYPED)
    service.progress("prp_1", 40, TYPED)
    one = bed.wait_one(lambda one: "40%" in one.body, "40%")
    assert one.summary == TYPED and f"40% done: {TYPED}" in one.body


# -- what the documentation shows

@pytest.mark.parametrize("bed", [GnomeShell], ids=lambda kind: kind.name, indirect=True)
def test_the_picture(bed, notifier, service, pictures):
    service.create("prp_1", "Sign in with a passkey", priority="high", status="active")
    service.assign("prp_1")
    service.progress("prp_1", 45, "Writing tests for the challenge")
    bed.wait_one(lambda one: "45%" in one.body, "45%")
    bed.point_at()
    bed.place("banner._buttonBox")
    x, y, width, height = bed.place("banner")
    bed.shell.screenshot(pictures / "notification.png", (x - MARGIN, 0, width + 2 * MARGIN, y + height + MARGIN))
    assert (pictures / "notification.png").stat().st_size < 150_000
