# SPDX-License-Identifier: MIT
"""prp-relay@prp.dev in a real GNOME Shell 43, with a real relay and a foreign server.

The pictures in data/screenshots are made anew by:

  PRP_BUILD_DIR=BUILD /usr/bin/python3 -m pytest tests/desktop/test_shell_extension.py -k picture --keep-screenshots data/screenshots
"""

import itertools
import json
import os
import pathlib
import re
import signal

import pytest

import extension_bed
import shlex
from certificates import server_context
from extension_bed import DISABLED, SETTINGS, UUID, Extension, Ledger
from prp_server import TEXT, frame
from relay_process import BUILD_DIR, Home
from shell_bed import Shell
from wake_lab import Network, preload
from waiting import wait_until

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
CHANNEL = "project:proj_shop"
LANGUAGES = (SOURCE_DIR / "po" / "LINGUAS").read_text().split()
SUFFIX = {"en": "", "de": "-de"}  # of a picture's name
MAX_PICTURE_BYTES = 150_000
MAX_GROWTH_BYTES = 32 << 20  # of the Shell, over 80 rounds; one that keeps its menus takes several times that

# Three PRPs of a shop, at different progress; one that waits for an agent.
PRPS = (("prp_101", "Refund orders in parts", "agent_ada", 82, "Writing the tests"),
        ("prp_102", "Search that forgives typing errors", "agent_grace", 47, "Building the index"),
        ("prp_103", "Invoices as PDF", "agent_linus", 12, "Reading the templates"))

_ids = itertools.count(1)


def event(kind, **data):
    return {"id": f"evt_{next(_ids)}", "type": kind, "timestamp": "2024-01-15T10:00:00Z", "data": data}


def created(prp, name):
    return event("prp.created", id=prp, projectId="proj_shop", name=name, status="active", priority="high")


def life(prp, name, agent, progress, task):
    return [created(prp, name), event("agent.assigned", agentId=agent, prpId=prp, priority="high"),
            event("agent.progress", agentId=agent, prpId=prp, progress=progress, currentTask=task)]


def send(server, *events):
    for one in events:
        server.connection.send(one)
    return events


# -- the bench: a Shell for each language lives as long as the module, everything else is new for each test

@pytest.fixture(scope="module")
def share(tmp_path_factory):
    return extension_bed.install(tmp_path_factory.mktemp("staged"))


@pytest.fixture(scope="module")
def shells(share, tmp_path_factory):
    """Gives the Shell of a language."""
    started = {}

    def get(language):
        if language not in started:
            shell = Shell(Home(tmp_path_factory.mktemp(f"shell-{language}")), language, [share])
            started[language] = shell
            shell.start()
        return started[language]

    yield get
    for shell in started.values():
        shell.stop()
    for shell in started.values():
        assert not [entry for entry in shell.complaints() if "prp" in entry.lower()]


@pytest.fixture
def language():
    return "en"


@pytest.fixture
def shell(shells, language):
    shell = shells(language)
    before = len(shell.log), len(shell.services_log)
    yield shell
    complaints = shell.complaints(*before)
    assert not complaints, "\n\n".join(complaints)


@pytest.fixture
def home(shell):
    for path in (shell.home.state / "prp-relay").glob("*"):
        path.unlink()
    return shell.home


@pytest.fixture
def bus(shell):
    return shell.bus


@pytest.fixture
def idle_relay(idle_relay, language):
    """Speaks the language of the Shell."""
    if language != "en":
        idle_relay.environment.update(LANGUAGE=language, PRP_SHIM_LOCALEDIR=str(BUILD_DIR / "po"))
        preload(idle_relay.environment, "locale")
    return idle_relay


@pytest.fixture
def extension(shell, home, client):
    """Freshly started, without a relay, and without anything that it knew."""
    extension = Extension(shell)
    shell.set(SETTINGS, channels=f"['{CHANNEL}']")
    extension.enable()
    extension.wait_icon("absent")
    yield extension
    extension.close()
    if extension.evaluate("return !!button;"):
        extension.save()
    extension.renew()
    shell.reset(SETTINGS)


@pytest.fixture
def watched(extension, connected, client):
    """The extension, which has seen the relay come, and holds its channel."""
    client.wait_channel(CHANNEL, State="active")
    extension.wait_icon("connected")
    return extension


# -- what is shown

WORDS = {
    "en": {"name": "PRP relay: {}", "unauthorized": "Not signed in", "offline": "Offline", "connected": "Connected",
           "as of": "Correct as of"},
    "de": {"name": "PRP-Relay: {}", "unauthorized": "Nicht angemeldet", "offline": "Offline", "connected": "Verbunden",
           "as of": "Stand:"},
}


