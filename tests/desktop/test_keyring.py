# SPDX-License-Identifier: MIT
"""Tokens in a real gnome-keyring: found, noticed, renewed, and never waited for in vain."""

import pathlib
import signal
import subprocess

import pytest

from keyring_lab import Keyring
from login_bench import PRPCTL, Prpctl
from waiting import holds_for, wait_until

ACCESS, REFRESH = "access-token", "refresh-token"
NEW = "secret-new-token-Zp81"
OLD_REFRESH = "secret-refresh-token-Qm55"
ROTATED = "secret-rotated-token-Vx03"


@pytest.fixture
def keyring(home, bus, client):
    """Not started."""
    keyring = Keyring(home, bus, client)
    yield keyring
    keyring.stop()


@pytest.fixture
def prpctl(home, bus):
    prpctl = Prpctl(home, bus.address)
    yield prpctl
    prpctl.finish()


@pytest.fixture
def plain(idle_relay, server):
    """A relay, not started, that knows of no token but what the keyring holds."""
    idle_relay.configure(Server={"Url": server.url()}, Reconnect={"InitialDelaySec": "0.2", "MaxDelaySec": "0.3"})
    return idle_relay


def threads(relay):
    return {path.read_text().strip() for path in pathlib.Path(f"/proc/{relay.pid}/task").glob("*/comm")}


# -- the relay

def test_a_token_in_the_keyring(plain, keyring, server, client, token):
    keyring.start()
    keyring.store(ACCESS, "wss://elsewhere.example/", NEW)
    plain.start(client)
    client.wait_error("NO_CREDENTIALS")
    client.wait_told("State", "unauthorized")
    # What other programs keep there is no reason to try anything.
    client.signals.clear()
    keyring.store(ACCESS, "wss://elsewhere.example/", NEW + "-too")
    holds_for(lambda: not client.changes("State"), "it tries to connect", 1)
    keyring.store(ACCESS, server.url(), token)
    client.wait_state("connected")
    # Another one there: it takes over.
    server.tokens.add(NEW)
    keyring.store(ACCESS, server.url(), NEW)
    wait_until(lambda: server.handshakes[-1].token == NEW, "a connection with the other token")
    client.wait_state("connected")


def test_a_locked_keyring(plain, keyring, server, client, token):
    keyring.start()
    keyring.store(ACCESS, server.url(), token)
    keyring.lock()
    plain.start(client)
    client.wait_error("KEYRING_LOCKED")
    assert client.get("State") == "unauthorized" and not server.handshakes
    keyring.unlock()
    client.wait_state("connected")
    # What is at hand stays good when it is locked again.
    keyring.lock()
    server.connection.abort()
    server.wait_connection(2)
    client.wait_state("connected")


def test_a_locked_keyring_at_its_start(plain, keyring, server, client, token):
    """The relay is there before the keyring, and the keyring before its password."""
    keyring.start()
    keyring.store(ACCESS, server.url(), token)
    keyring.stop()
    plain.start(client)
    client.wait_error("NO_CREDENTIALS")
    keyring.start(unlocked=False)
    client.wait_error("KEYRING_LOCKED")
    keyring.unlock()
    client.wait_state("connected")


def test_a_keyring_that_hangs(plain, keyring, server, client, token):
    """Nobody waits for it but who needs it: calls are answered, the relay ends, and goes on when it goes on."""
    keyring.start()
    keyring.store(ACCESS, server.url(), token)
    keyring.pause()
    plain.start(client)
    assert client.get("Version")
    client.wait_error("KEYRING_FAILED", seconds=15)
    assert client.get("State") in ("waiting", "connecting") and not server.handshakes
    plain.stop()
    plain.start(client)
    keyring.resume()
    client.wait_state("connected", seconds=20)


def test_the_bus_is_lost_meanwhile(plain, keyring, server, client, token, bus):
    """What the library of the keyring makes of that is not what ends the relay."""
    keyring.start()
    keyring.store(ACCESS, server.url(), token)
    keyring.pause()
    # GDBus calls it critical when the bus goes in the middle of its first steps; that is not to be what ends the relay here.
    plain.environment["G_DEBUG"] = ""
    plain.known_complaints = tuple(f": Error while sending {call}() message: The connection is closed"
                                   for call in ("AddMatch", "GetNameOwner"))
    plain.start(client)
    wait_until(lambda: "gdbus" in threads(plain), "the keyring to be asked")
    bus.kill()
    assert plain.wait_exit() == 1
    assert "session bus was lost" in plain.log


