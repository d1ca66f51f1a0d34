# SPDX-License-Identifier: MIT
"""The oracle: holds what was seen of the relay against what the service knows. Pure; test_oracle.py sees it object.

What must hold:

 1. Each event of the history is one that the service said, stands in it once, and the sequences rise.
 2. Each event of a channel that was wanted from before it until it could be told, said or not, is in the history, or its time
    lies in a gap that was told for that channel.
 3. A listener hears each sequence once, in order, and all there are. What a relay stored and had no more time to signal may
    only be missing where that one was killed.
 4. What was signalled is in the history, whoever was killed afterwards; and what was once listed stays as it was.
 5. A reader with the recipe has each event of the history once, in order; what it was killed over may come again.
 6. The history keeps its id.
 7. Memory, descriptors and threads are in the end what they were after the warm-up: see Limits.
 8. Nothing secret, and no complaint of a library's, is in what was logged or stored.
 9. Whatever went wrong on the way, such as a relay that ended by itself or never got connected again, is a finding.

What the product does not promise, so it is no finding:

 - Channels that only a program holds have no gap told for a restart of the relay. Nor has a channel that is wanted no more
   when the gap would be told (`_is_excused`).
 - The order of events on two connections is not kept across a handover; nothing here looks at it.
 - A gap has the times of the relay's clock as that stands when it is told. They mean nothing by the clock as it stood
   before it was set; but just then, what is reckoned by the one may be told by the other (`_times_of`).
 - An event without an id cannot be told from its double: there are none here.
 - A page of a listing may lack what was stored behind it: who lists asks again (the audit does).
"""

import bisect
import collections
import math

Row = collections.namedtuple("Row", "sequence id gap")       # of the history; a gap has the id ""
Gap = collections.namedtuple("Gap", "since until cause channels")  # µs
Heard = collections.namedtuple("Heard", "sender sequence id")
End = collections.namedtuple("End", "sender how")            # of a relay: "kill", "terminate" or "itself"
Measure = collections.namedtuple("Measure", "rss descriptors threads")  # RSS in bytes

Seen = collections.namedtuple("Seen", [
    "record",       # what the service knows
    "wanted",       # channel → [(begin, end)], ended or not (end: infinity)
    "steps",        # [(time, what the relay's clock is ahead by from then on)]
    "history",      # [Row], as it was listed bit by bit
    "stored",       # [(sequence, id)], of the file in the end
    "history_ids",  # each that was seen
    "listeners",    # name → [Heard]
    "readers",      # name → (lives, most that may come again in each); a life is a list of ids
    "ends",         # [End]
    "warm", "last", # Measures
    "traces",       # findings of the logs and files
    "troubles",     # whatever went wrong on the way
])


class Limits:
    RSS_BYTES = 1 << 20
    RSS_PART = 0.10
    # A worker of GLib's lives on for a while when its work is done.
    THREADS = 1
    DESCRIPTORS = 0


# An excuse that is not older than this when its channel is back. The gap is told when all channels are answered, not just that.
TELLING_SEC = 15.0
# A loss lasts no longer than this while a clock is set in it.
STEP_SEC = 60.0
SHOWN = 5


def _show(found, what):
    """One finding of many of a kind."""
    found = list(found)
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return [f"{len(found)} {what}: {', '.join(map(str, found[:SHOWN]))}{more}"] if found else []


# -- 1, 6: the history in itself

def check_history(seen):
    rows = seen.history
    found = _show([b.sequence for a, b in zip(rows, rows[1:]) if b.sequence <= a.sequence], "sequences do not rise")
    ids = collections.Counter(row.id for row in rows if row.id)
    found += _show([name for name, count in ids.items() if count > 1], "events are in the history twice")
    found += _show([row.sequence for row in rows if not row.id and row.gap is None], "events have lost their id")
    found += _show([name for name in ids if not _was_said(seen.record, name)], "events were never said")
    if len(set(seen.history_ids)) != 1:
        found.append(f"the history had these ids: {sorted(set(seen.history_ids))}")
    return found


def number_of(name):
    """Of an event by its id, or -1."""
    return int(name[3:]) if name.startswith("ev_") and name[3:].isdigit() else -1


def _was_said(record, name):
    number = number_of(name)
    return name in record.errors or 0 <= number < len(record) and record.copies[number] > 0


# -- 2: nothing is missing that was not told

def _times_of(gap, steps):
    """The times by the machine's clock at which the relay's own clock was in the gap: [(begin, end)]."""
    since, until = gap.since / 1e6, gap.until / 1e6
    times = []
    for n, (begin, ahead) in enumerate(steps):
        end = steps[n + 1][0] if n + 1 < len(steps) else math.inf
        # What happened before a step may have been reckoned by the clock as it stood after it.
        times.append((max(since - ahead, begin - STEP_SEC), min(until - ahead, end)))
    return [(begin, end) for begin, end in times if begin <= end]


class _Told:
    """Of one channel: the times that some gap tells of."""

    def __init__(self, times):
        self.begins, self.ends = [], []
        for begin, end in sorted(times):
            if self.begins and begin <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], end)
            else:
                self.begins.append(begin)
                self.ends.append(end)

    def has(self, before, after):
        """Some time of [before, after] is among them."""
        n = bisect.bisect_right(self.begins, after) - 1
        return n >= 0 and self.ends[n] >= before


