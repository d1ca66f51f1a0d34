# SPDX-License-Identifier: MIT
"""From start to end: activation, readiness, the one instance, configuration, the methods that steer it."""

import os
import shlex
import signal
import time

import pytest

from relay_bus import ERROR, NAME, BusError, Client
from relay_process import Relay
from waiting import SCALE, holds_for, wait_until


# -- start and end

def test_sigterm_closes_properly(connected, server):
    connection = server.connection
    connected.stop()
    assert connection.wait_closed()[0] == 1001


def test_sigint_ends_it_too(connected, server):
    connection = server.connection
    os.kill(connected.pid, signal.SIGINT)
    assert connected.wait_exit() == 0
    assert connection.wait_closed()[0] == 1001


@pytest.mark.parametrize("moment", ["handshake", "waiting", "unauthorized", "silent"])
def test_sigterm_at_any_time(relay, server, client, new_raw_server, moment):
    if moment == "handshake":
        relay.configure(Server={"Url": f"ws://127.0.0.1:{new_raw_server().port}/"})
    elif moment == "waiting":
        server.answer = (503, {"Retry-After": "100"})
    elif moment == "unauthorized":
        server.answer = (403, {})
    relay.start(client)
    if moment == "silent":
        client.wait_state("connected")
        server.connection.socket.transport.pause_reading()
    else:
        client.wait_state("connecting" if moment == "handshake" else moment)
    relay.stop()


def test_a_second_instance_says_so(connected, bus, home, client):
    second = Relay(home, bus)
    second.log_path = home.directory / "second.log"
    second.launch()
    assert second.wait_exit() == 1
    assert NAME in second.log
    assert client.get("State") == "connected"
    assert client.bus_call("GetConnectionUnixProcessID", "(s)", client.owner())[0] == connected.pid


def test_losing_the_bus_is_a_failure(connected, bus, server):
    connection = server.connection
    bus.kill()
    assert connected.wait_exit() == 1
    connection.wait_closed()


def test_no_bus(idle_relay, home):
    idle_relay.launch(DBUS_SESSION_BUS_ADDRESS=f"unix:path={home.directory}/nothing-here")
    assert idle_relay.wait_exit() == 1
    assert idle_relay.log.strip()


@pytest.mark.bus("dbus-daemon")  # dbus-broker leaves activation to systemd
def test_activation(relay, bus, home, server):
    """With no daemon running, a call starts one; with the default configuration file."""
    log = home.directory / "activated.log"
    script = home.directory / "activated"
    script.write_text(f"#!/bin/sh\nexec {shlex.join(relay.command())} >>{log} 2>&1\n")
    script.chmod(0o700)
    bus.add_service(NAME, script)
    client = Client(bus.address)
    client.bus_call("ReloadConfig")
    assert client.owner() is None
    relay.log_path = log
    states = client.call("/dev/prp/Relay1", "dev.prp.Relay1", "Subscribe", "(as)", ["project:p1"], start=True,
                         seconds=30)
    assert states.unpack()[0] == {"project:p1": "active"}
    pid = client.bus_call("GetConnectionUnixProcessID", "(s)", client.owner())[0]
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: client.owner() is None, "its end")
    client.close()
    assert server.connections[0].wait_closed()[0] == 1001


def test_sd_notify(relay, notify, server, client):
    relay.start(client, NOTIFY_SOCKET=str(notify.path), WATCHDOG_USEC="400000")
    notify.wait_line(lambda line: line == "READY=1", "READY=1")
    client.wait_state("connected")
    notify.wait_line(lambda line: line.startswith("STATUS="), "STATUS=")
    before = notify.lines.count("WATCHDOG=1")
    wait_until(lambda: notify.lines.count("WATCHDOG=1") >= before + 3, "three signs of life")
    server.answer = (503, {"Retry-After": "100"})
    server.connection.abort()
    client.wait_state("waiting")
    notify.wait_line(lambda line: line.startswith("STATUS=waiting"), "another STATUS=")
    relay.stop()
    notify.wait_line(lambda line: line == "STOPPING=1", "STOPPING=1")
    assert notify.lines.index("READY=1") < notify.lines.index("STOPPING=1")


