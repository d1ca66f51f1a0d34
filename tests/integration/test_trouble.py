# SPDX-License-Identifier: MIT
"""What can be wrong between the relay and its server: each trouble has a code, words, and the right next step."""

import asyncio
import email.utils
import time

import pytest

from certificates import server_context
from side_servers import unused_port
from waiting import holds_for, wait_until

QUIET_SEC = 1.5  # with 0.3 s at most between two attempts, this long without one means that none is planned


def last_error(client):
    return client.get("LastError")


def wait_error(client, code, seconds=10):
    """For LastError to show the code, now or in between; its text."""
    def all_of_them():
        return [*client.changes("LastError"), last_error(client)]

    text = wait_until(lambda: next((text for c, text in all_of_them() if c == code), None),
                      lambda: f"LastError {code}; there were {all_of_them()}", seconds)
    assert text and "%s" not in text
    return text


# -- answers to the handshake

@pytest.mark.parametrize("status,code", [
    (200, "NOT_WEBSOCKET"), (400, "HTTP_ERROR"), (404, "HTTP_ERROR"), (500, "HTTP_ERROR"),
    (502, "HTTP_ERROR"), (503, "UNAVAILABLE"), (429, "RATE_LIMITED")])
def test_an_answer_that_is_tried_again(relay, server, client, status, code):
    server.answers = [(status, {})] * 2
    relay.start(client)
    wait_error(client, code)
    client.wait_state("connected")
    assert [h.status for h in server.handshakes] == [status, status, 101]
    assert last_error(client) == ("", "")


def test_forbidden_is_not_tried_again(relay, server, client):
    server.answer = (403, {})
    relay.start(client)
    client.wait_state("unauthorized")
    wait_error(client, "FORBIDDEN")
    holds_for(lambda: len(server.handshakes) == 1, "it tries again", QUIET_SEC)
    assert client.get("NextAttempt") == 0
    server.answer = None
    client.command("Connect")
    client.wait_state("connected")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(relay, server, client, status, form):
    value = "2" if form == "seconds" else email.utils.formatdate(time.time() + 3, usegmt=True)
    earliest = time.time() + 2 if form == "seconds" else email.utils.parsedate_to_datetime(value).timestamp()
    server.answers = [(status, {"Retry-After": value})]
    relay.start(client)
    client.wait_state("waiting")
    planned = client.get("NextAttempt")
    client.wait_state("connected")
    _, second = server.wait_handshakes(2)
    assert second.time >= earliest
    # It said when, and kept to it: neither before nor (on a machine under load) seconds after.
    assert -0.05 <= second.time - planned / 1e6 < 2
    assert 0 in client.changes("NextAttempt")


def test_a_retry_after_of_weeks_or_of_nonsense(relay, server, client):
    server.answers = [(503, {"Retry-After": "soon"}), (503, {"Retry-After": "-5"}), (503, {"Retry-After": "0"}),
                      (503, {"Retry-After": "99999999999999999999"})]
    relay.start(client)
    server.wait_handshakes(4)
    client.wait_state("waiting")
    wait_until(lambda: client.get("NextAttempt") > time.time() * 1e6 + 60e6, "a long wait")
    assert client.get("NextAttempt") <= (time.time() + 3700) * 1e6
    client.command("Connect")
    client.wait_state("connected")


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed(relay, server, client, new_raw_server, status):
    other = new_raw_server()
    server.answers = [(status, {"Location": f"http://127.0.0.1:{other.port}/elsewhere"})]
    relay.start(client)
    assert f"127.0.0.1:{other.port}" in wait_error(client, "REDIRECT")
    client.wait_state("connected")
    assert other.accepted == []


# -- no server

def test_a_name_that_does_not_resolve(relay, client):
    relay.configure(Server={"Url": "wss://prp-relay-test.invalid/v1/ws/prps"})
    relay.start(client)
    assert "prp-relay-test.invalid" in wait_error(client, "DNS", 30)
    client.wait_state("waiting", "connecting", "offline")


def test_a_port_where_nobody_listens(relay, client):
    relay.configure(Server={"Url": f"ws://127.0.0.1:{unused_port()}/"})
    relay.start(client)
    wait_error(client, "REFUSED")
    wait_until(lambda: client.get("Attempts") >= 3, "three attempts")
    # The plan is what is shown: in the future (or just now), and not beyond MaxDelaySec.
    for moment in client.changes("NextAttempt"):
        assert moment == 0 or moment / 1e6 < time.time() + 0.4


