#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Follows one PRP, and the state of the relay meanwhile: watch-one.py prp_789012

Needs python3-gi, which every GNOME desktop has. The bus passes on only what is about this PRP, by the first argument of the
signals: whatever else happens does not wake this program. It holds the PRP's channel, so it is subscribed for as long as
this runs. It shows what happens from now on; catch-up.py also gets what came while it did not run.
"""

import signal
import sys

from gi.repository import Gio, GLib

RELAY, PATH = "dev.prp.Relay1", "/dev/prp/Relay1"
EVENTS = f"{RELAY}.Events"


class Relay:
    """Its properties, as they are now: GDBus keeps them up to date."""

    def __init__(self, bus, prp):
        self.bus, self.prp = bus, prp
        self.proxy = Gio.DBusProxy.new_sync(bus, Gio.DBusProxyFlags.NONE, None, RELAY, PATH, RELAY, None)
        self.proxy.connect("g-properties-changed", self.on_properties_changed)
        # A hold ends with the relay, so each that comes gets one of its own.
        Gio.bus_watch_name_on_connection(bus, RELAY, Gio.BusNameWatcherFlags.AUTO_START, self.on_appeared,
                                         lambda *_: print("relay: gone", flush=True))

    def on_appeared(self, _bus, _name, _owner):
        self.proxy.call("Hold", GLib.Variant("(asa{sv})", ([f"prp:{self.prp}"], {"app-id": GLib.Variant("s", "watch-one")})),
                        Gio.DBusCallFlags.NONE, -1, None, self.on_held)

    def on_held(self, proxy, result):
        try:
            _cookie, states = proxy.call_finish(result).unpack()
        except GLib.Error as error:
            print(f"relay: {error.message}", file=sys.stderr, flush=True)
            return
        self.show_state()
        for channel, state in states.items():
            print(f"{channel}: {state}", flush=True)

    def show_state(self):
        state, error = self.proxy.get_cached_property("State"), self.proxy.get_cached_property("LastError")
        code, text = error.unpack() if error else ("", "")
        print(f"relay: {state.unpack() if state else 'gone'}" + (f" ({code}: {text})" if code else ""), flush=True)

    def on_properties_changed(self, _proxy, changed, _invalidated):
        if "State" in changed.keys():
            self.show_state()


def on_event(_bus, _sender, _path, _interface, member, arguments, prp):
    values = arguments.unpack()
    if member == "PrpStatusChanged":
        _id, previous, status, reason, _event = values
        print(f"{prp}: {previous} → {status}" + (f" ({reason})" if reason else ""), flush=True)
    elif member == "PrpDeleted":
        print(f"{prp}: deleted", flush=True)
    elif member == "AgentProgress":
        agent, about, progress, task, _event = values
        if about == prp:
            print(f"{prp}: {agent} has done {progress:g} % ({task})", flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(f"Usage: {sys.argv[0]} PRP")
    prp = sys.argv[1]
    bus = Gio.bus_get_sync(Gio.BusType.SESSION, None)
    # By arg0, the PRP's id. In AgentProgress that is the agent's, so there is more of it than is wanted.
    for member, arg0 in (("PrpStatusChanged", prp), ("PrpDeleted", prp), ("AgentProgress", None)):
        bus.signal_subscribe(RELAY, EVENTS, member, PATH, arg0, Gio.DBusSignalFlags.NONE, on_event, prp)
    relay = Relay(bus, prp)  # lives as long as the loop
    loop = GLib.MainLoop()
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, loop.quit)
    GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGINT, loop.quit)
    loop.run()
    del relay


main()