def test_a_keyring_that_dies(plain, keyring, server, client, token):
    """The token at hand stays good; a new start needs it again."""
    keyring.start()
    keyring.store(ACCESS, server.url(), token)
    plain.start(client)
    client.wait_state("connected")
    keyring.stop()
    server.connection.abort()
    server.wait_connection(2)
    client.wait_state("connected")
    client.command("Reload")
    holds_for(lambda: client.get("State") == "connected", "it lets go of the token", 1)
    plain.stop()
    plain.start(client)
    client.wait_error("NO_CREDENTIALS")
    keyring.start()
    client.wait_state("connected")


def test_other_sources_go_first(plain, keyring, server, client, token, home):
    """The keyring is not even asked: its library's thread is not there."""
    keyring.start()
    keyring.store(ACCESS, server.url(), NEW)
    path = home.write_secret("token", token)
    plain.configure(Auth={"TokenFile": path})
    plain.start(client)
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == [token]
    assert "gdbus" not in threads(plain)
    # It takes its place when the file goes.
    server.tokens = {NEW}
    path.unlink()
    client.command("Reload")
    wait_until(lambda: server.handshakes[-1].token == NEW, "the token of the keyring")
    client.wait_state("connected")


def test_an_item_that_is_no_token(plain, keyring, server, client, token):
    keyring.start()
    keyring.store(ACCESS, server.url(), "secret with spaces")
    plain.start(client)
    assert "space" in client.wait_error("BAD_CREDENTIALS")[1]
    keyring.store(ACCESS, server.url(), token)
    client.wait_state("connected")


# -- renewal

@pytest.fixture
def refreshing(plain, home, server, endpoint):
    for secret in (NEW, ROTATED):
        home.secret(secret)
    plain.configure(Auth={"RefreshUrl": endpoint.url})
    endpoint.reply(access_token=NEW, token_type="Bearer", expires_in=3600, refresh_token=ROTATED)
    return plain


def test_login_restart_renewal_logout(refreshing, keyring, prpctl, server, client, endpoint, token):
    keyring.start()
    # The refresh token is stored first, and a relay that happens to see it before the other one makes use of it: this
    # one gets to know of RefreshUrl when it is told to read its credentials, with both in place.
    refreshing.configure(Auth={"RefreshUrl": None})
    refreshing.start(client)
    client.wait_state("unauthorized")
    refreshing.configure(Auth={"RefreshUrl": endpoint.url})
    home = refreshing.home
    result = prpctl("login", "--refresh-token", text=f"{token}\n{home.secret(OLD_REFRESH)}\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"The tokens are stored in the keyring.\nThe relay is connected to {server.url()}.\n"
    assert keyring.look_up(ACCESS, server.url()) == token and keyring.look_up(REFRESH, server.url()) == OLD_REFRESH
    assert not (prpctl.folder / "token").exists()

    refreshing.stop()
    refreshing.start(client)
    client.wait_state("connected")

    # The server wants another token. The refresh token is in the keyring before the new token is used.
    stored = []
    server.on_handshake = lambda handshake: stored.append(keyring.look_up(REFRESH, server.url()))
    connection = server.connection
    server.tokens = {NEW}
    connection.send({"id": "x", "type": "token_expired", "timestamp": "t", "data": {}})
    wait_until(lambda: server.handshakes[-1].token == NEW, "a connection with the new token")
    assert stored == [ROTATED]
    server.on_handshake = None
    wait_until(lambda: keyring.look_up(ACCESS, server.url()) == NEW, "the new token in the keyring")
    assert [r.form["refresh_token"] for r in endpoint.requests] == [[OLD_REFRESH]]

    refreshing.stop()
    refreshing.start(client)
    client.wait_state("connected")
    assert server.handshakes[-1].token == NEW and len(endpoint.requests) == 1

    result = prpctl("logout")
    assert result.returncode == 0 and result.stdout.count("removed from the keyring") == 2
    assert keyring.look_up(ACCESS, server.url()) is None and keyring.look_up(REFRESH, server.url()) is None
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] == "NO_CREDENTIALS"


