# SPDX-License-Identifier: MIT
"""What can happen to the file in which the relay keeps what it has to remember, and what must hold whatever happens."""

import os
import pathlib
import shlex
import shutil
import sqlite3
import subprocess

from prp_server import TEXT, frame
from recipe_reader import Reader
from relay_bus import HISTORY, event_of
from test_history import message, read_all
from waiting import SCALE, wait_until

APPLICATION_ID = 0x50525052
SCHEMA_VERSION = 2
BALLAST = "ballast"


class Place:
    """The folder of the relay's state, as the relay sees it."""

    def __init__(self, relay):
        self.outside = relay.home.state / "prp-relay"
        self._scratch = relay.home.directory / "copies"
        self._scratch.mkdir()
        self._n_copies = 0

    @property
    def folder(self):
        return self.outside

    @property
    def db(self):
        return self.folder / "relay.db"

    def bad(self, n=1, suffix=""):
        return self.folder / f"relay.db.bad-{n}{suffix}"

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def contents(self):
        """Name → bytes of the database and what belongs to it, but for the index that all who use it share."""
        return {name: (self.folder / name).read_bytes() for name in ("relay.db", "relay.db-wal")
                if (self.folder / name).exists()}

    def query(self, *statements):
        """Rows of each statement, of a copy: the file is left as it is."""
        self._n_copies += 1
        copy = self._scratch / str(self._n_copies)
        copy.mkdir()
        for name in ("relay.db", "relay.db-wal"):
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, copy / name)
        with sqlite3.connect(copy / "relay.db") as database:
            return [database.execute(statement).fetchall() for statement in statements]

    def finish(self):
        pass


