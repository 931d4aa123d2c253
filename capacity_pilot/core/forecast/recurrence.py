"""Surges that come by the clock: the half-hour push, the job of every hour, the nightly batch.

What a cliff asks for in its first seconds cannot be met after it was seen. Where earlier ones stood
a period apart, the next is expected a period after the last, and capacity is there before it. A
chain of such surges is believed once chance would hardly ever bring as long a one: where ``n`` of
its size come in a day, each within a share ``s`` of all times by chance, ``n * s**(length - 1)``
false ones are to be expected in a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints
from capacity_pilot.core.forecast.members import Floats32

_KEPT = 64  # surges, of each target


class _Rhythm(NamedTuple):
    """Seconds: how far apart the surges of a chain are, how far from that one may come and still
    belong to it, and how long before its earliest and after its latest the next is waited for.
    """

    period: float
    jitter: float
    early: float
    late: float


_RHYTHMS = (
    _Rhythm(period=1800.0, jitter=30.0, early=15.0, late=40.0),
    _Rhythm(period=3600.0, jitter=45.0, early=20.0, late=60.0),
    _Rhythm(period=7200.0, jitter=60.0, early=25.0, late=60.0),
    _Rhythm(period=21_600.0, jitter=60.0, early=25.0, late=60.0),
    _Rhythm(period=43_200.0, jitter=60.0, early=25.0, late=60.0),
    _Rhythm(period=86_400.0, jitter=330.0, early=120.0, late=240.0),
    _Rhythm(period=604_800.0, jitter=330.0, early=120.0, late=240.0),
)

_MOST_FALSE = 0.1  # in a day
_DAY_S = 86_400.0
_ALIKE = 2.0
"""Surges of one chain have heights up to this factor apart."""

_LEAST_JUMP = 2.0
_RISING_S = 120.0
"""A surge's height is the highest level of its first two minutes: it is followed from then on."""

_FOLLOWED_S = 600.0
"""So long after a surge has ended what it left behind is still its own."""


@dataclass(frozen=True, slots=True)
class RecurrenceState(ArrayState):
    """Surges of the past, by slot; times in Unix seconds, NaN for none.

    ``began`` and ``heights`` (_KEPT, n), units/s, are a ring that ``count`` (n,) were written to.
    ``opened`` (3, n) is the running one: when it began, the level before it and its height so far.
    ``due`` (3, n) is what is expected next: from when on, until when, and how high. ``foreseen``
    (2, n) is the height last expected, and until when demand up to it is no surprise.
    """

    began: Floats
    heights: Floats32
    count: Ints
    opened: Floats
    due: Floats
    foreseen: Floats

    @classmethod
    def empty(cls, size: int) -> RecurrenceState:
        return cls(
            began=np.full((_KEPT, size), np.nan),
            heights=np.zeros((_KEPT, size), dtype=np.float32),
            count=np.zeros(size, dtype=np.int64),
            opened=np.full((3, size), np.nan),
            due=np.full((3, size), np.nan),
            foreseen=np.full((2, size), np.nan),
        )

    def quiet_s(self, ahead_s: Floats, now: float) -> float:
        """Seconds until something has to be made ready, inf for never; 0 or less is now."""
        first = np.fmin.reduce(self.due[0] - ahead_s, initial=np.inf)
        return float(first) - now


def size_due(
    state: RecurrenceState, *, trusted_units: Floats, ahead_s: Floats, now: float
) -> Floats | None:
    """The least capacity (n,) for the surges that are due within ``ahead_s`` (n,), the time it
    takes to be ready, NaN where none is; ``None`` where none is anywhere.

    ``trusted_units`` (n,) of the bucket are counted on.
    """
    if state.quiet_s(ahead_s, now) > 0:
        return None
    since, until, height = state.due
    is_due = (since - ahead_s <= now) & (now <= until)
    return np.where(is_due, np.maximum(height - trusted_units / _RISING_S, 0.0), np.nan)


