# SPDX-License-Identifier: MIT
"""The notification servers of Debian, each real, on a screen of its own."""

import pytest

from notification_beds import BEDS
from waiting import wait_until


@pytest.fixture(params=BEDS, ids=lambda bed: bed.name)
def idle_bed(request):
    bed = request.param()
    yield bed
    bed.close()


@pytest.fixture
def bed(idle_bed):
    return idle_bed.start()


# -- the beds themselves

def test_a_bed_sees_and_does(bed, tmp_path):
    """What is relied on below, with notifications of the test's own."""
    buttons = ["open", "Open", "mute", "Mute"]
    number = bed.notify('A <b>&" name', "a body with &lt;b&gt;&amp;&quot;, <b>bold</b>", buttons)
    one = bed.wait_one()
    assert (one.summary, one.body) == ('A <b>&" name', 'a body with <b>&", bold')
    assert bed.notify("Another", "other", buttons, replaces=number) == number
    bed.wait_one(lambda one: (one.summary, one.body) == ("Another", "other"), "the other one in its place")

    bed.press("Mute")
    wait_until(lambda: [s.body.unpack() for s in bed.client.signals if s.member == "ActionInvoked"] == [(number, "mute")],
               "ActionInvoked")
    bed.notify("A third", "one")
    if len(bed.shown()) > 1:  # some leave one open whose button was pressed
        bed.call("CloseNotification", "(u)", number)
    bed.wait_one(lambda one: one.summary == "A third", "the third")
    bed.screenshot(tmp_path / "picture.png")
    bed.dismiss()
    bed.wait_shown(lambda all_: all_ == [], "nothing")

    bed.notify("A fourth", "one")
    bed.wait_one()
    bed.crash()
    bed.start()
    bed.wait_shown(lambda all_: all_ == [], "nothing, after a crash")
