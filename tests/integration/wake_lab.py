# SPDX-License-Identifier: MIT
"""What a laptop goes through: sleep (clocks that run ahead, a logind that says so), peers that vanish without a word, a
network of its own that goes up and down, names that do not resolve."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from gi.repository import GLib

from relay_bus import Client, PrivateBus
from relay_process import BUILD_DIR, is_sanitized
from waiting import SCALE, tell, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1")


SHIMS = BUILD_DIR / "tests" / "integration"


def preload(environment, name):
    """The environment with a shim more in it. A path in LD_PRELOAD ends at a space, so it is by its name that it is found."""
    file = f"shim-{name}.so"
    assert (SHIMS / file).exists(), f"there is no {SHIMS / file}: build it"
    for variable, value in (("LD_PRELOAD", file), ("LD_LIBRARY_PATH", str(SHIMS))):
        environment[variable] = ":".join([*filter(None, environment.get(variable, "").split(":")), value])
    if is_sanitized():
        environment["ASAN_OPTIONS"] += ":verify_asan_link_order=0"


class Clock:
    """The relay's clocks (shim-clock.c). It must be made before the relay is started."""

    def __init__(self, relay):
        self._relay = relay
        self._path = relay.home.directory / "clock"
        self._slept = 0
        self._write()
        preload(relay.environment, "clock")
        relay.environment["PRP_SHIM_CLOCK"] = str(self._path)

    def _write(self):
        # In place: it is mapped.
        with open(self._path, "r+b" if self._path.exists() else "wb") as file:
            file.write(struct.pack("=qq", int(self._slept * 1e6), 0))

    def now(self):
        """The time of day as the relay knows it, in µs."""
        return int((time.time() + self._slept) * 1e6)

    def advance(self, seconds):
        self._slept += seconds
        self._write()

    def tell(self):
        """The kernel cancels the timers that want to know."""
        self._relay.process.send_signal(signal.SIGRTMIN)


class Logind:
    """python3-dbusmock's, on a system bus of the test's own, which the relay gets to see when it is started after this."""

    def __init__(self, relay):
        directory = relay.home.directory / "system"
        directory.mkdir()
        self._bus = PrivateBus("dbus-daemon", directory, relay.home.environment)
        relay.environment["DBUS_SYSTEM_BUS_ADDRESS"] = self._bus.address
        self._client = Client(self._bus.address, listens=False)
        self._process = subprocess.Popen(
            ["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", "logind"],
            env=dict(relay.home.environment, DBUS_SYSTEM_BUS_ADDRESS=self._bus.address), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self._client.bus_call("NameHasOwner", "(s)", LOGIND[0])[0], "the mock of logind", 20)

    def prepare_for_sleep(self, begins):
        self._client.call(LOGIND[1], "org.freedesktop.DBus.Mock", "EmitSignal", "(sssav)",
                          "org.freedesktop.login1.Manager", "PrepareForSleep", "b", [GLib.Variant("b", begins)],
                          name=LOGIND[0])

    def kill_bus(self):
        self._bus.kill()

    def finish(self):
        self._client.close()
        self._process.kill()
        self._process.wait()
        self._bus.stop()


def pump(source, sink, frozen=None, note=lambda data: None):
    """Carries bytes one way. Frozen, it swallows them, the end included."""
    try:
        while data := source.recv(65536):
            if frozen is None or not frozen.is_set():
                sink.sendall(data)
                note(data)
        if frozen is None or not frozen.is_set():
            sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Tunnel:
    """TCP in between the relay and its server, which can fall silent: whoever is connected stays so, and hears nothing more.
    Who comes later is served."""

    def __init__(self, port):
        self._server_port = port
        self._pairs = []  # (ours, theirs, frozen)
        self._passed = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            frozen = threading.Event()
            # Or a byte that was passed on may wait for the acknowledgement of the one before it, until after the sleep.
            ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((ours, theirs, frozen))
            for source, sink in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=pump, args=[source, sink, frozen, self._note], daemon=True).start()

    def _note(self, data):
        self._passed += data
        tell()

    def wait_passed(self, text):
        wait_until(lambda: text.encode() in self._passed, f"{text} on the wire")

    def freeze(self):
        for _, _, frozen in self._pairs:
            frozen.set()

    def finish(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for ours, theirs, _ in self._pairs:
            ours.close()
            theirs.close()


class Network:
    """A network namespace for the relay, with an interface that goes up and down, and a default route through it. Behind
    its address is the server, brought in through a socket in the file system (which belongs to no network)."""

    ADDRESS = "10.99.0.1"
    # Who may do so needs no namespace of users for it, which there is none of in a chroot.
    IS_ROOT = os.geteuid() == 0
    UNSHARE = ["unshare", "--net", *([] if IS_ROOT else ["--user", "--map-current-user", "--keep-caps"])]

    def __init__(self, relay, server_port, port=4443):
        self._path = relay.home.directory / "network"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._server_port = server_port
        threading.Thread(target=self._serve, daemon=True).start()
        self._process = subprocess.Popen(
            [*self.UNSHARE, sys.executable, os.path.join(HERE, "network_inside.py"), str(self._path), self.ADDRESS, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")
        own = os.path.join("/proc", str(self._process.pid), "ns")
        relay.enter = ["nsenter", f"--net={own}/net",
                       *([] if self.IS_ROOT else [f"--user={own}/user", "--preserve-credentials"])]

    def _expect(self, word):
        line = self._process.stdout.readline().strip()
        assert line == word, f"the network: {line!r} instead of {word!r}"

    def _serve(self):
        while True:
            try:
                inside, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            for source, sink in ((inside, server), (server, inside)):
                threading.Thread(target=pump, args=[source, sink], daemon=True).start()

    def order(self, word):
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        self._expect("done")

    def down(self):
        self.order("down")

    def up(self):
        self.order("up")

    def finish(self):
        self._process.stdin.close()
        self._process.wait(10 * SCALE)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
