# SPDX-License-Identifier: MIT
"""Who is measured: the plain sender, the relay in its ways, and the peers. All are asked the same things.

A peer is a program tests/bench/peers/NAME/run. It gets PRP_URL, PRP_TOKEN, PRP_CHANNELS (comma separated) and
DBUS_SESSION_BUS_ADDRESS in its environment, owns dev.prp.Relay1, relays events as the signals of the contract, prints `ready`
when it is subscribed, and ends on SIGTERM.
"""

import os
import pathlib
import signal
import subprocess

from bed import HERE, TOKEN, TOOLS, Tool, cpu_sec_of
from relay_bus import NAME
from relay_process import BUILD_DIR, Relay
from waiting import wait_until

PEERS = HERE / "peers"
CHANNEL = "project:bench"
START_SEC = 30
END_SEC = 10


def children_of(pid):
    try:
        texts = [p.read_text() for p in pathlib.Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for text in texts for child in text.split()]


class Contender:
    """Between start() and stop() it has the bus name, and relays (or sends) what pour() and pace() bring about."""

    name = ""
    is_peer = False

    def __init__(self, bed):
        self.bed = bed
        self.process = None
        self.n_sent = 0

    def pids(self):
        found = [self.process.pid]
        for pid in found:
            found += children_of(pid)
        return found

    def cpu_sec(self):
        return sum(cpu_sec_of(pid) for pid in self.pids())

    def status(self, field):
        texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return [int(text.split(field + ":")[1].split()[0]) for text in texts]

    def rss_bytes(self):
        """Of the program itself, what it shares with others included."""
        return sum(self.status("VmRSS")) * 1024

    def peak_bytes(self):
        return sum(self.status("VmHWM")) * 1024

    def voluntary_switches(self):
        return sum(int(path.read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0])
                   for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/status"))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.launch()
        self.become_ready()

    def stop(self):
        """The name is free after that."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(END_SEC)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
        wait_until(lambda: self.bed.client.owner() is None, f"{NAME} to be free")

    def take(self, n_events):
        """The first of so many numbers, which are never used again: an id that was seen is not relayed."""
        first, self.n_sent = self.n_sent, self.n_sent + n_events
        return first

    def begin(self, n_events, rate=0):
        """Has so many events sent, as fast as they go or so many a second. Frames are made before this returns."""
        answer = self.bed.server.ask("pace" if rate else "pour", n_events, self.take(n_events), *([rate] if rate else []))
        assert answer == "pouring", answer

    def end(self):
        """When the sending began and ended, in nanoseconds of the monotonic clock."""
        return tuple(map(int, self.bed.server.read().split()))

    def send(self, n_events, rate=0):
        self.begin(n_events, rate)
        return self.end()


class PlainSender(Contender):
    name = "plain sender"

    def launch(self):
        self.tool = Tool([TOOLS / "plain-sender"], self.bed.environment, self.bed.home.directory / "sender.log")
        self.process = self.tool.process

    def become_ready(self):
        wait_until(self.bed.client.owner, f"{NAME} of the plain sender", START_SEC)

    def begin(self, n_events, rate=0):
        self.tool.tell(n_events, self.take(n_events), rate)

    def end(self):
        return tuple(map(int, self.tool.read().split()))

    def stop(self):
        super().stop()
        self.tool.finish()


class QuietRelay(Relay):
    """As it runs in a session: without --verbose."""

    def command(self, *arguments):
        return [word for word in super().command(*arguments) if word != "--verbose"]


class TheRelay(Contender):
    """Its store stays from start to start: from the second round on the history is full, as it is after a while."""

    history = True
    settings = {}  # of the configuration
    extra = {}     # of the environment

    def __init__(self, bed):
        super().__init__(bed)
        self.state = bed.stores / type(self).__name__
        self.state.mkdir()
        self.relay = QuietRelay(bed.home, bed.bus)
        self.token = bed.home.write_secret("token", TOKEN)

    def configure(self):
        groups = {"Server": {"Url": self.bed.url}, "Auth": {"TokenFile": self.token}, "History": {}}
        if self.bed.ca_file:
            groups["Server"]["CaFile"] = self.bed.ca_file
        if not self.history:
            groups["History"]["MaxEvents"] = 0
        self.relay.settings = {}
        self.relay.configure(**groups, **self.settings)

    def launch(self):
        self.configure()
        self.relay.launch(XDG_STATE_HOME=str(self.state), **self.extra)
        self.process = self.relay.process

    def become_ready(self):
        wait_until(self.bed.client.owner, f"{NAME} of the relay", START_SEC)
        self.bed.client.subscribe(CHANNEL)
        assert self.bed.server.ask("await") == "connected"


class RelayWithout(TheRelay):
    name = "relay, history off"
    history = False


class RelayWith(TheRelay):
    name = "relay, history on"


class Peer(Contender):
    is_peer = True

    def __init__(self, bed, directory):
        super().__init__(bed)
        self.directory = directory
        self.name = directory.name

    def launch(self):
        self.log_path = self.bed.home.directory / "peer.log"
        environment = dict(self.bed.environment, PRP_URL=self.bed.url, PRP_TOKEN=TOKEN, PRP_CHANNELS=CHANNEL,
                           PRP_BUILD_DIR=str(BUILD_DIR))
        with open(self.log_path, "wb") as errors:
            self.process = subprocess.Popen([self.directory / "run"], env=environment, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=errors, text=True)

    def become_ready(self):
        line = self.process.stdout.readline().strip()
        if line != "ready":
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self.name}: {line} {self.log_path.read_text(errors='replace')[-2000:]}")
        assert self.bed.server.ask("await") == "connected"

    def stop(self):
        super().stop()
        self.process.stdout.close()


def peer_directories():
    return sorted(path.parent for path in PEERS.glob("*/run"))


def install_peers():
    """What they take from a registry, as their locks say; nothing if it is there. Returns the trouble by name."""
    troubles = {}
    for directory in peer_directories():
        if not (directory / "package-lock.json").exists():
            continue
        done = subprocess.run([directory / "run", "--install"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=dict(os.environ, PRP_BUILD_DIR=str(BUILD_DIR)))
        if done.returncode != 0:
            troubles[directory.name] = " ".join(done.stdout[-500:].split())
    return troubles


def contenders_on(bed, peers):
    return [PlainSender(bed), RelayWithout(bed), RelayWith(bed), *(Peer(bed, directory) for directory in peers)]
