# SPDX-License-Identifier: MIT
"""The oracle objects: to a history that is right it has nothing to say, and to each that is wrong in one thing it has."""

import math

import pytest

from oracle import End, Gap, Heard, Limits, Measure, Row, Seen, check_missing, judge
from record import Record

AHEAD = 86400.0
CHANNELS = ["project:a", "project:b", "prp:held"]
PLAIN = Measure(10 << 20, 20, 3)


def usec(time):
    return int((time + AHEAD) * 1e6)


def gap(since, until, *channels):
    return Gap(usec(since), usec(until), "CONNECTION_LOST", channels or ("project:a", "project:b"))


class History:
    """One second after the other something happens on project:a; at 10 there is a gap until 13. Relay :1.1 is killed at 20."""

    def __init__(self):
        self.record = Record(CHANNELS)
        self.rows = []
        self.heard = []
        for time in range(30):
            self.record.add("project:a", 100.0 + time)
            if 10 <= time < 13:
                continue  # neither said nor heard
            self.record.copies[time] = 1
            if time == 13:
                self._row("", gap(109.5, 112.5))
            self._row(f"ev_{time}", None, time)
        self.record.confirm(112.4, "project:a", 2, 112.3)
        self.wanted = {"project:a": [(99.0, math.inf)], "project:b": [(99.0, math.inf)]}

    def _row(self, name, of_it=None, time=0):
        self.rows.append(Row(1000 + 2 * len(self.rows), name, of_it))
        self.heard.append(Heard(":1.1" if time < 20 else ":1.2", self.rows[-1].sequence, name))

    def seen(self, **changed):
        ids = [row.id for row in self.rows if row.id]
        values = dict(
            record=self.record, wanted=self.wanted, steps=[(0.0, AHEAD)], history=self.rows,
            stored=[(row.sequence, row.id) for row in self.rows[5:]], history_ids=["h1"],
            listeners={"listener": self.heard}, readers={"reader": ([ids[:8], ids[7:]], 1)},
            ends=[End(":1.1", "kill"), End(":1.2", "terminate")], warm=PLAIN, last=PLAIN, traces=[], troubles=[])
        return Seen(**dict(values, **changed))


@pytest.fixture
def right():
    return History()


def findings(seen):
    return {title: found for title, found in judge(seen)[0].items() if found}


def without(rows, n):
    return rows[:n] + rows[n + 1:]


def test_it_is_content(right):
    assert findings(right.seen()) == {}
    assert judge(right.seen())[1] == 3


def test_an_event_is_lost(right):
    right.rows = without(right.rows, 3)
    found = findings(right.seen(listeners={}, readers={}))
    assert list(found) == ["nothing missing untold"] and "ev_3 of project:a" in found["nothing missing untold"][0]


def test_an_event_that_was_not_even_said_is_lost(right):
    right.record.add("project:b", 105.5)
    assert list(findings(right.seen())) == ["nothing missing untold"]


@pytest.mark.parametrize("told", [(110.5, 112.5), (109.5, 111.5)], ids=["begins late", "ends early"])
def test_a_gap_too_short(right, told):
    right.rows[10] = right.rows[10]._replace(gap=gap(*told))
    assert list(findings(right.seen())) == ["nothing missing untold"]


def test_a_gap_of_another_channel(right):
    right.rows[10] = right.rows[10]._replace(gap=gap(109.5, 112.5, "project:b"))
    assert list(findings(right.seen())) == ["nothing missing untold"]


def test_no_gap(right):
    seen = right.seen(history=without(right.rows, 10), listeners={}, stored=[(r.sequence, r.id) for r in right.rows[15:]])
    assert list(findings(seen)) == ["nothing missing untold"]


def test_what_was_on_its_way_when_the_gap_began(right):
    """An event of which the last byte left after the relay's last proof of life is one of the gap."""
    right.rows = without(right.rows, 9)
    assert list(findings(right.seen(listeners={}, readers={}))) == ["nothing missing untold"]
    right.record.after[9] = 109.6
    assert findings(right.seen(listeners={}, readers={})) == {}


