# SPDX-License-Identifier: MIT
"""The bus dies, its listeners stand still, its callers are hostile: what was taken from the server is stored, and who behaves is
served."""

import functools
import json
import os
import random
import signal
import subprocess
import sys

import pytest
from gi.repository import GLib

import relay_bus
from event_stream import Gap, check_stream
from prp_server import TEXT, frame
from raw_caller import RawCaller
from relay_bus import CHANNEL, HISTORY, PATH, Client, PrivateBus, event_of
from relay_process import Relay
from waiting import SCALE, wait_until
from witness import CHANNELS, descriptors, list_all

MAX_MEMORY_BYTES = 80 * 1024 * 1024  # with the answers for all who do not read them
CALLERS = 1000
AT_ONCE = 40


class NextLife:
    """The same home on another bus."""

    def __init__(self, relay, home, directory):
        self.bus = PrivateBus(relay.bus.kind, directory, home.environment)
        self.client = Client(self.bus.address)
        self.relay = Relay(home, self.bus)
        self.relay.settings = relay.settings

    def finish(self):
        if self.relay.is_running():
            self.relay.stop()
        self.client.close()
        self.bus.stop()


@pytest.fixture
def new_life(home, tmp_path_factory):
    lives = []

    def make(relay):
        lives.append(NextLife(relay, home, tmp_path_factory.mktemp("life")))
        return lives[-1]

    yield make
    for life in lives:
        life.finish()


def check_history(witness, client, before):
    """Of the client's life now: the numbers go on behind what was signalled in the one before, which is all there; what is not there
    was told. Returns the events."""
    listed = list_all(client)
    sequences = [event["sequence"] for event in listed]
    assert sequences == sorted(set(sequences))
    have = {event["sequence"]: event["id"] for event in listed}
    lost = [s for s in before if have.get(s[0]) != s[1]]
    assert not lost, f"signalled, and not stored: {lost[:5]}"
    gaps = [Gap(**event["data"]) for event in listed if event["type"] == "relay.gap"]
    check_stream(witness.stream, [int(event["id"][3:]) for event in listed if event["id"].startswith("ev_")], gaps)
    return listed


def signalled(client):
    return [(event_of(s)["sequence"], event_of(s)["id"]) for s in client.events() if s.member != "Gap"]


@pytest.mark.parametrize("load", ["idle", "flood"])
def test_the_bus_is_killed(relay, server, client, new_witness, new_life, load):
    """The relay ends as a failure, by itself; the next one has all that there was, and goes on."""
    relay.configure(History={"MaxEvents": 1000000})
    relay.start(client)
    client.wait_state("connected")
    witness = new_witness(server, client, rate=20 if load == "idle" else 5000)
    witness.wait_flow()
    wait_until(lambda: len(client.events()) > (5 if load == "idle" else 3000), "events", 30)
    relay.bus.kill()
    status = relay.wait_exit()
    assert status > 0, f"it ended with {status}"
    life = new_life(relay)
    life.relay.start(life.client)
    life.client.wait_state("connected")
    wait_until(lambda: {c["State"] for c in life.client.channels().values()} == {"active"}, "the channels")
    number = witness.sent
    wait_until(lambda: any(event_of(s)["id"] == f"ev_{number}" for s in life.client.events("AgentProgress")), "the stream", 20)
    witness.stop()
    life.client.wait_event_id(f"ev_{witness.sent - 1}", 20)
    check_history(witness, life.client, signalled(client))


