# SPDX-License-Identifier: MIT
"""A real gnome-keyring on the bus of the test, with a keyring file of its own."""

import os
import signal
import subprocess

from gi.repository import GLib

from relay_bus import BusError
from waiting import wait_until

NAME = "org.freedesktop.secrets"
SERVICE = "org.freedesktop.Secret.Service"
COLLECTION = "org.freedesktop.Secret.Collection"
ITEM = "org.freedesktop.Secret.Item"
# The back door that its own tests use: unlocks with a password where otherwise a person is asked.
BACK_DOOR = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface"
PATH = "/org/freedesktop/secrets"
LOGIN = PATH + "/collection/login"
PASSWORD = "password-of-the-keyring"

SCHEMA = "dev.prp.Relay1"


class Keyring:
    """Not yet started. May be started again when it has ended: what was stored is there, locked."""

    def __init__(self, home, bus, client):
        self.client = client
        self.home = home
        self.log_path = home.directory / "keyring.log"
        # It has critical warnings of its own, which are none of ours; and no display to ask on.
        self.environment = {key: value for key, value in home.environment.items() if key != "G_DEBUG"}
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = bus.address
        self.process = None

    def start(self, unlocked=True):
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets",
                   f"--control-directory={self.home.runtime}/keyring"]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + ["--unlock"] * unlocked, env=self.environment,
                                            stdin=subprocess.PIPE, stdout=log, stderr=log)
        if unlocked:
            self.process.stdin.write(PASSWORD.encode())
        self.process.stdin.close()
        wait_until(self.is_there, lambda: f"the keyring on the bus: {self.log_path.read_text()}")
        assert self.is_locked() != unlocked

    def is_there(self):
        assert self.process.poll() is None, self.log_path.read_text()
        try:
            return self.client.bus_call("GetNameOwner", "(s)", NAME)[0]
        except BusError:
            return None

    def is_locked(self):
        return self.call(LOGIN, "org.freedesktop.DBus.Properties", "Get", "(ss)", COLLECTION, "Locked").unpack()[0]

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def pause(self):
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def call(self, path, interface, method, signature=None, *arguments):
        return self.client.call(path, interface, method, signature, *arguments, name=NAME)

    def lock(self):
        self.call(PATH, SERVICE, "Lock", "(ao)", [LOGIN])
        assert self.is_locked()

    def _open_session(self):
        return self.call(PATH, SERVICE, "OpenSession", "(sv)", "plain", GLib.Variant("s", "")).unpack()[1]

    def unlock(self):
        """As a person would who types the password."""
        secret = (self._open_session(), b"", PASSWORD.encode(), "text/plain")
        self.call(PATH, BACK_DOOR, "UnlockWithMasterPassword", "(o(oayays))", LOGIN, secret)
        assert not self.is_locked()

    # -- what is in it, as any other program sees it

    def _tool(self, *arguments, text=None):
        return subprocess.run(["secret-tool", *arguments], env=self.environment, input=text, text=True, timeout=60,
                              capture_output=True, check=False)

    def store(self, kind, url, secret):
        result = self._tool("store", f"--label=PRP {kind}", "xdg:schema", SCHEMA, "kind", kind, "url", url,
                            text=self.home.secret(secret))
        assert result.returncode == 0, result.stderr

    def look_up(self, kind, url):
        """None where there is none."""
        result = self._tool("lookup", "xdg:schema", SCHEMA, "kind", kind, "url", url)
        assert result.returncode in (0, 1) and not result.stderr, result.stderr
        return result.stdout if result.returncode == 0 else None

    def clear(self, kind, url):
        assert self._tool("clear", "xdg:schema", SCHEMA, "kind", kind, "url", url).returncode == 0
