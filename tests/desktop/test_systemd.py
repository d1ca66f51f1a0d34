# SPDX-License-Identifier: MIT
"""The units under a real `systemd --user`: activation, readiness, the watchdog, credentials, the journal, and every line of the
sandbox, seen to forbid what it is there for."""

import json
import os
import pathlib
import re
import socket

import pytest

import user_manager
from notification_server import NotificationServer
from notify_process import Service
from relay_bus import PATH, RELAY, BusError
from user_manager import UID, UserManager
from waiting import wait_until

UNIT, NOTIFY = "prp-relayd", "prp-notify"
CHANNEL = "project:proj_1"
PROBE = pathlib.Path(__file__).resolve().parent / "sandbox_probe.py"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    return user_manager.install(tmp_path_factory.mktemp("installed"))


def unit_text(installed, unit):
    return next(installed.rglob(f"systemd/user/{unit}.service")).read_text()


@pytest.fixture(scope="module")
def shared_manager(installed):
    manager = UserManager(installed)
    yield manager
    manager.finish()


@pytest.fixture
def secrets():
    return ["secret-token-7Yh2kQ"]


@pytest.fixture
def manager(shared_manager, secrets):
    """With nothing of the relay's in it, as after a first login."""
    yield shared_manager
    try:
        shown = json.dumps(shared_manager.journal(UNIT)) + shared_manager.systemctl("show", UNIT, NOTIFY)
        assert not [s for s in secrets if s in shown], "a secret is in the journal, or with the manager"
    finally:
        shared_manager.systemctl("kill", "--signal=CONT", UNIT, check=False)
        shared_manager.systemctl("stop", UNIT, NOTIFY)
        shared_manager.run("sh", "-c", "rm -rf ~/* ~/.config ~/.local ~/.password-store")
        shared_manager.systemctl("daemon-reload")
        shared_manager.systemctl("reset-failed")
        shared_manager.run("journalctl", "--rotate", user=False)
        shared_manager.run("journalctl", "--vacuum-time=1us", user=False)


def write_token(manager, token, name="token"):
    return manager.write(manager.home / name, token + "\n")


def configure(manager, server, *more, **auth):
    lines = [f"[Server]\nUrl={server.url()}\n[Auth]", *(f"{key}={value}" for key, value in auth.items()),
             "[Reconnect]\nInitialDelaySec=0.2\nMaxDelaySec=0.3", *more]
    return manager.write(manager.config / "relay.conf", "\n".join(lines) + "\n")


@pytest.fixture
def configured(manager, server, token):
    configure(manager, server, TokenFile=write_token(manager, token))
    return manager


@pytest.fixture
def client(manager):
    return manager.client()


def activate(client):
    """As any program does that asks something of the relay. The time is the manager's to start it."""
    client.call(PATH, "org.freedesktop.DBus.Peer", "Ping", start=True, seconds=60)


def verbose(manager, unit):
    """Lines for a drop-in, with which it logs all."""
    program = re.search(r"path=(\S+)", manager.show(unit, "ExecStart"))[1]
    return ["ExecStart=", f"ExecStart={program} --verbose"]


# -- start and end

def test_activation(configured, client, server):
    assert configured.show(UNIT, "ActiveState") == "inactive"
    activate(client)
    configured.wait_show(UNIT, ActiveState="active", SubState="running", Type="notify", Result="success")
    client.wait_state("connected", seconds=30)
    wait_until(lambda: configured.show(UNIT, "StatusText") == f"connected: {server.url()}", "the status, in words")
    assert int(configured.show(UNIT, "MainPID")) == client.bus_call("GetConnectionUnixProcessID", "(s)", client.owner())[0]
    # The folders of a home that had none of them, for nobody else to look into; the history is in its place.
    for directory in (configured.config, configured.state):
        assert directory.stat().st_mode & 0o777 == 0o700, directory
    assert (configured.state / "relay.db").stat().st_mode & 0o777 == 0o600


def test_activation_without_systemd(configured, server):
    """The same installation under a bus that starts programs by itself."""
    script = f"until busctl --user get-property dev.prp.Relay1 {PATH} {RELAY} State | grep connected; do sleep 0.05; done"
    said = configured.run("dbus-run-session", "--", "sh", "-c", script, DBUS_SESSION_BUS_ADDRESS="")
    assert "Activating service name='dev.prp.Relay1' requested" in said and 's "connected"' in said
    assert configured.show(UNIT, "ActiveState") == "inactive"
    server.wait_connection(1, seconds=30)


