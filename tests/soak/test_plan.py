# SPDX-License-Identifier: MIT
"""The plan is the seed's, and has all that it has to have in its place."""

import pytest

import plan
from plan import ENDS, FAULTS, make_plan

SECONDS = [40, 60, 300, 3600]


@pytest.mark.parametrize("seconds", SECONDS)
def test_the_seed_makes_it(seconds):
    assert make_plan(7, seconds) == make_plan(7, seconds)
    assert make_plan(7, seconds) != make_plan(8, seconds)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("seconds", SECONDS)
def test_everything_in_its_place(seed, seconds):
    made = make_plan(seed, seconds)
    times = [fault.at for fault in made.faults]
    assert times == sorted(times) and 0 < times[0] and times[-1] <= seconds - plan.TAIL_SEC
    life = [fault for fault in made.faults if fault.at > made.life_begins]
    assert {fault.kind for fault in life} == {*FAULTS, "measure"}
    assert {fault.kind for fault in made.faults} == {*FAULTS, *ENDS, "measure"}
    assert made.faults[len(made.faults) - len(life) - 1].kind == "kill"
    [measure] = [fault for fault in made.faults if fault.kind == "measure"]
    assert measure.at == pytest.approx(made.warm_at, abs=0.01)
    assert not [f for f in made.faults if made.warm_at - plan.REST_SEC < f.at < made.warm_at + 0.4 and f != measure]
