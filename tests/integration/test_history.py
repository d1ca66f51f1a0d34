# SPDX-License-Identifier: MIT
"""The history on the bus: what is stored, when, what is asked for and what is answered."""

import collections
import itertools
import json
import time

import pytest
from gi.repository import GLib

from expected import example, mapped, normal
from relay_bus import HISTORY, INVALID_ARGS, LIMITS_EXCEEDED, PATH, BusError, event_of
from test_events import RELAYED
from waiting import wait_until

MOST = 1000                     # events in one answer
MOST_BYTES = 8 * 1024 * 1024    # likewise, about

_ids = itertools.count()


def message(kind="some.thing", data=None, **more):
    return json.dumps(dict({"id": f"h-{next(_ids)}", "type": kind, "timestamp": "2024-01-15T10:00:00Z",
                            "data": data or {}}, **more))


def send(server, client, *texts):
    """Sends messages, and waits for their signals. The sequence of each."""
    already = len(client.events())
    for text in texts:
        server.connection.send(text)
    wait_until(lambda: len(client.events()) >= already + len(texts), f"{len(texts)} signals")
    return [event_of(s)["sequence"] for s in client.events()[already:]]


def pour(server, client, texts):
    """The same for many, in one go; without their sequences."""
    already = len(client.events())

    async def all_of_them():
        for text in texts:
            await server.connection.socket.send(text)
    server.run(all_of_them())
    wait_until(lambda: len(client.events()) >= already + len(texts), f"{len(texts)} signals", 60)


def sequences(answer):
    return [event["sequence"] for event in answer[0]]


def read_all(client, after=0, limit=0, **keys):
    """Page by page to the end: the sequences, and the position."""
    found, more = [], True
    while more:
        events, position, more = client.list_events(after, limit, **keys)
        assert position > after or not more, "no progress"
        found += [event["sequence"] for event in events]
        after = position
    return found, after


# -- what is listed

def test_a_signalled_event_is_listed_to_anybody(connected, server, client, new_client):
    """Asked for the moment its signal comes, in the middle of a burst."""
    other = new_client(listens=False)
    pour(server, client, [message() for _ in range(500)])
    for signal in client.events():
        sequence = event_of(signal)["sequence"]
        events, _, _ = other.list_events(sequence - 1, 1)
        assert [event["sequence"] for event in events] == [sequence]


def test_a_signalled_event_survives(relay, server, client):
    """Killed as soon as the signals of a burst arrive: all that was signalled is there afterwards."""
    relay.start(client)
    client.wait_state("connected")
    for text in [message() for _ in range(300)]:
        server.connections[-1].socket.loop.call_soon_threadsafe(
            lambda text=text: server.loop.create_task(server.connections[-1].socket.send(text)))
    wait_until(lambda: len(client.events()) >= 20, "some signals")
    relay.kill()
    wait_until(lambda: client.owner() is None, "the name to be free")
    client.bus_call("GetId")  # whatever the relay had sent has arrived now
    heard = [event_of(s)["sequence"] for s in client.events()]
    relay.start(client)
    listed, _ = read_all(client)
    assert listed == sorted(set(listed))
    assert set(heard) <= set(listed)


@pytest.mark.parametrize("name", RELAYED)
def test_a_listed_event_is_that_of_its_signal(connected, server, client, name):
    send(server, client, example(name))
    signal = client.events()[-1]
    reply = client.list_events_async().result()
    event = reply.get_child_value(0).get_child_value(0)
    assert event.equal(signal.body.get_child_value(signal.body.n_children() - 1))
    assert reply.get_type_string() == "(aa{sv}tb)"


def test_values_are_mapped_as_in_a_signal(connected, server, client):
    data = {"none": None, "yes": True, "no": False, "small": -1, "large": 2**63, "huge": 2**70, "half": 0.5,
            "text": "a\u0000b\ud800ä", "list": [1, "two", [None], {}], "object": {"a": {"b": [{}]}}, "": ""}
    text = message("any.thing", data, metadata={"version": "1"}, more=[1])
    [sequence] = send(server, client, text)
    event = client.list_events_async(sequence - 1).result().get_child_value(0).get_child_value(0)
    kind, members = normal(event)
    assert kind == "a{sv}"
    received = members.pop("received")
    assert received[0] == "t" and abs(received[1] / 1e6 - time.time()) < 600
    assert members.pop("sequence") == ("t", sequence)
    assert members == {key: mapped(value) for key, value in json.loads(text).items()}


