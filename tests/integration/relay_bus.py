# SPDX-License-Identifier: MIT
"""A private message bus, and a client on it that remembers every signal with its exact types.

The client is GDBus: GVariants know their D-Bus types, and the product (sd-bus) shares no code with it.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from gi.repository import Gio, GLib

from waiting import SCALE, tell, wait_until

HERE = pathlib.Path(__file__).resolve().parent

NAME = "dev.prp.Relay1"
PATH = "/dev/prp/Relay1"
RELAY = "dev.prp.Relay1"
EVENTS = "dev.prp.Relay1.Events"
HISTORY = "dev.prp.Relay1.History"
CHANNEL = "dev.prp.Relay1.Channel"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
ERROR = "dev.prp.Relay1.Error."
LIMITS_EXCEEDED = "org.freedesktop.DBus.Error.LimitsExceeded"
INVALID_ARGS = "org.freedesktop.DBus.Error.InvalidArgs"

CALL_SEC = 20  # what a method call may take at most; Subscribe may wait 10 s for the server

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow user="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
  <limit name="max_message_size">134217728</limit>
  <limit name="max_replies_per_connection">50000</limit>
  <limit name="service_start_timeout">{start_msec}</limit>
</busconfig>
"""


class PrivateBus:
    """A bus of the test's own: nothing of the machine's is on it, and nothing of it gets out."""

    def __init__(self, kind, directory, environment):
        self.kind = kind
        self.services = directory / "services"
        self.services.mkdir()
        self.socket = directory / "bus"
        self.address = f"unix:path={self.socket}"
        self.log_path = directory / "bus.log"
        config = directory / "bus.conf"
        config.write_text(BUS_CONFIG.format(socket=self.socket, services=self.services,
                                            start_msec=int(25000 * SCALE)))
        with open(self.log_path, "wb") as log:
            if kind == "dbus-broker":
                self._start_broker(config, environment, log)
            else:
                self._start_daemon(config, environment, log)

    def _start_daemon(self, config, environment, log):
        read_end, write_end = os.pipe()
        self.process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--nosyslog",
             f"--print-address={write_end}"],
            pass_fds=[write_end], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(write_end)
        with os.fdopen(read_end) as address:  # ends when the bus is ready, or dead
            assert address.readline().startswith(self.address), self.log_path.read_text()

    def _start_broker(self, config, environment, log):
        # The socket listens before the broker runs: whoever connects is served when it is ready. The launcher is
        # the first: it has to be a client of the bus that it starts.
        environment = dict(environment, DBUS_SESSION_BUS_ADDRESS=self.address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(self.socket))
            listener.listen(128)
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "broker_launcher.py"), str(listener.fileno()), str(config)],
                pass_fds=[listener.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def router_pid(self):
        """The process that carries the messages (dbus-broker-launch only starts it)."""
        if self.kind == "dbus-daemon":
            return self.process.pid

        def find():
            for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
                try:
                    match = re.match(r"(\d+) \((.*)\) \S (\d+)", status.read_text())
                except OSError:
                    continue
                if match[2] == "dbus-broker" and int(match[3]) == self.process.pid:
                    return int(match[1])
            return 0

        return wait_until(find, "the broker's own process")

    def add_service(self, name, command):
        (self.services / f"{name}.service").write_text(f"[D-BUS Service]\nName={name}\nExec={command}\n")

    def kill(self):
        """As if it crashed."""
        os.kill(self.router_pid(), signal.SIGKILL)
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10 * SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def broker_trouble(directory, environment):
    """Why dbus-broker cannot be started here; None if it can."""
    bus = PrivateBus("dbus-broker", directory, environment)
    try:
        Client(bus.address).close()
        return None
    except GLib.Error as error:
        bus.process.wait(10 * SCALE)
        return bus.log_path.read_text().strip() or error.message
    finally:
        bus.stop()


class BusError(Exception):
    """An error that a method call was answered with."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or f"local: {error.message}"
        Gio.DBusError.strip_remote_error(error)
        self.message = error.message
        super().__init__(f"{self.name}: {self.message}")


Signal = collections.namedtuple("Signal", "time sender path interface member body")


def _run_main_loop():
    GLib.MainLoop().run()


_main_loop = threading.Thread(target=_run_main_loop, name="glib", daemon=True)


class Client:
    """One connection to the bus. Remembers all signals on it from its first moment, unless it does not listen."""

    def __init__(self, address, listens=True):
        if not _main_loop.is_alive():
            _main_loop.start()
        flags = Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION
        self.connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self.connection.set_exit_on_close(False)
        self.name = self.connection.get_unique_name()
        self.signals = []
        if listens:
            everything = [None] * 5
            self.connection.signal_subscribe(*everything, Gio.DBusSignalFlags.NONE, self._on_signal)
            self.bus_call("GetId")  # answered after the match rule is in place

    def _on_signal(self, _connection, sender, path, interface, member, body):
        self.signals.append(Signal(time.time(), sender, path, interface, member, body))
        tell()

    def close(self):
        """By the socket: GDBus's own close has been seen to wait for ever, once in a thousand tests."""
        if not self.connection.is_closed():
            self.connection.get_stream().get_socket().shutdown(True, True)
            wait_until(self.connection.is_closed, "the end of a connection to the bus")

    # -- calls

    def call_async(self, path, interface, method, signature=None, *args, name=NAME, start=False, seconds=CALL_SEC):
        """A Future of the reply's GVariant, or of a BusError."""
        future = concurrent.futures.Future()

        def on_reply(connection, result):
            try:
                future.set_result(connection.call_finish(result))
            except GLib.Error as error:
                future.set_exception(BusError(error))
            tell()

        flags = Gio.DBusCallFlags.NONE if start else Gio.DBusCallFlags.NO_AUTO_START
        self.connection.call(name, path, interface, method, GLib.Variant(signature, args) if signature else None,
                             None, flags, int(seconds * SCALE * 1000), None, on_reply)
        return future

    def call(self, path, interface, method, signature=None, *args, **options):
        return self.call_async(path, interface, method, signature, *args, **options).result()

    def bus_call(self, method, signature=None, *args):
        return self.call("/org/freedesktop/DBus", "org.freedesktop.DBus", method, signature, *args,
                         name="org.freedesktop.DBus").unpack()

    def owner(self):
        """The relay's unique name, or None."""
        try:
            return self.bus_call("GetNameOwner", "(s)", NAME)[0]
        except BusError:
            return None

    def subscribe_async(self, *channels):
        return self.call_async(PATH, RELAY, "Subscribe", "(as)", list(channels))

    def subscribe(self, *channels):
        return self.subscribe_async(*channels).result().unpack()[0]

    def unsubscribe(self, *channels):
        self.call(PATH, RELAY, "Unsubscribe", "(as)", list(channels))

    def hold(self, *channels, **options):
        """(cookie, states)"""
        values = {key.replace("_", "-"): GLib.Variant("s", value) for key, value in options.items()}
        return self.call(PATH, RELAY, "Hold", "(asa{sv})", list(channels), values).unpack()

    def release(self, cookie):
        self.call(PATH, RELAY, "Release", "(u)", cookie)

    def list_events_async(self, after=0, limit=0, **keys):
        """A Future of ListEvents' reply. Keys of the filter: values, or GVariants."""
        kinds = {"types": "as", "since": "t", "newest": "b"}
        values = {key: value if isinstance(value, GLib.Variant) else GLib.Variant(kinds.get(key, "s"), value)
                  for key, value in keys.items()}
        return self.call_async(PATH, HISTORY, "ListEvents", "(tua{sv})", after, limit, values)

    def list_events(self, after=0, limit=0, **keys):
        """(events, last_sequence, more); the events unpacked."""
        return self.list_events_async(after, limit, **keys).result().unpack()

    def history_id(self):
        return self.get("HistoryId", interface=HISTORY)

    def ping(self):
        return self.call(PATH, RELAY, "Ping").unpack()[0]

    def command(self, method):
        """Connect, Disconnect, Reload."""
        self.call(PATH, RELAY, method)

    def get(self, name, path=PATH, interface=RELAY):
        return self.call(path, PROPERTIES, "Get", "(ss)", interface, name).unpack()[0]

    def get_all(self, path=PATH, interface=RELAY):
        """Name → GVariant."""
        table = self.call(path, PROPERTIES, "GetAll", "(s)", interface).get_child_value(0)
        return dict_of(table)

    def objects(self):
        """Path → interface → property → value, of the ObjectManager."""
        return self.call(PATH, OBJECT_MANAGER, "GetManagedObjects").unpack()[0]

    def channels(self):
        """Channel's name → its properties (and "path")."""
        result = {}
        for path, interfaces in self.objects().items():
            properties = dict(interfaces[CHANNEL], path=path)
            assert properties["Name"] not in result
            result[properties["Name"]] = properties
        return result

    # -- waiting

    def wait_state(self, *states, seconds=10):
        """For the State property to be one of these."""
        def trouble():
            return f"State {states}; it is {self.get('State')}, LastError {self.get('LastError')}"
        return wait_until(lambda: self.get("State") in states, trouble, seconds)

    def wait_get(self, name, value, seconds=10, **where):
        return wait_until(lambda: self.get(name, **where) == value,
                          lambda: f"{name} {value!r}; it is {self.get(name, **where)!r}", seconds)

    def wait_error(self, *codes, seconds=10):
        """For LastError to have one of these codes, whatever its text; returns both."""
        return wait_until(lambda: (error := self.get("LastError"))[0] in codes and error,
                          lambda: f"LastError {' or '.join(codes)}; it is {self.get('LastError')!r}", seconds)

    def wait_channel(self, channel, seconds=10, **wanted):
        """For a channel object whose properties are these."""
        def there():
            have = self.channels().get(channel)
            return have is not None and all(have[key] == value for key, value in wanted.items()) and have
        return wait_until(there, lambda: f"{channel} {wanted}; there is {self.channels()}", seconds)

    # -- signals

    def events(self, member=None):
        return [s for s in list(self.signals) if s.interface == EVENTS and member in (None, s.member)]

    def wait_event(self, condition, what="an event", seconds=10):
        """The first event signal that the condition holds for."""
        return wait_until(lambda: next((s for s in self.events() if condition(s)), None), what, seconds)

    def wait_event_id(self, event_id, seconds=10):
        return self.wait_event(lambda s: s.member != "Gap" and event_of(s)["id"] == event_id, f"the event {event_id}", seconds)

    def changes(self, name, path=PATH, interface=RELAY):
        """Every value that PropertiesChanged gave for a property, in order.

        Changes are told once a turn of the relay's loop, and a call in that same turn is answered with the new value: what get() or
        an answer has shown may be told only a moment later. For that, wait_told().
        """
        values = []
        for s in list(self.signals):
            if s.path == path and s.member == "PropertiesChanged":
                of, changed, _ = s.body.unpack()
                if of == interface and name in changed:
                    values.append(changed[name])
        return values

    def wait_told(self, name, *values, **where):
        """For the latest values that PropertiesChanged gave for a property to be these."""
        wait_until(lambda: self.changes(name, **where)[-len(values):] == list(values),
                   lambda: f"{name} to become {values}; it became {self.changes(name, **where)}")


def dict_of(variant):
    """A dictionary of GVariants; a key that stands twice is a failure."""
    result = {}
    for i in range(variant.n_children()):
        entry = variant.get_child_value(i)
        key = entry.get_child_value(0).unpack()
        assert key not in result, f"{key!r} twice in {variant.print_(True)}"
        value = entry.get_child_value(1)
        result[key] = value.get_variant() if value.get_type_string() == "v" else value
    return result


def event_of(signal):
    """The last argument of an event's signal, unpacked."""
    return signal.body.get_child_value(signal.body.n_children() - 1).unpack()
