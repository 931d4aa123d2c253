"""Which seconds of demand are newly known: each one once per slot and in order, however late.

Whatever adds up demand second by second goes by these, so that a backlog told at once, a silence
found to be one and a late span mean the same to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True, slots=True)
class Second:
    """One second, Unix time. ``known`` (n,) says where it is known and was not before.

    ``silent_s`` (n,) are the seconds before it that only now turned out to be empty, ``before``
    (n,) the last known one before those, NaN for none.
    """

    at: int
    known: Bools
    silent_s: Floats
    before: Floats


@dataclass(frozen=True, slots=True)
class LateUnits:
    """What was told of seconds taken up before; all (m,). ``ages_s`` is how long before its slot's
    last known second each one was.
    """

    slots: Ints
    units: Floats
    ages_s: Floats


@dataclass(frozen=True, slots=True)
class News:
    """What is newly known of demand. ``late`` is ``None`` for nothing."""

    seconds: tuple[Second, ...]
    late: LateUnits | None


def settle(
    state: SettlingState, demand: DemandState, arrivals: Arrivals, *, until: int
) -> tuple[SettlingState, News]:
    """Takes up the seconds up to ``until``, and late ones of ``arrivals``.

    ``arrivals`` are what ``demand`` was last told. Of a long pause only the newest half of what
    demand keeps is taken up.
    """
    settled = max(until, state.settled)
    late = _late_seconds(arrivals, state.settled, demand.head)
    first = max(state.settled, settled - WINDOW_S // 2) + 1
    known_until, seconds = state.known_until, []
    for at in [*late, *range(first, settled + 1)]:
        is_new = ~(known_until >= at)  # never known is NaN, and new
        known = demand.known[at % WINDOW_S] & is_new
        seconds.append(Second(at, known, _ended_silence_s(demand, at, known_until), known_until))
        known_until = np.where(known, at, known_until)
    news = News(tuple(seconds), _late_units(state, arrivals) if late else None)
    return SettlingState(known_until, settled), news


def _late_seconds(arrivals: Arrivals, settled: int, head: int) -> list[int]:
    """The seconds up to ``settled`` that ``arrivals`` tell of, in order, if they are kept."""
    seconds = arrivals.seconds
    late = seconds[(seconds <= settled) & (seconds > head - WINDOW_S + 1)]
    return sorted(set(late.tolist())) if len(late) else []


def _late_units(state: SettlingState, arrivals: Arrivals) -> LateUnits | None:
    ages_s = state.known_until[arrivals.slots] - arrivals.seconds
    late = (ages_s >= 0) & (ages_s < WINDOW_S) & np.isfinite(arrivals.units)
    if not np.count_nonzero(late):
        return None
    units = arrivals.units[late].clip(0.0, MOST_UNITS)
    return LateUnits(arrivals.slots[late], units, ages_s[late])


def _ended_silence_s(demand: DemandState, at: int, known_until: Floats) -> Floats:
    """Seconds before ``at`` that turned out to be empty only when it was told of, (n,)."""
    previous, row = (at - 1) % WINDOW_S, at % WINDOW_S
    length = at - 1 - known_until
    ended = demand.known[row] & demand.known[previous] & (length > 0)
    return np.where(ended, length, 0.0)
