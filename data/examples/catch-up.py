#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Prints every event of the PRP relay once, in order, whatever is restarted meanwhile: the relay, or this.

Needs python3-gi, which every GNOME desktop has. Events are taken from their signals; the history is listed where
some may have been missed: at the start, and whenever the relay was started.
"""

import os
import pathlib
import sys

from gi.repository import Gio, GLib

RELAY, PATH = "dev.prp.Relay1", "/dev/prp/Relay1"
EVENTS, HISTORY, PROPERTIES = f"{RELAY}.Events", f"{RELAY}.History", "org.freedesktop.DBus.Properties"


class Cursor:
    """Where we are: behind which event of which history. Kept in a file that is replaced in one go."""

    def __init__(self, name):
        self.path = pathlib.Path(GLib.get_user_state_dir(), name, "cursor")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.history, self.sequence = None, 0
        if self.path.exists():
            history, sequence = self.path.read_text().split()
            self.history, self.sequence = history, int(sequence)

    def store(self):
        new = self.path.with_suffix(".new")
        new.write_text(f"{self.history} {self.sequence}\n")
        os.replace(new, self.path)


class CatchUp:
    def __init__(self, bus, cursor, handle, missed):
        self.bus, self.cursor, self.handle, self.missed = bus, cursor, handle, missed
        self.owner = None     # the relay's unique name, while it is there
        self.fresh = True     # its history was not yet compared with the cursor's
        self.listing = False  # signals are in the history, or will be: they only say that there is more of it
        self.more = False
        # The signals first: what comes while the history is listed is not missed.
        bus.signal_subscribe(RELAY, EVENTS, None, PATH, None, Gio.DBusSignalFlags.NONE, self.on_signal)
        bus.signal_subscribe(RELAY, PROPERTIES, "PropertiesChanged", PATH, HISTORY, Gio.DBusSignalFlags.NONE,
                             self.on_properties_changed)
        Gio.bus_watch_name_on_connection(bus, RELAY, Gio.BusNameWatcherFlags.AUTO_START, self.on_appeared,
                                         self.on_vanished)

    def on_appeared(self, _bus, _name, owner):
        self.owner, self.fresh = owner, True
        self.list()

    def on_vanished(self, _bus, _name):
        self.owner, self.listing = None, False

    def on_signal(self, _bus, sender, _path, _interface, member, arguments):
        if sender != self.owner:
            return
        if self.listing:
            self.more = True
        elif member == "Gap":
            self.list()  # it stands in the history, like an event
        else:
            self.take(arguments.unpack()[-1])

    def on_properties_changed(self, _bus, sender, _path, _interface, _member, arguments):
        changed = arguments.unpack()[1]
        # A relay that runs goes on with its numbers: it is only the name of the history that changes.
        if sender == self.owner and not self.fresh and "HistoryId" in changed:
            self.cursor.history = changed["HistoryId"]
            self.cursor.store()

    def take(self, event):
        if event["sequence"] > self.cursor.sequence:
            self.handle(event)
            self.cursor.sequence = event["sequence"]
            self.cursor.store()  # behind handling: an event that we die over comes again

    def call(self, interface, method, arguments, answered):
        owner = self.owner

        def on_answer(bus, result):
            if owner != self.owner:
                return  # of one that has left
            try:
                answered(*bus.call_finish(result).unpack())
            except GLib.Error as error:
                self.listing = False
                if owner == self.owner:
                    print(f"The history cannot be listed: {error.message}", file=sys.stderr, flush=True)

        self.bus.call(owner, PATH, interface, method, arguments, None, Gio.DBusCallFlags.NO_AUTO_START, -1, None, on_answer)

    def list(self):
        self.listing, self.more = True, False
        self.call(HISTORY, "ListEvents", GLib.Variant("(tua{sv})", (self.cursor.sequence, 0, {})), self.on_listed)

    def on_listed(self, events, last_sequence, more):
        # The properties are read behind the list, so that what they say holds for it.
        self.call(PROPERTIES, "GetAll", GLib.Variant("(s)", (HISTORY,)),
                  lambda properties: self.on_page(events, last_sequence, more, properties))

    def on_page(self, events, last_sequence, more, properties):
        cursor, is_new = self.cursor, self.cursor.history is None
        is_void = self.fresh and not is_new and (
            cursor.history != properties["HistoryId"] or cursor.sequence > properties["LastSequence"])
        cursor.history, self.fresh = properties["HistoryId"], False
        if is_void:
            self.missed("the relay has another history now")
            cursor.sequence = 0
            self.list()
            return
        begins = events[0]["sequence"] if events else None
        if not is_new and 0 < cursor.sequence < properties["FirstSequence"] - 1 and begins != cursor.sequence + 1:
            self.missed("the relay's history does not reach back that far")
        for event in events:
            self.take(event)
        cursor.sequence = max(cursor.sequence, last_sequence)
        cursor.store()
        self.listing = more or self.more
        if self.listing:
            self.list()


def handle(event):
    """Your own code: this is called once for each event."""
    if event["type"] == "relay.gap":
        gap = event["data"]
        print("gap", gap["since"], gap["until"], gap["cause"], *gap["channels"], flush=True)
    else:
        print("event", event["sequence"], event["type"], event["id"], flush=True)


def missed(why):
    print("Events may have been missed:", why, file=sys.stderr, flush=True)


if __name__ == "__main__":
    catch_up = CatchUp(Gio.bus_get_sync(Gio.BusType.SESSION), Cursor("catch-up-py"), handle, missed)
    GLib.MainLoop().run()