LISTENER = """
import sys
sys.path.insert(0, sys.argv[1])
from relay_bus import Client
client = Client(sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.bus("dbus-broker")
def test_a_listener_that_stands_still(relay, bus, server, client, new_witness, new_life, instrumented):
    """dbus-broker hangs up on somebody when what one user has queued is too much: on the listener, or on the relay. Either way nothing is
    lost. (dbus-daemon queues without an end: test_pressure.py.)"""
    relay.configure(History={"MaxEvents": 1000000})
    relay.start(client)
    client.wait_state("connected")
    listener = subprocess.Popen([sys.executable, "-c", LISTENER, str(relay_bus.HERE), bus.address],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert listener.stdout.readline() == "ready\n"
        listener.send_signal(signal.SIGSTOP)
        witness = new_witness(server, client)
        amount = 2000 if instrumented else 20000
        text = json.dumps({"id": "@", "type": "some.thing", "timestamp": "t", "data": {"x": "x" * 2000}})
        poured = server.connection.flood(b"".join(frame(TEXT, text.replace("@", f"flood-{n}").encode()) for n in range(amount)))
        wait_until(lambda: poured.done() or relay.process.poll() is not None, "the flood to be taken, or an end", 60)
        poured.exception(60 * SCALE)
        if relay.process.poll() is None:
            witness.wait_flow(60)
            witness.finish()
            assert client.ping() > 0
            return
        assert relay.process.returncode > 0
    finally:
        listener.kill()
        listener.communicate()
    life = new_life(relay)
    life.relay.start(life.client)
    life.client.wait_state("connected")
    number = witness.sent
    wait_until(lambda: any(int(event_of(s)["id"][3:]) >= number for s in life.client.events("AgentProgress")), "the stream", 20)
    witness.stop()
    life.client.wait_event_id(f"ev_{witness.sent - 1}", 20)
    check_history(witness, life.client, signalled(client))


# -- hostile callers

@functools.cache
def strings(amount, prefix="project:x"):
    return GLib.Variant("(as)", ([f"{prefix}{n}" for n in range(amount)],))


def hold(*channels):
    return GLib.Variant("(asa{sv})", (list(channels), {"app-id": GLib.Variant("s", "hostile"), "reason": GLib.Variant("s", "x" * 1000)}))


def nonsense(caller, relay_name, dice):
    caller.write(
        caller.message("NoSuchMethod"), caller.message("Subscribe"), caller.message("Hold", GLib.Variant("(s)", ("x",))),
        caller.message("Release", GLib.Variant("(u)", (dice.getrandbits(32),))), caller.message("Ping", path="/nowhere"),
        caller.message("Get", GLib.Variant("(ss)", ("", "x" * 1000)), interface="org.freedesktop.DBus.Properties"),
        caller.message("Set", GLib.Variant("(ssv)", ("dev.prp.Relay1", "State", GLib.Variant("s", "mine"))),
                       interface="org.freedesktop.DBus.Properties"),
        caller.message("ListEvents", GLib.Variant("(tua{sv})", (1 << 63, 1 << 31, {"types": GLib.Variant("i", 5)})), interface=HISTORY))


def hold_what_there_is(caller, relay_name, dice):
    """Up to the limits, and beyond."""
    body = hold(*[f"project:{dice.getrandbits(64)}" for n in range(3)])
    caller.write(*[caller.message("Hold", body) for n in range(120)])


def vanish(caller, relay_name, dice):
    caller.write(caller.message("Hold", hold("project:vanished")), caller.message("Ping"),
                 caller.message("ListEvents", GLib.Variant("(tua{sv})", (0, 0, {})), interface=HISTORY))
    caller.close()


def flood_calls(caller, relay_name, dice):
    """And reads none of the answers."""
    caller.write(*[caller.message("GetAll", GLib.Variant("(s)", ("dev.prp.Relay1",)), interface="org.freedesktop.DBus.Properties"),
                   caller.message("ListEvents", GLib.Variant("(tua{sv})", (0, 0, {})), interface=HISTORY)] * 20,
                 *[caller.message("GetManagedObjects", interface="org.freedesktop.DBus.ObjectManager")] * 2)


def subscribe_to_everything(caller, relay_name, dice):
    caller.write(caller.message("AddMatch", GLib.Variant("(s)", ("eavesdrop='true'",)), name="org.freedesktop.DBus",
                                path="/org/freedesktop/DBus", interface="org.freedesktop.DBus"),
                 caller.message("AddMatch", GLib.Variant("(s)", ("",)), name="org.freedesktop.DBus", path="/org/freedesktop/DBus",
                                interface="org.freedesktop.DBus"),
                 caller.message("Hold", hold(*[f"project:all-{n}" for n in range(50)])))


def answer_unasked(caller, relay_name, dice):
    """Answers to the relay's own calls, and signals of the bus and of logind, which somebody else sends."""
    for serial in range(1, 40):
        caller.write(caller.reply(relay_name, serial, GLib.Variant("(u)", (1,))))
    caller.write(
        caller.signal("org.freedesktop.DBus", "NameOwnerChanged", "/org/freedesktop/DBus",
                      GLib.Variant("(sss)", ("dev.prp.Relay1", relay_name, "")), relay_name),
        caller.signal("org.freedesktop.DBus", "NameLost", "/org/freedesktop/DBus", GLib.Variant("(s)", ("dev.prp.Relay1",)), relay_name),
        caller.signal("org.freedesktop.login1.Manager", "PrepareForSleep", "/org/freedesktop/login1", GLib.Variant("(b)", (False,)),
                      relay_name))