def test_ready_means_that_calls_are_answered(relay, notify, server, client):
    relay.launch(NOTIFY_SOCKET=str(notify.path))
    notify.wait_line(lambda line: line == "READY=1", "READY=1")
    assert client.get("Url") == server.url()


def test_version_and_help(idle_relay, client):
    for argument, words in (("--version", ["0."]), ("--help", ["--config", "--version"])):
        idle_relay.launch(argument)
        assert idle_relay.wait_exit() == 0
        assert all(word in idle_relay.log for word in words)
    idle_relay.launch("--nonsense")
    assert idle_relay.wait_exit() != 0
    assert "--nonsense" in idle_relay.log


# -- the methods that steer it

def test_ping(connected, server, client):
    assert 0 < client.ping() < 10_000_000
    server.connection.wait_action("ping")
    client.command("Disconnect")
    with pytest.raises(BusError) as caught:
        client.ping()
    assert caught.value.name == ERROR + "NotConnected"


def test_ping_without_an_answer(relay, server, client):
    relay.configure(Heartbeat={"PongTimeoutSec": "0.5"})
    server.answer_pings = False
    relay.start(client)
    client.wait_state("connected")
    with pytest.raises(BusError) as caught:
        client.ping()
    assert caught.value.name == ERROR + "Timeout"

    # The answer that never came does not count as the next one's.
    server.answer_pings = True
    assert client.ping() < 500_000


@pytest.mark.parametrize("request_ids", [True, False])
@pytest.mark.parametrize("code,error", [("INVALID_ACTION", "InvalidAction"), ("RATE_LIMITED", "RateLimited")])
def test_ping_that_the_server_refuses(connected, server, client, code, error, request_ids):
    server.refused_actions, server.request_ids = {"ping": code}, request_ids
    before = time.monotonic()
    with pytest.raises(BusError) as caught:
        client.ping()
    assert caught.value.name == ERROR + error and "No ping" in caught.value.message
    assert time.monotonic() - before < 5, "it waited for an answer that it had"

    server.refused_actions = {}
    assert client.ping() > 0
    assert client.subscribe("project:p1") == {"project:p1": "active"}


def test_many_pings_at_once(connected, server, client):
    replies = [client.call_async("/dev/prp/Relay1", "dev.prp.Relay1", "Ping") for _ in range(200)]
    assert all(r.result().unpack()[0] > 0 for r in replies)
    assert len([m for m in server.connection.messages if m["action"] == "ping"]) <= 20


def test_disconnect_and_connect(connected, server, client):
    connection = server.connection
    client.command("Disconnect")
    client.wait_state("disconnected")
    assert connection.wait_closed()[0] == 1000
    assert client.get("NextAttempt") == 0
    holds_for(lambda: len(server.handshakes) == 1, "it comes back by itself", 1)
    client.command("Disconnect")
    client.command("Connect")
    client.wait_state("connected")
    client.command("Connect")
    client.ping()
    assert len(server.connections) == 2


def test_disconnect_and_connect_in_one_breath(connected, server, client):
    for _ in range(20):
        client.call_async("/dev/prp/Relay1", "dev.prp.Relay1", "Disconnect")
        last = client.call_async("/dev/prp/Relay1", "dev.prp.Relay1", "Connect")
    last.result()
    client.wait_state("connected")
    assert client.subscribe("project:p1") == {"project:p1": "active"}
    wait_until(lambda: len([c for c in server.connections if c.closed is None]) == 1, "one connection to remain")


def test_disconnect_while_the_server_is_stuck(connected, server, client):
    server.connection.socket.transport.pause_reading()
    client.command("Disconnect")
    client.wait_state("disconnected")
    client.command("Connect")
    client.wait_state("connected")


# -- configuration

def test_reload_of_a_good_file(connected, server, client, new_server, token):
    client.subscribe("project:p1")
    other = new_server()
    other.tokens = {token}
    connected.configure(Server={"Url": other.url()})
    old = server.connection
    client.command("Reload")
    other.wait_connection().wait_action("subscribe", ["project:p1"])
    assert old.wait_closed()[0] in (1000, 1001)
    client.wait_state("connected")
    assert client.get("Url") == other.url()
    assert other.url() in client.changes("Url")


