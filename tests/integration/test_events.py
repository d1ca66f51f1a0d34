# SPDX-License-Identifier: MIT
"""Messages of the server and the signals they become: names, arguments, types, and nothing lost."""

import json
import time

import pytest

from expected import example, expected, normal, received
from relay_bus import event_of

RELAYED = ["prp.created", "prp.updated", "prp.status_changed", "prp.deleted", "agent.assigned", "agent.progress",
           "error"]


def message(kind, data, **more):
    members = {"id": f"m-{kind}", "type": kind, "timestamp": "2024-01-15T10:00:00Z", "data": data}
    return json.dumps(dict(members, **more))


def relay_all(server, client, texts):
    """Sends the texts and a last one; what arrived in between, in order."""
    already = len(client.events())
    last = f"last-{time.monotonic_ns()}"
    for text in texts:
        server.connection.send(text)
    server.connection.send(message("last.one", {}, id=last))
    client.wait_event_id(last)
    return client.events()[already:-1]


@pytest.mark.parametrize("name", RELAYED)
def test_example_of_the_protocol_page(connected, server, client, name):
    before = time.time_ns() // 1000
    server.connection.send(example(name))
    signal = client.wait_event_id(json.loads(example(name))["id"])
    got, (sequence, moment) = received(signal)
    assert got == expected(example(name))
    assert sequence > 0
    assert before <= moment <= time.time_ns() // 1000
    assert signal.path == "/dev/prp/Relay1"


def test_null_is_the_empty_signature(connected, server, client):
    server.connection.send(example("prp.updated"))
    body = client.wait_event(lambda s: s.member == "PrpUpdated").body
    assert normal(body.get_child_value(1)) == ("a{sa{sv}}", {
        "status": ("a{sv}", {"old": ("s", "pending"), "new": ("s", "active")}),
        "assignedAgent": ("a{sv}", {"old": ("g", ""), "new": ("s", "agent_001")})})


def test_messages_of_the_connection_are_not_relayed(connected, server, client):
    names = ["connection.established", "heartbeat", "pong", "subscription.confirmed"]
    assert relay_all(server, client, map(example, names)) == []


def test_connection_established_drives_properties(relay, server, client):
    server.established = None
    relay.start(client)
    server.wait_connection().send(example("connection.established"))
    client.wait_state("connected")
    assert client.get("ConnectionId") == "conn_abc123"
    assert client.get("ServerVersion") == "1.0.0"
    assert client.get("Features") == ["subscribe", "unsubscribe", "heartbeat"]


def test_unknown_type_is_relayed_whole(connected, server, client):
    text = message("build.finished", {"id": "b1", "ok": True, "steps": [1, "two", None, {"three": 3.0}]},
                   metadata={"version": "1", "source": "ci"})
    [signal] = relay_all(server, client, [text])
    assert received(signal)[0] == expected(text)
    assert signal.member == "OtherEvent"


def test_every_member_of_a_message_is_passed_on(connected, server, client):
    text = message("prp.deleted", {"id": "p", "projectId": "q", "reason": "r", "x": 1}, metadata={"version": "2"},
                   priority=7, trace=["a", None])
    [signal] = relay_all(server, client, [text])
    assert received(signal)[0] == expected(text)
    assert event_of(signal)["priority"] == 7 and event_of(signal)["trace"] == ["a", ""]


def test_a_message_cannot_forge_what_is_the_relays_own(connected, server, client):
    text = message("prp.deleted", {"id": "p", "projectId": "q", "reason": "r"}, sequence=5, received="yesterday")
    [first, second] = relay_all(server, client, [text, message("x.y", {})])
    event = first.body.get_child_value(3)
    assert event.lookup_value("sequence", None).get_type_string() == "t"
    assert event.lookup_value("received", None).get_type_string() == "t"
    assert event_of(second)["sequence"] == event_of(first)["sequence"] + 1


@pytest.mark.parametrize("kind", RELAYED)
def test_missing_members(connected, server, client, kind):
    """Each member away in turn, then all: ids make it OtherEvent, others become empty."""
    data = json.loads(example(kind))["data"]
    texts = [message(kind, {k: v for k, v in data.items() if k != name}, id=f"without-{name}") for name in data]
    texts += [message(kind, {}, id="empty")]
    signals = relay_all(server, client, texts)
    assert [received(s)[0] for s in signals] == [expected(text) for text in texts]