def test_reload(configured, client, server, new_server):
    activate(client)
    client.wait_state("connected", seconds=30)
    other = new_server()
    configure(configured, other, TokenFile=f"{configured.inner_home}/token")
    configured.systemctl("reload", UNIT)
    other.wait_connection(1, seconds=30)
    configured.write(configured.config / "relay.conf", "[Server]\nUrl=http://nowhere/\n")
    configured.systemctl("reload", UNIT, check=False)
    wait_until(lambda: "Url" in configured.log(UNIT), "what is wrong with the configuration")
    assert client.get("Url") == other.url()
    assert configured.show(UNIT, "ActiveState") == "active"


def test_stop_closes_properly(configured, client, server):
    activate(client)
    client.wait_state("connected", seconds=30)
    configured.systemctl("stop", UNIT)
    assert server.connection.wait_closed()[0] == 1001
    configured.wait_show(UNIT, ActiveState="inactive", Result="success")


def test_end_of_the_session(installed, server, token):
    """What logind does when the last session of a user ends."""
    manager = UserManager(installed)
    try:
        configure(manager, server, TokenFile=write_token(manager, token))
        client = manager.client()
        activate(client)
        client.wait_state("connected", seconds=30)
        manager.run("kill", "-TERM", str(manager.manager), user=False)
        assert server.connection.wait_closed(seconds=30)[0] == 1001
    finally:
        manager.finish()


# -- what goes wrong

@pytest.mark.parametrize("end", ["watchdog", "signal"])
def test_restart(configured, client, server, end):
    """A relay that hangs, or is killed, is there again, with its durable subscriptions."""
    configured.drop_in(UNIT, "WatchdogSec=1", "RestartSec=100ms")
    activate(client)
    client.wait_state("connected", seconds=30)
    assert client.subscribe(CHANNEL) == {CHANNEL: "active"}
    first = int(configured.show(UNIT, "MainPID"))
    configured.run("kill", "-STOP" if end == "watchdog" else "-KILL", str(first))
    wait_until(lambda: configured.show(UNIT, "NRestarts") == "1", "a restart", 30)
    configured.wait_show(UNIT, ActiveState="active", SubState="running")
    assert int(configured.show(UNIT, "MainPID")) != first
    if end == "watchdog":
        assert "Watchdog timeout" in configured.log(UNIT)
    server.wait_connection(2, seconds=30).wait_action("subscribe", [CHANNEL], seconds=30)
    client.wait_channel(CHANNEL, State="active", Durable=True, seconds=30)


def test_bad_configuration(configured, client):
    """What cannot get better by itself is given up after some attempts, in words, and works when it has been mended."""
    configured.drop_in(UNIT, "RestartSec=1ms")
    good = (configured.config / "relay.conf").read_text()
    configured.write(configured.config / "relay.conf", good + "[Limits]\nMaxChannels=many\n")
    # Who called waits: systemd says nothing to the bus of a program that ends before it is ready.
    call = client.call_async(PATH, "org.freedesktop.DBus.Peer", "Ping", start=True, seconds=60)
    wait_until(lambda: "start-limit-hit" in configured.log(UNIT) or "repeated too quickly" in configured.log(UNIT),
               "the manager to give up", 30)
    configured.wait_show(UNIT, ActiveState="failed")
    assert re.search(r"relay\.conf.*Limits.*MaxChannels", configured.log(UNIT))
    configured.write(configured.config / "relay.conf", good)
    configured.systemctl("reset-failed", UNIT)
    configured.systemctl("start", UNIT)
    call.result()
    client.wait_state("connected", seconds=30)


def test_no_user_namespaces(installed, server, token):
    """Where an ordinary user may not make them, the half of the sandbox that needs them is given up, and the relay runs."""
    manager = UserManager(installed, userns=False)
    try:
        configure(manager, server, TokenFile=write_token(manager, token))
        client = manager.client()
        activate(client)
        client.wait_state("connected", seconds=30)
        assert manager.show(UNIT, "PrivateUsers") == "no"
        manager.systemctl("stop", UNIT)
        found = probe(manager, UNIT)
        assert found["map_users"] == "allowed"
        assert found["trace"] == found["make_namespace"] == found["gain_by_exec"] == "refused"
    finally:
        manager.finish()


