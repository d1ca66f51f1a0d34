# SPDX-License-Identifier: MIT
"""Where a soak takes place: a home and a disk of its own, a bus, the servers, the relay, and who listens to it.

Everything is a child of this program, or of the bus, and is gone when the stage is finished.
"""

import contextlib
import ctypes
import os
import pathlib
import re
import shlex
import signal
import sqlite3
import subprocess
import threading

from certificates import Certificates, server_context
from clock import Clock
from grants import MARK, Grants
from oracle import End, Gap, Heard, Measure, Row
from relay_bus import HISTORY, NAME, BusError, Client, PrivateBus
from relay_process import BUILD_DIR, DAEMON, WRAPPER, Home, is_sanitized
from service import Service
from waiting import SCALE, wait_until

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "data" / "examples" / "catch-up.py"
SHIMS = BUILD_DIR / "tests" / "integration"
PRPCTL = BUILD_DIR / "src" / "prpctl" / "prpctl"

DURABLE = [f"project:durable_{n}" for n in range(6)]
HELD = [f"prp:held_{n}" for n in range(4)]
CHURNED = [f"agent:churned_{n}" for n in range(4)]
MONITORED = ["project:monitored"]
CHANNELS = DURABLE + HELD + CHURNED + MONITORED

DISK_KIB = 512 * 1024
MAX_EVENTS = 60000
AUDIT_SEC = 1.0

CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x00020000, 0x10000000, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace():
    """Mounts of our own, which nobody sees and which go with us. False where that is not allowed. Before any thread."""
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if uid != 0 else 0)) != 0:
        return False
    if uid != 0:
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    return libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