@pytest.mark.parametrize("kind", RELAYED)
def test_members_of_another_type(connected, server, client, kind):
    data = json.loads(example(kind))["data"]
    texts = [message(kind, dict(data, **{name: value}), id=f"{name}-{i}")
             for name in data for i, value in enumerate([None, True, 5, 2.5, [], {}, "text", ""])]
    signals = relay_all(server, client, texts)
    assert [received(s)[0] for s in signals] == [expected(text) for text in texts]


def test_data_that_is_no_object(connected, server, client):
    texts = [message(kind, data, id=f"{kind}-{i}") for kind in ("prp.created", "x.y")
             for i, data in enumerate([None, True, 5, "text", [1, "a"], []])]
    signals = relay_all(server, client, texts)
    assert [received(s)[0] for s in signals] == [expected(text) for text in texts]


def test_message_with_a_type_only(connected, server, client):
    [signal] = relay_all(server, client, ['{"type":"prp.created"}'])
    (member, _, arguments), _ = received(signal)
    assert member == "OtherEvent"
    event = arguments[1][1]
    assert event["id"] == ("s", "") and event["timestamp"] == ("s", "") and event["type"] == ("s", "prp.created")


@pytest.mark.parametrize("progress", [0, 45, 45.5, 100, -3, 250, 1e300, "45"])
def test_progress(connected, server, client, progress):
    text = message("agent.progress", {"agentId": "a", "prpId": "p", "progress": progress, "currentTask": "t"})
    [signal] = relay_all(server, client, [text])
    assert received(signal)[0] == expected(text)
    assert signal.body.get_child_value(2).unpack() == (0.0 if progress == "45" else progress)


VALUES = {
    "zero": ("0", ("x", 0)),
    "minus zero": ("-0", ("x", 0)),
    "int64 max": ("9223372036854775807", ("x", 2**63 - 1)),
    "int64 min": ("-9223372036854775808", ("x", -2**63)),
    "past int64": ("9223372036854775808", ("t", 2**63)),
    "uint64 max": ("18446744073709551615", ("t", 2**64 - 1)),
    "past uint64": ("18446744073709551616", ("d", 2.0**64)),
    "below int64": ("-9223372036854775809", ("d", -2.0**63)),
    "very long": ("1" + "0" * 200, ("d", 1e200)),
    "fraction": ("1.5", ("d", 1.5)),
    "whole fraction": ("1.0", ("d", 1.0)),
    "exponent": ("1e2", ("d", 100.0)),
    "small exponent": ("1E-2", ("d", 0.01)),
    "shortest": ("0.1", ("d", 0.1)),
    "true": ("true", ("b", True)),
    "false": ("false", ("b", False)),
    "null": ("null", ("g", "")),
    "empty string": ('""', ("s", "")),
    "escapes": (r'"\"\\\/\b\f\n\r\t\u00e9"', ("s", '"\\/\b\f\n\r\t\u00e9')),
    "a pair of surrogates": (r'"\ud83d\ude00"', ("s", "\U0001f600")),
    "as it is": ('"\U0001f600 é \x7f"', ("s", "\U0001f600 é \x7f")),
    "NUL": (r'"a\u0000b"', ("s", "a\ufffdb")),
    "lone high": (r'"a\ud800b"', ("s", "a\ufffdb")),
    "lone low": (r'"a\udc00b"', ("s", "a\ufffdb")),
    "wrong order": (r'"\udc00\ud800"', ("s", "\ufffd\ufffd")),
    "two high, one low": (r'"\ud800\ud83d\ude00"', ("s", "\ufffd\U0001f600")),
    "escaped noncharacter": (r'"a\uffffb\ufffeb\ufdd0"', ("s", "a\ufffdb\ufffdb\ufffd")),
    "noncharacter": ('"a\uffffb\U0001fffe"', ("s", "a\ufffdb\ufffd")),
    "replacement": ('"\ufffd"', ("s", "\ufffd")),
    "empty array": ("[]", ("av", [])),
    "empty object": ("{}", ("a{sv}", {})),
    "mixed array": ('[1,"a",null,[true],{"k":1.5}]',
                    ("av", [("x", 1), ("s", "a"), ("g", ""), ("av", [("b", True)]),
                            ("a{sv}", {"k": ("d", 1.5)})])),
    "keys": (r'{"":1,"a b":2,"\u0000":3,"é":4}',
             ("a{sv}", {"": ("x", 1), "a b": ("x", 2), "\ufffd": ("x", 3), "é": ("x", 4)})),
    "a key twice": ('{"a":1,"b":2,"a":[3]}', ("a{sv}", {"a": ("av", [("x", 3)]), "b": ("x", 2)})),
    "a key twice, escaped": (r'{"a":1,"\u0061":2}', ("a{sv}", {"a": ("x", 2)})),
    "whitespace": (' \t\r\n[ 1 ,\n2 ]\t', ("av", [("x", 1), ("x", 2)])),
}


