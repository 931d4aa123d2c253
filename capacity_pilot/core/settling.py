"""Which seconds of demand are newly known: each one once per slot and in order, however late.

Whatever adds up demand second by second goes by these, so that a backlog told at once, a silence
found to be one and a late span mean the same to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import MOST_UNITS, WINDOW_S, Arrivals, DemandState
from capacity_pilot.core.fleet import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class SettlingState:
    """``known_until`` (n,) is the last second each slot was known for when it was taken up, NaN
    for none; ``settled`` the newest second that was.
    """

    known_until: Floats
    settled: int

    @classmethod
    def empty(cls, size: int, now: float) -> SettlingState:
        return cls(np.full(size, np.nan), int(now) - 1)


class LateUnits(NamedTuple):
    """What was told of seconds taken up before; all (m,). ``ages_s`` is how long before its slot's
    last known second each one was.
    """

    slots: Ints
    units: Floats
    ages_s: Floats


class News(NamedTuple):
    """What is newly known of demand, second by second in order; ``late`` is ``None`` for nothing.

    ``seconds`` (k,) are Unix times. ``known`` (k, n) says where one is known and was not before.
    ``silent_s`` (k, n) are the seconds before it that only now turned out to be empty, ``before``
    (k, n) is the last known one before those, NaN for none.
    """

    seconds: Ints
    known: Bools
    silent_s: Floats
    before: Floats
    late: LateUnits | None


def settle(
    state: SettlingState, demand: DemandState, arrivals: Arrivals, *, until: int
) -> tuple[SettlingState, News]:
    """Takes up the seconds up to ``until``, and late ones of ``arrivals``.

    ``arrivals`` are what ``demand`` was last told. Of a long pause only the newest half of what
    demand keeps is taken up.
    """
    settled = max(until, state.settled)
    has_late, known_until, seconds, known, silent_s, before = take_up(
        state.known_until, demand.known, arrivals.seconds, demand.head, state.settled, settled
    )
    late = None
    if has_late:
        found = find_late(state.known_until, arrivals.slots, arrivals.seconds, arrivals.units)
        late = LateUnits(*found) if len(found[0]) else None
    return SettlingState(known_until, settled), News(seconds, known, silent_s, before, late)


@compiled
def take_up(
    known_before: Floats,
    is_known: Bools,
    told: Ints,
    head: int,
    settled_before: int,
    settled: int,
) -> tuple[bool, Floats, Ints, Bools, Floats, Floats]:
    """Whether any of the seconds ``told`` of is late, what is known until when, and the news."""
    seconds = _list_seconds(told, head, settled_before, settled)
    size = len(known_before)
    until = known_before.copy()
    known = np.zeros((len(seconds), size), dtype=np.bool_)
    silent_s = np.zeros((len(seconds), size))
    before = np.empty((len(seconds), size))
    for place in range(len(seconds)):
        at = seconds[place]
        row, previous = at % WINDOW_S, (at - 1) % WINDOW_S
        for slot in range(size):
            before[place, slot] = until[slot]
            between_s = at - 1 - until[slot]
            if between_s > 0 and is_known[row, slot] and is_known[previous, slot]:
                # Those between turned out to be empty only when this one was told of.
                silent_s[place, slot] = between_s
            if is_known[row, slot] and not until[slot] >= at:  # never known is NaN, and new
                known[place, slot] = True
                until[slot] = at
    has_late = len(seconds) > 0 and seconds[0] <= settled_before
    return has_late, until, seconds, known, silent_s, before


@compiled
def _list_seconds(told: Ints, head: int, settled_before: int, settled: int) -> Ints:
    """The late seconds ``told`` of, if they are kept, and those settled since, in order."""
    is_late = np.zeros(WINDOW_S, dtype=np.bool_)
    for second in told:
        if head - WINDOW_S + 1 < second <= settled_before:
            is_late[second % WINDOW_S] = True
    first = max(settled_before, settled - WINDOW_S // 2) + 1
    seconds = np.empty(WINDOW_S + max(settled + 1 - first, 0), dtype=np.int64)
    count = 0
    for second in range(head - WINDOW_S + 2, min(settled_before, head + 1) + 1):
        if is_late[second % WINDOW_S]:
            seconds[count] = second
            count += 1
    for second in range(first, settled + 1):
        seconds[count] = second
        count += 1
    return seconds[:count]


@compiled
def find_late(
    known_until: Floats, slots: Ints, seconds: Ints, told: Floats
) -> tuple[Ints, Floats, Floats]:
    """The fields of ``LateUnits``; ``known_until`` (n,) is as it was before they were told."""
    late_slots = np.empty(len(slots), dtype=np.int64)
    units, ages_s = np.empty(len(slots)), np.empty(len(slots))
    count = 0
    for entry in range(len(slots)):
        age_s = known_until[slots[entry]] - seconds[entry]
        if 0 <= age_s < WINDOW_S and np.isfinite(told[entry]):  # never known is NaN, and not late
            late_slots[count] = slots[entry]
            units[count] = min(max(told[entry], 0.0), MOST_UNITS)
            ages_s[count] = age_s
            count += 1
    return late_slots[:count], units[:count], ages_s[:count]
