# SPDX-License-Identifier: MIT
"""A caller on the bus that keeps no rules: it writes messages to the bus by itself, reads what comes only if it wants to, and
vanishes without a word."""

import os
import re
import socket

from gi.repository import Gio, GLib

from relay_bus import NAME

BUS = "org.freedesktop.DBus"


class RawCaller:
    def __init__(self, address):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(re.match(r"unix:path=(.*)", address)[1])
        self._serial = 0
        self._socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        assert self._socket.recv(200).startswith(b"OK ")
        self._socket.sendall(b"BEGIN\r\n" + self.message("Hello", name=BUS, path="/org/freedesktop/DBus", interface=BUS))
        self._socket.recv(65536)

    def message(self, method, body=None, name=NAME, path="/dev/prp/Relay1", interface=NAME):
        """The bytes of a call."""
        return self.seal(Gio.DBusMessage.new_method_call(name, path, interface, method), body)

    def seal(self, message, body=None):
        self._serial += 1
        message.set_serial(self._serial)
        if body is not None:
            message.set_body(body)
        return bytes(message.to_blob(Gio.DBusCapabilityFlags.NONE))

    def reply(self, to, serial, body=None):
        """An answer to a call that nobody made."""
        message = Gio.DBusMessage.new()
        message.set_message_type(Gio.DBusMessageType.METHOD_RETURN)
        message.set_destination(to)
        message.set_header(Gio.DBusMessageHeaderField.REPLY_SERIAL, GLib.Variant("u", serial))
        return self.seal(message, body)

    def signal(self, interface, member, path, body=None, to=None):
        message = Gio.DBusMessage.new_signal(path, interface, member)
        if to is not None:
            message.set_destination(to)
        return self.seal(message, body)

    def write(self, *messages):
        """As far as the bus takes it: the rest is dropped with who would not read."""
        self._socket.setblocking(False)
        try:
            for message in messages:
                self._socket.sendall(message)
        except OSError:
            pass

    def read(self):
        """What is there."""
        self._socket.settimeout(20)
        return self._socket.recv(1 << 20)

    def close(self):
        self._socket.close()