def test_a_refresh_token_in_a_locked_keyring(refreshing, keyring, server, client, endpoint, home, token):
    """The token itself comes from a file, and is refused."""
    server.tokens = {NEW}
    refreshing.configure(Auth={"TokenFile": home.write_secret("token", token)})
    keyring.start()
    keyring.store(REFRESH, server.url(), OLD_REFRESH)
    keyring.lock()
    refreshing.start(client)
    client.wait_error("KEYRING_LOCKED")
    assert client.get("State") == "unauthorized" and not endpoint.requests
    keyring.unlock()
    client.wait_state("connected")
    assert keyring.look_up(REFRESH, server.url()) == ROTATED
    assert keyring.look_up(ACCESS, server.url()) is None  # it was not there before


def test_a_rotated_token_that_cannot_be_stored(refreshing, keyring, server, client, endpoint, token):
    """The keyring is locked between the request and its answer: the new one is used from memory, until it is unlocked."""
    keyring.start()
    keyring.store(ACCESS, server.url(), token)
    keyring.store(REFRESH, server.url(), OLD_REFRESH)
    server.tokens = {NEW}
    answer = endpoint.replies[0]

    class Locking(dict):
        """Looked at when the answer is made."""

        def items(self):
            keyring.lock()
            return super().items()

    endpoint.replies = [(answer[0], answer[1], Locking())]
    refreshing.start(client)
    client.wait_state("connected")
    assert "cannot be stored in the keyring" in refreshing.log
    # The next renewal goes on with it.
    again = refreshing.home.secret("secret-third-token-Lk42")
    endpoint.reply(access_token=again, token_type="Bearer", expires_in=3600)
    server.tokens = {again}
    keyring.unlock()
    server.connection.send({"id": "x", "type": "token_expired", "timestamp": "t", "data": {}})
    wait_until(lambda: server.handshakes[-1].token == again, "a connection with the third token")
    assert [r.form["refresh_token"] for r in endpoint.requests] == [[OLD_REFRESH], [ROTATED]]
    wait_until(lambda: keyring.look_up(ACCESS, server.url()) == again, "the third token in the keyring")
    assert keyring.look_up(REFRESH, server.url()) == ROTATED


# -- prpctl

def test_login_moves_what_was_in_files(plain, keyring, prpctl, server, client, token):
    plain.start(client)
    prpctl("login", "--refresh-token", text="an-old-one\nanother\n")
    assert (prpctl.folder / "token").exists()
    keyring.start()
    assert "keyring" in prpctl("login", text=token).stdout
    assert not (prpctl.folder / "token").exists() and not (prpctl.folder / "refresh-token").exists()
    client.wait_state("connected")
    # And back. A file goes before the keyring.
    server.tokens.add(NEW)
    prpctl.home.secret(NEW)
    assert f"stored in {prpctl.folder}/token" in prpctl("login", "--file", text=NEW).stdout
    wait_until(lambda: server.handshakes[-1].token == NEW, "a connection with the token of the file")
    result = prpctl("logout")
    assert "removed from the keyring" in result.stdout and f"{prpctl.folder}/token was removed" in result.stdout
    client.wait_state("unauthorized")


def test_a_locked_keyring_and_nobody_to_ask(plain, keyring, prpctl, server, client, token):
    keyring.start()
    keyring.store(ACCESS, server.url(), "the-old-one")
    keyring.lock()
    plain.start(client)
    client.wait_error("KEYRING_LOCKED")
    shown = prpctl("status")
    assert shown.returncode == 4 and "KEYRING_LOCKED" in shown.stdout and "Unlock the keyring" in shown.stdout
    result = prpctl("login", text=token)
    assert result.returncode == 1 and "locked" in result.stderr and "--file" in result.stderr
    assert not result.stdout and not (prpctl.folder / "token").exists()
    result = prpctl("logout")
    assert result.returncode == 1 and "locked" in result.stderr
    result = prpctl("login", "--file", text=token)
    assert result.returncode == 0 and result.stdout.endswith(f"The relay is connected to {server.url()}.\n")


def test_login_into_a_keyring_that_hangs(plain, keyring, prpctl, home):
    """It says what it waits for, and Ctrl-C ends it."""
    plain.configure()
    keyring.start()
    keyring.pause()
    process = subprocess.Popen([str(PRPCTL), "login"], env=prpctl.environment, stdin=subprocess.PIPE, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(home.secret(NEW))
    process.stdin.close()
    assert "Waiting for the keyring" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == -signal.SIGINT