def test_twice(right):
    right.rows.append(right.rows[4]._replace(sequence=9999))
    assert "every event once" in findings(right.seen(listeners={}, readers={}, stored=[(9999, "ev_4")]))


@pytest.mark.parametrize("name", ["ev_10", "ev_30", "x", "ev_4x"], ids=["unsaid", "unheard of", "foreign", "garbled"])
def test_an_event_that_was_never_said(right, name):
    """The record that drops an event has the same effect."""
    right.rows.append(Row(9999, name, None))
    found = findings(right.seen(listeners={}, readers={}, stored=[(9999, name)]))
    assert list(found) == ["every event once"]


def test_a_record_that_invents(right):
    right.record.copies[right.record.add("project:a", 125.0)] = 1
    assert list(findings(right.seen())) == ["nothing missing untold"]


@pytest.mark.parametrize("sequence", [1000, 1006, 1005], ids=["back", "same", "earlier"])
def test_sequences_go_back(right, sequence):
    right.rows[4] = right.rows[4]._replace(sequence=sequence)
    assert "every event once" in findings(right.seen(listeners={}))


def test_an_id_is_lost(right):
    right.rows[4] = right.rows[4]._replace(id="")
    assert "every event once" in findings(right.seen(listeners={}, readers={}))


def test_another_history(right):
    assert list(findings(right.seen(history_ids=["h1", "h2"]))) == ["every event once"]


# -- channels that are not wanted all the time

@pytest.mark.parametrize("wanted, told", [
    ([], True), ([(99.0, 104.0)], True), ([(106.0, math.inf)], True), ([(99.0, 106.0)], True),
    ([(99.0, math.inf)], False), ([(99.0, 105.0), (104.9, math.inf)], False), ([(99.0, 200.0)], False)],
    ids=["never", "before", "after", "until it would have been told", "always", "by two in turn", "until long after"])
def test_who_wants_it(right, wanted, told):
    """Nobody has to tell of what is not wanted; or not any more when it is back."""
    right.record.add("prp:held", 105.5)
    right.record.confirm(107.0, "prp:held", 2, 106.9)
    right.wanted["prp:held"] = wanted
    assert (check_missing(right.seen())[0] == []) == told


# -- clocks


def test_a_clock_that_was_set(right):
    """A gap has the time of the relay's clock, whatever that was then."""
    right.rows[10] = right.rows[10]._replace(gap=Gap(usec(109.5), usec(112.5 + 900), "X", ("project:a",)))
    assert findings(right.seen(steps=[(0.0, AHEAD), (111.5, AHEAD + 900)])) == {}
    right.rows[10] = right.rows[10]._replace(gap=Gap(usec(112.2 + 900), usec(112.5 + 900), "X", ("project:a",)))
    assert findings(right.seen(steps=[(0.0, AHEAD), (111.5, AHEAD + 900)])) != {}


@pytest.mark.parametrize("since, seen_well", [(109.5, True), (112.4, False), (112.5, False), (112.5 + 600, False)])
def test_a_clock_that_was_set_back(right, since, seen_well):
    """A gap that began before has its length all the same. It has not begun when the clock was set, nor at its end."""
    right.rows[10] = right.rows[10]._replace(gap=Gap(usec(since - 600), max(usec(since - 600), usec(112.5 - 600)), "X", ("project:a",)))
    assert (findings(right.seen(steps=[(0.0, AHEAD), (111.5, AHEAD - 600)])) == {}) == seen_well


def test_a_clock_that_was_set_before(right):
    """The times of a gap mean nothing by a clock that was long gone."""
    right.rows[10] = right.rows[10]._replace(gap=Gap(usec(109.5), usec(112.5), "X", ("project:a",)))
    assert findings(right.seen(steps=[(0.0, AHEAD), (20.0, AHEAD + 900)])) != {}


# -- signals

def test_a_signal_is_missing(right):
    heard = without(right.heard, 5)
    assert list(findings(right.seen(listeners={"listener": heard}))) == ["signals at listener"]


