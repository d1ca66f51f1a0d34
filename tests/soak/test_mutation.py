# SPDX-License-Identifier: MIT
"""A whole soak objects, too: when the service's record is spoiled, the run fails for that very reason."""

import json
import pathlib
import subprocess

import pytest

SOAK = pathlib.Path(__file__).resolve().parent / "soak.py"


@pytest.mark.parametrize("mutation, finding", [
    (None, None), ("drop", "every event once"), ("double", "nothing missing untold")], ids=["none", "drop", "double"])
def test_a_spoiled_record(tmp_path, mutation, finding):
    result = tmp_path / "result.json"
    done = subprocess.run([SOAK, "--calm", "--seconds", "6", "--seed", "1", "--json", result,
                           *(["--mutate", mutation] if mutation else [])], stdout=subprocess.PIPE, text=True, timeout=120)
    found = json.loads(result.read_text())["findings"]
    assert list(found) == [title for title in [finding] if title], done.stdout
    assert done.returncode == (1 if mutation else 0)