def huge_arrays(caller, relay_name, dice):
    caller.write(caller.message("Subscribe", strings(dice.choice([10001, 60000]))), caller.message("Hold", hold("x" * 1_000_000)),
                 caller.message("ListEvents", GLib.Variant("(tua{sv})", (0, 0, {
                     "types": GLib.Variant("as", ["*" * 1000] * 300)})), interface=HISTORY))


KINDS = [nonsense, hold_what_there_is, vanish, flood_calls, subscribe_to_everything, answer_unasked, huge_arrays]


@pytest.fixture
def roomy_bus(monkeypatch):
    """The bus takes as many as come: it is the relay that is to be tried."""
    limits = "".join(f'  <limit name="{name}">100000</limit>\n' for name in
                     ("max_connections_per_user", "max_completed_connections", "max_incomplete_connections",
                      "max_match_rules_per_connection", "max_pending_service_starts"))
    monkeypatch.setattr(relay_bus, "BUS_CONFIG", relay_bus.BUS_CONFIG.replace("</busconfig>", limits + "</busconfig>"))


@pytest.mark.bus("dbus-daemon")
def test_a_thousand_hostile_callers(roomy_bus, connected, bus, server, client, new_witness, new_client, instrumented, record_property):
    """On dbus-broker callers of the same user can fill the user's quota, and it hangs up on whom it likes: that is the test above."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    record_property("seed", seed)
    dice = random.Random(seed)
    relay_name = client.owner()
    witness = new_witness(server, client, rate=100)
    honest = new_client(listens=False)
    witness.wait_flow()
    cookie, states = honest.hold("project:honest", app_id="honest")
    assert states == {"project:honest": "active"}
    honest_path = honest.channels()["project:honest"]["path"]
    root = os.geteuid() == 0
    before = descriptors(connected) if root else 0
    callers = []
    for n in range(CALLERS // (10 if instrumented else 1)):
        try:
            callers.append(RawCaller(bus.address))
        except (AssertionError, OSError):
            continue  # the bus has had enough of us
        KINDS[n % len(KINDS)](callers[-1], relay_name, dice)
        if len(callers) > AT_ONCE:
            callers.pop(dice.randrange(AT_ONCE)).close()
        if n % 40 == 0:
            # Beside them somebody is served.
            assert honest.get("State") == "connected"
            assert honest.list_events(limit=1)[0]
            assert honest.get("State", honest_path, CHANNEL) == "active"
    witness.wait_flow(60)
    for caller in callers:
        caller.close()
    mine = {*CHANNELS, "project:honest"}
    wait_until(lambda: {name for name, c in honest.channels().items() if c["Holders"]} == {"project:honest"},
               lambda: f"their holds to go; there are {len(honest.channels())} channels", 60)
    # What they subscribed to for good is for anybody to end; there is nothing of it that was beyond the limits.
    others = [name for name in honest.channels() if name not in mine]
    assert not others, others[:5]
    honest.release(cookie)
    assert connected.is_running() and client.owner() == relay_name
    witness.finish()
    assert not witness.gaps() and client.get("Connections") == 1
    if not instrumented:
        assert connected.status("VmHWM") < MAX_MEMORY_BYTES, connected.status("VmHWM")
    if root:
        wait_until(lambda: descriptors(connected) <= before, lambda: f"{before} descriptors; there are {descriptors(connected)}")
    assert client.call(PATH, "dev.prp.Relay1", "Ping").unpack()[0] > 0