# -- credentials

def test_credential_of_the_user(manager, client, server, token):
    configure(manager, server)
    path = write_token(manager, token, "kept-elsewhere")
    manager.drop_in(UNIT, f"LoadCredential=prp-token:{path}")
    activate(client)
    client.wait_state("connected", seconds=30)
    (manager.home / "kept-elsewhere").unlink()


def test_credential_of_the_machine(manager, client, server, token):
    """As the unit is: found where an administrator puts it, and not missed where it is not."""
    configure(manager, server)
    activate(client)
    client.wait_state("unauthorized", seconds=30)
    manager.systemctl("stop", UNIT)
    manager.run("sh", "-c", f"mkdir -p /etc/credstore; cat > /etc/credstore/prp-token; chown {UID} /etc/credstore/prp-token",
                user=False, stdin=token)
    activate(client)
    client.wait_state("connected", seconds=30)
    manager.run("rm", "-r", "/etc/credstore", user=False)


# -- what the sandbox lets pass

def test_a_state_home_of_ones_own(configured, client):
    """As prp-relayd(1) says: its folder has to be named."""
    (configured.home / "state").mkdir()
    os.chown(configured.home / "state", UID, UID)
    configured.run("mkdir", f"{configured.inner_home}/state/prp-relay")
    configured.drop_in(UNIT, "Environment=XDG_STATE_HOME=%h/state")
    activate(client)
    client.wait_error("STORE_READ_ONLY", "STORE", seconds=30)
    configured.systemctl("stop", UNIT)
    configured.drop_in(UNIT, "Environment=XDG_STATE_HOME=%h/state", "ReadWritePaths=%h/state/prp-relay")
    activate(client)
    client.wait_state("connected", seconds=30)
    assert client.get("LastError") == ("", "")
    assert (configured.home / "state/prp-relay/relay.db").exists()


def test_a_rotated_refresh_token_is_stored(manager, client, server, endpoint, token, secrets):
    secrets += ["secret-refresh-1", "secret-refresh-2"]
    path = manager.write(manager.config / "refresh-token", "secret-refresh-1\n")
    endpoint.reply(access_token=token, refresh_token="secret-refresh-2", token_type="Bearer", expires_in=3600)
    configure(manager, server, RefreshUrl=endpoint.url, RefreshTokenFile=path)
    activate(client)
    client.wait_state("connected", seconds=30)
    assert (manager.config / "refresh-token").read_text() == "secret-refresh-2\n"


COMMAND = """#!/usr/bin/python3
import mmap, os, pathlib, socket, subprocess
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)   # a compiler inside
home = pathlib.Path.home()
agent = socket.socket(socket.AF_UNIX)
agent.connect(os.environ["XDG_RUNTIME_DIR"] + "/agent/socket")                # an agent's socket
subprocess.run(["busctl", "--user", "list"], check=True, stdout=subprocess.DEVNULL)   # the session bus
print((home / ".password-store" / "prp").read_text())                         # a file of one's own
"""


def test_token_command(manager, client, server, token):
    """What password managers do: read the home, ask an agent and the bus, run a language with a compiler inside."""
    manager.write(manager.home / ".password-store" / "prp", token)
    command = manager.write(manager.home / ".local/bin/token", COMMAND, mode=0o700)
    configure(manager, server, TokenCommand=command)
    script = f"""mkdir -p {manager.inner_runtime}/agent
                 exec systemd-socket-activate -a -l {manager.inner_runtime}/agent/socket cat"""
    with manager.background("sh", "-c", script):
        wait_until((manager.runtime / "agent" / "socket").exists, "the agent", 30)
        activate(client)
        client.wait_state("connected", seconds=30)