@compiled
def foreseen_height(foreseen: Floats, slot: int, second: float) -> float:
    """The height up to which demand of a ``second`` was expected, units/s, 0 for none."""
    return foreseen[0, slot] if second <= foreseen[1, slot] else 0.0


@compiled
def note_surges(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    began: Floats,
    heights: Floats32,
    count: Ints,
    opened: Floats,
    due: Floats,
    foreseen: Floats,
    level: Floats,
    base: Floats,
    is_surging: Bools,
    is_panicking: Bools,
    now: float,
) -> None:
    """Takes note of surges that begin and end, in ``RecurrenceState``'s arrays.

    ``level`` and ``base``, the last minute's mean, are units/s, all (n,).
    """
    for slot in range(len(count)):
        is_open = not np.isnan(opened[0, slot])
        if is_surging[slot] and not is_open:
            opened[0, slot], opened[1, slot], opened[2, slot] = now, base[slot], level[slot]
        elif is_open and is_panicking[slot] and now - opened[0, slot] <= _RISING_S:
            opened[2, slot] = max(opened[2, slot], level[slot])
        elif is_open and not is_panicking[slot]:
            if opened[2, slot] > _LEAST_JUMP * opened[1, slot]:
                place = count[slot] % _KEPT
                began[place, slot], heights[place, slot] = opened[0, slot], opened[2, slot]
                count[slot] += 1
                _expect(began, heights, count, due, slot, now)
            opened[0, slot] = np.nan
        if due[0, slot] <= now <= due[1, slot]:
            foreseen[0, slot], foreseen[1, slot] = due[2, slot], due[1, slot]
        if is_open and now <= foreseen[1, slot]:
            foreseen[1, slot] = max(foreseen[1, slot], now + _FOLLOWED_S)
        if due[1, slot] < now:
            _expect(began, heights, count, due, slot, now)


@compiled
def _expect(
    began: Floats, heights: Floats32, count: Ints, due: Floats, slot: int, now: float
) -> None:
    """Finds the surge that is due next."""
    due[:, slot] = np.nan
    for last in range(min(count[slot], _KEPT)):
        for rhythm in _RHYTHMS:
            at = began[last, slot] + rhythm.period
            if at + rhythm.jitter + rhythm.late < now:
                continue
            early, late, height = _follow(began, heights, count, slot, last, rhythm, now)
            since, until = at - early, at + late
            if until >= now and not since >= due[0, slot]:  # NaN is no time
                due[0, slot], due[1, slot], due[2, slot] = since, until, height


@compiled
def _follow(
    began: Floats,
    heights: Floats32,
    count: Ints,
    slot: int,
    last: int,
    rhythm: _Rhythm,
    now: float,
) -> tuple[float, float, float]:
    """The chain back from the surge ``last``: how long before a period after it the next may come,
    how long after, and how high; NaN where chance explains it.
    """
    period, jitter = rhythm.period, rhythm.jitter
    kept = min(count[slot], _KEPT)
    size = heights[last, slot]
    alike, oldest = 0, now
    for other in range(kept):
        if heights[other, slot] * _ALIKE >= size:
            alike += 1
            oldest = min(oldest, began[other, slot])
    at, length, height = began[last, slot], 1, size
    phase, least, most = 0.0, 0.0, 0.0
    while True:
        found = -1
        for other in range(kept):
            is_alike = heights[other, slot] * _ALIKE >= size >= heights[other, slot] / _ALIKE
            away = abs(at - period - began[other, slot])
            is_nearer = found < 0 or away < abs(at - period - began[found, slot])
            if is_alike and is_nearer and away <= jitter:
                found = other
        if found < 0:
            break
        phase += began[found, slot] - (at - period)
        least, most = min(least, phase), max(most, phase)
        at, length = began[found, slot], length + 1
        if length == 2:
            height = max(height, heights[found, slot])
    per_s = alike / max(now - oldest, period)
    false = per_s * _DAY_S * (2 * jitter * per_s) ** (length - 1)
    if length == 1 or false > _MOST_FALSE:
        return np.nan, np.nan, np.nan
    return rhythm.early - least, rhythm.late + most, float(height)
