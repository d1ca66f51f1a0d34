# SPDX-License-Identifier: MIT
"""Tokens: where they come from, how they are renewed, and that a refused one is no reason to make noise."""

import base64
import json
import time
import urllib.parse

import pytest

from side_servers import unused_port
from waiting import SCALE, holds_for, wait_until

QUIET_SEC = 1.5

NEW = "secret-new-token-Zp81"
REFRESH = "secret-refresh-token-Qm55"
ROTATED = "secret-rotated-token-Vx03"


def jwt(life_sec, name="t"):
    """A token that says when it ends, and the second when it does."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    now = time.time()
    expires = int(now) + life_sec
    return f"{part({'alg': 'HS256'})}.{part({'iat': int(now), 'exp': expires, 'sub': name})}.c2lnbmF0dXJl", expires


def codes(client):
    return [code for code, _ in [*client.changes("LastError"), client.get("LastError")]]


@pytest.fixture
def refreshing(relay, home, server, endpoint):
    """Configured to renew its token; the endpoint gives NEW, and another refresh token."""
    for secret in (NEW, ROTATED):
        home.secret(secret)
    relay.refresh_file = home.write_secret("refresh-token", REFRESH)
    relay.configure(Auth={"RefreshUrl": endpoint.url, "RefreshTokenFile": relay.refresh_file,
                          "ClientId": "relay test"})
    endpoint.reply(access_token=NEW, token_type="Bearer", expires_in=3600, refresh_token=ROTATED)
    return relay


# -- refused

def test_a_refused_token_makes_it_quiet(relay, server, client):
    server.tokens = set()
    relay.start(client)
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] == "AUTH_FAILED"
    assert client.get("NextAttempt") == 0
    holds_for(lambda: len(server.handshakes) <= 2, "it tries again", QUIET_SEC)
    assert client.get("State") == "unauthorized"


def test_a_token_refused_by_message(relay, server, client):
    """The server takes the handshake, and refuses after it."""
    relay.start(client)
    connection = server.wait_connection()
    client.wait_state("connected")
    server.tokens = set()
    connection.send({"id": "e", "type": "error", "timestamp": "t",
                     "data": {"code": "AUTH_FAILED", "message": "No"}})
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] == "AUTH_FAILED"
    holds_for(lambda: len(server.handshakes) <= 3, "it tries again", QUIET_SEC)


@pytest.mark.parametrize("way", ["replaced", "rewritten"])
def test_a_new_token_is_noticed(relay, home, server, client, way):
    server.tokens = {home.secret(NEW)}
    relay.start(client)
    client.wait_state("unauthorized")
    if way == "replaced":
        home.write_secret("token", NEW)
    else:
        (home.directory / "token").write_text(NEW)
    client.wait_state("connected")
    assert server.handshakes[-1].token == NEW


def test_reload_and_connect_ask_again(relay, server, client, token):
    server.tokens = set()
    relay.start(client)
    client.wait_state("unauthorized")
    server.tokens = {token}
    client.command("Reload")
    client.wait_state("connected")


def test_subscribe_while_unauthorized_is_pending(relay, server, client):
    server.tokens = set()
    relay.start(client)
    client.wait_state("unauthorized")
    assert client.subscribe("project:p1") == {"project:p1": "pending"}


# -- where it comes from

def test_no_credentials(idle_relay, server, client, home):
    idle_relay.configure(Server={"Url": server.url()})
    idle_relay.start(client)
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] == "NO_CREDENTIALS"
    holds_for(lambda: server.handshakes == [], "it tries without a token", QUIET_SEC)


def test_a_token_file_that_appears(relay, home, server, client, token):
    path = home.directory / "token"
    path.unlink()
    relay.start(client)
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] in ("NO_CREDENTIALS", "BAD_CREDENTIALS")
    assert server.handshakes == []
    home.write_secret("token", token)
    client.wait_state("connected")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_file_that_others_can_read(relay, home, server, client, token, mode):
    path = home.write_secret("token", token, mode)
    relay.start(client)
    client.wait_state("unauthorized")
    code, text = client.get("LastError")
    assert code == "BAD_CREDENTIALS" and str(path) in text
    assert server.handshakes == []
    path.chmod(0o600)
    client.command("Reload")
    client.wait_state("connected")


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", "a b", "Bearer x", "caf\u00e9", "x" * 70000])
def test_a_token_file_without_a_token(relay, home, server, client, content):
    (home.directory / "token").write_text(content)
    relay.start(client)
    client.wait_state("unauthorized")
    code, text = client.get("LastError")
    assert code == "BAD_CREDENTIALS"
    assert not content.strip() or content.strip() not in text
    assert server.handshakes == []


def test_line_ends_are_no_part_of_a_token(relay, home, server, client, token):
    (home.directory / "token").write_bytes(f"{token}\r\n\n".encode())
    relay.start(client)
    client.wait_state("connected")
    assert server.handshakes[0].token == token


def test_token_command(relay, home, server, client):
    """Words are split as a shell would, but there is no shell."""
    helper = home.directory / "token helper"
    helper.write_text('#!/bin/sh\n[ "$2" = \'$HOME; x\' ] && cat "$1"\n')
    helper.chmod(0o700)
    relay.configure(Auth={"TokenFile": None, "TokenCommand": f'"{helper}" {home.directory}/token \'$HOME; x\''})
    relay.start(client)
    client.wait_state("connected")


def test_token_command_goes_before_the_file(relay, home, server, client):
    server.tokens = {home.secret(NEW)}
    relay.configure(Auth={"TokenCommand": f"printf %s {NEW}"})
    relay.start(client)
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == [NEW]


def test_token_command_is_asked_again_when_refused(relay, home, server, client):
    home.secret(NEW)
    count = home.directory / "count"
    helper = home.directory / "helper"
    helper.write_text(f'#!/bin/sh\nif [ -e "{count}" ]; then echo {NEW}; else touch "{count}"; echo old-one; fi\n')
    helper.chmod(0o700)
    server.tokens = {NEW}
    relay.configure(Auth={"TokenFile": None, "TokenCommand": str(helper)})
    relay.start(client)
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == ["old-one", NEW]


@pytest.mark.parametrize("command,said", [
    ("sh -c 'echo secret-on-stderr >&2; exit 3'", "3"), ("/nonexistent/helper --now", "/nonexistent/helper"),
    ("false", ""), ("true", ""), ("sh -c 'kill -9 $$'", "")])
def test_token_command_that_fails(relay, home, server, client, command, said):
    home.secret("secret-on-stderr")
    relay.configure(Auth={"TokenFile": None, "TokenCommand": command})
    relay.start(client)
    client.wait_state("unauthorized")
    code, text = client.get("LastError")
    assert code == "BAD_CREDENTIALS" and said in text
    assert server.handshakes == []


def test_credentials_directory_goes_first(relay, home, server, client):
    directory = home.directory / "credentials"
    directory.mkdir()
    (directory / "prp-token").write_text(home.secret(NEW))
    server.tokens = {NEW}
    relay.start(client, CREDENTIALS_DIRECTORY=str(directory))
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == [NEW]


# -- renewal

def check_request(request, refresh_token):
    assert request.form == {"grant_type": ["refresh_token"], "refresh_token": [refresh_token],
                            "client_id": ["relay test"]}
    assert request.headers["Content-Type"].split(";")[0] == "application/x-www-form-urlencoded"
    assert "Authorization" not in request.headers
    assert refresh_token not in request.path


def test_renewal_when_refused(refreshing, server, endpoint, client):
    """RFC 6749 §6; the rotated refresh token is stored before the new token is used."""
    server.tokens = {NEW}
    stored = []
    server.on_handshake = lambda handshake: stored.append(refreshing.refresh_file.read_text().strip())
    refreshing.start(client)
    client.wait_state("connected")
    assert stored == [REFRESH, ROTATED]
    assert server.handshakes[-1].token == NEW
    [request] = endpoint.requests
    check_request(request, REFRESH)
    assert refreshing.refresh_file.stat().st_mode & 0o777 == 0o600
    assert abs(client.get("TokenExpires") / 1e6 - (request.time + 3600)) < 5 * SCALE


@pytest.mark.parametrize("members", [
    {"accessToken": NEW, "expiresIn": 3600, "refreshToken": ROTATED, "tokenType": "bearer"},
    {"access_token": NEW, "token_type": "bearer"}, {"access_token": NEW, "expires_in": "3600"},
    {"access_token": NEW}])
def test_forms_of_the_reply(refreshing, server, endpoint, client, members):
    server.tokens = {NEW}
    endpoint.reply(**members)
    refreshing.start(client)
    client.wait_state("connected")
    assert refreshing.refresh_file.read_text().strip() == (ROTATED if "refreshToken" in members else REFRESH)


@pytest.mark.parametrize("what", ["token_expired", "TOKEN_EXPIRED", "AUTH_FAILED"])
def test_renewal_when_the_server_asks(refreshing, server, endpoint, client, token, what):
    refreshing.start(client)
    connection = server.wait_connection()
    client.wait_state("connected")
    client.subscribe("project:p1")
    server.tokens = {NEW}
    if what == "token_expired":
        connection.send({"id": "x", "type": "token_expired", "timestamp": "t", "data": {}})
    else:
        connection.send({"id": "x", "type": "error", "timestamp": "t", "data": {"code": what, "message": "Again"}})
    again = server.wait_connection(2)
    again.wait_action("subscribe", ["project:p1"])
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == [token, NEW]
    assert len(endpoint.requests) == 1
    connection.wait_closed()


def test_renewal_before_it_expires(refreshing, home, server, endpoint, client):
    life = int(6 * max(1, SCALE / 4))
    short, expires = jwt(life, "first")
    home.write_secret("token", short)
    server.tokens = {short, NEW}
    refreshing.start(client)
    client.wait_state("connected")
    assert client.get("TokenExpires") == expires * 1_000_000
    server.wait_connection(2, life + 5)
    assert server.handshakes[1].token == NEW
    assert server.handshakes[1].time < expires
    assert endpoint.requests[0].time > expires - life * 0.5
    client.wait_state("connected")
    assert len(endpoint.requests) == 1


def test_a_token_that_has_expired_is_renewed_first(refreshing, home, server, endpoint, client):
    old, _ = jwt(-60)
    home.write_secret("token", old)
    server.tokens = {NEW}
    refreshing.start(client)
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == [NEW]


def test_an_expired_token_that_cannot_be_renewed(relay, home, server, client):
    old, _ = jwt(-60)
    home.write_secret("token", old)
    server.tokens = set()
    relay.start(client)
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] in ("TOKEN_EXPIRED", "AUTH_FAILED")
    holds_for(lambda: len(server.handshakes) <= 2, "it tries again", QUIET_SEC)


def test_a_renewed_token_that_is_refused_too(refreshing, server, endpoint, client):
    server.tokens = set()
    refreshing.start(client)
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] == "AUTH_FAILED"
    holds_for(lambda: len(server.handshakes) <= 2 and len(endpoint.requests) <= 1, "it loops", QUIET_SEC)


@pytest.mark.parametrize("reply", [
    (400, {"error": "invalid_grant", "error_description": "Gone"}, {}), (401, {"error": "invalid_client"}, {})])
def test_a_refused_renewal(refreshing, server, endpoint, client, reply):
    server.tokens = set()
    endpoint.replies = [reply]
    refreshing.start(client)
    client.wait_state("unauthorized")
    assert client.get("LastError")[0] == "RENEWAL_REFUSED"
    holds_for(lambda: len(server.handshakes) <= 1 and len(endpoint.requests) <= 1, "it loops", QUIET_SEC)
    assert refreshing.refresh_file.read_text().strip() == REFRESH


@pytest.mark.parametrize("reply", [
    (503, {"error": "temporarily_unavailable"}, {}), (500, b"", {}), (429, b"", {}), (400, b"no JSON", {}),
    (200, b"no JSON", {}), (200, b"{}", {}), (200, b"[" * 100000, {}), (200, b'{"access_token": 5}', {}),
    (200, {"access_token": "two\nlines"}, {}),
    (302, b"", {"Location": "http://127.0.0.1:1/"})])
def test_a_renewal_that_fails_for_now_is_tried_again(refreshing, server, endpoint, client, reply):
    server.tokens = {NEW}
    endpoint.replies = [reply]
    refreshing.start(client)
    endpoint.wait_requests(2)
    wait_until(lambda: "RENEWAL_FAILED" in codes(client), lambda: f"RENEWAL_FAILED; there were {codes(client)}")
    assert client.get("State") in ("waiting", "connecting")
    endpoint.reply(access_token=NEW)
    client.wait_state("connected")
    assert refreshing.refresh_file.read_text().strip() == REFRESH


def test_an_endpoint_that_is_not_there(refreshing, server, client):
    server.tokens = {NEW}
    refreshing.configure(Auth={"RefreshUrl": f"http://127.0.0.1:{unused_port()}/"})
    refreshing.start(client)
    wait_until(lambda: "RENEWAL_FAILED" in codes(client), lambda: f"RENEWAL_FAILED; there were {codes(client)}")


def test_a_refresh_token_alone(refreshing, home, server, endpoint, client):
    refreshing.configure(Auth={"TokenFile": None})
    server.tokens = {NEW}
    refreshing.start(client)
    client.wait_state("connected")
    assert [h.token for h in server.handshakes] == [NEW]
    check_request(endpoint.requests[0], REFRESH)


def test_a_refresh_token_of_strange_letters(refreshing, home, server, endpoint, client):
    strange = home.secret("a+b&c=d%20e/f~g")
    home.write_secret("refresh-token", strange)
    server.tokens = {NEW}
    refreshing.start(client)
    client.wait_state("connected")
    check_request(endpoint.requests[0], strange)
    assert urllib.parse.quote_plus(strange) not in refreshing.log


def test_the_rotated_refresh_token_is_the_next_one(refreshing, server, endpoint, client):
    server.tokens = {NEW}
    refreshing.start(client)
    client.wait_state("connected")
    endpoint.reply(access_token="secret-third-token")
    refreshing.home.secret("secret-third-token")
    server.tokens = {"secret-third-token"}
    server.connection.send({"id": "x", "type": "token_expired", "timestamp": "t", "data": {}})
    server.wait_connection(2)
    check_request(endpoint.requests[1], ROTATED)