def test_sleep_is_told_by_the_system_bus(configured, client, server):
    """logind is reached from within the sandbox: here one that says when it is asked to."""
    address = "unix:path=/run/dbus/system_bus_socket"
    configured.run("chown", str(UID), "/run/dbus", user=False)
    script = f"""dbus-daemon --session --nofork --nopidfile --nosyslog --address={address} &
                 until [ -S /run/dbus/system_bus_socket ]; do sleep 0.02; done
                 exec /usr/bin/python3 -m dbusmock --system --template logind"""
    with configured.background("sh", "-c", script, DBUS_SYSTEM_BUS_ADDRESS=address):
        login = ["org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Mock", "EmitSignal", "sssav",
                 "org.freedesktop.login1.Manager", "PrepareForSleep", "b", "1", "b"]
        busctl = ["busctl", f"--address={address}"]
        wait_until(lambda: "login1" in configured.run(*busctl, "list", "--acquired", check=False), "logind", 30)
        activate(client)
        client.wait_state("connected", seconds=30)
        wait_until(lambda: UNIT in configured.run(*busctl, "list", "--unique"), "the relay on the system bus", 30)
        for sleeping in ("true", "false"):
            configured.run(*busctl, "call", *login, sleeping)
        # It has to prove that it is alive; else it would be asked after 30 s of silence.
        server.connection.wait_message(lambda m: m["action"] == "ping", "a probe", seconds=20)


# -- the notifications

@pytest.fixture
def session(configured):
    """A graphical session that can begin and end."""
    path = configured.home / ".config/systemd/user/test-session.service"
    configured.write(path, "[Unit]\nBindsTo=graphical-session.target\n[Service]\nExecStart=sleep infinity\n")
    configured.systemctl("daemon-reload")
    configured.systemctl("enable", NOTIFY)
    yield configured
    configured.systemctl("stop", "test-session")


def test_notifications_come_with_the_graphical_session(session):
    session.systemctl("start", "test-session")
    session.wait_show(NOTIFY, ActiveState="active", SubState="running", Type="notify")
    assert session.show(UNIT, "ActiveState") in ("active", "activating")
    session.systemctl("reload", NOTIFY)
    wait_until(lambda: "Configuration read again" in session.log(NOTIFY), "the reload in the journal")
    session.systemctl("stop", "test-session")
    session.wait_show(NOTIFY, ActiveState="inactive", Result="success")
    assert session.show(UNIT, "ActiveState") == "active"


def test_a_notification_is_shown_and_opened(session, client, server, token):
    """From within the sandbox: an address is opened by a program outside of it."""
    configure(session, server, "[Notifications]\nOpenUrl=https://prp.example/{prp_id}", TokenFile=f"{session.inner_home}/token")
    session.write(session.home / "bin/xdg-open", "#!/bin/sh\necho \"$@\" >~/opened.new && mv ~/opened.new ~/opened\n", mode=0o700)
    session.drop_in(NOTIFY, "Environment=PATH=%h/bin:/usr/bin:/bin", *verbose(session, NOTIFY))
    with session.door() as bus:
        screen = NotificationServer(bus)
    try:
        session.systemctl("start", "test-session")
        activate(client)
        client.wait_state("connected", seconds=30)
        wait_until(lambda: "Caught up" in session.log(NOTIFY), "prp-notify", 30)
        Service(server).create("prp_1", "A name")
        shown = screen.wait_shown("A name")
        screen.invoke(shown.id, "open")
        opened = session.home / "opened"
        wait_until(opened.exists, lambda: f"the address to be opened:\n{session.log(NOTIFY)}", 30)
        assert opened.read_text() == "https://prp.example/prp_1\n"
    finally:
        screen.finish()


# -- the journal

def test_journal(configured, client, server):
    configured.drop_in(UNIT, *verbose(configured, UNIT))
    activate(client)
    client.wait_state("connected", seconds=30)
    client.subscribe(CHANNEL)
    server.answer = (503, {"Retry-After": "1"})
    server.connection.abort()
    client.wait_state("waiting", seconds=30)
    wait_until(lambda: any(e.get("PRP_CODE") == "UNAVAILABLE" for e in configured.journal(UNIT)), "the trouble in the journal")
    entries = [e for e in configured.journal(UNIT) if e.get("SYSLOG_IDENTIFIER") == UNIT]
    trouble = next(e for e in entries if e.get("PRP_CODE") == "UNAVAILABLE")
    assert trouble["PRP_STATE"] == "waiting" and trouble["PRP_URL"].startswith("ws://127.0.0.1")
    assert trouble["PRIORITY"] in ("3", "4", "5") and trouble["_SYSTEMD_USER_UNIT"] == f"{UNIT}.service"
    assert trouble["_TRANSPORT"] == "journal"
    connected = next(e for e in entries if e.get("PRP_STATE") == "connected")
    assert connected["PRIORITY"] == "6" and connected["PRP_CONNECTION"] == "conn_abc123"
    # The matches that prp-relayd(1) names.
    text = configured.run("journalctl", "--user", "-q", "-u", UNIT, "-o", "cat", "PRP_CODE=UNAVAILABLE")
    assert text.strip() and all("UNAVAILABLE" in line for line in text.splitlines())


