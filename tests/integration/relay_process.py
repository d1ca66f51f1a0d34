# SPDX-License-Identifier: MIT
"""The daemon under test: its home, its configuration, its start and its end."""

import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import threading

from relay_bus import NAME
from waiting import tell, wait_until

BUILD_DIR = pathlib.Path(os.environ.get("PRP_BUILD_DIR", "build")).resolve()
DAEMON = BUILD_DIR / "src" / "relayd" / "prp-relayd"

# Runs the daemon inside something, as "valgrind --error-exitcode=99".
WRAPPER = shlex.split(os.environ.get("PRP_TEST_WRAPPER", ""))

# What a daemon gets of our environment; the rest of its own is made by Home.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "G_SLICE",
             "GLIB_TUNABLES", "LLVM_PROFILE_FILE")


def is_sanitized():
    options = json.loads((BUILD_DIR / "meson-info" / "intro-buildoptions.json").read_text())
    return next(o["value"] for o in options if o["name"] == "b_sanitize") != "none"


def is_instrumented():
    """Built or run with something that makes it slow and large: figures of time and memory say nothing then."""
    return bool(WRAPPER) or is_sanitized()


class Home:
    """Directories and environment of a user who exists for one test."""

    def __init__(self, directory):
        self.directory = directory
        self.runtime, self.config, self.state = directory / "run", directory / "config", directory / "state"
        for path in (self.runtime, self.config, self.state):
            path.mkdir()
        self.runtime.chmod(0o700)
        self.environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        self.environment.update(
            HOME=str(directory), XDG_RUNTIME_DIR=str(self.runtime), XDG_CONFIG_HOME=str(self.config),
            XDG_STATE_HOME=str(self.state), XDG_CACHE_HOME=str(directory / "cache"),
            XDG_DATA_HOME=str(directory / "share"), LC_ALL="C.UTF-8",
            # No bus of the machine's is ever asked, whatever a library has in mind.
            DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={directory}/no-system-bus",
            G_DEBUG="fatal-criticals")
        self.environment.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
        # Else the search for leaks crashes in the thread-local storage of the TLS library that GIO loads late.
        self.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":intercept_tls_get_addr=0"
        self.secrets = []

    def secret(self, value):
        """Registers what must never show up anywhere."""
        self.secrets.append(value)
        return value

    def write_secret(self, name, value, mode=0o600):
        """A file with a secret in it, replaced in one go as a careful program does."""
        path = self.directory / name
        new = path.with_name(f".{name}.new")
        new.touch()
        new.chmod(mode)
        new.write_text(self.secret(value) + "\n")
        new.replace(path)
        return path


class Relay:
    """A prp-relayd, not yet started. May be started again when it has ended."""

    def __init__(self, home, bus):
        self.home = home
        self.bus = bus
        self.settings = {}
        self.environment = dict(home.environment, DBUS_SESSION_BUS_ADDRESS=bus.address)
        self.config_path = home.config / "prp-relay" / "relay.conf"
        self.log_path = home.directory / "relayd.log"
        self.enter = []  # a command that runs another one in some other place, as nsenter
        self.process = None
        self.problems = []
        self.known_complaints = ()  # of libraries, whole lines behind the time, which a test brings about
        self.command_lines = []
        self.n_starts = 0

    # -- configuration

    def configure(self, **groups):
        """Sets keys (None: takes one out) and writes the file."""
        for group, keys in groups.items():
            table = self.settings.setdefault(group, {})
            for key, value in keys.items():
                table.pop(key, None)
                if value is not None:
                    table[key] = value
        text = "".join(f"[{group}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items()) + "\n"
                       for group, keys in self.settings.items())
        self.write_config(text)

    def write_config(self, text):
        self.config_path.parent.mkdir(exist_ok=True)
        self.config_path.write_text(text)

    # -- life

    def command(self, *arguments):
        return [*self.enter, *WRAPPER, str(DAEMON), "--verbose", *arguments]

    def launch(self, *arguments, **environment):
        """Starts it and waits for nothing."""
        assert self.process is None or self.process.poll() is not None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(*arguments), env=dict(self.environment, **environment),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.n_starts += 1
        self.note_command_line()

    def start(self, client, *arguments, **environment):
        """Starts it and waits for its name on the bus."""
        self.launch(*arguments, **environment)

        def there():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.log}"
            owner = client.owner()
            return owner and client.bus_call("GetConnectionUnixProcessID", "(s)", owner)[0] == self.pid

        wait_until(there, lambda: f"the name {NAME}; the log:\n{self.log}", 15)
        self.note_command_line()

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def note_command_line(self):
        try:
            self.command_lines.append(pathlib.Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace"))
        except OSError:
            pass

    def wait_exit(self, seconds=10):
        """Its exit status; by itself, no signal is sent."""
        wait_until(lambda: self.process.poll() is not None, lambda: f"its end; the log:\n{self.log}", seconds)
        return self.process.returncode

    def stop(self):
        """SIGTERM, and a clean end."""
        self.process.send_signal(signal.SIGTERM)
        status = self.wait_exit(15)
        assert status == 0, f"SIGTERM made it end with {status}:\n{self.log}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def status(self, field):
        """A figure of /proc/PID/status, in bytes: VmRSS, VmHWM."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB$", text, re.M)[1]) * 1024

    # -- afterwards

    def check_traces(self):
        """Nothing of a secret, and nothing that a library or a sanitizer complained about, is left behind."""
        places = {"the log": self.log, "a command line": "\n".join(self.command_lines)}
        for path in self.home.state.rglob("*"):
            if path.is_file():
                places[str(path)] = path.read_bytes().decode(errors="replace")
        for place, text in places.items():
            for secret in self.home.secrets:
                assert secret not in text, f"a secret is in {place}"
        log = "".join(line for line in self.log.splitlines(True) if not line.rstrip().endswith(tuple(self.known_complaints)))
        bad = re.search(r"^.*(CRITICAL|\*\* WARNING|runtime error:|AddressSanitizer|LeakSanitizer|smashing).*", log, re.M)
        assert not bad, f"{bad[0]}\n\n{self.log}"


class NotifySocket:
    """The other end of sd_notify(3)."""

    def __init__(self, directory):
        self.path = directory / "notify"
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            message = self._socket.recv(65536).decode()
            if not message:
                return
            self.messages.append(message)
            tell()

    @property
    def lines(self):
        return "\n".join(self.messages).splitlines()

    def wait_line(self, condition, what, seconds=10):
        return wait_until(lambda: next((line for line in self.lines if condition(line)), None),
                          lambda: f"{what} from sd_notify; there is {self.lines}", seconds)

    def finish(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", str(self.path))