def test_a_gap_is_listed_in_its_place(connected, server, client):
    client.subscribe("project:b", "project:a")
    before = send(server, client, message())
    server.connection.abort()
    gap = wait_until(lambda: client.events("Gap"), "the gap")[0]
    server.wait_connection(2)
    after = send(server, client, message())
    since, until, cause, channels, sequence = gap.body.unpack()
    assert sequences(client.list_events()) == [*before, sequence, *after]
    event = client.list_events_async(types=["relay.gap"]).result().get_child_value(0).get_child_value(0)
    _, members = normal(event)
    assert members["data"] == mapped({"since": since, "until": until, "cause": cause, "channels": channels,
                                      "sequence": sequence})
    assert members["sequence"] == ("t", sequence) and members["id"] == ("s", "")
    assert channels == ["project:a", "project:b"]


def test_what_is_dropped_is_not_listed(connected, server, client):
    text = message()
    [first] = send(server, client, text)
    server.connection.send(text)
    server.connection.send(example("heartbeat"))
    server.connection.send("no json")
    [last] = send(server, client, message())
    assert sequences(client.list_events()) == [first, last]


# -- positions

def test_an_empty_history(connected, client):
    assert client.list_events() == ([], 0, False)
    assert client.list_events(newest=True) == ([], 0, False)
    assert client.list_events(7, 5) == ([], 0, False)
    assert client.get("FirstSequence", interface=HISTORY) <= 1
    assert client.get("LastSequence", interface=HISTORY) == 0
    assert client.history_id()


def test_limits(connected, server, client):
    pour(server, client, [message() for _ in range(MOST + 5)])
    everything = [event_of(s)["sequence"] for s in client.events()]
    last = everything[-1]
    for limit in (0, MOST, MOST + 1, 2**32 - 1):
        events, position, more = client.list_events(0, limit)
        assert [event["sequence"] for event in events] == everything[:MOST]
        assert (position, more) == (everything[MOST - 1], True)
    assert sequences(client.list_events(0, 3)) == everything[:3]
    assert client.list_events(last - 2)[1:] == (last, False)
    assert sequences(client.list_events(last - 2, 2)) == everything[-2:]
    assert client.list_events(last - 2, 2)[1:] == (last, False)
    assert client.list_events(last) == ([], last, False)
    assert client.get("LastSequence", interface=HISTORY) == last
    assert read_all(client) == (everything, last)
    assert read_all(client, limit=7) == (everything, last)


def test_the_newest(connected, server, client):
    pour(server, client, [message("a.b" if i % 3 else "c.d") for i in range(MOST + 5)])
    everything = [(event_of(s)["sequence"], event_of(s)["type"]) for s in client.events()]
    last = everything[-1][0]
    events, position, more = client.list_events(0, 10, newest=True)
    assert [event["sequence"] for event in events] == [s for s, _ in everything[-10:]]
    assert (position, more) == (last, True)
    events, position, more = client.list_events(last - 4, 10, newest=True)
    assert len(events) == 4 and (position, more) == (last, False)
    assert len(client.list_events(newest=True)[0]) == MOST
    assert client.list_events(0, 10, newest=False)[0][0]["sequence"] == everything[0][0]
    of_type = [s for s, kind in everything if kind == "c.d"]
    events, position, more = client.list_events(0, 5, newest=True, types=["c.*"])
    assert [event["sequence"] for event in events] == of_type[-5:]
    assert (position, more) == (last, True)


def test_paging_while_events_come(connected, server, client, new_client):
    """To the end and on, while events keep coming: each once, in order, and in the end all that were signalled."""
    other = new_client(listens=False)
    total = 3000

    async def trickle():
        for _ in range(total):
            await server.connection.socket.send(message())

    import asyncio
    sending = asyncio.run_coroutine_threadsafe(trickle(), server.loop)
    found, position = [], 0
    while True:
        done = len(client.events()) == total
        events, position, more = other.list_events(position, 100)
        found += [event["sequence"] for event in events]
        if done and not more:
            break
    sending.result(60)
    assert found == [event_of(s)["sequence"] for s in client.events()]


