# SPDX-License-Identifier: MIT
"""A server that sends anything at all: what is no event is skipped, what breaks the WebSocket ends that
connection, and the next event always arrives."""

import json
import struct

import pytest

from prp_server import BINARY, TEXT, fragments, frame
from waiting import wait_until

MAX_MEMORY_BYTES = 24 * 1024 * 1024
FRAGMENTS = 4000

EVENT = '{"id":"bad","type":"x.y","timestamp":"t","data":{"v":1}}'


def deep(levels, opening="[", inside="1", closing="]"):
    return f'{{"type":"x.y","data":{opening * levels}{inside}{closing * levels}}}'


# Not relayed, counted; the connection stays.
SKIPPED = {
    "empty": "",
    "not JSON": "hello there",
    "truncated": EVENT[:30],
    "truncated in a string": EVENT[:10],
    "truncated in an escape": '{"type":"x.y","data":"\\u00',
    "only opened": "{",
    "a second document": EVENT + EVENT,
    "a second document behind a space": EVENT + " 1",
    "a comment before": "/* c */" + EVENT,
    "a comment behind": EVENT + " // c",
    "a comment within": EVENT.replace(":1", ":/**/1"),
    "an assignment": f"var x = {EVENT};",
    "single quotes": EVENT.replace('"', "'"),
    "keys without quotes": "{type:1}",
    "a comma too many": '{"type":"x.y",}',
    "a comma too many in an array": '{"type":"x.y","data":[1,]}',
    "a comma too few": '{"type":"x.y" "data":1}',
    "a colon too few": '{"type" "x.y"}',
    "brackets that do not match": '{"type":"x.y","data":[1}]',
    "a bracket too many": EVENT + "}",
    "octal": EVENT.replace(":1", ":017"),
    "hexadecimal": EVENT.replace(":1", ":0x1F"),
    "no digit before": EVENT.replace(":1", ":.5"),
    "no digit behind": EVENT.replace(":1", ":5."),
    "no exponent": EVENT.replace(":1", ":5e"),
    "a plus": EVENT.replace(":1", ":+5"),
    "a minus alone": EVENT.replace(":1", ":-"),
    "NaN": EVENT.replace(":1", ":NaN"),
    "Infinity": EVENT.replace(":1", ":-Infinity"),
    "True": EVENT.replace(":1", ":True"),
    "tru": EVENT.replace(":1", ":tru"),
    "bad escape": EVENT.replace(":1", ':"\\x41"'),
    "bad \\u escape": EVENT.replace(":1", ':"\\u12g4"'),
    "a raw line end in a string": EVENT.replace(":1", ':"a\nb"'),
    "a raw tab in a string": EVENT.replace(":1", ':"a\tb"'),
    "a raw NUL in a string": EVENT.replace(":1", ':"a\0b"'),
    "a NUL behind": EVENT + "\0",
    "a vertical tab between": EVENT.replace(":1", ":\v1"),
    "a no-break space between": EVENT.replace(":1", ":\u00a01"),
    "a byte order mark": "\ufeff" + EVENT,
    "100,000 levels": deep(100000),
    "100,000 levels of objects": deep(100000, '{"a":', "1", "}"),
    "100,000 levels, never closed": "[" * 100000,
    "513 levels": deep(512),
    "an array": "[1]",
    "a string": '"text"',
    "a number": "5",
    "null": "null",
    "no type": '{"id":"x"}',
    "a type that is no string": '{"id":"x","type":5}',
    "an empty object": "{}",
    "a million brackets": "[" * 1000000,
    "a million quotes": '"' * 1000000,
}

# Unusual, but events.
RELAYED = {
    "512 levels": deep(511),
    "lone surrogates": EVENT.replace(":1", r':"\ud800 \udfff"'),
    "an escaped NUL": EVENT.replace(":1", r':"\u0000"'),
    "numbers past 64 bits": EVENT.replace(":1", ":[9223372036854775808,18446744073709551616,-1e999,1e-999]"),
    "a number of 100,000 digits": EVENT.replace(":1", ":" + "7" * 100000),
    "a thousand times the same key": EVENT.replace('"v":1', ",".join(['"v":1'] * 1000)),
    "an id of 100,000 bytes": EVENT.replace('"bad"', '"' + "i" * 100000 + '"'),
    "a type with a NUL": EVENT.replace("x.y", r"x\u0000y"),
    "an empty type": EVENT.replace("x.y", ""),
    "many small values": EVENT.replace(":1", ":[" + "0," * 300000 + "0]"),
}

# Against RFC 6455: the connection ends with that code, and another is made.
FATAL = {
    "not UTF-8": (TEXT, EVENT.encode().replace(b":1", b':"\xff\xfe"'), 1007),
    "a surrogate in UTF-8": (TEXT, EVENT.encode().replace(b":1", b':"\xed\xa0\x80"'), 1007),
    "an overlong form": (TEXT, EVENT.encode().replace(b":1", b':"\xc0\xaf"'), 1007),
    "UTF-8 that is cut off": (TEXT, b'{"type":"x.y","data":"\xe2\x82', 1007),
    "3 MB": (TEXT, EVENT.replace(":1", ':"' + "x" * 3_000_000 + '"').encode(), 1009),
    "3 MB of binary": (BINARY, b"\0" * 3_000_000, 1009),
}