def wait_time(extension, language):
    """As of when the PRPs are right."""
    extension.wait_rows(lambda rows: any(re.match(rf"{WORDS[language]['as of']} \d", text) for row in rows for text in row),
                        "its time")


def show_shop(extension, server):
    """The three PRPs, in the open menu."""
    for prp in PRPS:
        send(server, *life(*prp))
    extension.open()
    extension.wait_text(*(name for _, name, *_ in PRPS))
    # Some languages put a space before the sign.
    extension.wait_rows(lambda rows: all(any(re.fullmatch(rf"{progress}\s?%", text) for row in rows for text in row)
                                         for *_, progress, _ in PRPS), "the progress of each")


def check_language(language, texts, english):
    """In another language, once it is translated, the words are others."""
    if language in ("en", *LANGUAGES):
        assert (english in texts) == (language == "en"), texts


def check_picture(path):
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < MAX_PICTURE_BYTES


def all_texts(extension):
    return [text for row in extension.rows() for text in row]


def test_menu(watched, server, client):
    show_shop(watched, server)
    watched.wait_text("Connected")
    for _, name, agent, progress, task in PRPS:
        watched.wait_row(name, f"{progress}%", f"active · {agent} · {task}")
    send(server, event("agent.progress", agentId="agent_linus", prpId="prp_103", progress=13.9, currentTask="Drawing"))
    watched.wait_row("Invoices as PDF", "13%", "active · agent_linus · Drawing")
    assert "Invoices as PDF: active · agent_linus · Drawing, 13%" in watched.names()

    send(server, event("prp.status_changed", id="prp_101", previousStatus="active", newStatus="completed", reason="",
                       changedBy="usr_1"))
    watched.wait_row("Refund orders in parts", "completed · agent_ada")
    send(server, event("prp.deleted", id="prp_101", projectId="proj_shop", deletedBy="usr_1", reason="Because"))
    watched.wait_rows(lambda rows: not any("Refund orders in parts" in row for row in rows), "it to go")

    watched.expand("Recent Events")
    watched.wait_text("“Refund orders in parts” is now completed")
    watched.expand("Channels")
    watched.wait_row(CHANNEL, "Active")


