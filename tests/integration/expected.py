# SPDX-License-Identifier: MIT
"""What the contract says a message of the server becomes on the bus: written anew from its words, in Python.

Values are compared in a normal form in which every D-Bus type is spelled out and the order of keys doesn't matter:
("s", "text"), ("x", 5), ("g", ""), ("av", [...]), ("a{sv}", {...}).
"""

import json
import pathlib
import re

from relay_bus import dict_of

DATA = pathlib.Path(__file__).resolve().parent / "data"

# type → signal, and (member of data, type of the argument, does it identify the event)
SIGNALS = {
    "prp.created": ("PrpCreated", [("id", "s", True), ("projectId", "s", True), ("name", "s", False),
                                   ("status", "s", False), ("priority", "s", False)]),
    "prp.updated": ("PrpUpdated", [("id", "s", True), ("changes", "a{sa{sv}}", False)]),
    "prp.status_changed": ("PrpStatusChanged", [("id", "s", True), ("previousStatus", "s", False),
                                                ("newStatus", "s", False), ("reason", "s", False)]),
    "prp.deleted": ("PrpDeleted", [("id", "s", True), ("projectId", "s", True), ("reason", "s", False)]),
    "agent.assigned": ("AgentAssigned", [("agentId", "s", True), ("prpId", "s", True), ("priority", "s", False)]),
    "agent.progress": ("AgentProgress", [("agentId", "s", True), ("prpId", "s", True), ("progress", "d", False),
                                         ("currentTask", "s", False)]),
    "error": ("ServerError", [("code", "s", False), ("message", "s", False)]),
}

# What D-Bus cannot carry: NUL, lone surrogates, noncharacters.
UNBEARABLE = re.compile("[\0\ud800-\udfff\ufdd0-\ufdef" + "".join(
    chr(plane << 16 | low) for plane in range(17) for low in (0xfffe, 0xffff)) + "]")


def example(name):
    """A JSON example of the protocol page, as it stands there."""
    return (DATA / f"{name}.json").read_text()


def normal(variant):
    """The normal form of a GVariant."""
    kind = variant.get_type_string()
    if kind == "v":
        return normal(variant.get_variant())
    if kind.startswith("a{"):
        return kind, {key: normal(value) for key, value in dict_of(variant).items()}
    if kind.startswith("a"):
        return kind, [normal(variant.get_child_value(i)) for i in range(variant.n_children())]
    return kind, variant.unpack()


def mapped(value):
    """The normal form of what a JSON value, as json.loads gives it, becomes."""
    if value is None:
        return "g", ""
    if isinstance(value, bool):
        return "b", value
    if isinstance(value, int):
        if -2**63 <= value < 2**63:
            return "x", value
        if 0 <= value < 2**64:
            return "t", value
        return "d", float(value)
    if isinstance(value, float):
        return "d", value
    if isinstance(value, str):
        return "s", UNBEARABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return "av", [mapped(v) for v in value]
    return "a{sv}", {UNBEARABLE.sub("\ufffd", key): mapped(v) for key, v in value.items()}


def argument(kind, value):
    """The normal form of one of a signal's first arguments."""
    if kind == "s":
        return mapped(value) if isinstance(value, str) else ("s", "")
    if kind == "d":
        return "d", float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
    fields = value if isinstance(value, dict) else {}
    return kind, {name: mapped(change if isinstance(change, dict) else {}) for name, change in fields.items()}


def expected(text):
    """(member, signature, arguments); the last is the event, without the relay's own `sequence` and `received`."""
    message = json.loads(text)
    data = message.get("data")
    members = data if isinstance(data, dict) else {}
    signal, arguments = SIGNALS.get(message["type"], ("OtherEvent", None))
    if arguments is None or any(required and not isinstance(members.get(name), str)
                                for name, _, required in arguments):
        signal, first = "OtherEvent", [("s", message["type"])]
    else:
        first = [argument(kind, members.get(name)) for name, kind, _ in arguments]
    event = {key: mapped(value) for key, value in dict({"id": "", "timestamp": ""}, **message).items()}
    signature = "(" + "".join(kind for kind, _ in first) + "a{sv})"
    return signal, signature, [*first, ("a{sv}", event)]


def received(signal):
    """A signal in the same form, and the (sequence, received) that were taken out."""
    arguments = [normal(signal.body.get_child_value(i)) for i in range(signal.body.n_children())]
    event = arguments[-1][1]
    sequence, moment = event.pop("sequence"), event.pop("received")
    assert sequence[0] == "t" and moment[0] == "t"
    return (signal.member, signal.body.get_type_string(), arguments), (sequence[1], moment[1])
