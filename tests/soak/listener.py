# SPDX-License-Identifier: MIT
"""A program that listens to the relay, and writes down what it hears: ADDRESS FILE

A line is `E SENDER SEQUENCE ID` or `G SENDER SEQUENCE SINCE UNTIL CAUSE CHANNEL,…`. It is stopped and continued by others, and on
SIGTERM it hears what has already reached it to its end, writes all, and leaves.
"""

import signal
import sys

from gi.repository import Gio, GLib

EVENTS = "dev.prp.Relay1.Events"
FLUSH_MSEC = 500


def main():
    address, path = sys.argv[1:]
    flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
    bus = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
    loop = GLib.MainLoop()
    with open(path, "w") as file:
        def on_signal(_bus, sender, _path, _interface, member, body):
            if member == "Gap":
                since, until, cause, channels, sequence = body.unpack()
                file.write(f"G {sender} {sequence} {since} {until} {cause} {','.join(channels)}\n")
            else:
                event = body.get_child_value(body.n_children() - 1)
                sequence, name = (event.lookup_value(key, None).unpack() for key in ("sequence", "id"))
                file.write(f"E {sender} {sequence} {name}\n")

        def on_sigterm():
            # Answered behind all that the bus had for us before.
            bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", None, None,
                     Gio.DBusCallFlags.NONE, -1, None, lambda *_: GLib.timeout_add(100, loop.quit))
            return GLib.SOURCE_REMOVE

        bus.signal_subscribe(None, EVENTS, None, None, None, Gio.DBusSignalFlags.NONE, on_signal)
        bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId", None, None,
                      Gio.DBusCallFlags.NONE, -1, None)
        GLib.timeout_add(FLUSH_MSEC, lambda: file.flush() or True)
        GLib.unix_signal_add(GLib.PRIORITY_DEFAULT, signal.SIGTERM, on_sigterm)
        print("ready", flush=True)
        loop.run()


main()
