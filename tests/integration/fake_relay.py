# SPDX-License-Identifier: MIT
"""A relay that does as it is told, made with GDBus from the interface files in dbus/, and a private dbus-daemon.

Environment: PRP_TEST_TIMEOUT_SCALE stretches every deadline; PRP_TEST_WRAPPER (programs run inside valgrind) does too.
"""

import fnmatch
import os
import pathlib
import re
import shlex
import subprocess
import threading
import time

from gi.repository import Gio, GLib

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
WRAPPER = shlex.split(os.environ.get("PRP_TEST_WRAPPER", ""))
SCALE = float(os.environ.get("PRP_TEST_TIMEOUT_SCALE", "5" if WRAPPER else "1"))
SECONDS = 10 * SCALE  # what anything may take that is not meant to fail

NAME = "dev.prp.Relay1"
PATH = "/dev/prp/Relay1"
RELAY = "dev.prp.Relay1"
EVENTS = "dev.prp.Relay1.Events"
CHANNEL = "dev.prp.Relay1.Channel"
HISTORY = "dev.prp.Relay1.History"
ERROR = "dev.prp.Relay1.Error."
OBJECT_MANAGER = """<node><interface name="org.freedesktop.DBus.ObjectManager"><method name="GetManagedObjects">
<arg name="objects" type="a{oa{sa{sv}}}" direction="out"/></method></interface></node>"""

