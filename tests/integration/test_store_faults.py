# SPDX-License-Identifier: MIT
"""A disk that is full, a folder that may not be written, a file that is damaged, foreign, locked, or gone: the relaying goes on,
the relay says so, loses nothing that it has stored, and recovers when it can."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from event_stream import EventStream, gaps_of, numbers_of
from relay_bus import HISTORY, BusError
from store_lab import APPLICATION_ID, SCHEMA_VERSION, Lab, Mounts, Place, make_version_1
from test_history import read_all
from waiting import SCALE, wait_until

PAGE = 4096

FULL = "STORE_FULL"
READ_ONLY = "STORE_READ_ONLY"
DAMAGED = "STORE_DAMAGED"
NEWER = "STORE_NEWER"
LOCKED = "STORE_LOCKED"


@pytest.fixture
def place(idle_relay):
    place = Place(idle_relay)
    yield place
    place.finish()


@pytest.fixture
def mounts(idle_relay):
    mounts = Mounts(idle_relay)
    yield mounts
    if idle_relay.is_running():
        idle_relay.stop()
    mounts.finish()


@pytest.fixture
def lab(relay, server, client, new_client, place):
    lab = Lab(relay, server, client, new_client, place)
    yield lab
    lab.finish()


@pytest.fixture
def mounted_lab(relay, server, client, new_client, mounts):
    lab = Lab(relay, server, client, new_client, mounts)
    yield lab
    lab.finish()


def list_all(client):
    """All events, page by page."""
    found, position, more = [], 0, True
    while more:
        events, position, more = client.list_events(position)
        found += events
    return found


# -- a full disk

def test_full_at_the_start(mounted_lab):
    lab, disk = mounted_lab, mounted_lab.place
    disk.mount_memory(1024)
    disk.fill()
    lab.start()
    lab.check_fault(FULL, "Make room")
    lab.reload()
    lab.check_fault(FULL)
    disk.make_room()
    lab.check_recovered()
    lab.check_listed()
    lab.restart_killed()


def test_full_with_a_history(mounted_lab):
    """What is stored is listed, and what comes is added when there is room."""
    lab, disk = mounted_lab, mounted_lab.place
    disk.mount_memory(1024)
    lab.start()
    lab.send(100)
    lab.relay.kill()
    disk.fill()
    lab.start(channels=())
    lab.send(2000)
    lab.check_fault(FULL, "Make room")
    disk.make_room()
    disk.resize_memory(8192)
    lab.check_recovered()
    lab.restart_killed()


def test_full_in_the_middle_of_a_flood(mounted_lab, server, client):
    lab, disk = mounted_lab, mounted_lab.place
    disk.mount_memory(1024)
    lab.start()
    stream = EventStream(server, [Lab.CHANNEL], 2000 / SCALE)  # fewer in all than are kept
    lab.check_trouble(FULL, "Make room")
    number = len(stream.sent)
    client.wait_event_id(f"ev_{number + 500}", 20)
    assert client.get("LastError")[0] == FULL
    lab.check_subscribe()
    # Freed while it goes on.
    disk.resize_memory(16384)
    lab.reload()
    client.wait_get("LastError", ("", ""))
    client.wait_event_id(f"ev_{len(stream.sent) + 500}", 20)
    stream.stop()
    client.wait_event_id(f"ev_{len(stream.sent) - 1}", 20)
    lab.check_signals()
    assert numbers_of(client.signals) == list(range(len(stream.sent)))
    lab.check_listed()
    lab.check_reader()
    lab.check_recovered()
    lab.restart_killed()


def test_killed_while_it_is_full(mounted_lab, client):
    """What was only in memory is lost, and that is told: by a gap that begins before it. No number comes again."""
    lab, disk = mounted_lab, mounted_lab.place
    disk.mount_memory(1024)
    lab.start()
    lab.send(100)
    disk.fill()
    lab.send(3000)
    lab.check_fault(FULL)
    received = {event["sequence"]: event["received"] for event in list_all(client)}
    lab.relay.kill()
    disk.make_room()
    [rows] = disk.query("SELECT sequence FROM events ORDER BY sequence")
    kept = [row[0] for row in rows]
    assert 100 <= len(kept) < len(lab.signalled) and kept == lab.signalled[:len(kept)]
    lost = lab.signalled[len(kept):]
    wait_until(lambda: client.owner() is None, "the name to be free")
    lab.start(channels=())
    gap = wait_until(lambda: client.events("Gap"), "the gap")[0]
    since, until, cause, channels, sequence = gap.body.unpack()
    assert since <= received[lost[0]] and received[lost[-1]] <= until
    assert Lab.CHANNEL in channels and cause
    lab.send()
    assert lab.listed() == kept + lab.signalled[len(kept) + len(lost):]
    assert sequence in lab.listed()
    assert client.get("LastError") == ("", "")


# -- what may not be written

@pytest.mark.parametrize("ended", ["killed", "stopped"])
def test_read_only(mounted_lab, ended):
    lab, disk = mounted_lab, mounted_lab.place
    lab.start()
    lab.send(300)
    if ended == "killed":
        lab.relay.kill()
    else:
        lab.relay.stop()
    before = disk.contents()
    disk.mount_read_only()
    lab.start(channels=())
    # What is in a file that can only be read is in effect.
    lab.client.wait_channel(Lab.CHANNEL, State="active", Durable=True)
    lab.check_fault(READ_ONLY, "writable")
    assert disk.contents() == before
    lab.reload()
    lab.check_fault(READ_ONLY)
    disk.make_writable()
    lab.check_recovered()
    lab.check_listed()
    lab.restart_killed()


def test_a_folder_that_cannot_be_made(mounted_lab):
    lab, disk = mounted_lab, mounted_lab.place
    disk.outside.rmdir()
    disk.mount_read_only(disk.outside.parent)
    lab.start()
    lab.check_fault(READ_ONLY, "writable")
    disk.make_writable(disk.outside.parent)
    lab.check_recovered()
    lab.check_listed()
    lab.restart_killed()


# -- what is no store, or not whole

def set_up_history(lab, amount=300, size=0):
    """A store with so many events, of a relay that has ended. How many signals there were so far."""
    lab.start()
    lab.send(amount, size)
    lab.relay.stop()
    return len(lab.signalled)


def overwrite(path, offset, data):
    with open(path, "r+b", buffering=0) as file:
        file.seek(offset)
        file.write(data)


def garble(path):
    path.write_bytes(os.urandom(20000))


def put_text(path):
    path.write_text("This is no database.\n" * 100)


def halve(path):
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def garble_schema(path):
    overwrite(path, 100, os.urandom(PAGE - 100))


def put_foreign(path):
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    database.close()


@pytest.mark.parametrize("damage", [garble, put_text, halve, garble_schema, put_foreign])
def test_damaged_before_the_start(lab, place, client, damage):
    since = set_up_history(lab)
    damage(place.db)
    before = place.contents()
    lab.start()
    lab.check_fault(DAMAGED, f"renamed to {place.bad().name}", "Subscribe again", since=since)
    assert {"relay.db": place.bad().read_bytes()} == before
    lab.check_recovered()
    lab.check_listed(since)
    lab.restart_killed(since)
    assert {"relay.db": place.bad().read_bytes()} == before
    assert not place.bad(2).exists()


def test_one_event_is_damaged(lab, place):
    """What SQLite cannot notice: the last bytes of a page are gone, and with them a part of one event. The others stay."""
    set_up_history(lab)
    os.truncate(place.db, place.db.stat().st_size - 100)
    lab.start()
    [left_out] = set(lab.signalled) - set(lab.listed())
    lab.listed()
    assert lab.relay.log.count(f"Event {left_out} of the history cannot be read") == 1
    assert lab.client.get("FirstSequence", interface=HISTORY) == left_out + 1  # a reader learns that it is not complete
    lab.send()
    assert lab.listed() == [sequence for sequence in lab.signalled if sequence != left_out]


def test_damaged_twice(lab, place):
    """What was set aside is never replaced."""
    kept = []
    for n in (1, 2):
        since = set_up_history(lab, 20)
        garble(place.db)
        kept.append(place.db.read_bytes())
        lab.start()
        lab.check_listed(since)
        lab.send()
        lab.relay.stop()
        assert [place.bad(i).read_bytes() for i in range(1, n + 1)] == kept


def test_empty_file(lab, place):
    """Nothing was in it, so nothing is wrong."""
    place.folder.mkdir()
    place.db.touch()
    lab.start()
    assert lab.client.get("LastError") == ("", "")
    lab.send()
    lab.check_listed()
    assert not [name for name in place.names() if ".bad-" in name]
    lab.restart_killed()


def test_a_folder_in_its_place(lab, place):
    place.folder.mkdir()
    place.db.mkdir()
    (place.db / "something").write_text("else")
    lab.start()
    lab.check_fault("STORE")
    assert (place.db / "something").read_text() == "else"
    (place.db / "something").unlink()
    place.db.rmdir()
    lab.check_recovered()
    lab.check_listed()
    lab.restart_killed()


# -- what happens to the file while it is in use

def find_pages(path):
    """Offset and length of the pages of past events in the middle of the file."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        pages = [number for number, in database.execute(
            "SELECT pageno FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY pageno")]
    pages = pages[len(pages) // 2:len(pages) * 3 // 4]
    return [(number - 1) * PAGE for number in pages]


def test_damaged_while_it_is_used(lab, place, client):
    """Found by who reads: the answer is an error, or what can be read; the next one is what is known then."""
    set_up_history(lab, 8000, 1000)
    offsets = find_pages(place.db)
    assert len(offsets) > 20
    lab.start()
    # The reader has the gap of the start: with the file it will be gone.
    wait_until(lambda: gaps_of(client.signals), "the gap")
    lab.check_signals()
    lab.check_reader()
    # The -wal has nothing of these pages, and the cache has others: what was read last at the start is the oldest.
    for offset in offsets:
        overwrite(place.db, offset, os.urandom(PAGE))
    before = place.db.read_bytes()
    history_id = client.history_id()
    with contextlib.suppress(BusError):
        read_all(client)
    lab.check_trouble(DAMAGED, f"renamed to {place.bad().name}", "Subscribe again")
    assert client.history_id() != history_id
    wait_until(lambda: client.changes("HistoryId", interface=HISTORY), "the new HistoryId to be told")
    assert len(place.bad().read_bytes()) == len(before)
    assert place.bad().read_bytes() == before
    lab.check_signals()
    since = lab.signalled.index(lab.listed()[0]) if lab.listed() else len(lab.signalled)
    lab.check_fault(DAMAGED, since=since)
    lab.check_recovered()
    lab.restart_killed(since)
    # What is whole of it can still be got out: the file with its -wal.
    assert place.bad().read_bytes() == before


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_deleted_while_it_is_used(lab, place, client, folder):
    """Somebody wants it gone: then it is. What comes from then on is stored in a new one, and the history has another id."""
    lab.start()
    lab.send(300)
    history_id = client.history_id()
    if folder:
        shutil.rmtree(place.folder)
    else:
        place.db.unlink()

    def is_there():
        lab.send(1)
        return place.db.exists()
    wait_until(is_there, "a new file")
    assert client.history_id() != history_id
    assert lab.relay.log.count("was deleted or replaced") == 1
    assert client.get("LastError") == ("", "")
    lab.check_subscribe()
    lab.send()
    since = lab.signalled.index(lab.listed()[0])
    lab.check_listed(since)
    lab.check_reader()
    lab.restart_killed(since)


# -- other versions

def test_a_newer_version(lab, place, client):
    since = set_up_history(lab)
    with sqlite3.connect(place.db) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = place.contents()
    lab.start()
    lab.check_fault(NEWER, f"renamed to {place.bad().name}", "newer version", since=since)
    assert {"relay.db": place.bad().read_bytes()} == before
    lab.check_recovered()
    lab.restart_killed(since)
    assert {"relay.db": place.bad().read_bytes()} == before


def test_the_first_version(lab, place, client):
    channels = ["prp:1", "project:\"quoted\""]
    make_version_1(place.db, channels, 4711)
    lab.start(channels=())
    for channel in channels:
        client.wait_channel(channel, State="active", Durable=True)
    assert client.get("LastError") == ("", "")
    assert not [name for name in place.names() if ".bad-" in name]
    lab.send()
    assert lab.signalled[0] >= 4711
    lab.check_listed()
    [version], [application] = (rows[0] for rows in place.query("PRAGMA user_version", "PRAGMA application_id"))
    assert (version, application) == (SCHEMA_VERSION, APPLICATION_ID)
    lab.restart_killed()
    client.unsubscribe(*channels)
    lab.restart_killed()
    assert not set(channels) & set(client.channels())


# -- others on the same file

LOCKER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "alone":
    database.execute("PRAGMA locking_mode = EXCLUSIVE")
database.execute("BEGIN EXCLUSIVE")
if sys.argv[2] == "alone":
    database.execute("UPDATE sequence SET next = next")
print("locked", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked(path, how):
    """Another program has it: its writer, or it all alone."""
    with subprocess.Popen([sys.executable, "-c", LOCKER, str(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline() == "locked\n"
        yield


def test_locked_while_it_is_used(lab, place):
    lab.start()
    lab.send(300)
    with locked(place.db, "writing"):
        lab.send(1)
        lab.check_fault(LOCKED, "another program")
        lab.reload()
        lab.check_fault(LOCKED)
    lab.check_recovered()
    lab.check_listed()
    lab.restart_killed()


@pytest.mark.parametrize("how", ["writing", "alone"])
def test_locked_at_the_start(lab, place, client, how):
    since = set_up_history(lab)
    with locked(place.db, how):
        lab.start()
        # All alone it cannot be read either.
        lab.check_fault(LOCKED, "another program", since=since if how == "alone" else 0)
        lab.reload()
        lab.check_fault(LOCKED, since=since if how == "alone" else 0)
    lab.check_recovered()
    lab.check_listed()
    lab.restart_killed()


def test_a_subscription_that_comes_to_light(lab, place, client):
    """A program holds the channel by the time that the file can be read: it was subscribed in there all the while."""
    set_up_history(lab)
    ended = time.time() * 1e6
    with locked(place.db, "alone"):
        lab.start(channels=())
        cookie, states = client.hold(lab.CHANNEL)
        assert states == {lab.CHANNEL: "active"}
        back = time.time() * 1e6
        assert client.wait_channel(lab.CHANNEL, State="active")["Durable"] is False
    lab.reload()
    client.wait_channel(lab.CHANNEL, Durable=True)
    gap = wait_until(lambda: gaps_of(client.signals), "a gap")[0]
    assert gap.channels == [lab.CHANNEL] and gap.cause == "RESTARTED" and gap.since < ended < gap.until < back
    client.release(cookie)
    lab.send()
    assert client.channels()[lab.CHANNEL]["State"] == "active"


def test_signals_while_it_is_opened(lab, place):
    """The name is on the bus, and the store is waited for."""
    set_up_history(lab)
    with locked(place.db, "alone"):
        lab.relay.start(lab.client)
        os.kill(lab.relay.pid, signal.SIGHUP)
        lab.relay.stop()
    assert lab.relay.log.count("read again") == 1
    lab.start()
    lab.send()
    lab.check_listed()


# -- retention

def test_lowered_limit(lab, place):
    lab.relay.configure(History={"MaxEvents": 20000})
    lab.start()
    lab.send()
    lab.check_reader()  # has begun, so that it takes what comes, however soon that leaves
    lab.send(21000)
    # Of so many, some more leave than have to.
    wait_until(lambda: lab.client.get("FirstSequence", interface=HISTORY) >= lab.signalled[-20000], "a thousand to leave")
    assert lab.client.get("FirstSequence", interface=HISTORY) <= lab.signalled[-20000 + 20000 // 1024]
    [[(full_pages,)]] = place.query("PRAGMA page_count")
    lab.relay.configure(History={"MaxEvents": 100})
    lab.reload()
    lab.wait_first(-100)
    lab.check_listed(-100)

    def rows():
        [[(events,)], [(chapters,)], [(pages,)], [(free,)]] = place.query(
            "SELECT count(*) FROM events", "SELECT count(*) FROM chapters", "PRAGMA page_count", "PRAGMA freelist_count")
        return events, chapters, pages - free
    wait_until(lambda: rows()[0] == 100, "a hundred rows to be left")
    events, chapters, used = rows()
    assert chapters <= 2 and used < full_pages / 20
    # It stays so.
    for _ in range(5):
        lab.send(2000)
        lab.wait_first(-100)
    lab.check_listed(-100)
    events, chapters, used = rows()
    assert events == 100 and chapters <= 2 and used < full_pages / 20
    assert place.db.stat().st_size <= full_pages * PAGE * 1.1
    lab.check_reader()
    lab.restart_killed(since=-100)
