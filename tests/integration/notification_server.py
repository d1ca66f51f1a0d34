# SPDX-License-Identifier: MIT
"""A server of org.freedesktop.Notifications that does as it is told, and remembers what it was asked for."""

import itertools
import threading

from gi.repository import Gio, GLib

from relay_bus import Client
from waiting import tell, wait_until

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"
INTERFACE = """<node><interface name="org.freedesktop.Notifications">
<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/><arg type="a{sv}" direction="in"/>
<arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<method name="CloseNotification"><arg type="u" direction="in"/></method>
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
<method name="GetServerInformation"><arg type="s" direction="out"/><arg type="s" direction="out"/>
<arg type="s" direction="out"/><arg type="s" direction="out"/></method>
</interface></node>"""

EXPIRED, DISMISSED, CLOSED = 1, 2, 3


class Notification:
    def __init__(self, notification_id, arguments):
        self.id = notification_id
        self.app, self.replaces, self.icon, self.summary, self.body, actions, self.hints, self.timeout = arguments
        self.actions = dict(zip(actions[::2], actions[1::2]))
        self.text = f"{self.summary}\n{self.body}"

    def __repr__(self):
        return f"<{self.id} replaces {self.replaces}: {self.text!r} {self.hints}>"


class NotificationServer:
    """On the bus from its making on, unless it is told to come later."""

    def __init__(self, bus, capabilities=("actions", "body", "body-markup"), name="dunst", comes=True, first_id=1):
        self.bus = bus
        self.capabilities = list(capabilities)
        self.name = name
        self.calls = []       # every method, in order
        self.sent = []        # every Notification, in order
        self.shown = {}       # id → Notification: what is on the screen
        self.closed = []      # ids that it was asked to close
        self.hold = False     # keeps the answers to Notify until released; the notifications are shown at once
        self.held = []
        self.mute = set()     # methods that are never answered
        self.refusals = {}    # method → the name of the error
        self._ids = itertools.count(first_id)
        self._lock = threading.RLock()  # what a person does comes behind the answer to the call that showed it
        self.client = None
        if comes:
            self.come()

    # -- life

    def come(self):
        self.client = Client(self.bus.address, listens=False)
        node = Gio.DBusNodeInfo.new_for_xml(INTERFACE)
        self.client.connection.register_object(PATH, node.interfaces[0], self._on_call, None, None)
        self.client.bus_call("RequestName", "(su)", NAME, 4)

    def leave(self):
        """Crashes."""
        self.client.close()
        self.shown.clear()
        self.held.clear()

    def finish(self):
        if self.client is not None:
            self.client.close()

    # -- what it does

    def _on_call(self, _connection, _sender, _path, _interface, method, arguments, invocation):
        with self._lock:
            self._take_call(method, arguments.unpack(), invocation)
        tell()

    def _take_call(self, method, values, invocation):
        self.calls.append(method)
        if method in self.refusals:
            invocation.return_dbus_error(self.refusals[method], "As the test wants it.")
        elif method == "GetCapabilities" and method not in self.mute:
            invocation.return_value(GLib.Variant("(as)", [self.capabilities]))
        elif method == "GetServerInformation" and method not in self.mute:
            invocation.return_value(GLib.Variant("(ssss)", [self.name, "test", "1", "1.2"]))
        elif method == "CloseNotification":
            self.closed.append(values[0])
            if self.shown.pop(values[0], None) is not None:
                self._signal("NotificationClosed", "(uu)", values[0], CLOSED)
            invocation.return_value(None)
        elif method == "Notify" and method not in self.mute:
            self._show(values, invocation)

    def _show(self, values, invocation):
        notification = Notification(values[1] if values[1] in self.shown else next(self._ids), values)
        self.sent.append(notification)
        self.shown[notification.id] = notification
        answer = (invocation, notification.id)
        if self.hold:
            self.held.append(answer)
        else:
            self._answer(answer)

    def _answer(self, answer):
        answer[0].return_value(GLib.Variant("(u)", [answer[1]]))

    def release(self):
        """Gives the answers that were kept, and keeps none from now on."""
        self.hold = False
        while self.held:
            self._answer(self.held.pop(0))

    def _signal(self, member, signature, *arguments):
        self.client.connection.emit_signal(None, PATH, NAME, member, GLib.Variant(signature, arguments))

    # -- the person in front of it

    def close(self, notification_id, reason=DISMISSED):
        with self._lock:
            self.shown.pop(notification_id, None)
            self._signal("NotificationClosed", "(uu)", notification_id, reason)
        self.settle()

    def invoke(self, notification_id, action, token=None):
        with self._lock:
            if token is not None:
                self._signal("ActivationToken", "(us)", notification_id, token)
            self._signal("ActionInvoked", "(us)", notification_id, action)
        self.settle()

    def settle(self):
        """Waits until the bus has passed on all that was said."""
        self.client.bus_call("GetId")

    # -- what is there

    @property
    def texts(self):
        return [n.text for n in self.shown.values()]

    def wait_shown(self, *parts, count=1):
        """The only notification on the screen (or one of so many), when all these texts are in it."""
        def there():
            found = [n for n in list(self.shown.values()) if all(part in n.text for part in parts)]
            return len(self.shown) == count and found and found[0]
        return wait_until(there, lambda: f"a notification with {parts}; there are {list(self.shown.values())}")

    def wait_nothing_shown(self):
        wait_until(lambda: not self.shown, lambda: f"an empty screen; there are {list(self.shown.values())}")

    def wait_sent(self, count):
        wait_until(lambda: len(self.sent) >= count, lambda: f"{count} calls of Notify; there were {self.sent}")
        return self.sent[count - 1]

    def wait_calls(self, method, count=1):
        wait_until(lambda: self.calls.count(method) >= count, lambda: f"{count} calls of {method}; there were {self.calls}")