def test_the_last_words_of_one_who_was_killed(right):
    """Only of one who was killed, and only the last ones."""
    n = next(n for n, h in enumerate(right.heard) if h.sender == ":1.2")
    heard = right.heard[:n - 2] + right.heard[n:]
    assert findings(right.seen(listeners={"listener": heard})) == {}
    assert findings(right.seen(listeners={"listener": heard}, ends=[End(":1.1", "terminate")])) != {}
    assert findings(right.seen(listeners={"listener": without(right.heard, n - 2)})) != {}
    assert findings(right.seen(listeners={"listener": right.heard[:-1]})) != {}
    assert findings(right.seen(listeners={"listener": right.heard[:-1]}, ends=[End(":1.2", "kill")])) == {}


def test_the_gap_was_not_signalled(right):
    assert list(findings(right.seen(listeners={"listener": without(right.heard, 10)}))) == ["signals at listener"]


@pytest.mark.parametrize("change", ["twice", "swapped", "another id", "not stored"])
def test_wrong_signals(right, change):
    heard = list(right.heard)
    if change == "twice":
        heard.insert(6, heard[5])
    elif change == "swapped":
        heard[5], heard[6] = heard[6], heard[5]
    elif change == "another id":
        heard[5] = heard[5]._replace(id="ev_29")
    else:
        heard.append(Heard(":1.2", 9999, "ev_29"))
    assert list(findings(right.seen(listeners={"listener": heard}))) == ["signals at listener"]


def test_signalled_and_lost_by_a_kill(right):
    right.rows = without(right.rows, 5)
    assert "signals at listener" in findings(right.seen(readers={}))


# -- what is stored

@pytest.mark.parametrize("change", ["gone", "another", "nothing"])
def test_not_as_listed(right, change):
    stored = [(row.sequence, row.id) for row in right.rows[5:]]
    if change == "gone":
        stored.pop(4)
    elif change == "another":
        stored[4] = (stored[4][0], "ev_1")
    else:
        stored = []
    assert list(findings(right.seen(stored=stored))) == ["stored as listed"]


# -- readers

@pytest.mark.parametrize("lives, good", [
    (lambda ids: [ids], True), (lambda ids: [ids[:4], [], ids[4:]], True), (lambda ids: [ids[:4], ids[3:]], True),
    (lambda ids: [ids[:4], ids[2:]], False), (lambda ids: [ids[:4], ids[5:]], False), (lambda ids: [ids[:-1]], False),
    (lambda ids: [without(ids, 3)], False), (lambda ids: [ids[:4] + ids[3:]], False), (lambda ids: [ids + ["ev_11"]], False),
    (lambda ids: [], False), (lambda ids: [ids[1:]], False)],
    ids=["one life", "three", "once more", "twice more", "one is left out", "not the last", "hole", "repeated", "invented",
         "nothing", "not the first"])
def test_a_reader(right, lives, good):
    ids = [row.id for row in right.rows if row.id]
    assert (findings(right.seen(readers={"reader": (lives(ids), 1)})) == {}) == good


# -- what it takes

@pytest.mark.parametrize("last, good", [
    (PLAIN._replace(rss=int(PLAIN.rss * 1.1) + Limits.RSS_BYTES - 4096), True),
    (PLAIN._replace(rss=int(PLAIN.rss * 1.1) + Limits.RSS_BYTES + 4096), False),
    (PLAIN._replace(descriptors=21), False), (PLAIN._replace(threads=5), False), (PLAIN._replace(descriptors=18, threads=2), True),
    (None, False)], ids=["memory", "too much memory", "a descriptor", "threads", "less", "not measured"])
def test_what_it_takes(right, last, good):
    assert (findings(right.seen(last=last)) == {}) == good


@pytest.mark.parametrize("changed", [{"traces": ["a secret is in the log"]}, {"troubles": ["it ended by itself"]}])
def test_whatever_else(right, changed):
    assert len(findings(right.seen(**changed))) == 1