def test_the_journal_is_english(manager, client, server, token):
    """Whatever the language of the user is, who is told in theirs: of a trouble, and of a configuration that is not taken."""
    configure(manager, server, TokenFile=manager.write(manager.home / "token", token + "\n", mode=0o644))
    manager.drop_in(UNIT, "Environment=LC_ALL=C.UTF-8 LANGUAGE=de")
    activate(client)
    _code, text = client.wait_error("BAD_CREDENTIALS", seconds=30)
    logged = next(e for e in manager.journal(UNIT) if e.get("PRP_CODE") == "BAD_CREDENTIALS")["MESSAGE"]
    assert "The configured token cannot be used: TokenFile" in logged and "is open to other users" in logged
    assert "cannot be used" not in text and "is open to" not in text

    configure(manager, server, "[Limits]\nMaxChannels=many")
    with pytest.raises(BusError) as refusal:
        client.command("Reload")
    wait_until(lambda: "must be a whole number" in manager.log(UNIT), "the fault in the journal")
    assert "must be a whole number" not in refusal.value.message


# -- the sandbox

# Every line of a sandbox: what it is to forbid (as sandbox_probe.py names it), the outcome with it, and what takes that line
# out, and only that one. Or, for a line that opens something: likewise, "allowed" with it.
RELAYD_SANDBOX = {
    # Without users of its own there is no namespace for files, and no capability can be dropped: both are refused with an
    # error. The other two lines drop capabilities as well.
    "PrivateUsers=yes": ("map_users", "refused",
                         ["PrivateUsers=no", "CapabilityBoundingSet=~", "PrivateDevices=no", "ProtectKernelModules=no"]),
    "NoNewPrivileges=yes": ("gain_by_exec", "refused", ["NoNewPrivileges=no"]),
    "CapabilityBoundingSet=": ("keep_capabilities", "refused", ["CapabilityBoundingSet=~"]),
    "ProtectSystem=strict": ("write_system", "refused", ["ProtectSystem=no"]),
    "ProtectHome=read-only": ("write_home", "refused", ["ProtectHome=no"]),
    "ConfigurationDirectory=prp-relay": ("write_config", "allowed", ["ConfigurationDirectory="]),
    "ReadWritePaths=-%h/.local/state/prp-relay %t": ("write_state", "allowed", ["ReadWritePaths=", "ReadWritePaths=%t"]),
    "PrivateTmp=yes": ("see_tmp", "refused", ["PrivateTmp=no"]),
    "PrivateDevices=yes": ("open_device", "refused", ["PrivateDevices=no"]),
    "ProtectKernelTunables=yes": ("write_settings", "refused", ["ProtectKernelTunables=no"]),
    "ProtectKernelModules=yes": ("see_modules", "refused", ["ProtectKernelModules=no"]),
    "ProtectControlGroups=yes": ("make_group", "refused", ["ProtectControlGroups=no"]),
    "SystemCallFilter=@system-service": ("trace", "refused", ["SystemCallFilter="]),
    "SystemCallErrorNumber=EPERM": ("trace", "refused", ["SystemCallErrorNumber=kill"]),
    "SystemCallArchitectures=native": ("call_foreign", "killed", ["SystemCallArchitectures="]),
    "LockPersonality=yes": ("change_personality", "refused", ["LockPersonality=no"]),
    "RestrictNamespaces=yes": ("make_namespace", "refused", ["RestrictNamespaces=no"]),
    "RestrictRealtime=yes": ("run_realtime", "refused", ["RestrictRealtime=no"]),
    "RestrictSUIDSGID=yes": ("make_setuid", "refused", ["RestrictSUIDSGID=no"]),
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK": ("open_packets", "refused", ["RestrictAddressFamilies="]),
    "UMask=0077": ("make_readable", "refused", ["UMask=0022"]),
    "LimitCORE=0": ("dump_core", "refused", ["LimitCORE=infinity"]),
    "KeyringMode=private": ("find_key", "refused", ["KeyringMode=inherit"]),
}
# The other one has more lines, and fewer that open something.
NOTIFY_SANDBOX = {
    **{line: how for line, how in RELAYD_SANDBOX.items()
       if not line.startswith(("PrivateUsers", "ConfigurationDirectory", "ReadWritePaths", "RestrictAddressFamilies"))},
    "PrivateUsers=yes": ("map_users", "refused", [*RELAYD_SANDBOX["PrivateUsers=yes"][2], "PrivateNetwork=no"]),
    "ReadWritePaths=-%h/.local/state/prp-relay": ("write_state", "allowed", ["ReadWritePaths="]),
    "PrivateNetwork=yes": ("see_network", "refused", ["PrivateNetwork=no"]),
    "MemoryDenyWriteExecute=yes": ("write_and_run", "refused", ["MemoryDenyWriteExecute=no"]),
    "RestrictAddressFamilies=AF_UNIX": ("open_internet", "refused", ["RestrictAddressFamilies="]),
}
SANDBOXES = {UNIT: RELAYD_SANDBOX, NOTIFY: NOTIFY_SANDBOX}
# Lines of [Service] that are about something else.
OTHER_KEYS = {"Type", "NotifyAccess", "ExecStartPre", "ExecStart", "ExecReload", "Restart", "RestartSec", "WatchdogSec",
              "TimeoutStopSec", "LoadCredential", "ConfigurationDirectoryMode"}