# -- filters

STOCK = {
    "p1-created": ("prp.created", {"id": "p1", "projectId": "o1", "name": "n"}),
    "p2-created": ("prp.created", {"id": "p2", "projectId": "o2", "name": "n"}),
    "p1-updated": ("prp.updated", {"id": "p1", "changes": {}}),
    "a1-assigned": ("agent.assigned", {"agentId": "a1", "prpId": "p1"}),
    "a2-progress": ("agent.progress", {"agentId": "a2", "prpId": "p2", "progress": 5}),
    "o1-renamed": ("project.renamed", {"id": "o1"}),
    "a1-gone": ("agent.gone", {"id": "a1"}),
    "build": ("build.finished", {"id": "p1", "prpId": "p2", "projectId": "o1", "agentId": 7}),
    "bare": ("bare", {}),
}


@pytest.fixture
def stock(connected, server, client):
    """name → sequence of the STOCK."""
    return dict(zip(STOCK, send(server, client, *(message(kind, data) for kind, data in STOCK.values()))))


@pytest.mark.parametrize("keys, names", [
    ({}, list(STOCK)),
    ({"prp": "p1"}, ["p1-created", "p1-updated", "a1-assigned"]),
    ({"prp": "p2"}, ["p2-created", "a2-progress", "build"]),
    ({"prp": "p"}, []),
    ({"prp": ""}, []),
    ({"agent": "a1"}, ["a1-assigned", "a1-gone"]),
    ({"agent": "7"}, []),
    ({"project": "o1"}, ["p1-created", "o1-renamed", "build"]),
    ({"types": ["prp.*"]}, ["p1-created", "p2-created", "p1-updated"]),
    ({"types": ["*.created", "agent.??????ed", "[ab]u*"]}, ["p1-created", "p2-created", "a1-assigned", "build"]),
    ({"types": ["*"]}, list(STOCK)),
    ({"types": ["bare"]}, ["bare"]),
    ({"types": ["BARE", "", "bar", "are"]}, []),
    ({"types": ["build.*", "prp.*"], "prp": "p2"}, ["p2-created", "build"]),
    ({"prp": "p1", "project": "o1"}, ["p1-created"]),
    ({"prp": "p1", "agent": "a1"}, ["a1-assigned"]),
    ({"prp": "p1", "agent": "a2"}, []),
    ({"since": 0}, list(STOCK)),
    ({"since": 2**64 - 1}, []),
    ({"since": 1, "types": ["agent.*"], "prp": "p1", "agent": "a1"}, ["a1-assigned"]),
])
def test_filters(stock, client, keys, names):
    last = max(stock.values())
    wanted = [stock[name] for name in names]
    events, position, more = client.list_events(**keys)
    assert [event["sequence"] for event in events] == wanted
    assert (position, more) == (last, False)
    assert sequences(client.list_events(newest=True, **keys)) == wanted
    assert read_all(client, limit=1, **keys) == (wanted, last)
    for half in (stock["a1-assigned"], last):
        assert sequences(client.list_events(half, **keys)) == [s for s in wanted if s > half]


def test_since(connected, server, client):
    for _ in range(5):
        send(server, client, message())
    events, _, _ = client.list_events()
    for i, event in enumerate(events):
        first = next(j for j, other in enumerate(events) if other["received"] >= event["received"])
        assert first <= i
        assert client.list_events(since=event["received"])[0] == events[first:]
    assert client.list_events(since=events[-1]["received"] + 1)[0] == []