def test_reload_of_a_bad_file(connected, server, client):
    connected.write_config("[Server]\nUrl=ws://127.0.0.1:1/\n[Limits]\nMaxChannels=many\n")
    with pytest.raises(BusError) as caught:
        client.command("Reload")
    assert caught.value.name == ERROR + "Configuration"
    assert all(word in caught.value.message for word in [str(connected.config_path), "Limits", "MaxChannels"])
    client.ping()
    assert client.get("Url") == server.url() and client.get("State") == "connected"
    assert len(server.connections) == 1


def test_when_it_was_reloaded(connected, client):
    """What programs go by that have a part of the file of their own."""
    started = client.get("Reloaded")
    assert 0 <= time.time() * 1e6 - started < 60e6 * SCALE
    connected.write_config("[Notifications]\nTypes=;\n")
    with pytest.raises(BusError) as caught:
        client.command("Reload")
    assert "[Notifications] Types=;" in caught.value.message
    assert client.get("Reloaded") == started and client.changes("Reloaded") == []
    connected.configure(Notifications={"Types": "prp.*"}, **{"Notifications prp:a": {"Enabled": "false"}})
    client.command("Reload")
    again = client.get("Reloaded")
    assert again > started
    wait_until(lambda: client.changes("Reloaded") == [again], "the change is told")


def test_sighup_reloads(connected, server, client, new_server, token):
    other = new_server()
    other.tokens = {token}
    connected.configure(Server={"Url": other.url()})
    os.kill(connected.pid, signal.SIGHUP)
    other.wait_connection()
    client.wait_get("Url", other.url())


def test_sighup_with_a_bad_file_changes_nothing(connected, server, client):
    connected.write_config("[Server]\nUlr=ws://127.0.0.1/\n")
    os.kill(connected.pid, signal.SIGHUP)
    wait_until(lambda: "Ulr" in connected.log, "a word in the log")
    client.ping()
    assert client.get("Url") == server.url() and len(server.connections) == 1


def test_reload_without_a_change_keeps_the_connection(connected, server, client):
    client.command("Reload")
    client.ping()
    assert len(server.connections) == 1 and server.connection.closed is None


def test_reload_with_another_token(connected, home, server, client):
    server.tokens = {home.secret("secret-next")}
    home.write_secret("token", "secret-next")
    client.command("Reload")
    server.wait_connection(2)
    assert server.handshakes[-1].token == "secret-next"


def test_another_file(idle_relay, server, client, home, token):
    path = home.directory / "elsewhere.conf"
    path.write_text(f"[Server]\nUrl={server.url()}\n[Auth]\nTokenFile={home.write_secret('token', token)}\n")
    idle_relay.start(client, "--config", str(path))
    client.wait_state("connected")


def test_no_file_at_all_is_fine(idle_relay, client):
    """The service's own address; but without a token nothing is attempted."""
    idle_relay.start(client)
    client.wait_state("unauthorized")
    assert client.get("Url") == "wss://api.prp.dev/v1/ws/prps"


