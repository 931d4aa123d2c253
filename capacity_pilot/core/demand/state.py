"""What is told of demand, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints

WINDOW_S = 128
"""Seconds of per-second demand kept; spans later than that are lost to the forecast."""

LAG_BINS = 32
"""Telemetry lags of 0 to 31 s are told apart; the default SDK exporter needs 5 to 6 s."""

MOST_UNITS = 1e9
"""No table has this much, and squares of larger numbers would spoil the noise."""

_INITIAL_LAG_S = 5


class Arrivals(NamedTuple):
    """Demand that became known since the last tick; one entry per slot and second, any order.

    ``slots`` and ``seconds`` are integers, ``units`` attempted units, ``refusals`` refused
    attempts. An entry with 0 units says the second was seen and empty. ``throttled`` is the part
    of ``units`` that was refused in the end, ``None`` where none was.
    """

    slots: Ints
    seconds: Ints
    units: Floats
    refusals: Floats
    throttled: Floats | None = None

    @classmethod
    def none(cls) -> Arrivals:
        empty = np.zeros(0)
        return cls(empty.astype(np.int64), empty.astype(np.int64), empty, empty)

    def until(self, end: int) -> Arrivals:
        """The first ``end`` entries."""
        return Arrivals(
            self.slots[:end],
            self.seconds[:end],
            self.units[:end],
            self.refusals[:end],
            None if self.throttled is None else self.throttled[:end],
        )


@dataclass(frozen=True, slots=True)
class DemandState(ArrayState):
    """Per-second demand of the last ``WINDOW_S`` seconds, as a ring over ``second % WINDOW_S``.

    ``units`` and ``known`` are (WINDOW_S, n); ``units`` is 0 where the second is not known. The
    rest is (n,), NaN for never, except ``lags``: the distribution of the fleet's telemetry lag,
    seconds after a second's end until it is told of, rounded up, (LAG_BINS, 1); ``lag_s`` is the
    one within which all but the slowest fiftieth is told.
    ``news_age`` is how old a target's newest second usually is when it is told.
    """

    units: Floats
    known: Bools
    last_seen: Floats
    mean_gap: Floats
    news_age: Floats
    last_refused: Floats
    lags: Floats
    lag_s: int
    head: int

    @classmethod
    def empty(cls, size: int, now: float) -> DemandState:
        lags = np.zeros((LAG_BINS, 1))
        lags[_INITIAL_LAG_S] = 1.0
        return cls(
            units=np.zeros((WINDOW_S, size)),
            known=np.zeros((WINDOW_S, size), dtype=np.bool_),
            last_seen=np.full(size, np.nan),
            mean_gap=np.ones(size),
            news_age=np.zeros(size),
            last_refused=np.full(size, np.nan),
            lags=lags,
            lag_s=_INITIAL_LAG_S,
            head=int(now),
        )