class Mounts(Place):
    """The same in a mount namespace of the relay's own, in which something may be mounted there."""

    IS_ROOT = os.geteuid() == 0
    UNSHARE = ["unshare", "--mount", "--propagation=private",
               *([] if IS_ROOT else ["--user", "--map-current-user", "--keep-caps"])]

    def __init__(self, relay):
        super().__init__(relay)
        self.outside.mkdir()
        # What mounts is started by who made the namespace, or it would not have the right to.
        self._process = subprocess.Popen(
            [*self.UNSHARE, "sh", "-c", 'echo 0; while read -r line; do eval "$line"; echo $?; done'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect_success("a namespace for mounts")
        own = f"/proc/{self._process.pid}"
        # The root as well: it need not be that of the machine.
        relay.enter = ["nsenter", f"--mount={own}/ns/mnt", f"--root={own}/root",
                       *([] if self.IS_ROOT else [f"--user={own}/ns/user", "--preserve-credentials"])]
        self._inside = pathlib.Path(own, "root")

    @property
    def folder(self):
        return self._inside / self.outside.relative_to("/")

    def _expect_success(self, what):
        line = self._process.stdout.readline().strip()
        assert line == "0", f"{what}: {line!r}"

    def run(self, *command):
        line = shlex.join(map(str, command))
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        self._expect_success(line)

    def mount_memory(self, kibibytes):
        self.run("mount", "-t", "tmpfs", "-o", f"size={kibibytes}k,mode=0700", "tmpfs", self.outside)

    def resize_memory(self, kibibytes):
        self.run("mount", "-o", f"remount,size={kibibytes}k", self.outside)

    def fill(self):
        """Takes all the room there is."""
        with open(self.folder / BALLAST, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        assert os.statvfs(self.folder).f_bavail == 0

    def make_room(self):
        (self.folder / BALLAST).unlink()

    def mount_read_only(self, path=None):
        path = path or self.outside
        self.run("mount", "--bind", path, path)
        self.run("mount", "-o", "remount,bind,ro", path)

    def make_writable(self, path=None):
        self.run("mount", "-o", "remount,bind,rw", path or self.outside)

    def finish(self):
        self._process.stdin.close()
        self._process.wait()


class Lab:
    """The relay with a server and a subscriber. What it does is checked all along: every event that is sent is signalled, its number
    is above all that were before, also in other lives, and a reader with the recipe has each of them once."""

    CHANNEL = "project:lab"

    def __init__(self, relay, server, client, new_client, place):
        self.relay, self.server, self.client, self.place = relay, server, client, place
        self.reader = Reader(new_client())
        self.new_client = new_client
        self.signalled = []  # the sequences of all events, of all lives
        self._n_checked = 0
        self._n_channels = 0

    def start(self, channels=(CHANNEL,)):
        n = len(self.server.connections)
        self.relay.start(self.client)
        self.server.wait_connection(n + 1)
        self.client.wait_state("connected")
        if channels:
            assert set(self.client.subscribe(*channels).values()) == {"active"}

    def send(self, amount=20, size=0):
        """Events that are signalled whatever is wrong; their sequences."""
        texts = [message(data={"x": "x" * size}) for _ in range(amount)]
        self.server.connection.flood(b"".join(frame(TEXT, text.encode()) for text in texts)).result(60 * SCALE)

        def all_there():
            fresh = self.client.events()[self._n_checked:]
            return len(fresh) >= amount and sum(s.member != "Gap" for s in fresh) >= amount
        wait_until(all_there, f"{amount} signals", 60)
        return self.check_signals(amount)

    def wait_first(self, since):
        """For what is before that place to have left."""
        self.client.wait_get("FirstSequence", self.signalled[since], 60, interface=HISTORY)

    def check_signals(self, amount=None):
        """Those since the last time."""
        signals = self.client.events()[self._n_checked:]
        self._n_checked += len(signals)
        fresh = [s.body.unpack()[4] if s.member == "Gap" else event_of(s)["sequence"] for s in signals]
        events = [s for s in signals if s.member != "Gap"]
        assert amount is None or len(events) == amount
        for sequence in fresh:
            assert not self.signalled or sequence > self.signalled[-1], "a number that is not above all before it"
            self.signalled.append(sequence)
        return fresh

    def listed(self):
        return read_all(self.client)[0]

    def check_listed(self, since=0):
        """ListEvents has all that was signalled, from that place on."""
        assert self.listed() == self.signalled[since:]

    def check_reader(self):
        wait_until(lambda: len(self.reader.taken) >= len(self.signalled),
                   lambda: f"{len(self.signalled)} events at the reader; there are {len(self.reader.taken)}")
        assert [sequence for sequence, _ in self.reader.taken] == self.signalled

    def check_trouble(self, code, *words):
        """It is shown, says what it has to, and was logged once."""
        have, text = wait_until(lambda: (e := self.client.get("LastError"))[0] == code and e,
                                lambda: f"{code}; it is {self.client.get('LastError')!r}\n{self.relay.log}")
        for word in (str(self.place.outside / "relay.db"), *words):
            assert word in text, f"{word!r} is not in {text!r}"
        assert have == code
        kind = text.partition("(")[0]
        assert self.relay.log.count(kind) == 1, self.relay.log
        assert self.client.get("State") == "connected"
        return text

    def check_subscribe(self):
        """A channel more, which is durable. Its name."""
        self._n_channels += 1
        channel = f"project:extra-{self._n_channels}"
        assert self.client.subscribe(channel) == {channel: "active"}
        assert self.client.channels()[channel]["Durable"]
        return channel

    def check_fault(self, code, *words, since=0):
        """All that has to go on while something is wrong. Returns the text."""
        text = self.check_trouble(code, *words)
        self.check_subscribe()
        self.send()
        self.check_listed(since)
        self.check_reader()
        return text

    def reload(self):
        self.client.command("Reload")

    def check_recovered(self):
        """Reload, and nothing is wrong any more."""
        self.reload()
        self.client.wait_get("LastError", ("", ""))
        self.send()
        # Whatever was held back is in the file now.
        [rows] = self.place.query("SELECT sequence FROM events ORDER BY sequence")
        assert [row[0] for row in rows] == self.listed()

    def restart_killed(self, since=0):
        """kill -9, and a new life: what was there is there, and it is sound."""
        self.check_signals()
        durable = sorted(self.client.channels())
        before = self.client.history_id()
        self.relay.kill()
        self.check_file(since)
        wait_until(lambda: self.client.owner() is None, "the name to be free")
        self.start(channels=())
        assert self.client.get("LastError") == ("", "")
        assert self.client.history_id() == before
        wait_until(lambda: sorted(self.client.channels()) == durable, f"the channels {durable}")
        wait_until(lambda: {c["State"] for c in self.client.channels().values()} <= {"active"}, "all of them active")
        self.send()
        self.check_listed(since)
        self.check_reader()

    def check_file(self, since=0):
        [verdict], rows = self.place.query("PRAGMA integrity_check", "SELECT sequence FROM events ORDER BY sequence")
        assert verdict == ("ok",)
        assert [row[0] for row in rows] == self.signalled[since:]

    def finish(self):
        self.reader.stop()


def make_version_1(path, channels, next_sequence):
    """A store as the first version of the relay left it."""
    path.parent.mkdir(mode=0o700)
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(f"""
            BEGIN;
            CREATE TABLE durable (channel TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
            CREATE TABLE sequence (one INTEGER PRIMARY KEY CHECK (one = 1),
              next INTEGER NOT NULL CHECK (next BETWEEN 1 AND 0x4000000000000000)) STRICT;
            INSERT INTO sequence VALUES (1, {next_sequence});
            PRAGMA application_id = {APPLICATION_ID};
            PRAGMA user_version = 1;
            COMMIT;""")
        database.executemany("INSERT INTO durable VALUES (?)", [(channel,) for channel in channels])
    database.close()
    path.chmod(0o600)