def probe(manager, unit, *lines):
    """What the probe finds in the place of the unit's program, with these lines besides."""
    report = manager.runtime / "probe.json"
    report.unlink(missing_ok=True)
    script = manager.write(manager.home / "probe.py", PROBE.read_text())
    manager.drop_in(unit, "Type=oneshot", "Restart=no", "ExecStart=", f"ExecStart=/usr/bin/python3 {script}",
                    f"StandardOutput=file:{manager.inner_runtime}/probe.json", f"Environment=PRP_PROBE={os.getpid()}", *lines)
    with socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(b"\0prp-probe-%d" % os.getpid())
        abstract.listen()
        manager.systemctl("start", unit)
    return json.loads(report.read_text())


@pytest.mark.parametrize("unit", SANDBOXES)
def test_every_line_of_the_sandbox_is_tried(installed, unit):
    service = unit_text(installed, unit).split("[Service]\n")[1].split("\n[")[0]
    lines = [line for line in service.splitlines() if line and line[0] != "#" and line.split("=")[0] not in OTHER_KEYS]
    assert lines == list(dict.fromkeys(lines)) and set(lines) == set(SANDBOXES[unit])


@pytest.mark.parametrize("unit", SANDBOXES)
def test_every_line_of_the_sandbox_bites(manager, unit):
    """In the sandbox of the very unit; and what each line forbids passes when only that line is taken out."""
    whole = probe(manager, unit)
    assert "broken" not in whole.values()
    wrong = []
    for line, (attempt, outcome, without) in SANDBOXES[unit].items():
        found = probe(manager, unit, *without)[attempt]
        if whole[attempt] != outcome or found == outcome or outcome != "allowed" and line != "SystemCallErrorNumber=EPERM" \
                and found != "allowed":
            wrong.append(f"{line}: {attempt} is {whole[attempt]}, and {found} without it")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("unit", SANDBOXES)
def test_analyze(manager, installed, unit):
    path = "/" + str(next(installed.rglob(f"systemd/user/{unit}.service")).relative_to(installed))
    assert manager.run("systemd-analyze", "--user", "--man=no", "verify", path) == ""
    for options in (["--user", unit], ["--offline=true", path]):
        words = manager.run("systemd-analyze", "security", "--no-pager", *options)
        assert float(re.search(r"exposure level for \S+: (\d+\.\d+)", words)[1]) <= 3.0, words