def as_frames(form, opcode, payload):
    return frame(opcode, payload) if form == "one frame" else fragments(opcode, payload, FRAGMENTS)


def next_event(server, client, name):
    connection = server.connection
    connection.send({"id": f"after {name}", "type": "after.it", "timestamp": "t", "data": {}})
    client.wait_event_id(f"after {name}")


def others(client):
    """The events that are none of next_event's."""
    return [s for s in client.events() if s.body.get_child_value(0).unpack() != "after.it"]


def check_memory(relay, instrumented):
    if not instrumented:
        assert relay.status("VmHWM") < MAX_MEMORY_BYTES


FORMS = pytest.mark.parametrize("form", ["one frame", "fragments"])


@FORMS
def test_what_is_no_event_is_skipped(connected, server, client, instrumented, form):
    counts = {}
    for name, text in SKIPPED.items():
        before = client.get("MalformedDropped")
        server.connection.write(as_frames(form, TEXT, text.encode()))
        next_event(server, client, name)
        counts[name] = client.get("MalformedDropped") - before
    assert counts == {name: 1 for name in SKIPPED}
    assert others(client) == []
    assert len(server.connections) == 1 and server.connection.closed is None
    check_memory(connected, instrumented)


@FORMS
def test_binary_messages_are_skipped(connected, server, client, form):
    for payload in (EVENT.encode(), b"\0\xff" * 1000, b""):
        server.connection.write(as_frames(form, BINARY, payload))
    next_event(server, client, "binary")
    assert client.get("MalformedDropped") == 3
    assert others(client) == [] and len(server.connections) == 1


@FORMS
def test_what_is_unusual_is_relayed(connected, server, client, instrumented, form):
    for i, text in enumerate(RELAYED.values()):
        server.connection.write(as_frames(form, TEXT, text.replace('"bad"', f'"unusual {i}"').encode()))
    next_event(server, client, "the unusual")
    assert len(others(client)) == len(RELAYED)
    assert client.get("MalformedDropped") == 0
    assert len(server.connections) == 1 and server.connection.closed is None
    check_memory(connected, instrumented)


@FORMS
@pytest.mark.parametrize("name", FATAL)
def test_what_breaks_the_protocol_ends_the_connection(connected, server, client, instrumented, name, form):
    opcode, payload, code = FATAL[name]
    first = server.connection
    first.write(as_frames(form, opcode, payload))
    assert first.wait_closed()[0] == code
    server.wait_connection(2)
    client.wait_state("connected")
    next_event(server, client, name)
    assert others(client) == []
    wanted = "MESSAGE_TOO_BIG" if code == 1009 else "NOT_UTF8"
    assert wanted in [c for c, _ in client.changes("LastError")]
    check_memory(connected, instrumented)


@pytest.mark.parametrize("size,fits", [(2048, True), (2049, False)])
@FORMS
def test_the_limit_is_exact(relay, server, client, form, size, fits):
    """In bytes of the message, however many frames it comes in."""
    relay.configure(Limits={"MaxMessageBytes": 2048})
    server.established = {"connectionId": "c"}
    relay.start(client)
    client.wait_state("connected")
    text = '{"id":"big","type":"x.y","data":"é'.encode()
    connection = server.connection
    connection.write(as_frames(form, TEXT, text + b"x" * (size - len(text) - 2) + b'"}'))
    if fits:
        client.wait_event_id("big")
        next_event(server, client, "it")
        assert len(server.connections) == 1
    else:
        assert connection.wait_closed()[0] == 1009
        client.wait_state("connected")
        assert others(client) == []


def test_a_message_that_is_only_announced(connected, server, client, instrumented):
    """Its header tells that it is too big: nobody waits for what never comes."""
    first = server.connection
    first.write(struct.pack(">BBQ", 0x81, 127, 1 << 40))
    assert first.wait_closed()[0] == 1009
    server.wait_connection(2)
    next_event(server, client, "it")
    check_memory(connected, instrumented)


def test_a_message_that_never_ends(connected, server, client, instrumented):
    first = server.connection
    first.write(frame(TEXT, b'"', fin=False) + frame(0, b"x" * 1000, fin=False) * 3000)
    assert first.wait_closed()[0] == 1009
    server.wait_connection(2)
    next_event(server, client, "it")
    check_memory(connected, instrumented)


def test_empty_fragments_without_end(connected, server, client, instrumented):
    """No byte of payload, no end: it must cost nothing, and another connection's events arrive."""
    first = server.connection
    first.write(frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 500_000)
    wait_until(lambda: client.get("BytesReceived") > 1_000_000 or first.closed, "all to be read")
    if first.closed is None:
        first.write(frame(0, EVENT.encode()))
        client.wait_event_id("bad")
    else:
        server.wait_connection(2)
        client.wait_state("connected")
    next_event(server, client, "it")
    check_memory(connected, instrumented)


