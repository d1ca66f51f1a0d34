# SPDX-License-Identifier: MIT
"""That the benchmark does its work: what it sends is the same everywhere, nothing is lost, and figures come out."""

import json
import pathlib
import subprocess
import sys
import tempfile

import pytest

from bed import HERE, Bed
from contenders import PlainSender, RelayWith
from relay_bus import Client, event_of
from waiting import wait_until

SECTIONS = 7


@pytest.fixture
def bed():
    with tempfile.TemporaryDirectory() as scratch:
        (pathlib.Path(scratch) / "stores").mkdir()
        bed = Bed("dbus-daemon", pathlib.Path(scratch) / "bed", pathlib.Path(scratch) / "stores")
        yield bed
        bed.finish()


def unmistakable(signal):
    """All but the times and the relay's own number."""
    event = event_of(signal)
    for key in ("sequence", "received"):
        assert event.pop(key) > 0
    assert event["data"].pop("sentNsec") > 0
    types = signal.body.get_type_string(), [
        (key, signal.body.get_child_value(4).lookup_value(key, None).print_(True)) for key in ("id", "type", "metadata")]
    return signal.member, signal.path, signal.body.unpack()[:-1], event, types


def test_the_plain_sender_sends_what_the_relay_does(bed):
    sent = []
    client = Client(bed.bus.address)
    for contender in PlainSender(bed), RelayWith(bed):
        with contender:
            contender.take(5)  # 0 as a sequence would say nothing
            already = len(client.events())
            contender.send(3)
            wait_until(lambda: len(client.events()) == already + 3, "three events")
        sent.append([unmistakable(s) for s in client.events()[already:]])
    client.close()
    assert sent[0] == sent[1]


def test_what_the_listener_counts(bed):
    sender = PlainSender(bed)
    with sender:
        bed.listen(100, timed=True)
        sender.send(60)
        sender.take(1)  # is lost
        sender.send(40)
        heard = bed.heard()
    assert heard["events"] == 100 and heard["breaks"] == 1
    assert 0 < heard["p50_usec"] <= heard["p99_usec"] <= heard["p999_usec"] <= heard["max_usec"]


def test_a_small_run_of_everything(tmp_path):
    result = tmp_path / "result.json"
    done = subprocess.run([sys.executable, HERE / "benchmark.py", "--quick", "--without-peers", "--bus", "dbus-daemon",
                           "--json", result], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    assert done.returncode == 0, done.stdout
    told = json.loads(result.read_text())
    assert len({row["section"] for row in told["rows"]}) == SECTIONS
    for row in told["rows"]:
        assert row["rounds"] and (row["figure"] > 0 or "growth" in row["name"] or "nothing" in row["name"]), row
        assert (row["verdict"] == "") == (row["target"] is None)
        assert row["name"] in done.stdout
    assert told["machine"]["cores"] > 0 and told["machine"]["libraries"]["glib-2.0"]