def test_a_handshake_that_never_ends(relay, client, new_raw_server):
    silent = new_raw_server()
    relay.configure(Server={"Url": f"ws://127.0.0.1:{silent.port}/"})
    relay.start(client)
    client.wait_state("connecting")
    wait_error(client, "HANDSHAKE_TIMEOUT", 30)
    wait_until(lambda: len(silent.accepted) >= 2, "another attempt")
    assert 15 < silent.accepted[1][0] - silent.accepted[0][0] < 30


def test_a_handshake_of_garbage(relay, client, new_raw_server):
    for greeting in (b"", b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n", b"\0" * 5000,
                     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Accept: bm90IHRoZSByaWdodCBrZXkgIQ==\r\n\r\n"):
        server = new_raw_server(greeting, hang_up=True)
        relay.configure(Server={"Url": f"ws://127.0.0.1:{server.port}/"})
        if relay.is_running():
            client.command("Reload")
        else:
            relay.start(client)
        wait_until(lambda: len(server.accepted) >= 2, "another attempt")
        assert last_error(client)[0]
        assert client.get("State") in ("waiting", "connecting")


def test_a_refused_port_that_opens(relay, server, client):
    server.stop()
    relay.start(client)
    wait_error(client, "REFUSED")
    server.start()
    client.wait_state("connected")
    assert last_error(client) == ("", "")


# -- TLS

@pytest.fixture
def tls_relay(relay, certificates, server):
    """Configured by the certificate that the server shall show."""
    def configure(other, host="127.0.0.1"):
        relay.configure(Server={"Url": f"wss://{host}:{other.port}/v1/ws/prps", "CaFile": certificates.ca_file})
        return relay
    return configure


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_tls(tls_relay, certificates, client, new_server, token, host):
    server = new_server(tls=server_context(certificates.good))
    server.tokens = {token}
    tls_relay(server, host).start(client)
    client.wait_state("connected")
    assert client.subscribe("project:p1") == {"project:p1": "active"}


@pytest.mark.parametrize("which,code", [
    ("expired", "TLS_EXPIRED"), ("other_host", "TLS_WRONG_HOST"), ("self_signed", "TLS_UNTRUSTED")])
def test_a_certificate_that_is_not_right(tls_relay, certificates, client, new_server, which, code):
    server = new_server(tls=server_context(getattr(certificates, which)))
    tls_relay(server).start(client)
    wait_error(client, code)
    assert server.handshakes == []


def test_a_ca_that_is_not_ours(tls_relay, relay, certificates, client, new_server):
    """Without CaFile only the system's authorities count."""
    server = new_server(tls=server_context(certificates.good))
    tls_relay(server)
    relay.configure(Server={"CaFile": None})
    relay.start(client)
    wait_error(client, "TLS_UNTRUSTED")
    assert server.handshakes == []


def test_tls_1_1(tls_relay, certificates, client, new_old_tls_server, token):
    server = new_old_tls_server(certificates.good)
    tls_relay(server).start(client)
    wait_error(client, "TLS_TOO_OLD")
    assert token.encode() not in b"".join(server.output)
    assert b"Authorization" not in b"".join(server.output)


def test_a_server_without_tls(tls_relay, client, server):
    tls_relay(server).start(client)
    wait_until(lambda: last_error(client)[0], "a trouble")
    assert last_error(client)[0] in ("TLS", "CONNECTION_LOST")
    assert server.handshakes == []


def test_a_plain_client_at_a_tls_server(relay, certificates, client, new_server):
    server = new_server(tls=server_context(certificates.good))
    relay.configure(Server={"Url": f"ws://127.0.0.1:{server.port}/"})
    relay.start(client)
    wait_until(lambda: last_error(client)[0], "a trouble")
    assert client.get("State") in ("waiting", "connecting")


# -- the connection's end

@pytest.mark.parametrize("how,code", [
    ("abort", "CONNECTION_LOST"), (1000, "CLOSED"), (1001, "SERVER_GOING_AWAY"), (1008, "POLICY"),
    (1011, "SERVER_ERROR"), (1012, "SERVER_RESTART"), (1013, "TRY_LATER"), (4000, "CLOSED"), (4999, "CLOSED")])
def test_the_end_of_a_connection(connected, server, client, how, code):
    server.connection.end(how)
    server.wait_connection(2)
    text = wait_error(client, code)
    assert how == "abort" or str(how) in text
    client.wait_state("connected")
    client.wait_told("State", "waiting", "connecting", "connected")
    assert client.get("Connections") == 2


def test_the_servers_reason_is_shown(connected, server, client):
    server.connection.close(4001, "Go and see the “doctor”\n")
    assert "doctor" in wait_error(client, "CLOSED")


def test_a_close_frame_without_a_code(connected, server, client):
    server.connection.write(b"\x88\x00")
    server.wait_connection(2)
    wait_error(client, "CLOSED")


def test_a_server_that_falls_silent(relay, server, client):
    relay.configure(Heartbeat={"PingIntervalSec": "0.4", "PongTimeoutSec": "0.4"})
    relay.start(client)
    first = server.wait_connection()
    first.wait_action("ping")
    client.wait_state("connected")
    server.answer_pings = False
    wait_error(client, "TIMEOUT")
    server.answer_pings = True
    server.wait_connection(2).wait_action("ping")
    client.wait_state("connected")
    assert client.get("Connections") >= 2


def test_any_frame_is_a_sign_of_life(relay, server, client):
    relay.configure(Heartbeat={"PingIntervalSec": "0.6", "PongTimeoutSec": "0.4"})
    server.answer_pings = False
    relay.start(client)
    connection = server.wait_connection()
    end = time.monotonic() + 2.5
    # Every 0.2 s something comes, of whatever kind: silence it never is.
    frames = [b"\x89\x00", b"\x8a\x00", b"\x82\x01x", b'\x81\x02{}']
    while time.monotonic() < end:
        connection.write(frames[0])
        frames.append(frames.pop(0))
        holds_for(lambda: connection.closed is None, "it gave up a living connection", 0.2)
    assert len(server.connections) == 1


def test_it_speaks_when_the_server_is_quiet_only(relay, server, client):
    relay.configure(Heartbeat={"PingIntervalSec": "0.3", "PongTimeoutSec": "5"})
    relay.start(client)
    connection = server.wait_connection()
    wait_until(lambda: len([m for m in connection.messages if m["action"] == "ping"]) >= 3, "three pings")
    assert client.get("LastAlive") > time.time() * 1e6 - 5e6
    assert len(server.connections) == 1


def test_a_websocket_ping_is_answered(connected, server):
    async def ping():
        return await asyncio.wait_for(await server.connection.socket.ping(b"are you there"), 5)
    server.run(ping())


# -- planning

def test_attempts_are_counted_until_it_gives_up(relay, server, client):
    server.answer = (500, {})
    relay.configure(Reconnect={"MaxAttempts": 3})
    relay.start(client)
    client.wait_state("disconnected")
    assert client.get("Attempts") == 3 and client.get("NextAttempt") == 0
    assert last_error(client)[0] == "HTTP_ERROR"
    holds_for(lambda: len(server.handshakes) == 3, "it goes on", QUIET_SEC)
    server.answer = None
    client.command("Connect")
    client.wait_state("connected")


def test_connect_skips_the_wait(relay, server, client):
    relay.configure(Reconnect={"InitialDelaySec": "600", "MaxDelaySec": "600"})
    server.answers = [(503, {"Retry-After": "300"})]
    relay.start(client)
    client.wait_state("waiting")
    assert client.get("NextAttempt") > (time.time() + 200) * 1e6
    client.command("Connect")
    client.wait_state("connected")
    assert len(server.handshakes) == 2


def test_the_handshake_itself(connected, server, token):
    [handshake] = server.handshakes
    assert handshake.path == "/v1/ws/prps"
    assert handshake.headers["Authorization"] == f"Bearer {token}"
    assert "Sec-WebSocket-Extensions" not in handshake.headers, "compression has no bound"
    assert handshake.headers["Host"] == f"127.0.0.1:{server.port}"
    assert "Cookie" not in handshake.headers


def test_a_server_that_does_not_greet(relay, server, client):
    server.established = None
    relay.start(client)
    client.wait_state("connected")
    assert client.subscribe("project:p1") == {"project:p1": "active"}
    assert client.get("ConnectionId") == ""
