# SPDX-License-Identifier: MIT
"""The server's process is killed or stopped at any moment of the conversation, and comes back: what was missed is told, and
nothing is left hanging."""

import itertools

import pytest

from prp_server import CLOSE, frame
from waiting import wait_until
from witness import CHANNELS

EXPIRED = {"id": "srv_expired", "type": "token_expired", "timestamp": "2024-01-15T10:00:00Z", "data": {}}


@pytest.fixture
def brisk(relay):
    """Quick to notice a server that does not answer."""
    relay.configure(Heartbeat={"PingIntervalSec": "0.5", "PongTimeoutSec": "0.5"})
    return relay


class Blow:
    """Strikes the server once, at its moment."""

    def __init__(self, server, how):
        self.server, self.how = server, how
        self.struck = False

    def strike(self):
        """In the server's thread."""
        if self.struck:
            return
        self.struck = True
        if self.how == "killed":
            self.server.die()
        else:
            self.server.hold_still()

    def wait(self):
        wait_until(lambda: self.struck, "the moment to come", 20)

    def mend(self):
        if self.how == "killed":
            self.server.restart()
        else:
            self.server.go_on()


@pytest.fixture(params=["killed", "stopped"])
def blow(request, server):
    return Blow(server, request.param)


def strike_at(server, blow, moment):
    """Sets the hooks, so that it comes when a connection is made anew."""
    async def on_connection(connection):
        if moment == "greeting":
            blow.strike()
        return False

    async def on_message(connection, message):
        if message["action"] != "subscribe" or blow.struck:
            return False
        # Who was stopped goes on where it was; who was killed does not.
        channels = message["payload"]["channels"]
        if moment == "confirmations":
            await server.confirm(connection, channels[:1])
            blow.strike()
            if blow.how == "stopped":
                await server.confirm(connection, channels[1:])
            return True
        if moment == "subscribe":
            blow.strike()
            return blow.how == "killed"
        return False

    server.on_connection, server.on_message = on_connection, on_message
    if moment == "handshake":
        server.on_handshake = lambda _: blow.strike()


def check_out_of_order(relay, client, witness, blow):
    """While the server is away."""
    if blow.how == "killed":
        client.wait_error("REFUSED")
        witness.check_planned()
    elif client.get("State") == "connected":
        client.wait_error("TIMEOUT")
        witness.check_planned()
    witness.check_answers()
    assert relay.is_running()


@pytest.mark.parametrize("moment", ["handshake", "greeting", "subscribe", "confirmations"])
def test_while_it_comes_back(brisk, server, client, new_witness, blow, moment):
    """The connection was cut; the server fails again while the next one is being made."""
    brisk.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    strike_at(server, blow, moment)
    server.connection.abort()
    blow.wait()
    check_out_of_order(brisk, client, witness, blow)
    blow.mend()
    witness.finish()
    assert witness.gaps(), "nothing was told"
    assert len([c for c in server.connections if c.closed is None]) == 1


def test_in_the_middle_of_the_stream(brisk, server, client, new_witness, blow):
    brisk.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client, rate=1000)
    witness.wait_flow()
    server.loop.call_soon_threadsafe(blow.strike)
    blow.wait()
    wait_until(lambda: client.get("State") != "connected", "the loss to be noticed")
    check_out_of_order(brisk, client, witness, blow)
    blow.mend()
    witness.finish()
    assert witness.gaps(), "nothing was told"


def test_while_a_page_is_listed(brisk, server, client, new_client, new_witness, blow):
    """Readers of the history notice nothing of it."""
    brisk.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client, rate=2000)
    wait_until(lambda: client.get("EventsEmitted") > 500, "something to list", 20)
    reader = new_client(listens=False)
    pages = [reader.list_events_async(limit=200) for _ in range(8)]
    server.loop.call_soon_threadsafe(blow.strike)
    blow.wait()
    pages += [reader.list_events_async(limit=200) for _ in range(7)]
    wait_until(lambda: client.get("State") != "connected", "the loss to be noticed")
    pages.append(reader.list_events_async())
    for page in pages:
        assert len(page.result().unpack()[0]) >= 200
    blow.mend()
    witness.finish()


def test_a_call_that_waits(brisk, server, client, blow):
    """Subscribe is answered when the server is back."""
    server.on_message = None
    strike_at(server, blow, "subscribe")
    brisk.start(client)
    client.wait_state("connected")
    call = client.subscribe_async(*CHANNELS)
    blow.wait()
    wait_until(lambda: client.get("State") != "connected", "the loss to be noticed")
    blow.mend()
    # Within the 10 s it is the server's word, behind them that it is pending; the channels come in any case.
    assert set(call.result().unpack()[0].values()) <= {"active", "pending"}
    for channel in CHANNELS:
        client.wait_channel(channel, State="active", seconds=20)


@pytest.mark.parametrize("moment", ["handshake", "greeting", "subscribe", "confirmations", "taken over"])
def test_during_a_handover(brisk, home, server, endpoint, client, new_witness, blow, moment):
    """Make before break, and the server breaks both."""
    numbers = itertools.count(1)
    server.tokens |= {home.secret(f"renewed-token-{n:04}") for n in range(1, 100)}

    class Replies(list):
        """The next token each time."""
        def __getitem__(self, index):
            return 200, {"access_token": f"renewed-token-{next(numbers):04}", "token_type": "Bearer"}, {}

    endpoint.replies = Replies([None])
    brisk.configure(Auth={"RefreshUrl": endpoint.url, "RefreshTokenFile": home.write_secret("refresh", "refresh-token-x1")})
    brisk.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    old = server.connection
    if moment == "taken over":
        # The last thing of it: the old one is being closed.
        async def on_message(connection, message):
            if connection is not old and message["action"] == "subscribe":
                await server.confirm(connection, message["payload"]["channels"])
                server.loop.call_later(0.002, blow.strike)
                return True
            return False
        server.on_message = on_message
    else:
        strike_at(server, blow, moment)
    old.send(EXPIRED)
    blow.wait()
    check = wait_until(lambda: client.get("State") != "connected" and "lost", "the loss to be noticed", 20)
    assert check
    witness.check_answers()
    blow.mend()
    witness.finish()
    wait_until(lambda: len([c for c in server.connections if c.closed is None]) == 1, "one connection in the end")


@pytest.mark.parametrize("end", ["FIN", "RST"])
def test_it_lingers_behind_its_goodbye(brisk, server, client, new_witness, end):
    """It closes the WebSocket, and the TCP connection much later: nothing that it says then counts, nor does its silence. What was
    missed begins with the goodbye."""
    brisk.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    witness.wait_flow()
    last = server.connection
    server.loop.call_soon_threadsafe(last.socket.transport.pause_reading)  # it does not hear that it is answered
    last.write(frame(CLOSE, (1001).to_bytes(2, "big")))
    said = witness.sent
    wait_until(lambda: witness.sent > said + 100, "some more that it says")
    if end == "RST":
        last.abort()
    else:
        server.loop.call_soon_threadsafe(last.socket.transport.close)
    server.wait_connection(2)
    missed = witness.finish()
    assert len(missed) > 90 and len(witness.gaps()) == 1


def test_it_comes_and_goes(brisk, server, client, new_witness):
    """A server that starts over and over: no attempt is skipped, none is made twice, and all is told in the end."""
    brisk.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client)
    for n in range(6):
        witness.wait_flow()
        before = len(server.handshakes)
        server.kill()
        client.wait_error("REFUSED")
        server.restart()
        client.wait_state("connected")
        assert len(server.handshakes) == before + 1
    witness.finish()
    assert len(witness.gaps()) == 6
