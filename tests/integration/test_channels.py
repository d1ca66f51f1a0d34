# SPDX-License-Identifier: MIT
"""The objects of the channels, the properties of the relay, and what introspection says of both."""

import xml.etree.ElementTree as ET

import pytest
from gi.repository import GLib

import interfaces
from relay_bus import CHANNEL, EVENTS, HISTORY, OBJECT_MANAGER, PATH, PROPERTIES, RELAY, BusError
from waiting import wait_until

PREFIX = PATH + "/channel/"


def introspect(client, path):
    return client.call(path, "org.freedesktop.DBus.Introspectable", "Introspect").unpack()[0]


def announced(client, member, path):
    return [s for s in list(client.signals) if s.interface == OBJECT_MANAGER and s.member == member and
            s.body.unpack()[0] == path]


# -- introspection

def test_introspection_of_the_relay_is_as_documented(connected, client):
    documented = interfaces.documented()
    assert {RELAY, EVENTS, HISTORY, CHANNEL} <= set(documented)
    del documented[CHANNEL]
    assert interfaces.parse(introspect(client, PATH)) == documented


def test_introspection_of_a_channel_is_as_documented(connected, client):
    client.subscribe("project:p1")
    path = client.channels()["project:p1"]["path"]
    assert interfaces.parse(introspect(client, path)) == {CHANNEL: interfaces.documented()[CHANNEL]}


def test_every_argument_has_a_name(connected):
    for interface in interfaces.documented().values():
        for member in [*interface["methods"].values(), *interface["signals"].values()]:
            assert all(argument[0] for argument in member)


def test_every_object_can_be_found_by_introspection(connected, client):
    client.subscribe("project:p1", "a:b/c")

    def walk(path):
        found = {path}
        for node in ET.fromstring(introspect(client, path)).findall("node"):
            found |= walk(f"{path.rstrip('/')}/{node.get('name')}")
        return found

    assert {PATH, *client.objects()} <= walk("/")


# -- objects

def test_life_of_a_channel(connected, server, client):
    client.subscribe("project:p1")
    path = client.channels()["project:p1"]["path"]
    assert path.startswith(PREFIX) and "/" not in path[len(PREFIX):]
    [added] = announced(client, "InterfacesAdded", path)
    properties = added.body.unpack()[1][CHANNEL]
    assert added.path == PATH
    assert properties["Name"] == "project:p1" and properties["Durable"] is True
    assert client.channels()["project:p1"]["State"] == "active"
    assert client.channels()["project:p1"]["ActiveSince"] > 0
    client.unsubscribe("project:p1")
    [removed] = wait_until(lambda: announced(client, "InterfacesRemoved", path), "InterfacesRemoved")
    assert CHANNEL in removed.body.unpack()[1]
    assert client.objects() == {}
    with pytest.raises(BusError):
        client.get_all(path, CHANNEL)


def test_properties_of_a_channel(connected, server, client, new_client):
    other = new_client()
    client.subscribe("project:p1")
    path = client.channels()["project:p1"]["path"]
    other.hold("project:p1", app_id="org.example.App", reason="why")
    values = client.get_all(path, CHANNEL)
    assert {name: v.get_type_string() for name, v in values.items()} == {
        "Name": "s", "State": "s", "Error": "(ss)", "Durable": "b", "Holders": "a(sss)", "ActiveSince": "t"}
    holders = [(other.name, "org.example.App", "why")]
    assert values["Holders"].unpack() == holders
    client.unsubscribe("project:p1")
    client.wait_told("Durable", False, path=path, interface=CHANNEL)
    client.wait_told("Holders", holders, path=path, interface=CHANNEL)

    server.connection.abort()
    client.wait_told("State", "pending", "active", path=path, interface=CHANNEL)
    since = client.changes("ActiveSince", path, CHANNEL)
    assert since[-2] == 0 and since[-1] > values["ActiveSince"].unpack()


def test_names_that_are_no_path(connected, client):
    names = ["a:b", "a:b/c", "~!@:#$%/\\\"'{}", "project:" + "x" * 247, "A:B", "a:_62"]
    client.subscribe(*names)
    assert set(client.channels()) == set(names)
    for name, have in client.channels().items():
        assert client.get("Name", have["path"], CHANNEL) == name


def test_changes_of_many_are_one_signal_each(connected, server, client):
    channels = [f"prp:{i}" for i in range(100)]
    client.subscribe(*channels)
    before = len(client.signals)
    server.connection.abort()
    server.wait_connection(2)
    wait_until(lambda: all(c["State"] == "active" for c in client.channels().values()), "all to be active again")
    for path in client.objects():
        client.wait_told("State", "pending", "active", path=path, interface=CHANNEL)
    per_path = {}
    for s in client.signals[before:]:
        if s.member == "PropertiesChanged" and s.body.unpack()[0] == CHANNEL:
            per_path.setdefault(s.path, []).append(s.body.unpack()[1])
    assert len(per_path) == 100
    assert all([c["State"] for c in changes] == ["pending", "active"] for changes in per_path.values())


def test_no_object_for_a_refused_channel(connected, server, client):
    server.refused = {"project:bad": "INVALID_CHANNEL"}
    with pytest.raises(BusError):
        client.subscribe("project:bad")
    client.ping()
    assert client.objects() == {}
    added = [s for s in client.signals if s.member == "InterfacesAdded"]
    removed = [s for s in client.signals if s.member == "InterfacesRemoved"]
    assert len(added) == len(removed)


# -- the relay's own properties

def test_properties_of_the_relay(connected, server, client):
    documented = interfaces.documented()[RELAY]["properties"]
    values = client.get_all()
    assert {name: v.get_type_string() for name, v in values.items()} == {n: p[0] for n, p in documented.items()}
    have = {name: v.unpack() for name, v in values.items()}
    assert have["Url"] == server.url() and have["State"] == "connected" and have["LastError"] == ("", "")
    assert have["NextAttempt"] == 0 and have["Attempts"] == 0 and have["TokenExpires"] == 0
    assert have["ConnectedSince"] > 0 and have["LastAlive"] >= have["ConnectedSince"] - 1_000_000
    assert have["Version"]


def test_properties_are_read_only(connected, client):
    with pytest.raises(BusError):
        client.call(PATH, PROPERTIES, "Set", "(ssv)", RELAY, "State", GLib.Variant("s", "x"))


def test_what_depends_on_the_connection_goes_with_it(connected, server, client):
    client.command("Disconnect")
    client.wait_state("disconnected")
    have = {name: v.unpack() for name, v in client.get_all().items()}
    empty = {"ConnectionId": "", "ServerVersion": "", "Features": [], "ConnectedSince": 0, "NextAttempt": 0}
    assert {name: have[name] for name in empty} == empty


def test_changes_are_coalesced(relay, server, client):
    relay.start(client)
    client.wait_state("connected")
    client.ping()
    changes = [s.body.unpack()[1] for s in client.signals if s.member == "PropertiesChanged" and s.path == PATH]
    [last] = [c for c in changes if c.get("State") == "connected"]
    assert {"ConnectionId", "ServerVersion", "Features"} <= set(last)
    assert client.changes("State") in (["connected"], ["connecting", "connected"])
    assert len(changes) <= 4, changes