@pytest.mark.parametrize("language", ["en", "de"])
def test_picture_of_the_menu(watched, server, language, pictures):
    show_shop(watched, server)
    check_language(language, all_texts(watched), "Disconnect")
    check_picture(watched.screenshot(pictures / f"panel-menu{SUFFIX[language]}.png"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_picture_of_unauthorized(watched, server, client, language, pictures):
    words = WORDS[language]
    show_shop(watched, server)
    server.tokens = {"another"}
    server.connection.abort()
    client.wait_state("unauthorized")
    watched.wait_icon("unauthorized")
    watched.wait_name(words["name"].format(words["unauthorized"]))
    watched.wait_rows(lambda rows: words["unauthorized"] in rows[0], "the state")
    watched.wait_rows(lambda rows: any("prpctl login" in text for row in rows for text in row), "what to do")
    wait_time(watched, language)
    check_picture(watched.screenshot(pictures / f"unauthorized{SUFFIX[language]}.png"))


@pytest.mark.parametrize("language", ["en", "de"])
def test_picture_of_offline(extension, relay, new_server, client, certificates, token, language, pictures):
    words = WORDS[language]
    server = new_server(tls=server_context(certificates.elsewhere))
    server.tokens = {token}
    network = Network(relay, server.port)
    try:
        relay.configure(Server={"Url": f"wss://{Network.ADDRESS}:4443/", "CaFile": certificates.ca_file},
                        Heartbeat={"PingIntervalSec": "0.5", "PongTimeoutSec": "1"})
        relay.start(client)
        client.wait_channel(CHANNEL, State="active")
        show_shop(extension, server)
        network.down()
        client.wait_state("offline", seconds=20)
        extension.wait_icon("offline")
        extension.wait_rows(lambda rows: words["offline"] in rows[0], "the state")
        wait_time(extension, language)
        extension.wait_text(*(name for _, name, *_ in PRPS))
        check_picture(extension.screenshot(pictures / f"offline{SUFFIX[language]}.png"))
        network.up()
        client.wait_state("connected", seconds=20)
        extension.wait_icon("connected")
        extension.wait_rows(lambda rows: words["connected"] in rows[0], "the state")
    finally:
        if relay.is_running():
            relay.stop()
        network.finish()


@pytest.mark.parametrize("language", ["en", "de"])
def test_picture_of_the_preferences(watched, language, pictures):
    """By the menu's own entry; the window is the program's that the Shell has the bus start."""
    watched.open()
    watched.click(watched.rows()[-1][0])
    check_picture(watched.screenshot_preferences(pictures / f"preferences{SUFFIX[language]}.png"))
    watched.close_preferences()


# Where they are in the window, while there is one channel.
ROW_TO_ADD, SWITCH_OF_CHANNELS = (150, 225), (548, 303)


def test_preferences(watched, client, shell, tmp_path):
    """What is set there with mouse and keyboard is shown, and held, at once."""
    watched.open()
    watched.click("Settings")
    watched.screenshot_preferences(tmp_path / "window.png")
    x, y, *_ = watched.wait_preferences()
    shell.click(x + SWITCH_OF_CHANNELS[0], y + SWITCH_OF_CHANNELS[1])
    watched.open()
    watched.wait_rows(lambda rows: ["Recent Events"] in rows and ["Channels"] not in rows, "a menu without channels")
    watched.close()
    shell.click(x + ROW_TO_ADD[0], y + ROW_TO_ADD[1])
    shell.type("agent:agent_ada\n")
    client.wait_channel("agent:agent_ada", State="active")
    assert client.channels()[CHANNEL]["Holders"]
    watched.close_preferences()


def test_icons(extension, relay, server, client, new_raw_server, token):
    """One for each state."""
    silent = new_raw_server()
    relay.configure(Server={"Url": f"ws://127.0.0.1:{silent.port}/"})
    relay.start(client)
    client.wait_state("connecting")
    extension.wait_icon("connecting")
    extension.wait_name("PRP relay: Connecting")

    relay.configure(Server={"Url": server.url()})
    client.command("Reload")
    client.wait_state("connected")
    extension.wait_icon("connected")
    extension.wait_name("PRP relay: Connected")

    relay.configure(Reconnect={"InitialDelaySec": "3600", "MaxDelaySec": "3600"})
    client.command("Reload")
    server.stop(abort=True)
    client.wait_state("waiting")
    extension.wait_icon("connecting")
    extension.wait_name("PRP relay: Trying again (soon|at .+)")

    server.start()
    client.command("Connect")
    client.wait_state("connected")
    extension.wait_icon("connected")

    client.command("Disconnect")
    extension.wait_icon("disconnected")
    extension.wait_name("PRP relay: Disconnected")

    relay.stop()
    extension.wait_icon("absent")
    extension.wait_name("PRP relay: The relay is not running")

    # Connected, and something is wrong all the same.
    for path in (relay.home.state / "prp-relay").glob("relay.db*"):
        path.write_bytes(b"no database" * 1000)
    relay.start(client)
    client.wait_state("connected")
    extension.wait_icon("trouble")


# -- what is done

def test_buttons(watched, server, client):
    watched.open()
    watched.click("Disconnect")
    client.wait_state("disconnected")
    watched.wait_icon("disconnected")
    watched.open()
    watched.wait_rows(lambda rows: ["Connect"] in rows and ["Disconnect"] not in rows, "another button")
    watched.click("Connect")
    client.wait_state("connected")
    watched.wait_icon("connected")
    server.wait_connection(2)


def test_connect_starts_the_relay(extension, relay, bus, client):
    """The bus does, if it knows how."""
    bus.add_service("dev.prp.Relay1", shlex.join(relay.command()))
    client.bus_call("ReloadConfig")
    try:
        extension.open()
        extension.wait_text("The relay is not running")
        extension.click("Connect")
        wait_until(client.owner, "the relay's name")
        client.wait_channel(CHANNEL)
        extension.open()
        extension.wait_rows(lambda rows: "The relay is not running" not in rows[0], "its state")
    finally:
        (bus.services / "dev.prp.Relay1.service").unlink()
        client.bus_call("ReloadConfig")
        if client.owner():
            pid = client.bus_call("GetConnectionUnixProcessID", "(s)", client.owner())[0]
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not client.owner(), "its end")


def test_settings_take_effect_at_once(watched, shell, server, client):
    shell.set(SETTINGS, channels=f"['{CHANNEL}', 'agent:agent_ada']")
    client.wait_channel("agent:agent_ada", State="active")
    assert client.channels()[CHANNEL]["State"] == "active"
    server.connection.wait_action("subscribe", ["agent:agent_ada"])
    shell.set(SETTINGS, channels="['agent:agent_ada']")
    wait_until(lambda: set(client.channels()) == {"agent:agent_ada"}, lambda: f"one; there is {client.channels()}")
    shell.set(SETTINGS, channels="[]")
    wait_until(lambda: not client.channels(), "no channel")
    assert not server.connection.closed and len(server.connections) == 1

    send(server, *life(*PRPS[0]))
    watched.open()
    watched.wait_text(PRPS[0][1])
    shell.set(SETTINGS, show_prps="false", show_events="false", show_channels="false")
    watched.wait_rows(lambda rows: not {PRPS[0][1], "Recent Events", "Channels"} & {t for row in rows for t in row},
                      "a short menu")


def test_holds(watched, relay, shell, client):
    """Held while it is enabled, given back when it is not."""
    holders = client.channels()[CHANNEL]["Holders"]
    assert [owner for owner, *_ in holders] == [client.bus_call("GetNameOwner", "(s)", "org.gnome.Shell")[0]]
    watched.disable()
    wait_until(lambda: not client.channels(), "the hold to be released")
    watched.enable()
    client.wait_channel(CHANNEL, State="active")


# -- what happens to it

def test_lock_and_unlock(watched, shell, server, client):
    """Nothing is lost, nothing is there twice. The screen shield ends the extension, and with it the hold."""
    client.subscribe(CHANNEL)
    send(server, *life(*PRPS[0]))
    watched.open()
    watched.wait_text(PRPS[0][1], "82%")
    shell.lock()
    wait_until(lambda: watched.state() == DISABLED, "the extension to be disabled")
    client.wait_channel(CHANNEL, Holders=[])
    assert watched.evaluate("return !button;")
    sent = send(server, *life(*PRPS[1]),
                event("prp.status_changed", id="prp_101", previousStatus="active", newStatus="completed", reason="",
                      changedBy="usr_1"), event("prp.deleted", id="prp_999", projectId="proj_shop", reason="Unheard"))
    client.wait_event_id(sent[-1]["id"])
    shell.unlock()
    watched.wait_for("return !!button;", "the button")
    client.wait_channel(CHANNEL, State="active")
    wait_until(lambda: client.channels()[CHANNEL]["Holders"], "a hold")
    send(server, *life(*PRPS[2]))
    watched.open()
    watched.wait_row("Refund orders in parts", "completed · agent_ada")
    for _, name, agent, progress, task in PRPS[1:]:
        watched.wait_row(name, f"{progress}%", f"active · {agent} · {task}")
    watched.expand("Recent Events")
    once = ["“Refund orders in parts” was created", "agent_ada was assigned to “Refund orders in parts”",
            "“Search that forgives typing errors” was created", "“Refund orders in parts” is now completed",
            "“Invoices as PDF” was created"]
    watched.wait_text(*once)
    texts = all_texts(watched)
    assert [texts.count(text) for text in once] == [1] * len(once)
    assert [len([row for row in watched.rows() if row[0] == name]) for _, name, *_ in PRPS] == [1, 1, 1]
    assert not any("may have been missed" in text for text in texts)


def test_a_new_session(watched, relay, shell, server, client):
    """What was known of the PRPs is there again, with its time, also without a relay."""
    send(server, *life(*PRPS[0]))
    watched.open()
    watched.wait_text(PRPS[0][1], "82%")
    relay.stop()
    watched.wait_icon("absent")
    watched.save()
    watched.renew()
    watched.enable()
    watched.open()
    watched.wait_row(PRPS[0][1], "82%", "active · agent_ada · Writing the tests")
    watched.wait_rows(lambda rows: any(re.match(r"Correct as of \d", text) for row in rows for text in row), "its time")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_the_relay_is_restarted(watched, relay, server, client, how):
    send(server, *life(*PRPS[0]))
    watched.open()
    watched.wait_text(PRPS[0][1], "82%")
    getattr(relay, how)()
    watched.wait_icon("absent")
    watched.wait_text("The relay is not running", PRPS[0][1])
    relay.start(client)
    client.wait_state("connected")
    watched.wait_icon("connected")
    client.wait_channel(CHANNEL, State="active")
    wait_until(lambda: len(client.channels()[CHANNEL]["Holders"]) == 1, "one hold")
    send(server, *life(*PRPS[1]))
    watched.wait_text("Connected", PRPS[0][1], PRPS[1][1], "82%", "47%")


def test_no_relay_at_all(extension, shell):
    extension.open()
    extension.wait_text("The relay is not running")
    extension.click("Connect")
    # There is nothing that the bus could start: it is told, and that is all.
    extension.open()
    extension.wait_rows(lambda rows: any("dev.prp.Relay1" in text for row in rows for text in row), "why not")
    assert extension.icon() == "absent"


def test_a_relay_that_hangs(watched, relay, shell, client):
    """The Shell does not wait for it: it answers, paints, and does as it is told."""
    relay.process.send_signal(signal.SIGSTOP)
    try:
        watched.open()
        watched.wait_text("Connected")
        watched.click("Disconnect")
        shell.settle()
        shell.set(SETTINGS, channels="['project:another']")
        watched.disable()
        watched.enable()
        watched.open()
        watched.wait_text("Connecting")
        shell.settle()
    finally:
        relay.process.send_signal(signal.SIGCONT)
    client.wait_state("disconnected")
    watched.wait_icon("disconnected")
    wait_until(lambda: set(client.channels()) == {"project:another"}, lambda: f"one channel; there is {client.channels()}")
    wait_until(lambda: len(client.channels()["project:another"]["Holders"]) == 1, "one hold")


def test_a_flood(watched, shell, server, client):
    """The Shell answers in between, and what is shown in the end is right."""
    watched.open()
    send(server, created("prp_104", "Flooded"))
    progress = [json.dumps(event("agent.progress", agentId="agent_ada", prpId="prp_104", progress=n / 20, currentTask=f"{n}"))
                for n in range(2000)]
    poured = server.connection.flood(b"".join(frame(TEXT, text.encode()) for text in progress))
    while not poured.done() or client.get("EventsEmitted") < 2001:
        shell.settle()
    watched.wait_row("Flooded", "99%", "active · agent_ada · 1999")


SYNCHRONOUS = re.compile(r"\w+_sync\b|\w+Sync\(|\bload_contents\(|\breplace_contents\(|\bmake_directory(_with_parents)?\(|"
                         r"\bquery_exists\(|\bDBusProxy\.new\w*_sync|makeProxyWrapper|spawn_command_line_sync|\biteration\(")


def test_calls_nothing_that_waits(share):
    """Whatever would block the Shell's main loop: nothing of the kind is in the extension at all."""
    files = list((share / "gnome-shell" / "extensions" / UUID).rglob("*.js"))
    assert len(files) > 5
    found = [f"{path.name}: {line}" for path in files for line in path.read_text().splitlines()
             if SYNCHRONOUS.search(line) and not line.lstrip().startswith(("//", "*"))]
    assert not found


# -- what it leaves behind

ROUNDS, WARM_ROUNDS = 100, 20  # in the first ones all is made that is made once


def test_leaves_nothing_behind(watched, server, client, tmp_path):
    """Rounds of enable and disable: in one it gets to hold its channel, in the next it is gone before it has begun, and
    every tenth time the menu is opened and filled."""
    for prp in PRPS:
        send(server, *life(*prp))
    name = client.bus_call("GetNameOwner", "(s)", "org.gnome.Shell")[0]

    def matches():
        rules = client.call("/org/freedesktop/DBus", "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules",
                            name="org.freedesktop.DBus").unpack()[0]
        return sorted(rules[name])

    def check_given_back():
        wait_until(lambda: not client.channels(), lambda: f"all holds to be released; there are {client.channels()}")
        wait_until(lambda: matches() == rules, lambda: f"all matches to be taken back: {rules}; there are {matches()}")
        wait_until(lambda: not ledger.sources(), lambda: f"all sources to be removed; there are {ledger.sources()}")

    watched.disable()
    wait_until(lambda: not client.channels(), "the hold to be released")
    ledger, rules = Ledger(watched, tmp_path), matches()
    heaps, sizes = [], []
    for n in range(1, ROUNDS + 1):
        watched.enable()
        if n % 2 == 0:
            client.wait_channel(CHANNEL, State="active")
            watched.wait_icon("connected")
        if n % 10 == 0:
            watched.open()
            watched.wait_text(*(title for _, title, *_ in PRPS))
        watched.disable()
        if n in (WARM_ROUNDS, ROUNDS):
            check_given_back()
            heaps.append(ledger.heap())
            sizes.append(ledger.memory())

    def growth():
        """Kinds of which there is more than one object for two rounds. What the last rounds made may take its time to go."""
        more = ledger.heap() - heaps[0]
        return {kind: n for kind, n in more.items() if n >= (ROUNDS - WARM_ROUNDS) / 2}

    wait_until(lambda: not growth(), lambda: f"objects to go: {growth()}")
    print("memory, MiB:", [size >> 20 for size in sizes])
    assert sizes[1] - sizes[0] < MAX_GROWTH_BYTES, sizes
