# SPDX-License-Identifier: MIT
"""The process is given too little: descriptors, memory, room in a file. What cannot be done is told and tried again, and is done
when it can be; who is ended by it leaves a store that is whole."""

import json
import os
import resource
import signal
import sqlite3
import sys

import pytest

from certificates import server_context
from prp_server import TEXT, frame
from relay_bus import ERROR, BusError
from waiting import wait_until
from witness import descriptors

# The relay is started with so many descriptors open that all of its own are above them: with that limit none can be opened any
# more, but those that are can be waited for (poll(2) takes no more than the limit).
NOTHING_MORE = 200
FILLED = [sys.executable, "-c", f"""import os, sys
for n in range(3, {NOTHING_MORE}):
    os.dup2(0, n)
os.execv(sys.argv[1], sys.argv[1:])"""]


def limit(relay, which, soft):
    """Of the relay that runs, the soft limit only: it can be raised again."""
    resource.prlimit(relay.pid, which, (soft, resource.prlimit(relay.pid, which)[1]))


def unlimited(relay, which):
    limit(relay, which, resource.prlimit(relay.pid, which)[1])


@pytest.fixture
def crowded(relay):
    """Not started."""
    relay.enter = FILLED
    return relay


@pytest.fixture
def crowded_connected(crowded, client):
    crowded.start(client)
    client.wait_state("connected")
    return crowded


def check_store(relay):
    """Whole, and without a hole; how many events."""
    path = relay.home.state / "prp-relay" / "relay.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        sequences = [row[0] for row in database.execute("SELECT sequence FROM events ORDER BY sequence")]
    assert not sequences or sequences == list(range(sequences[0], sequences[-1] + 1))
    return len(sequences)


# -- descriptors

@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_no_descriptor_for_a_connection(crowded, client, certificates, new_server, new_witness, token, tls):
    """The connection is lost, and there is none for another: told, planned, tried, and made when there is."""
    relay = crowded
    server = new_server(tls=server_context(certificates.good) if tls else None)
    server.tokens = {token}
    relay.configure(Server={"Url": server.url(), "CaFile": certificates.ca_file})
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    limit(relay, resource.RLIMIT_NOFILE, NOTHING_MORE)
    witness.wait_flow()  # what is open goes on: events are stored and signalled
    server.connection.abort()
    wait_until(lambda: client.get("Attempts") >= 3, lambda: f"attempts; {client.get('LastError')}")
    witness.check_planned()
    witness.check_answers()
    assert client.get("LastError")[0] != "UNREACHABLE"
    unlimited(relay, resource.RLIMIT_NOFILE)
    witness.finish()
    assert len(witness.gaps()) == 1


def test_no_descriptor_for_the_configuration(crowded_connected, server, client, new_witness):
    """Reload cannot read the file: an error, and all stays as it was."""
    connected = crowded_connected
    witness = new_witness(server, client)
    limit(connected, resource.RLIMIT_NOFILE, NOTHING_MORE)
    with pytest.raises(BusError) as caught:
        client.command("Reload")
    assert caught.value.name == ERROR + "Configuration" and "relay.conf" in caught.value.message
    connected.process.send_signal(signal.SIGHUP)
    witness.wait_flow()
    assert client.get("State") == "connected"
    unlimited(connected, resource.RLIMIT_NOFILE)
    client.command("Reload")
    witness.finish()
    assert not witness.gaps() and client.get("LastError") == ("", "")


def test_no_descriptor_for_a_command(crowded, home, server, client, new_witness, token):
    """TokenCommand= cannot be run, nor can a file be read in its place."""
    relay = crowded
    path = home.write_secret("for-the-command", token)
    relay.configure(Auth={"TokenCommand": f"cat {path}", "TokenFile": None})
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    limit(relay, resource.RLIMIT_NOFILE, NOTHING_MORE)
    server.tokens = {home.secret("another-token")}  # so that the command is asked again
    server.connection.abort()
    wait_until(lambda: client.get("State") != "connected" and client.get("LastError")[0], "a trouble")
    witness.check_answers()
    home.write_secret("for-the-command", "another-token")
    unlimited(relay, resource.RLIMIT_NOFILE)
    client.command("Connect")
    witness.finish()
    assert len(witness.gaps()) == 1


def test_no_descriptor_for_the_store(crowded_connected, server, client, new_witness):
    """A store that was taken away cannot be made anew: events go on, and nothing is lost when it can."""
    connected = crowded_connected
    witness = new_witness(server, client)
    witness.wait_flow()
    limit(connected, resource.RLIMIT_NOFILE, NOTHING_MORE)
    for path in (connected.home.state / "prp-relay").iterdir():
        path.unlink()
    witness.wait_flow()
    wait_until(lambda: client.get("LastError")[0].startswith("STORE"), lambda: f"it to be told: {client.get('LastError')}", 20)
    witness.check_answers()
    unlimited(connected, resource.RLIMIT_NOFILE)
    client.command("Reload")
    wait_until(lambda: not client.get("LastError")[0] or client.get("LastError")[0] == "STORE_DAMAGED",
               lambda: f"a store: {client.get('LastError')}")
    witness.stop()
    wait_until(lambda: client.get("EventsEmitted") == witness.sent, "the last event")
    connected.stop()
    assert check_store(connected) > 0


