# SPDX-License-Identifier: MIT
"""The bench of tests/integration (bus, server, home, relay) for the failure lab: an oracle beside the relay, a server with
hooks, clocks that can be pushed, networks that break."""

import importlib.util
import pathlib
import sys

import pytest

INTEGRATION = pathlib.Path(__file__).resolve().parent.parent / "integration"

sys.path.insert(0, str(INTEGRATION))
_spec = importlib.util.spec_from_file_location("integration_bench", INTEGRATION / "conftest.py")
_bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_bench)
globals().update({name: value for name, value in vars(_bench).items() if not name.startswith("_")})

from clocks import Clock, Monotonic  # noqa: E402
from lab_server import LabServer     # noqa: E402
from witness import Witness          # noqa: E402


@pytest.fixture
def server(token):
    server = LabServer()
    server.tokens = {token}
    yield server
    server.finish()


@pytest.fixture
def new_server():
    """Makes further servers."""
    made = []

    def make(*arguments, **options):
        made.append(LabServer(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.finish()


@pytest.fixture
def clock(relay):
    return Clock(relay)


@pytest.fixture
def monotonic(relay):
    return Monotonic(relay)


@pytest.fixture
def new_witness(relay, instrumented):
    """Makes the oracle: the relay runs, and is subscribed."""
    made = []

    def make(server, client, rate=200, **options):
        made.append(Witness(relay, server, client, rate / 4 if instrumented else rate, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()