BAD = {
    "unknown group": ("[Sever]\nUrl=ws://127.0.0.1/\n", ["Sever"]),
    "unknown key": ("[Server]\nUlr=ws://127.0.0.1/\n", ["Server", "Ulr"]),
    "no number": ("[Limits]\nMaxChannels=many\n", ["Limits", "MaxChannels", "many"]),
    "half a number": ("[Limits]\nMaxChannels=5x\n", ["Limits", "MaxChannels"]),
    "a fraction of a channel": ("[Limits]\nMaxChannels=1.5\n", ["Limits", "MaxChannels"]),
    "negative": ("[Limits]\nMaxChannels=-1\n", ["Limits", "MaxChannels"]),
    "a huge number": ("[Limits]\nMaxMessageBytes=99999999999999999999\n", ["Limits", "MaxMessageBytes"]),
    "more than the bus takes": ("[Limits]\nMaxMessageBytes=1073741824\n", ["Limits", "MaxMessageBytes"]),
    "no rate": ("[Limits]\nActionsPerSec=0\n", ["Limits", "ActionsPerSec"]),
    "negative time": ("[Reconnect]\nInitialDelaySec=-1\n", ["Reconnect", "InitialDelaySec"]),
    "no time": ("[Heartbeat]\nPingIntervalSec=0\n", ["Heartbeat", "PingIntervalSec"]),
    "not a number": ("[Heartbeat]\nPingIntervalSec=nan\n", ["Heartbeat", "PingIntervalSec"]),
    "infinite": ("[Heartbeat]\nPongTimeoutSec=inf\n", ["Heartbeat", "PongTimeoutSec"]),
    "a unit": ("[Heartbeat]\nPongTimeoutSec=5s\n", ["Heartbeat", "PongTimeoutSec"]),
    "plain ws to elsewhere": ("[Server]\nUrl=ws://example.org/\n", ["Server", "Url"]),
    "plain ws to a look-alike": ("[Server]\nUrl=ws://127.0.0.1.example.org/\n", ["Server", "Url"]),
    "http": ("[Server]\nUrl=http://127.0.0.1/\n", ["Server", "Url"]),
    "https": ("[Server]\nUrl=https://example.org/\n", ["Server", "Url"]),
    "no URL": ("[Server]\nUrl=api.prp.dev\n", ["Server", "Url"]),
    "a URL with a password": ("[Server]\nUrl=wss://me:secret-in-url@example.org/\n", ["Server", "Url"]),
    "a plain endpoint elsewhere": ("[Auth]\nRefreshUrl=http://example.org/token\n", ["Auth", "RefreshUrl"]),
    "an endpoint that is a websocket": ("[Auth]\nRefreshUrl=wss://example.org/token\n", ["Auth", "RefreshUrl"]),
    "an open quote": ("[Auth]\nTokenCommand=cat 'x\n", ["Auth", "TokenCommand"]),
    "no key file": ("Url=ws://127.0.0.1/\n", []),
    "a line that says nothing": ("[Server]\nUrl\n", []),
    "not UTF-8": (b"[Server]\nUrl=ws://127.0.0.1/\xff\n", []),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_configuration(idle_relay, home, name):
    home.secret("secret-in-url")
    text, words = BAD[name]
    idle_relay.write_config("")
    idle_relay.config_path.write_bytes(text if isinstance(text, bytes) else text.encode())
    idle_relay.launch()
    assert idle_relay.wait_exit() == 1
    log = idle_relay.log
    assert all(word in log for word in [str(idle_relay.config_path), *words]), log
    assert len(log.splitlines()) <= 4, "more noise than message"


def test_all_faults_are_told_at_once(idle_relay):
    idle_relay.write_config("[Server]\nUrl=nonsense\nColour=red\n[Limits]\nMaxChannels=many\n")
    idle_relay.launch()
    assert idle_relay.wait_exit() == 1
    assert all(word in idle_relay.log for word in ["Url", "Colour", "MaxChannels"])


def test_a_missing_file_that_was_asked_for(idle_relay, home):
    path = home.directory / "nowhere.conf"
    idle_relay.launch("--config", str(path))
    assert idle_relay.wait_exit() == 1
    assert str(path) in idle_relay.log


# -- what it keeps

def test_the_store_is_private(connected, home, client):
    client.subscribe("project:p1")
    directory = home.state / "prp-relay"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [p for p in directory.iterdir()]
    assert all(p.stat().st_mode & 0o077 == 0 for p in directory.iterdir())


def test_a_store_that_is_none_is_set_aside(relay, home, client):
    directory = home.state / "prp-relay"
    directory.mkdir()
    (directory / "relay.db").write_text("this is no database, and was never meant to be one\n" * 100)
    relay.start(client)
    client.wait_state("connected")
    assert client.subscribe("project:p1") == {"project:p1": "active"}
    assert (directory / "relay.db.bad-1").read_text().startswith("this is no database")
    assert "relay.db.bad-1" in relay.log
    relay.stop()
    relay.start(client)
    client.wait_channel("project:p1", State="active")