class Disk:
    """A small one in memory, at the folder of the relay's state; where there can be none, it never gets full."""

    def __init__(self, folder):
        self.folder = folder
        self._ballast = folder / "ballast"
        self.is_ours = enter_namespace() and libc.mount(
            b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={DISK_KIB}k,mode=0700".encode()) == 0

    def fill(self):
        if not self.is_ours:
            return
        with open(self._ballast, "wb", buffering=0) as file:
            try:
                room = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_bsize
                os.posix_fallocate(file.fileno(), 0, max(room - 65536, 4096))
                file.seek(0, os.SEEK_END)
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass

    def make_room(self):
        self._ballast.unlink(missing_ok=True)

    def finish(self):
        self.make_room()
        if self.is_ours:
            libc.umount2(os.fsencode(self.folder), 2)


class Program:
    """One that is started, stopped, killed and started again; what each of its lives says is in a file of its own."""

    def __init__(self, directory, name, command, environment):
        self.name, self.command, self.environment = name, command, environment
        self.directory = directory
        self.outputs = []
        self.process = None

    def start(self):
        self.outputs.append(self.directory / f"{self.name}.{len(self.outputs)}")
        with open(self.outputs[-1], "wb") as out, open(self.directory / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([str(a) for a in self.command], env=self.environment, stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=log)

    def send(self, number):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self, number=signal.SIGKILL):
        if self.process is None:
            return
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            self.process.wait(20 * SCALE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def whole_lines(self, life):
        """But not one that its end has cut."""
        lines = self.outputs[life].read_text(errors="replace").split("\n")
        return lines[:-1]


class Stage:
    def __init__(self, directory, bus_kind, tls, seed, rate, trouble, note):
        self.trouble, self.note = trouble, note
        self.pid, self.owner = 0, None
        self.ends, self.n_starts = [], 0
        self.history, self.history_ids = [], []
        self._started = None  # by us, where the bus starts nothing
        self._stopping = threading.Event()
        self._audit = None
        # What is made is taken away again in the opposite order, also if not all of it comes about.
        self._exits = contextlib.ExitStack()
        try:
            self._make(directory, bus_kind, tls, seed, rate)
        except BaseException:
            self.finish()
            raise

    def _make(self, directory, bus_kind, tls, seed, rate):
        self.home = Home(directory)
        self.disk = Disk(self.home.state)
        self._exits.callback(self.disk.finish)
        self.log_path = directory / "relayd.log"
        self.grants = Grants()
        self._exits.callback(self.grants.finish)
        certificates = Certificates(directory)
        contexts = {"off": [None, None], "on": [server_context(certificates.good)] * 2,
                    "mixed": [None, server_context(certificates.good)]}[tls]
        self.service = Service(seed, DURABLE, CHANNELS, self.grants, rate, contexts)
        self._exits.callback(self.service.finish)
        self.clock = Clock(directory / "clock")
        self.bus = PrivateBus(bus_kind, directory, self.home.environment)
        self._exits.callback(self.bus.stop)
        self.settings = {"Reconnect": {"InitialDelaySec": "0.1", "MaxDelaySec": "0.4"},
                         "Heartbeat": {"PingIntervalSec": "1", "PongTimeoutSec": "1.5"},
                         "History": {"MaxEvents": str(MAX_EVENTS), "MaxAgeDays": "0"},
                         "Limits": {"ActionsPerSec": "50"},
                         "Server": {"Url": self.service.fronts[0].url, "CaFile": str(certificates.ca_file)},
                         "Auth": {"RefreshUrl": self.grants.url, "TokenFile": str(directory / "token"),
                                  "RefreshTokenFile": str(directory / "refresh-token")}}
        self.write_config()
        self.sign_in()
        self._write_starter(directory)
        self.client = Client(self.bus.address, listens=False)
        self._exits.callback(self.client.close)
        self._exits.callback(self._kill_relay)

        environment = dict(self.home.environment, DBUS_SESSION_BUS_ADDRESS=self.bus.address)
        heard = [directory / f"heard-{n}" for n in range(3)]
        self.listeners = [Program(directory, f"listener-{n}", ["/usr/bin/python3", HERE / "listener.py", self.bus.address, path],
                                  environment) for n, path in enumerate(heard)]
        self.heard_paths = dict(zip(["listener 0", "listener 1", "listener 2"], heard))
        reader_home = directory / "reader"
        reader_home.mkdir()
        self.reader = Program(directory, "catch-up", ["/usr/bin/python3", EXAMPLE],
                              dict(environment, XDG_STATE_HOME=str(reader_home)))
        self.monitor = Program(directory, "monitor", [PRPCTL, "monitor", "--json", "--from", "start", "--cursor-file",
                                                      directory / "cursor", *MONITORED], environment)
        for program in [*self.listeners, self.reader, self.monitor]:
            self._exits.callback(program.end)

    # -- configuration

    def write_config(self, extra=""):
        path = self.home.config / "prp-relay" / "relay.conf"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"[{group}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())
                                for group, keys in self.settings.items()) + extra)

    def sign_in(self):
        """As a user does, whose tokens are good for nothing any more."""
        token, refresh = self.grants.issue()
        self.home.write_secret("refresh-token", refresh)
        self.home.write_secret("token", token)

    def _write_starter(self, directory):
        """What the bus starts: the relay with its clock, and its log at a place of its own."""
        environment = {"LD_PRELOAD": "shim-clock.so", "LD_LIBRARY_PATH": str(SHIMS), "PRP_SHIM_CLOCK": str(self.clock.path),
                       "DBUS_SESSION_BUS_ADDRESS": self.bus.address}
        if is_sanitized():
            environment["ASAN_OPTIONS"] = self.home.environment["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        self.starter = directory / "relayd"
        exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in environment.items())
        self.starter.write_text(f"#!/bin/sh\n{exports}exec {shlex.join([*WRAPPER, str(DAEMON), '--verbose'])} "
                                f">>{shlex.quote(str(self.log_path))} 2>&1\n")
        self.starter.chmod(0o755)
        self.bus.add_service(NAME, self.starter)

    # -- the relay

    def start_relay(self):
        self.n_starts += 1
        if self.bus.kind == "dbus-daemon":
            self.client.bus_call("StartServiceByName", "(su)", NAME, 0)
        else:
            # dbus-broker starts nothing where there is no systemd.
            self._started = subprocess.Popen([str(self.starter)], env=self.home.environment, stdin=subprocess.DEVNULL)
        self.owner = wait_until(self.client.owner, lambda: f"the relay; its log:\n{self.log_end()}", 20)
        self.pid = self.client.bus_call("GetConnectionUnixProcessID", "(s)", self.owner)[0]

    def end_relay(self, number, how):
        """Ends it, waits, and notes how. Its name is free then."""
        pid, owner = self.pid, self.owner
        self.pid = 0
        self.ends.append(End(owner, how))
        os.kill(pid, number)
        if self._started is not None:
            status = self._started.wait(20 * SCALE)
            self._started = None
            if how == "terminate" and status != 0:
                self.trouble(f"SIGTERM made the relay end with {status}")
        wait_until(lambda: not is_alive(pid), "the relay's end", 20)
        wait_until(lambda: self.client.owner() != owner, "its name to be free", 10)

    def signal_relay(self, number):
        if self.is_up():
            os.kill(self.pid, number)

    def is_up(self):
        return self.pid != 0 and is_alive(self.pid)

    def state(self):
        try:
            return self.client.get("State")
        except BusError:
            return ""

    def is_whole(self):
        """Connected, by one connection, with all durable channels active."""
        try:
            return self.client.get("State") == "connected" and len(self.service.lines) == 1 and all(
                c["State"] == "active" for c in self.client.channels().values())
        except BusError:
            return False

    def measure(self):
        folder = pathlib.Path("/proc", str(self.pid))
        status = (folder / "status").read_text()
        return Measure(int(re.search(r"^VmRSS:\s+(\d+)", status, re.M)[1]) << 10, len(os.listdir(folder / "fd")),
                       int(re.search(r"^Threads:\s+(\d+)", status, re.M)[1]))

    def log_end(self):
        return self.log_path.read_text(errors="replace")[-4000:] if self.log_path.exists() else ""

    def hold_lock(self):
        """Keeps the relay from writing its history; to be closed."""
        database = sqlite3.connect(self.home.state / "prp-relay" / "relay.db", isolation_level=None, check_same_thread=False)
        database.execute("BEGIN IMMEDIATE")
        return database

    def wait_stored(self):
        """Until all that the relay has is in its file. One that is not connected to its bus yet, or no more, has nothing."""
        def is_stored():
            try:
                last = self.client.get("LastSequence", interface=HISTORY)
            except BusError:
                return not self.is_up() or self.client.owner() is None
            path = self.home.state / "prp-relay" / "relay.db"
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return (database.execute("SELECT MAX(sequence) FROM events").fetchone()[0] or 0) >= last
        wait_until(is_stored, lambda: f"everything to be stored; the log:\n{self.log_end()}", 20)

    # -- the audit: the history, bit by bit, before the oldest of it is forgotten

    def begin_audit(self):
        self._audit = threading.Thread(target=self._run_audit, name="audit", daemon=True)
        self._audit.start()

    def _run_audit(self):
        while not self._stopping.wait(AUDIT_SEC):
            try:
                self.audit()
            except BusError:
                pass  # not there, or stopped just now: next time
            except Exception as error:
                self.trouble(f"the audit failed: {error!r}")
                return

    def audit(self):
        more = True
        while more:
            after = self.history[-1].sequence if self.history else 0
            events, _, more = self.client.list_events(after)
            first = self.client.get("FirstSequence", interface=HISTORY)
            if after + 1 < first and self.history and not (events and events[0]["sequence"] == after + 1):
                self.trouble(f"the audit was too slow: it had {after}, and the history begins with {first}")
            for event in events:
                gap = None
                if event["type"] == "relay.gap":
                    data = event["data"]
                    gap = Gap(data["since"], data["until"], data["cause"], tuple(data["channels"]))
                self.history.append(Row(event["sequence"], event["id"], gap))
        history_id = self.client.history_id()
        if history_id not in self.history_ids:
            self.history_ids.append(history_id)

    def end_audit(self):
        self._stopping.set()
        if self._audit is not None:
            self._audit.join()
            self._audit = None

    # -- afterwards

    def heard(self):
        result = {}
        for name, path in self.heard_paths.items():
            rows = (line.split(" ") for line in path.read_text().splitlines())
            result[name] = [Heard(words[1], int(words[2]), words[3] if words[0] == "E" else "") for words in rows]
        return result

    def stored(self):
        """(sequence, id) of the file; sound, or it is a trouble."""
        with sqlite3.connect(self.home.state / "prp-relay" / "relay.db") as database:
            verdict = database.execute("PRAGMA integrity_check").fetchall()
            if verdict != [("ok",)]:
                self.trouble(f"the database is damaged: {verdict[:3]}")
            return [(sequence, match[1] if (match := re.search(r'"id":\s*"([^"]*)"', body)) else "")
                    for sequence, body in database.execute("SELECT sequence, body FROM events ORDER BY sequence")]

    def traces(self):
        """What should not be in the log, in the command line, or in what is stored."""
        found = []
        log = self.log_path.read_text(errors="replace")
        bad = re.findall(r"^.*(?:CRITICAL|\*\* WARNING|-WARNING|runtime error:|AddressSanitizer|LeakSanitizer|smashing).*", log,
                         re.M)
        found += [f"the log says: {line}" for line in bad[:5]]
        places = [self.log_path, *(path for path in self.home.state.rglob("*") if path.is_file() and path.name != "ballast")]
        for path in places:
            if MARK.encode() in path.read_bytes():
                found.append(f"a secret is in {path.name}")
        return found

    def _kill_relay(self):
        if self.pid and is_alive(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        if self._started is not None:
            self._started.kill()
            self._started.wait()

    def finish(self):
        """All that was started is ended, whatever state it is in."""
        self._stopping.set()
        self._exits.close()


def is_alive(pid):
    """And no zombie."""
    try:
        return pathlib.Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
