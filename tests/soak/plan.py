# SPDX-License-Identifier: MIT
"""The plan of a soak: which faults come when. Pure: the seed makes all of it, and the same seed makes it again.

A run has two acts. In the first the relay itself is ended, killed and started like anything else; from then on one relay has to
live through all the other faults until the end, or what it leaks would never show. That one is measured twice, when it has
warmed up and when all is over, both times after a rest in which no fault comes. In the second act every other kind of fault comes
at least once; what else there is time for is drawn by weight.
"""

import collections
import random

Fault = collections.namedtuple("Fault", "at kind args")
Plan = collections.namedtuple("Plan", "seed seconds faults life_begins warm_at")

MEAN_INTERVAL_SEC = 2.5
REST_SEC = 3.0     # without faults, before a measurement
TAIL_SEC = 4.0     # likewise, in the end
FIRST_ACT = 0.30   # this part of the run
WARM_UP = 0.30     # this part of what is left; everything has happened once by then
MAX_WARM_UP_SEC = 240

CLOSE_CODES = [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4000, 4401, 4999]
STATUSES = [400, 401, 403, 404, 429, 500, 502, 503]
GARBAGE = ["not-json", "empty", "number", "array", "deep", "binary", "no-type", "lone-surrogate", "nul", "duplicate-keys",
           "huge-number", "not-utf8", "masked", "reserved-bits", "unknown-opcode", "lost-continuation", "too-big", "truncated"]
LIES = ["others", "late", "pieces", "twice", "uncalled", "withheld", "rate-limited", "refused"]


def _between(low, high):
    return lambda dice: round(dice.uniform(low, high), 3)


def _one_of(values):
    return lambda dice: dice.choice(values)


def _number(low, high):
    return lambda dice: dice.randint(low, high)


# kind → (weight, argument → how it is drawn)
FAULTS = {
    # the server
    "cut": (6, {"hard": _one_of([False, True])}),
    "close": (5, {"code": _one_of(CLOSE_CODES)}),
    "close-in-fragment": (2, {}),
    "silence": (3, {"seconds": _between(1, 5)}),
    "slow": (2, {"seconds": _between(0.5, 3)}),
    "garbage": (6, {"which": _one_of(GARBAGE)}),
    "doubles": (3, {"seconds": _between(0.5, 3)}),
    "replay": (3, {"amount": _number(1, 200)}),
    "lie": (5, {"style": _one_of(LIES), "cut": _one_of([False, True])}),
    "greet-twice": (1, {}),
    "refuse-handshakes": (4, {"status": _one_of(STATUSES), "amount": _number(1, 3), "retry_after": _one_of([None, 1, 2])}),
    "absent": (2, {"seconds": _between(0.2, 2.5)}),
    "token-expired": (5, {}),
    "token-revoked": (2, {}),
    "refresh-fails": (2, {"status": _one_of([400, 429, 500, 503]), "amount": _number(1, 2)}),
    "flood": (1, {"amount": _number(300, 1500)}),
    # the relay's surroundings
    "freeze": (2, {"seconds": _between(0.1, 3)}),
    "reload": (3, {}),
    "reload-bad": (2, {}),
    "other-server": (3, {}),
    "disconnect": (2, {"seconds": _between(0.1, 1.5)}),
    "clock-set": (2, {"seconds": _one_of([-600, -45, -1, 1, 30, 900])}),
    "sleep": (2, {"seconds": _one_of([2, 20, 400])}),
    "store-locked": (2, {"seconds": _between(0.3, 3)}),
    "disk-full": (1, {"seconds": _between(0.5, 3)}),
    # who else is on the bus
    "stop-listener": (3, {"which": _number(0, 1), "seconds": _between(0.2, 4)}),
    "restart-reader": (2, {}),
    "restart-monitor": (2, {}),
    "hold": (5, {"channel": _number(0, 3), "seconds": _between(0.2, 8), "released": _one_of([False, True])}),
    "churn": (4, {"channel": _number(0, 3)}),
    "hostile": (2, {"which": _number(0, 1 << 30)}),
}

# Those of the first act only.
ENDS = {
    "terminate": (8, {}),
    "kill": (12, {}),
}


def _draw(dice, table, kind, at):
    return Fault(round(at, 3), kind, {name: make(dice) for name, make in table[kind][1].items()})


def _act(dice, table, needed, begin, end, rest=(0, 0)):
    """Each kind that is needed once, in any order, and others by weight; spread over the time. None comes within the rest."""
    kinds = list(needed)
    n_more = max(0, int((end - begin) / MEAN_INTERVAL_SEC) - len(kinds))
    kinds += dice.choices(list(table), [weight for weight, _ in table.values()], k=n_more)
    dice.shuffle(kinds)
    times = sorted(dice.uniform(begin, end - (rest[1] - rest[0])) for _ in kinds)
    return [_draw(dice, table, kind, at + (rest[1] - rest[0] if at >= rest[0] and rest[1] > 0 else 0))
            for kind, at in zip(kinds, times)]


def make_calm_plan(seed, seconds):
    """Nothing goes wrong."""
    return Plan(seed, seconds, [Fault(seconds / 2, "measure", {})], 0, seconds / 2)


def make_plan(seed, seconds):
    """The plan of a run of that many seconds."""
    dice = random.Random(f"soak {seed}")
    life_begins = seconds * FIRST_ACT
    warm_at = life_begins + min(MAX_WARM_UP_SEC, (seconds - life_begins) * WARM_UP) + REST_SEC
    faults = _act(dice, FAULTS | ENDS, ENDS, 1, life_begins)
    # The last thing of the first act: the relay that has to live begins.
    faults.append(_draw(dice, ENDS, "kill", life_begins))
    # All that takes memory comes before it is measured the first time.
    faults.append(Fault(life_begins + 0.5, "flood", {"amount": 1500}))
    faults += [_draw(dice, FAULTS, kind, life_begins + 1 + n * 0.1) for n, kind in enumerate(
        ["token-expired", "reload", "hold", "hostile", "other-server"])]
    faults += _act(dice, FAULTS, FAULTS, life_begins + 2, seconds - TAIL_SEC, (warm_at - REST_SEC, warm_at + 0.5))
    faults.append(Fault(round(warm_at, 3), "measure", {}))
    return Plan(seed, seconds, sorted(faults, key=lambda f: f.at), life_begins, warm_at)
