"""Minutes of consumption as spans told of them and as CloudWatch counted them, side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from capacity_pilot.core.demand import WINDOW_S, Arrivals, DemandState, is_fresh
from capacity_pilot.core.fleet import Bools, Floats, Ints

MINUTES = 32
"""How many are kept: both kinds of a target weigh 512 bytes."""

MINUTE_S = 60

_CLOSES_AFTER_S = 50
_LEAST_KNOWN_S = 50.0
_OPEN = 3


@dataclass(frozen=True, slots=True)
class ConsumedMinutes:
    """What CloudWatch said lately, one entry per slot and minute, (m,), any order.

    ``minutes`` are Unix minutes, ``consumed`` units in all of one, ``throttle_events`` refused
    requests in it, NaN where not asked for. A later word on a minute replaces an earlier one. A
    minute not told of is unknown: CloudWatch gets nothing of a minute without requests, and late
    or lost data looks the same.
    """

    slots: Ints
    minutes: Ints
    consumed: Floats
    throttle_events: Floats


_NOTHING, _NOWHERE = np.zeros(0), np.zeros(0, dtype=np.int64)
NO_NEWS = ConsumedMinutes(_NOWHERE, _NOWHERE, _NOTHING, _NOTHING)


@dataclass(frozen=True, slots=True)
class Minutes:
    """Rings over ``minute % MINUTES``, (MINUTES, n), in units per minute, NaN where unknown.

    ``told`` is what spans told of as served, uncorrected, whole minutes only. ``throttled`` is
    what they told of as refused in minutes not closed yet, (_OPEN, n) over ``minute % _OPEN``.
    ``closed`` is the last minute whose ``told`` is settled.
    """

    told: Floats
    consumed: Floats
    throttled: Floats
    closed: int

    @classmethod
    def empty(cls, size: int, now: float) -> Minutes:
        return cls(
            told=np.full((MINUTES, size), np.nan),
            consumed=np.full((MINUTES, size), np.nan),
            throttled=np.zeros((_OPEN, size)),
            closed=last_whole_minute(now),
        )

    def recent(self) -> Ints:
        """The minutes kept, ascending: the last is the one after ``closed``, where CloudWatch may
        be ahead of us.
        """
        return np.arange(self.closed + 2 - MINUTES, self.closed + 2)


def last_whole_minute(now: float) -> int:
    """The last minute that was over when ``now`` began to be watched."""
    return ceil(now / MINUTE_S) - 1


def note_consumed(minutes: Minutes, news: ConsumedMinutes) -> Minutes:
    """Takes CloudWatch's word; minutes no longer kept, or not over, are left out."""
    usable = (news.minutes > minutes.closed + 1 - MINUTES) & (news.minutes <= minutes.closed + 1)
    usable &= np.isfinite(news.consumed) & (news.consumed >= 0)
    consumed = minutes.consumed.copy()
    consumed[news.minutes[usable] % MINUTES, news.slots[usable]] = news.consumed[usable]
    return replace(minutes, consumed=consumed)


def note_throttled(minutes: Minutes, arrivals: Arrivals) -> Minutes:
    """Keeps count of demand that was refused in the end: CloudWatch does not count it."""
    if arrivals.throttled is None or not np.count_nonzero(arrivals.throttled):
        return minutes
    of = arrivals.seconds // MINUTE_S
    is_open = (of > minutes.closed) & (of <= minutes.closed + _OPEN)
    throttled = minutes.throttled.copy()
    places = of[is_open] % _OPEN, arrivals.slots[is_open]
    np.add.at(throttled, places, arrivals.throttled[is_open])
    return replace(minutes, throttled=throttled)


def next_close_at(minutes: Minutes) -> float:
    """When the next minute's spans are all here, Unix seconds."""
    return float((minutes.closed + 2) * MINUTE_S + _CLOSES_AFTER_S)


def close_minutes(minutes: Minutes, demand: DemandState, factor: Floats, now: float) -> Minutes:
    """Sums up minutes whose spans are all here by now: less than once a minute it is one.

    ``factor`` (n,) is what demand was multiplied by.
    """
    due = int(now - _CLOSES_AFTER_S) // MINUTE_S - 1
    if due <= minutes.closed:
        return minutes
    told, consumed = minutes.told.copy(), minutes.consumed.copy()
    throttled = minutes.throttled.copy()
    for minute in range(max(minutes.closed + 1, due + 1 - MINUTES), due + 1):
        row = minute % MINUTES
        told[row] = np.nan
        if minute * MINUTE_S > demand.head - WINDOW_S:
            served = _sum_up(demand, minute, now) / factor - throttled[minute % _OPEN]
            told[row] = np.maximum(served, 0.0)
        throttled[minute % _OPEN] = 0.0
        told[(minute + 1) % MINUTES] = consumed[(minute + 1) % MINUTES] = np.nan
    return Minutes(told=told, consumed=consumed, throttled=throttled, closed=due)


def _sum_up(demand: DemandState, minute: int, now: float) -> Floats:
    """Demand of a minute, (n,), NaN where too many of its seconds are unknown."""
    first = minute * MINUTE_S
    rows = np.arange(first, first + MINUTE_S) % WINDOW_S
    known_s = demand.known[rows].sum(axis=0)
    silent_s = np.clip(first + MINUTE_S - 1 - demand.last_seen, 0.0, MINUTE_S - known_s)
    # A silence that is ordinary so far is no hole; left out, quiet minutes would go uncounted.
    known_s = known_s + np.where(is_fresh(demand, now), silent_s, 0.0)
    is_whole: Bools = known_s >= _LEAST_KNOWN_S
    return np.where(
        is_whole, demand.units[rows].sum(axis=0) * MINUTE_S / np.maximum(known_s, 1.0), np.nan
    )
