# SPDX-License-Identifier: MIT
"""The bench: a private bus, a foreign server, a home, a relay; all of it new for each test.

Environment: PRP_BUILD_DIR (where the daemon was built), PRP_TEST_WRAPPER (runs it inside something, as valgrind),
PRP_TEST_TIMEOUT_SCALE (stretches every deadline).
"""

import pytest

import interfaces
import relay_bus
from certificates import Certificates
from prp_server import PrpServer
from relay_bus import CHANNEL, PATH, Client, PrivateBus
from relay_process import DAEMON, Home, NotifySocket, Relay, is_instrumented
from side_servers import OldTlsServer, RawServer, TokenEndpoint

EXIT_ALL_SKIPPED = 77  # meson's word for it

TOKEN = "secret-token-7Yh2kQ"


def pytest_addoption(parser):
    parser.addoption("--bus", choices=["dbus-daemon", "dbus-broker"], default="dbus-daemon",
                     help="the message bus to run on")


def pytest_configure(config):
    config.skips = 0
    if not DAEMON.exists():
        pytest.exit(f"there is no {DAEMON}: build it, or set PRP_BUILD_DIR", 2)


def pytest_collection_modifyitems(config, items):
    def fits(item):
        return all(mark.args[0] == config.getoption("bus") for mark in item.iter_markers("bus"))
    config.hook.pytest_deselected(items=[item for item in items if not fits(item)])
    items[:] = [item for item in items if fits(item)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    item.config.skips += (yield).get_result().skipped


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == 0 and 0 < session.config.skips == session.testscollected:
        session.exitstatus = EXIT_ALL_SKIPPED


# -- of the session

@pytest.fixture(scope="session")
def instrumented():
    """Under valgrind or a sanitizer: figures of time and memory say nothing."""
    return is_instrumented()


@pytest.fixture(scope="session")
def bus_kind(request, tmp_path_factory):
    """The message bus of this run, which can be started here."""
    kind = request.config.getoption("bus")
    if kind == "dbus-broker":
        home = Home(tmp_path_factory.mktemp("probe"))
        trouble = relay_bus.broker_trouble(home.directory, home.environment)
        if trouble:
            pytest.skip(trouble.splitlines()[0])
    return kind


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


# -- of one test

@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def bus(bus_kind, home):
    bus = PrivateBus(bus_kind, home.directory, home.environment)
    yield bus
    bus.stop()


@pytest.fixture
def token(home):
    """The bearer token that the server takes."""
    return home.secret(TOKEN)


@pytest.fixture
def server(token):
    server = PrpServer()
    server.tokens = {token}
    yield server
    server.finish()


@pytest.fixture
def new_client(bus):
    """Makes further clients."""
    clients = []

    def make(**options):
        clients.append(Client(bus.address, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(bus):
    client = Client(bus.address)
    yield client
    client.close()
    interfaces.check_signals(client.signals)


@pytest.fixture
def idle_relay(home, bus, server, client):
    """Not started, without any configuration. Ends before the server does."""
    relay = Relay(home, bus)
    yield relay
    try:
        if relay.is_running():
            relay.note_command_line()
            if client.owner() and not client.connection.is_closed():
                places = [(PATH, relay_bus.RELAY), *((path, CHANNEL) for path in client.objects())]
                shown = " ".join(v.print_(True) for where in places for v in client.get_all(*where).values())
                assert not [s for s in home.secrets if s in shown], "a secret is in a property"
            relay.stop()
        said = " ".join(s.body.print_(False) for s in client.signals if s.interface != relay_bus.EVENTS)
        assert not [s for s in home.secrets if s in said], "a secret is in a signal"
        relay.check_traces()
    finally:
        if relay.is_running():
            relay.kill()


@pytest.fixture
def relay(idle_relay, server, token):
    """Not started; configured for the server, and quick to reconnect."""
    path = idle_relay.home.write_secret("token", token)
    idle_relay.configure(Server={"Url": server.url()}, Auth={"TokenFile": path},
                         Reconnect={"InitialDelaySec": "0.2", "MaxDelaySec": "0.3"})
    return idle_relay


@pytest.fixture
def connected(relay, client):
    """Started, and connected with the server."""
    relay.start(client)
    client.wait_state("connected")
    return relay


@pytest.fixture
def notify(home):
    notify = NotifySocket(home.directory)
    yield notify
    notify.finish()


@pytest.fixture
def endpoint():
    endpoint = TokenEndpoint()
    yield endpoint
    endpoint.finish()


def _made_by(make):
    made = []

    def make_one(*arguments, **options):
        made.append(make(*arguments, **options))
        return made[-1]

    yield make_one
    for one in made:
        one.finish()


@pytest.fixture
def new_server():
    """Makes further servers."""
    yield from _made_by(PrpServer)


@pytest.fixture
def new_raw_server():
    yield from _made_by(RawServer)


@pytest.fixture
def new_old_tls_server():
    yield from _made_by(OldTlsServer)