def test_values(connected, server, client):
    texts = [f'{{"id":"{name}","type":"x.y","timestamp":"t","data":{{"v":{text}}}}}'
             for name, (text, _) in VALUES.items()]
    got = {}
    for signal in relay_all(server, client, texts):
        event = received(signal)[0][2][1][1]
        got[event["id"][1]] = event["data"][1]["v"]
    assert got == {name: value for name, (_, value) in VALUES.items()}


def test_number_past_double_is_infinite_or_refused_but_harmless(connected, server, client):
    [signal] = relay_all(server, client, ['{"id":"inf","type":"x.y","timestamp":"t","data":{"v":[1e400,-1e400]}}'])
    data = received(signal)[0][2][1][1]["data"]
    assert data == ("a{sv}", {"v": ("av", [("d", float("inf")), ("d", float("-inf"))])})


def test_duplicate_keys_of_the_message_itself(connected, server, client):
    text = ('{"id":"first","type":"x.y","data":{"n":1},"timestamp":"t","type":"prp.deleted","id":"twice",'
            '"data":{"id":"p","projectId":"q","reason":"r","reason":"s"}}')
    [signal] = relay_all(server, client, [text])
    assert received(signal)[0] == expected(text)
    assert signal.member == "PrpDeleted" and event_of(signal)["id"] == "twice"


def test_keys_that_become_the_same(connected, server, client):
    """Two different keys, both mended to U+FFFD: a dictionary on the bus still has each key once."""
    text = r'{"id":"k","type":"x.y","timestamp":"t","data":{"\ud800":1,"\udfff":2,"z":3}}'
    [signal] = relay_all(server, client, [text])
    data = received(signal)[0][2][1][1]["data"]
    assert data[1]["z"] == ("x", 3) and "\ufffd" in data[1]


def nested(levels, inside, opening="[", closing="]"):
    return opening * levels + inside + closing * levels


@pytest.mark.parametrize("opening,closing", ["[]", ('{"k":', "}")])
def test_deepest_level_that_is_kept(connected, server, client, opening, closing):
    """The message is level 1, `data` level 2: 14 more make 16."""
    text = f'{{"id":"deep","type":"x.y","timestamp":"t","data":{{"v":{nested(14, "7", opening, closing)}}}}}'
    [signal] = relay_all(server, client, [text])
    assert received(signal)[0] == expected(text)


@pytest.mark.parametrize("extra", [1, 2, 100, 400])
def test_deeper_levels_are_handed_over_as_text(connected, server, client, extra):
    inner = nested(extra, ' {"a" : null, "b":"\\u0041\uffff" } '[1:-1]) if extra > 1 else '[ 1, "x" ]'
    text = f'{{"id":"deeper","type":"x.y","timestamp":"t","data":{{"v":{nested(14, inner)},"w":5}}}}'
    [signal] = relay_all(server, client, [text])
    data = received(signal)[0][2][1][1]["data"][1]
    assert data["w"] == ("x", 5)
    value = data["v"]
    for _ in range(14):
        assert value[0] == "av" and len(value[1]) == 1
        value = value[1][0]
    assert value[0] == "s"
    assert json.loads(value[1]) == json.loads(inner.replace("\uffff", "\ufffd"))


def test_changes_of_another_shape(connected, server, client):
    """Empty in the argument, which has no room for them; whole in the event."""
    text = message("prp.updated", {"id": "p", "changes": {"a": None, "b": [1], "c": {"new": 1}, "d": "text"}})
    [signal] = relay_all(server, client, [text])
    assert received(signal)[0] == expected(text)
    assert sorted(signal.body.get_child_value(1).unpack()) == ["a", "b", "c", "d"]