@pytest.mark.parametrize("keys, words", [
    ({"type": "prp.*"}, "no filter key “type”"),
    ({"types": GLib.Variant("s", "prp.*")}, "types must be"),
    ({"types": []}, "types is empty"),
    ({"types": ["x"] * 65}, "types has too many"),
    ({"types": ["x" * 4097]}, "types is too long"),
    ({"types": ["x" * 1000] * 17}, "too long at its key types"),
    ({"prp": GLib.Variant("u", 5)}, "prp must be"),
    ({"agent": "x" * 4097}, "agent is too long"),
    ({"project": GLib.Variant("as", ["x"])}, "project must be"),
    ({"since": GLib.Variant("x", 5)}, "since must be"),
    ({"newest": GLib.Variant("s", "yes")}, "newest must be"),
])
def test_filters_that_cannot_be(connected, client, keys, words):
    with pytest.raises(BusError) as error:
        client.list_events(**keys)
    assert error.value.name == INVALID_ARGS
    assert words in str(error.value)


# -- what is kept

def test_it_is_kept_across_restarts(relay, server, client):
    relay.start(client)
    client.wait_state("connected")
    before = client.history_id()
    first = send(server, client, message(), message())
    relay.stop()
    relay.start(client)
    assert client.history_id() == before
    assert sequences(client.list_events()) == first
    assert client.list_events()[1:] == (first[-1], False)
    client.wait_state("connected")
    second = send(server, client, message())
    assert sequences(client.list_events()) == first + second
    relay.kill()
    relay.start(client)
    assert client.history_id() == before
    assert sequences(client.list_events()) == first + second


def test_clear(connected, server, client, new_client):
    before = client.history_id()
    old = send(server, client, message(), message())
    new_client(listens=False).call(PATH, HISTORY, "Clear")
    after = client.history_id()
    assert after != before
    wait_until(lambda: client.changes("HistoryId", interface=HISTORY) == [after], "HistoryId to be told")
    assert client.list_events() == ([], old[-1], False)
    assert client.get("FirstSequence", interface=HISTORY) == old[-1] + 1
    new = send(server, client, message())
    assert new[0] > old[-1]
    assert sequences(client.list_events()) == new
    connected.stop()
    connected.start(client)
    assert client.history_id() == after
    assert sequences(client.list_events()) == new


def test_only_so_many_are_kept(relay, server, client):
    relay.configure(History={"MaxEvents": "50"})
    relay.start(client)
    client.wait_state("connected")
    pour(server, client, [message() for _ in range(400)])
    everything = [event_of(s)["sequence"] for s in client.events()]

    def kept():
        # What goes beyond the bound goes with the commits that follow.
        server.connection.send(message())
        everything[:] = [event_of(s)["sequence"] for s in client.events()]
        return len(client.list_events()[0]) <= 50
    wait_until(kept, "the history to shrink")
    events = sequences(client.list_events())
    first = client.get("FirstSequence", interface=HISTORY)
    assert events == sorted(events) and events[0] >= first > everything[0]


def test_nothing_is_kept(relay, server, client):
    relay.configure(History={"MaxEvents": "0"})
    relay.start(client)
    client.wait_state("connected")
    pour(server, client, [message() for _ in range(100)])
    last = event_of(client.events()[-1])["sequence"]
    assert client.list_events() == ([], last, False)
    assert client.list_events(newest=True) == ([], last, False)
    assert client.get("LastSequence", interface=HISTORY) == last
    assert client.get("FirstSequence", interface=HISTORY) == last + 1


def test_reload_applies_the_bounds(connected, server, client):
    pour(server, client, [message() for _ in range(100)])
    everything = [event_of(s)["sequence"] for s in client.events()]

    def reload(**keys):
        connected.configure(History=keys)
        client.command("Reload")
    reload(MaxEvents="10")
    wait_until(lambda: sequences(client.list_events()) == everything[-10:], "ten to be left")
    reload(MaxEvents="0")
    wait_until(lambda: sequences(client.list_events()) == [], "none to be left")
    send(server, client, message())
    assert sequences(client.list_events()) == []
    reload(MaxEvents=None)
    send(server, client, message())
    [aged], _, _ = client.list_events()
    wait_until(lambda: time.time() * 1e6 > aged["received"] + 1e6, "the event to age")
    reload(MaxAgeDays="0")
    assert client.list_events()[0] == [aged]
    reload(MaxAgeDays="0.00001")  # 0.864 s
    wait_until(lambda: client.list_events()[0] == [], "the event to leave")