# What an event is, member by member of its data, for each signal's arguments.
EVENT_TYPES = {
    "PrpCreated": ("prp.created", ("id", "projectId", "name", "status", "priority")),
    "PrpUpdated": ("prp.updated", ("id", "changes")),
    "PrpStatusChanged": ("prp.status_changed", ("id", "previousStatus", "newStatus", "reason")),
    "PrpDeleted": ("prp.deleted", ("id", "projectId", "reason")),
    "AgentAssigned": ("agent.assigned", ("agentId", "prpId", "priority")),
    "AgentProgress": ("agent.progress", ("agentId", "prpId", "progress", "currentTask")),
    "ServerError": ("error", ("code", "message")),
}

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
</busconfig>
"""

news = threading.Condition()


def wait_until(condition, what):
    deadline = time.monotonic() + SECONDS
    with news:
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for: {what() if callable(what) else what}"
            news.wait(min(left, 0.02))


class Refusal(Exception):
    """What a call is to be answered with."""


NO_ANSWER = object()


class Connection:
    loop = None

    def __init__(self, address):
        if Connection.loop is None:
            Connection.loop = threading.Thread(target=GLib.MainLoop().run, daemon=True)
            Connection.loop.start()
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self.connection.set_exit_on_close(False)

    def close(self):
        """By the socket, as relay_bus.Client does."""
        if not self.connection.is_closed():
            self.connection.get_stream().get_socket().shutdown(True, True)
            wait_until(self.connection.is_closed, "the end of a connection to the bus")

    def bus_call(self, method, arguments):
        return self.connection.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", method,
                                         arguments, None, Gio.DBusCallFlags.NONE, int(SECONDS * 1000), None).unpack()

    def emit(self, member, signature, *arguments, interface=EVENTS, destination=None):
        self.connection.emit_signal(destination, PATH, interface, member, GLib.Variant(signature, arguments))


class History:
    """What a relay keeps: given to the next one, it outlives the first.

    A test changes it while a client lists it, in the thread of the bus: as with a relay, nobody sees half of a change.
    """

    def __init__(self, history_id="history-1", first=1, last=0):
        self.lock = threading.RLock()
        self.id = history_id
        self.first, self.last = first, last
        self.events = []     # of {name: GVariant}
        self.page = 1000     # the most that is listed at once

    def add(self, event, sequence=None):
        """Gives it its number, and keeps it."""
        with self.lock:
            self.last = sequence or self.last + 1
            event["sequence"] = GLib.Variant("t", self.last)
            self.events.append(event)

    def expire(self, first):
        """Forgets what is before that number."""
        with self.lock:
            self.first = first
            self.events = [e for e in self.events if e["sequence"].unpack() >= first]

    def clear(self, history_id):
        with self.lock:
            self.id, self.first, self.events = history_id, self.last + 1, []

    def matches(self, event, after, wanted):
        data = event["data"].unpack() if "data" in event else {}
        kind = event["type"].unpack()
        ids = {what: data.get(f"{what}Id", data.get("id") if kind.startswith(what + ".") else None)
               for what in ("prp", "agent", "project")}
        return (event["sequence"].unpack() > after and event["received"].unpack() >= wanted.get("since", 0) and
                ("types" not in wanted or any(fnmatch.fnmatchcase(kind, glob) for glob in wanted["types"])) and
                all(ids[what] == wanted[what] for what in ids if what in wanted))

    def list(self, after, limit, wanted):
        with self.lock:
            found, newest = [e for e in self.events if self.matches(e, after, wanted)], self.last
        limit = min(limit or self.page, self.page)
        if wanted.get("newest"):
            return found[-limit:], newest, len(found) > limit
        more = len(found) > limit
        last = found[limit - 1]["sequence"].unpack() if more else max(newest, after)
        return found[:limit], last, more


class FakeRelay(Connection):
    """Answers with what is in `properties`, `states`, `refusals`, `channels` and `history`; notes every call."""

    def __init__(self, address, refusals=None, history=None, has_history=True, prepare=None, **properties):
        super().__init__(address)
        self.history = history or History()
        self.calls = []
        self.caller = None   # who made the last of them
        self.refusals = refusals or {}  # method: Refusal, or NO_ANSWER
        self.states = {}     # channel: state; active if it is not named
        self.channels = []   # properties of each channel
        self.during = {}     # method, or property: what to do before it is answered
        self.properties = {
            "Version": GLib.Variant("s", "0.1.0"), "State": GLib.Variant("s", "connected"),
            "LastError": GLib.Variant("(ss)", ("", "")), "NextAttempt": GLib.Variant("t", 0),
            "Attempts": GLib.Variant("u", 0), "Url": GLib.Variant("s", "wss://relay.example/ws"),
            "ConnectionId": GLib.Variant("s", "conn_abc123"), "ServerVersion": GLib.Variant("s", "1.0.0"),
            "Features": GLib.Variant("as", ["subscribe", "heartbeat"]),
            "ConnectedSince": GLib.Variant("t", int((time.time() - 60) * 1e6)),
            "LastAlive": GLib.Variant("t", int(time.time() * 1e6)), "TokenExpires": GLib.Variant("t", 0),
            **{name: GLib.Variant("t", i) for i, name in enumerate(
                ("EventsReceived", "EventsEmitted", "DuplicatesDropped", "MalformedDropped", "Connections",
                 "BytesReceived"))},
        }
        self.properties.update(properties)
        interface = Gio.DBusNodeInfo.new_for_xml((SOURCE_DIR / "dbus" / f"{RELAY}.xml").read_text()).interfaces[0]
        manager = Gio.DBusNodeInfo.new_for_xml(OBJECT_MANAGER).interfaces[0]
        channel = Gio.DBusNodeInfo.new_for_xml((SOURCE_DIR / "dbus" / f"{CHANNEL}.xml").read_text()).interfaces[0]
        self.channel_interface = channel
        history = Gio.DBusNodeInfo.new_for_xml((SOURCE_DIR / "dbus" / f"{HISTORY}.xml").read_text()).interfaces[0]
        if has_history:
            self.connection.register_object(PATH, history, self.on_call, self.get_history_property, None)
        self.connection.register_object(PATH, interface, self.on_call, self.get_property, None)
        self.connection.register_object(PATH, manager, self.on_call, None, None)
        if prepare is not None:  # before anybody can call
            prepare(self)
        assert self.bus_call("RequestName", GLib.Variant("(su)", (NAME, 4))) == (1,)

    def add_channel(self, name, state="active", error=("", ""), durable=True, holders=(), since=0):
        values = {"Name": GLib.Variant("s", name), "State": GLib.Variant("s", state),
                  "Error": GLib.Variant("(ss)", error), "Durable": GLib.Variant("b", durable),
                  "Holders": GLib.Variant("a(sss)", holders), "ActiveSince": GLib.Variant("t", since)}
        path = f"{PATH}/channel/" + re.sub("[^A-Za-z0-9]", lambda m: f"_{ord(m[0]):02x}", name)
        self.channels.append((path, values))
        self.connection.register_object(path, self.channel_interface, None,
                                        lambda c, s, p, i, property_name: values[property_name], None)

    def get_property(self, _connection, _sender, _path, _interface, name):
        self.during.get(name, lambda: None)()
        return self.properties[name]

    def get_history_property(self, _connection, _sender, _path, _interface, name):
        self.during.get(name, lambda: None)()
        return {"HistoryId": GLib.Variant("s", self.history.id), "FirstSequence": GLib.Variant("t", self.history.first),
                "LastSequence": GLib.Variant("t", self.history.last)}[name]

    def on_call(self, _connection, sender, _path, _interface, method, arguments, invocation):
        with news:
            self.calls.append((method, *arguments.unpack()))
            self.caller = sender
            news.notify_all()
        self.during.get(method, lambda: None)()
        refusal = self.refusals.get(method)
        if refusal is NO_ANSWER:
            return
        if refusal is not None:
            invocation.return_dbus_error(*refusal.args)
        elif method in ("Subscribe", "Hold"):
            states = {channel: self.states.get(channel, "active") for channel in arguments.unpack()[0]}
            invocation.return_value(GLib.Variant("(a{ss})", (states,)) if method == "Subscribe" else
                                    GLib.Variant("(ua{ss})", (7, states)))
        elif method == "ListEvents":
            invocation.return_value(GLib.Variant("(aa{sv}tb)", self.history.list(*arguments.unpack())))
        elif method == "Ping":
            invocation.return_value(GLib.Variant("(t)", (12345,)))
        elif method == "GetManagedObjects":
            objects = {path: {CHANNEL: values} for path, values in self.channels}
            invocation.return_value(GLib.Variant("(a{oa{sa{sv}}})", (objects,)))
        else:
            invocation.return_value(None)

    def calls_of(self, method):
        return [call for call in self.calls if call[0] == method]

    def set(self, **properties):
        self.properties.update(properties)
        self.emit("PropertiesChanged", "(sa{sv}as)", RELAY, properties, [], interface="org.freedesktop.DBus.Properties")

    @staticmethod
    def make_event(member, signature, arguments, event):
        """The event of a signal, as what the server sent it for."""
        kind, names = EVENT_TYPES.get(member, ("x", ()))
        types = re.findall(r"a\{sa\{sv\}\}|.", signature)
        # An object in an object is a variant in a variant.
        members = {name: GLib.Variant("a{sv}", {key: GLib.Variant("a{sv}", value) for key, value in argument.items()})
                   if kind == "a{sa{sv}}" else GLib.Variant(kind, argument)
                   for name, kind, argument in zip(names, types, arguments)}
        values = {"received": GLib.Variant("t", int(time.time() * 1e6)), "id": GLib.Variant("s", "msg_1"),
                  "type": GLib.Variant("s", arguments[0] if member == "OtherEvent" else kind),
                  "timestamp": GLib.Variant("s", "")}
        if members:
            values["data"] = GLib.Variant("a{sv}", members)
        values.update({key: value if isinstance(value, GLib.Variant) else GLib.Variant("s", value)
                       for key, value in event.items()})
        return values

    def emit_event(self, member, signature, *arguments, stored=True, sequence=None, **event):
        """Keeps it, and signals it; or what was kept already (`stored` False) only signals."""
        values = self.make_event(member, signature, arguments, event)
        with self.history.lock:
            self.history.add(values, sequence)
            if not stored:
                self.history.events.pop()
        self.emit(member, f"({signature}a{{sv}})", *arguments, values)

    def emit_deleted(self, prp_id, **options):
        self.emit_event("PrpDeleted", "sss", prp_id, "proj_1", "", id=f"msg_{prp_id}", **options)

    def store_deleted(self, *prp_ids, **options):
        """Kept, and signalled to nobody who listens now."""
        for prp_id in prp_ids:
            self.history.add(self.make_event("PrpDeleted", "sss", (prp_id, "proj_1", ""), dict(options, id=f"msg_{prp_id}")))

    def emit_gap(self, since, until, cause, channels):
        gap = {"since": GLib.Variant("x", since), "until": GLib.Variant("x", until), "cause": GLib.Variant("s", cause),
               "channels": GLib.Variant("av", [GLib.Variant("s", channel) for channel in channels]),
               "sequence": GLib.Variant("x", self.history.last + 1)}
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(until // 1000000)) + f".{until % 1000000:06}Z"
        self.history.add(self.make_event("OtherEvent", "s", ("relay.gap",), {
            "id": "", "timestamp": moment, "received": GLib.Variant("t", until), "data": GLib.Variant("a{sv}", gap)}))
        self.emit("Gap", "(ttsast)", since, until, cause, channels, self.history.last)

    def change_history(self, history_id):
        """Cleared, or lost, while it runs."""
        self.history.clear(history_id)
        self.emit("PropertiesChanged", "(sa{sv}as)", HISTORY, {"HistoryId": GLib.Variant("s", history_id)}, [],
                  interface="org.freedesktop.DBus.Properties")


class Bus:
    def __init__(self, directory):
        self.services = directory / "services"
        self.services.mkdir()
        self.address = f"unix:path={directory / 'bus'}"
        config = directory / "bus.conf"
        config.write_text(BUS_CONFIG.format(socket=directory / "bus", services=self.services))
        read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog", f"--print-address={write_end}"],
            pass_fds=[write_end], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write_end)
        with os.fdopen(read_end) as ready:
            assert ready.readline().startswith("unix:")

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS)
