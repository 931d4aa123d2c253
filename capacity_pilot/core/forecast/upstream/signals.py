"""Upstream signals: rates that may precede a table's demand, and when they move.

A signal is counted per second, as demand is: requests entering a route, pushes being sent. Only
its moves matter here, the times at which it leaves its usual rate beyond what noise explains. A
*burst* is one such move; an *episode* is a burst with all that may still come of it, and bursts
that begin meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints

RING_S = 512
"""Seconds of each signal kept: what a response may take, twice."""

REACH_S = 256
"""How long after a signal its consequences are looked for."""

LONGEST_EPISODE_S = 600
"""A signal that stays high for longer has a new usual rate."""

_USUAL_S = 300.0
_DUTY_S = 3600.0
_MOST_COUNT = 1e12
_FAST_ROWS = 3
_JUMP = 1.5
_SIGMAS = 5.0
_LEAST_RATE = 1.0
_CALM_S = 10
_SILENT_S = 30
_NEW_USUAL_S = 60


@dataclass(frozen=True, slots=True)
class SignalArrivals:
    """What became known of signals since the last tick; one entry per signal and second, any order.

    ``signals`` are numbers from 0 up, ``seconds`` Unix seconds, ``counts`` what was counted in
    them; a count of 0 says that the second was seen and empty. ``table_of`` (signals known so
    far,) is the number of the table whose demand alone a signal may lead, as in the tick's
    ``table_of``, NaN for any. ``renewed`` are numbers that stand for another signal from now on.
    """

    signals: Ints
    seconds: Ints
    counts: Floats
    table_of: Floats
    renewed: Ints


_WHOLE, _REAL = np.zeros(0, dtype=np.int64), np.zeros(0)

NO_SIGNALS = SignalArrivals(_WHOLE, _WHOLE, _REAL, _REAL, _WHOLE)
"""Nothing was told, and no signal is known."""


@dataclass(frozen=True, slots=True)
class SignalState:
    """What is remembered of each signal. Arrays end in (S, 1), since they are not per slot.

    ``counts`` (RING_S, S, 1) is a ring over ``second % RING_S``, 0 where nothing was told.
    ``usual`` and ``variance`` are the rate between episodes and its spread, ``duty`` the share of
    seconds in which the signal is told of. Unix seconds, NaN for never or not now:
    ``last_told``; ``began``, the running episode's first; ``onset``, the running burst's first;
    ``moved``, the latest at which it was above its usual rate. ``head`` is the ring's newest
    second, ``watched`` the newest one looked at.
    """

    counts: Floats
    usual: Floats
    variance: Floats
    duty: Floats
    last_told: Floats
    began: Floats
    onset: Floats
    moved: Floats
    head: int
    watched: int

    @classmethod
    def empty(cls, now: float, size: int = 0) -> SignalState:
        zero, never = np.zeros((size, 1)), np.full((size, 1), np.nan)
        return cls(
            counts=np.zeros((RING_S, size, 1)),
            usual=zero,
            variance=zero,
            duty=zero,
            last_told=never,
            began=never,
            onset=never,
            moved=never,
            head=int(now) - 1,
            watched=int(now) - 1,
        )

    def __len__(self) -> int:
        return int(self.counts.shape[1])

    def excess(self, signals: Ints, first: int, last: int) -> Floats:
        """Counts above the usual rate in seconds ``first`` to ``last``, (seconds, signals)."""
        rows = np.arange(first, last + 1) % RING_S
        excess: Floats = self.counts[rows[:, None], signals, 0] - self.usual[signals, 0]
        return excess


def absorb_signals(state: SignalState, arrivals: SignalArrivals, now: float) -> SignalState:
    """Places arrivals in their own seconds; those half a ring old are left out."""
    head = max(int(now), state.head)
    counts = state.counts.copy()
    for second in range(max(state.head + 1, head - RING_S + 1), head + 1):
        counts[second % RING_S] = 0.0
    told = (
        (arrivals.counts >= 0)
        & (arrivals.counts <= _MOST_COUNT)
        & (arrivals.seconds > head - RING_S // 2)
        & (arrivals.seconds <= head)
    )
    last_told = state.last_told
    if np.count_nonzero(told):
        signals, seconds = arrivals.signals[told], arrivals.seconds[told]
        np.add.at(counts[:, :, 0], (seconds % RING_S, signals), arrivals.counts[told])
        last_told = last_told.copy()
        np.fmax.at(last_told[:, 0], signals, seconds.astype(np.float64))
    return replace(state, counts=counts, last_told=last_told, head=head)


def watch_signals(state: SignalState, second: int, *, is_alive: bool) -> SignalState:
    """Looks at one more settled second: who moves, who is calm again, what is usual.

    Where nothing at all was told (not ``is_alive``), nothing is concluded. A signal that is told
    of most of the time and fell silent is unknown; one that is mostly silent is at rest.
    """
    if not is_alive:
        return replace(state, watched=second)
    rows = np.arange(second - _FAST_ROWS + 1, second + 1) % RING_S
    recent = state.counts[rows]
    fast, count = recent.mean(axis=0), recent[-1]
    is_told = state.last_told >= second
    threshold = state.usual + np.maximum(
        np.maximum((_JUMP - 1) * state.usual, _SIGMAS * np.sqrt(state.variance / _FAST_ROWS)),
        _LEAST_RATE,
    )
    is_moving = is_told & (fast >= threshold)
    moved = np.where(is_moving, second, state.moved)
    onset, began = state.onset, state.began
    if np.count_nonzero(is_moving) or not np.isnan(onset).all():
        first = second - _FAST_ROWS + 1 + np.argmax(recent > (state.usual + threshold) / 2, axis=0)
        onset = np.where(is_moving & np.isnan(onset), first, onset)
        calm_s = np.where(is_told, _CALM_S, _SILENT_S)
        onset = np.where(second - moved >= calm_s, np.nan, onset)
        began = np.where(np.isnan(began), onset, began)
    duty = state.duty + (is_told - state.duty) / _DUTY_S
    gain = (np.isnan(began) & (is_told | (duty < 0.5))) / _USUAL_S
    apart = count - state.usual
    return replace(
        state,
        usual=state.usual + gain * apart,
        variance=state.variance + gain * (apart**2 - state.variance),
        duty=duty,
        began=began,
        onset=onset,
        moved=moved,
        watched=second,
    )


def episodes_over(state: SignalState) -> Ints:
    """Signals whose running episode ends with the second looked at last."""
    is_spent = np.isnan(state.onset) & (state.watched - state.moved >= REACH_S)
    is_long = state.watched - state.began >= LONGEST_EPISODE_S
    return np.flatnonzero(~np.isnan(state.began) & (is_spent | is_long))


def end_episodes(state: SignalState, over: Ints) -> SignalState:
    """Those signals are at rest; one still high has that for its usual rate from now on."""
    began, onset = state.began.copy(), state.onset.copy()
    usual, variance = state.usual.copy(), state.variance.copy()
    still = over[~np.isnan(onset[over, 0])]
    excess = state.excess(still, state.watched - _NEW_USUAL_S + 1, state.watched)
    usual[still, 0] += excess.mean(axis=0)
    variance[still, 0] = excess.var(axis=0)
    began[over] = onset[over] = np.nan
    return replace(state, began=began, onset=onset, usual=usual, variance=variance)
