# SPDX-License-Identifier: MIT
"""Tokens in a real gnome-keyring: found, noticed, renewed, and never waited for in vain."""

import time

import pytest

from keyring_lab import Keyring
from waiting import wait_until

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
def plain(idle_relay, server):
    """A relay, not started, that knows of no token but what the keyring holds."""
    idle_relay.configure(Server={"Url": server.url()}, Reconnect={"InitialDelaySec": "0.2", "MaxDelaySec": "0.3"})
    return idle_relay


# -- the relay

def test_a_token_in_the_keyring(plain, keyring, server, client, token):
    keyring.start()
    keyring.store(ACCESS, "wss://elsewhere.example/", NEW)
    plain.start(client)
    client.wait_error("NO_CREDENTIALS")
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
