# SPDX-License-Identifier: MIT
"""The bench of tests/integration (bus, server, home, relay), for tests with the programs of a real desktop beside them."""

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


def pytest_addoption(parser):
    _bench.pytest_addoption(parser)
    parser.addoption("--keep-screenshots", metavar="DIR", type=pathlib.Path,
                     help="where to put the pictures that the documentation shows; else they are not kept")


@pytest.fixture
def pictures(request, tmp_path):
    """The folder for pictures that the documentation shows."""
    kept = request.config.getoption("--keep-screenshots")
    return kept.resolve() if kept else tmp_path
