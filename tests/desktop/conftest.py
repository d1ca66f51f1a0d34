# SPDX-License-Identifier: MIT
"""The bench of tests/integration (bus, server, home, relay), for tests with the programs of a real desktop beside them."""

import importlib.util
import pathlib
import sys

INTEGRATION = pathlib.Path(__file__).resolve().parent.parent / "integration"

sys.path.insert(0, str(INTEGRATION))
_spec = importlib.util.spec_from_file_location("integration_bench", INTEGRATION / "conftest.py")
_bench = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_bench)
globals().update({name: value for name, value in vars(_bench).items() if not name.startswith("_")})