def test_a_bad_bound_changes_nothing(connected, server, client):
    [kept] = send(server, client, message())
    connected.configure(History={"MaxEvents": "-1"})
    with pytest.raises(BusError) as error:
        client.command("Reload")
    assert "MaxEvents" in str(error.value)
    assert sequences(client.list_events()) == [kept]


# -- much

def test_large_events(connected, server, client):
    """Answers end before they are too long, one event of a megabyte after the other."""
    filling = "x" * 1_000_000
    pour(server, client, [message(data={"filling": filling}) for _ in range(20)])
    everything = [event_of(s)["sequence"] for s in client.events()]
    reply = client.list_events_async().result()
    assert 6_000_000 < reply.get_size() <= MOST_BYTES
    assert reply.get_child_value(2).get_boolean()
    assert read_all(client) == (everything, everything[-1])
    events, position, more = client.list_events(newest=True)
    assert [event["sequence"] for event in events] == everything[-len(events):]
    assert len(events) > 5 and (position, more) == (everything[-1], True)
    assert events[0]["data"]["filling"] == filling


@pytest.mark.parametrize("newest", [False, True])
def test_events_that_grow_on_the_bus(connected, server, client, newest):
    """JSON that takes many times its length on D-Bus, more than an answer may: still one, and one only."""
    for i in range(2):
        server.connection.send('{"type":"a.b","id":"g-%d","data":{"list":[%s]}}' % (i, "{}," * 330_000 + "{}"))
    wait_until(lambda: len(client.events()) == 2, "two signals")
    events, position, more = (client.list_events_async(newest=newest).result().get_child_value(i) for i in range(3))
    signals = [s.body.get_child_value(1) for s in client.events()]
    assert events.n_children() == 1 and events.get_child_value(0).equal(signals[newest])
    assert position.get_uint64() == signals[newest].lookup_value("sequence", None).get_uint64()
    assert more.get_boolean()


def test_hostile_callers(connected, server, client, new_client):
    """Far more calls at once than are taken: some are refused, the others answered, and nobody else waits."""
    pour(server, client, [message() for _ in range(3000)])
    everything = [event_of(s)["sequence"] for s in client.events()]
    callers = [new_client(listens=False) for _ in range(8)]
    futures = [caller.list_events_async(types=["no*such"] if i % 2 else ["*"], newest=bool(i % 3))
               for i in range(150) for caller in callers]
    [sequence] = send(server, client, message())
    client.ping()
    outcomes = collections.Counter()
    for future in futures:
        try:
            reply = future.result()
            assert reply.get_child_value(0).n_children() in (0, MOST)
            assert everything[MOST - 1] <= reply.get_child_value(1).get_uint64() <= sequence
            outcomes["answered"] += 1
        except BusError as error:
            outcomes[error.name] += 1
    assert set(outcomes) == {"answered", LIMITS_EXCEEDED}
    assert outcomes["answered"] >= 16
    assert sequences(client.list_events(sequence - 1)) == [sequence]


def test_callers_that_leave(connected, server, client, new_client):
    pour(server, client, [message() for _ in range(3000)])
    for _ in range(20):
        caller = new_client(listens=False)
        for _ in range(16):
            caller.list_events_async()
        caller.connection.flush_sync(None)
        caller.close()

    def has_room():
        try:
            return len(client.list_events()[0]) == MOST
        except BusError as error:
            assert error.name == LIMITS_EXCEEDED
            return False
    wait_until(has_room, "the calls of those who left to be forgotten")


# -- trouble

def test_a_damaged_file_is_shown_until_reload(relay, server, client):
    """Events go on; the trouble of the store is shown while connected, behind one of the connection."""
    folder = relay.home.state / "prp-relay"
    folder.mkdir()
    (folder / "relay.db").write_bytes(b"This is no database. " * 1000)
    relay.start(client)
    client.wait_state("connected")
    client.wait_error("STORE_DAMAGED")
    [sequence] = send(server, client, message())
    assert sequences(client.list_events()) == [sequence]

    server.stop(abort=True)
    client.wait_state("waiting")
    client.wait_error("REFUSED")
    server.start()
    client.wait_state("connected")
    client.wait_error("STORE_DAMAGED")
    client.command("Reload")
    client.wait_get("LastError", ("", ""))
    client.wait_told("LastError", ("", ""))