def merge(intervals):
    """What they cover together."""
    merged = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def _is_excused(channel, time, wanted, confirmed):
    """Nobody wanted it then; or nobody did any more when it could have been told."""
    interval = next(((b, e) for b, e in wanted.get(channel, []) if b <= time < e), None)
    if interval is None:
        return True
    times = confirmed.get(channel, [])
    n = bisect.bisect_right(times, time)
    return interval[1] <= (times[n] if n < len(times) else math.inf) + TELLING_SEC and interval[1] != math.inf


def check_missing(seen):
    """Also returns the numbers of the events that are missing, and told."""
    record = seen.record
    have = bytearray(len(record))
    for row in seen.history:
        if 0 <= number_of(row.id) < len(record):
            have[number_of(row.id)] = 1
    times = collections.defaultdict(list)
    for row in seen.history:
        for channel in row.gap.channels if row.gap is not None else ():
            times[channel] += _times_of(row.gap, seen.steps)
    told = {channel: _Told(of_it) for channel, of_it in times.items()}
    wanted = {channel: merge(intervals) for channel, intervals in seen.wanted.items()}
    confirmed = collections.defaultdict(list)
    for confirmation in record.confirmations:
        confirmed[confirmation.channel].append(confirmation.time)
    n_told, lost = 0, []
    for number in range(len(record)):
        if have[number]:
            continue
        channel, before, after = record.channel_of(number), record.before[number], record.after[number]
        if channel in told and told[channel].has(before, after):
            n_told += 1
        elif not _is_excused(channel, before, wanted, confirmed):
            lost.append(f"ev_{number} of {channel} at {before:.3f}, written {record.copies[number]} times")
    return _show(lost, "events are missing, and no gap tells"), n_told


# -- 3, 4: signals

def check_listener(seen, name, heard):
    found = _show([b.sequence for a, b in zip(heard, heard[1:]) if b.sequence <= a.sequence],
                  f"signals at {name} were not in order, or came twice")
    ids = {row.sequence: row.id for row in seen.history}
    found += _show([h.sequence for h in heard if ids.get(h.sequence) != h.id], f"signals at {name} are not so in the history")

    killed = {end.sender for end in seen.ends if end.how == "kill"}
    by_sequence = {h.sequence: h.sender for h in heard}
    missed, sender, waiting = [], None, []
    for row in seen.history:
        if row.sequence not in by_sequence:
            waiting.append(row.sequence)
            continue
        # Between the last signal of one relay and the first of the next is what the first had no more time for.
        if by_sequence[row.sequence] == sender or sender not in killed:
            missed += waiting
        sender, waiting = by_sequence[row.sequence], []
    if sender not in killed:
        missed += waiting
    return found + _show(missed, f"events of the history were never signalled to {name}")


def check_stored(seen):
    """What the file has of what was listed."""
    listed = {row.sequence: row.id for row in seen.history}
    found = _show([s for s, name in seen.stored if listed.get(s) != name], "stored events are not as they were listed")
    kept = {s for s, _ in seen.stored}
    first = min(kept, default=math.inf)
    return found + _show([s for s in listed if s >= first and s not in kept], "events were listed, and are not stored") + (
        [] if kept else ["nothing is stored"])


# -- 5: readers

def check_reader(seen, name, lives, repeats):
    place = {row.id: n for n, row in enumerate(row for row in seen.history if row.id)}
    found, reached = [], -1
    for life, ids in enumerate(lives):
        unknown = [i for i in ids if i not in place]
        if unknown:
            found += _show(unknown, f"events at {name} are not in the history")
            continue
        places = [place[i] for i in ids]
        if not places:
            continue
        found += _show([ids[n + 1] for n in range(len(places) - 1) if places[n + 1] != places[n] + 1],
                       f"events at {name} (life {life}) did not follow upon the one before")
        if not reached - repeats < places[0] <= reached + 1:
            found.append(f"{name} (life {life}) began with event {places[0]} of the history, having had {reached}")
        reached = max(reached, places[-1])
    if reached != len(place) - 1:
        found.append(f"{name} has the history up to event {reached} of {len(place) - 1}")
    return found


# -- 7: what it takes

def check_measures(seen):
    if seen.warm is None or seen.last is None:
        return ["it was not measured"]
    found = []
    limit = seen.warm.rss * (1 + Limits.RSS_PART) + Limits.RSS_BYTES
    if seen.last.rss > limit:
        found.append(f"memory grew from {seen.warm.rss >> 10} to {seen.last.rss >> 10} KiB")
    if seen.last.descriptors > seen.warm.descriptors + Limits.DESCRIPTORS:
        found.append(f"descriptors grew from {seen.warm.descriptors} to {seen.last.descriptors}")
    if seen.last.threads > seen.warm.threads + Limits.THREADS:
        found.append(f"threads grew from {seen.warm.threads} to {seen.last.threads}")
    return found


def judge(seen):
    """(title → findings, how many events are missing and told)"""
    missing, n_told = check_missing(seen)
    verdict = {
        "every event once": check_history(seen),
        "nothing missing untold": missing,
        "stored as listed": check_stored(seen),
        "no more memory, descriptors, threads": check_measures(seen),
        "no traces": seen.traces,
        "no trouble": seen.troubles,
    }
    for name, heard in seen.listeners.items():
        verdict[f"signals at {name}"] = check_listener(seen, name, heard)
    for name, (lives, repeats) in seen.readers.items():
        verdict[f"reader {name}"] = check_reader(seen, name, lives, repeats)
    return verdict, n_told