def test_deep_changes(connected, server, client):
    """In the argument as in the event: `changes` is level 3, a field level 4, what is in `new` from level 5 on."""
    text = message("prp.updated", {"id": "p", "changes": {"f": {"old": None, "new": "@"}}})
    text = text.replace('"@"', nested(13, "1"))
    [signal] = relay_all(server, client, [text])
    (member, signature, arguments), _ = received(signal)
    assert (member, signature) == ("PrpUpdated", "(sa{sa{sv}}a{sv})")
    assert arguments[1] == ("a{sa{sv}}", arguments[2][1]["data"][1]["changes"][1])
    value = arguments[1][1]["f"][1]["new"]
    for _ in range(12):
        [value] = value[1]
    assert value == ("s", "[1]")


def test_duplicates_are_relayed_once(connected, server, client):
    texts = [message("x.y", {"n": n}, id="same") for n in range(3)] + [example("prp.created")] * 2
    signals = relay_all(server, client, texts)
    assert [event_of(s)["id"] for s in signals] == ["same", "msg_123456"]
    assert event_of(signals[0])["data"] == {"n": 0}
    assert client.get("DuplicatesDropped") == 3


def test_duplicates_over_a_reconnect(connected, server, client):
    relay_all(server, client, [message("x.y", {}, id="before")])
    server.connection.abort()
    server.wait_connection(2)
    client.wait_state("connected")
    signals = relay_all(server, client, [message("x.y", {}, id="before"), message("x.y", {}, id="after")])
    assert [event_of(s)["id"] for s in signals] == ["after"]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_duplicates_over_a_restart(connected, server, client, end):
    """More of them than are loaded in one step, and the oldest comes first."""
    texts = [message("x.y", {"n": n}, id=f"early-{n}\u00e4\n") for n in range(2500)]
    relay_all(server, client, texts)
    getattr(connected, end)()
    connected.start(client)
    client.wait_state("connected")
    signals = relay_all(server, client, [texts[0], *texts, message("x.y", {}, id="new")])
    assert [event_of(s)["id"] for s in signals] == ["new"]
    assert client.get("DuplicatesDropped") == 2501


def test_events_without_an_id_cannot_be_told_apart(connected, server, client):
    bare = '{"type":"x.y","timestamp":"t","data":{}}'
    signals = relay_all(server, client, [bare, bare, bare.replace("{", '{"id":5,', 1)])
    assert [event_of(s)["type"] for s in signals] == ["x.y"] * 3
    assert [event_of(s)["id"] for s in signals[:2]] == ["", ""]


def test_sequence_rises_by_one_and_is_never_reused(connected, server, client):
    texts = [message("x.y", {}, id=f"n{n}") for n in range(20)]
    sequences = [event_of(s)["sequence"] for s in relay_all(server, client, texts)]
    assert sequences == list(range(sequences[0], sequences[0] + 20))
    connected.stop()
    connected.start(client)
    client.wait_state("connected")
    [signal] = relay_all(server, client, [message("x.y", {}, id="next")])
    assert event_of(signal)["sequence"] > sequences[-1]
    connected.kill()
    connected.start(client)
    client.wait_state("connected")
    [again] = relay_all(server, client, [message("x.y", {}, id="after a crash")])
    assert event_of(again)["sequence"] > event_of(signal)["sequence"]


def test_counters(connected, server, client):
    sent = [message("x.y", {}, id="a"), message("x.y", {}, id="a"), "not JSON", message("x.y", {}, id="b")]
    relay_all(server, client, sent)
    values = client.get_all()
    assert values["EventsEmitted"].unpack() == 3  # a, b and the last one
    assert values["EventsReceived"].unpack() >= 4
    assert values["DuplicatesDropped"].unpack() == 1
    assert values["MalformedDropped"].unpack() == 1
    assert values["Connections"].unpack() == 1
    assert values["BytesReceived"].unpack() >= sum(map(len, sent))


def test_a_large_event(connected, server, client):
    """Just under the limit for a message, in one string and in many members."""
    size = 1048576 - 200
    texts = [message("x.y", {"v": "x" * size}, id="one string"),
             message("x.y", {f"k{i}": i for i in range(60000)}, id="many members")]
    signals = relay_all(server, client, texts)
    assert [received(s)[0] for s in signals] == [expected(text) for text in texts]