def test_control_frames_between_fragments(connected, server, client):
    text = EVENT.encode()
    server.connection.write(frame(TEXT, text[:10], fin=False) + frame(9, b"ping") + frame(0, b"", fin=False) +
                            frame(10, b"pong") + frame(0, text[10:]))
    client.wait_event_id("bad")
    assert len(server.connections) == 1


BROKEN = {
    "a masked frame": b"\x81\x82\0\0\0\0{}",
    "a reserved opcode": frame(3, b"{}"),
    "a reserved control opcode": frame(11, b""),
    "a reserved bit": frame(TEXT, b"{}", rsv=4),
    "a fragmented ping": frame(9, b"", fin=False),
    "a ping of 126 bytes": frame(9, b"x" * 126),
    "a continuation of nothing": frame(0, b"{}"),
    "a message within a message": frame(TEXT, b"{", fin=False) + frame(TEXT, b"{}"),
    "a length past 63 bits": struct.pack(">BBQ", 0x81, 127, 1 << 63),
    "a close frame of one byte": frame(8, b"x"),
    "a close frame with a bad code": frame(8, struct.pack(">H", 999)),
    "a close frame that is not UTF-8": frame(8, struct.pack(">H", 1000) + b"\xff"),
    "HTTP": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nServer: " + b"s" * 200 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_frames(connected, server, client, instrumented, name):
    """How much of this libsoup minds is its affair; ours is that the next event arrives, by whatever way."""
    first = server.connection
    first.write(BROKEN[name])
    if name == "a length past 63 bits":
        assert first.wait_closed()
    first.write(frame(TEXT, b'{"id":"behind","type":"behind.it","data":{}}'))
    wait_until(lambda: first.closed or [s for s in others(client) if s.body.unpack()[0] == "behind.it"],
               "an end, or the event behind")
    if first.closed is not None:
        server.wait_connection(2)
        client.wait_state("connected")
        assert any(code for code, _ in client.changes("LastError"))
    next_event(server, client, name)
    check_memory(connected, instrumented)


def test_cut_in_the_middle_of_a_frame(connected, server, client):
    first = server.connection
    first.write(frame(TEXT, b"x" * 1000)[:500])
    server.loop.call_soon_threadsafe(first.socket.transport.close)  # FIN, not RST
    server.wait_connection(2)
    client.wait_state("connected")
    assert "CONNECTION_LOST" in [c for c, _ in client.changes("LastError")]


def test_a_hundred_thousand_pings(connected, server, client, instrumented):
    first = server.connection
    first.flood(frame(9, b"x" * 100) * 100_000).result(60)
    if not first.settle():  # who pings and does not read in time is hung up on; either end is right
        server.wait_connection(2)
        client.wait_state("connected")
    next_event(server, client, "the pings")
    check_memory(connected, instrumented)


def test_pings_from_a_server_that_does_not_read(connected, server, client, instrumented):
    """Our pongs pile up: that has a bound."""
    first = server.connection
    first.socket.transport.pause_reading()
    poured = first.flood(frame(9, b"x" * 125) * 400_000)
    wait_until(lambda: poured.done() or len(server.connections) > 1, "an end", 60)
    check_memory(connected, instrumented)
    first.abort()
    server.wait_connection(2)
    client.wait_state("connected")
    next_event(server, client, "the pings")


CONFUSING = [
    {"type": "subscription.confirmed"},
    {"type": "subscription.confirmed", "data": None},
    {"type": "subscription.confirmed", "data": {"subscribedChannels": "project:p1"}},
    {"type": "subscription.confirmed",
     "data": {"subscribedChannels": [1, None, {}, "never:asked", "", "no syntax"]}},
    {"type": "connection.established", "data": []},
    {"type": "connection.established",
     "data": {"connectionId": 5, "serverVersion": None, "features": [1, "a", None]}},
    {"type": "connection.established", "data": {"connectionId": "x\0y\ufffe", "features": {}}},
    {"type": "pong", "data": "unasked for"},
    {"type": "heartbeat", "data": 7},
    {"type": "error"},
    {"type": "error", "data": {"code": 5, "message": [], "details": "x"}},
    {"type": "error",
     "data": {"code": "INVALID_CHANNEL", "message": "x", "details": {"requestId": {}, "action": 1}}},
    {"type": "error", "data": {"code": "INVALID_CHANNEL", "message": "x", "details": {"requestId": "relay-999"}}},
    {"type": "error", "data": {"code": "%s%n\n\x1b[31m", "message": "%s%n" * 1000}},
]


def test_messages_of_the_protocol_that_make_no_sense(connected, server, client):
    client.subscribe("project:p1")
    for message in CONFUSING:
        server.connection.send(json.dumps(message))
    next_event(server, client, "the confusion")
    assert client.subscribe("project:p1", "project:p2") == {"project:p1": "active", "project:p2": "active"}
    assert len(server.connections) == 1
    assert sorted(client.channels()) == ["project:p1", "project:p2"]
    assert "\x1b" not in connected.log