@pytest.mark.parametrize("amount", [4, 6, 8, 10, 12, 14, 16, 20, 24])
def test_starts_with_few(relay, server, client, amount):
    """It runs, or it says what is wrong and ends as a failure, which systemd starts again. It never hangs."""
    relay.enter = ["prlimit", f"--nofile={amount}:1024", *relay.enter]
    relay.launch()

    def verdict():
        return relay.process.poll() is not None or client.owner()
    wait_until(verdict, lambda: f"its end, or its name; the log:\n{relay.log}", 20)
    if relay.process.poll() is not None:
        assert relay.process.returncode != 0 and relay.log.strip(), "it ended without a word"
        return
    wait_until(lambda: client.get("State") == "connected" or client.get("LastError")[0], "a word")
    unlimited(relay, resource.RLIMIT_NOFILE)
    client.wait_state("connected", seconds=20)


def test_no_descriptor_is_left_open(crowded_connected, server, client, new_client, new_witness):
    """After connections that failed and such that did not, as many are open as before."""
    connected = crowded_connected
    if os.geteuid() != 0:
        pytest.skip("only root sees the descriptors of a process that keeps its memory to itself")
    witness = new_witness(server, client)
    witness.wait_flow()
    before = descriptors(connected)
    for _ in range(3):
        server.kill()
        attempts = client.get("Attempts")
        wait_until(lambda: client.get("Attempts") >= attempts + 2, "attempts")
        limit(connected, resource.RLIMIT_NOFILE, NOTHING_MORE)
        attempts = client.get("Attempts")
        wait_until(lambda: client.get("Attempts") >= attempts + 2, "attempts without a descriptor")
        unlimited(connected, resource.RLIMIT_NOFILE)
        server.restart()
        client.wait_state("connected")
        client.command("Reload")
        reader = new_client()
        reader.list_events()
        reader.hold("project:held")
        reader.close()
    witness.finish()
    wait_until(lambda: descriptors(connected) <= before, lambda: f"{before} descriptors; there are {descriptors(connected)}")


# -- memory

def test_no_memory(relay, server, client, new_witness, instrumented):
    """GLib ends a program that gets none: a crash as any other. What was signalled is stored, the next one goes on."""
    if instrumented:
        pytest.skip("a sanitizer takes all addresses there are, and valgrind its own")
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client, rate=500)
    witness.wait_flow()
    limit(relay, resource.RLIMIT_AS, relay.status("VmSize") + 256 * 1024)
    connection = server.connection
    for n in range(20):
        if relay.process.poll() is None:
            connection.write(frame(TEXT, json.dumps({
                "id": f"big-{n}", "type": "some.thing", "timestamp": "t", "data": {"x": "x" * 900_000}}).encode()))
            wait_until(lambda n=n: relay.process.poll() is not None or len(client.events("OtherEvent")) > n, "it, or the end")
    assert relay.process.poll() is not None, "it lives on a quarter of a megabyte"
    assert relay.process.returncode != 0, "systemd would not start it again"
    check_store(relay)
    wait_until(lambda: client.owner() is None, "the name to be free")
    relay.start(client)
    witness.finish()


# -- files

def test_files_must_not_grow(connected, server, client, new_witness):
    """RLIMIT_FSIZE: as a disk that is full, and no reason to end (SIGXFSZ would)."""
    witness = new_witness(server, client)
    witness.wait_flow()
    wal = connected.home.state / "prp-relay" / "relay.db-wal"
    limit(connected, resource.RLIMIT_FSIZE, wal.stat().st_size + 8192 if wal.exists() else 8192)
    code, _ = client.wait_error("STORE_FULL", seconds=20)
    assert connected.is_running() and code
    witness.wait_flow()
    witness.check_answers()
    unlimited(connected, resource.RLIMIT_FSIZE)
    client.command("Reload")
    client.wait_get("LastError", ("", ""))
    witness.finish()
    assert not witness.gaps()
    assert check_store(connected) == witness.sent


CRASH = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2); os.execv(sys.argv[1], sys.argv[1:])"


def core_was_written(process):
    """Waits for its end."""
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGSEGV
    return os.WCOREDUMP(status)


def test_no_core(relay, server, client):
    """What it holds in memory is a token: no core, though cores are to be had."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY and os.geteuid() != 0:
        pytest.skip("an ordinary user cannot raise a limit that somebody has lowered")
    relay.enter = [sys.executable, "-c", CRASH]
    relay.start(client)
    client.wait_state("connected")
    assert resource.prlimit(relay.pid, resource.RLIMIT_CORE)[0] == resource.RLIM_INFINITY
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            open(f"/proc/{relay.pid}/mem", "rb")
    relay.process.send_signal(signal.SIGSEGV)
    assert not core_was_written(relay.process)
