"""Upstream signals: rates that may precede a table's demand, and when they move.

A signal is counted per second, as demand is: requests entering a route, pushes being sent. Only
its moves matter here, the times at which it leaves its usual rate beyond what noise explains. A
*burst* is one such move; an *episode* is a burst with all that may still come of it, and bursts
that begin meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints, name_arrays

RING_S = 512
"""Seconds of each signal kept: what a response may take, twice."""

REACH_S = 256
"""How long after a signal its consequences are looked for."""

LONGEST_EPISODE_S = 600
"""A signal that stays high for longer has a new usual rate."""

_USUAL_GAIN = 1 / 300.0
DUTY_S = 3600.0
_MOSTLY = 0.5
_MOST_COUNT = 1e12
_FAST_ROWS = 3
_JUMP = 1.5
_SIGMAS = 5.0
_LEAST_RATE = 1.0
_CALM_S = 10
_SILENT_S = 30
_NEW_USUAL_S = 60


class SignalArrivals(NamedTuple):
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

    @classmethod
    def none(cls) -> SignalArrivals:
        whole, real = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(whole, whole, real, real, whole)

    def until(self, end: int) -> SignalArrivals:
        """The entries before ``end``."""
        return self._replace(
            signals=self.signals[:end], seconds=self.seconds[:end], counts=self.counts[:end]
        )


NO_SIGNALS = SignalArrivals.none()
"""Nothing was told, and no signal is known."""


@dataclass(frozen=True, slots=True)
class SignalState(ArrayState):
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

    @property
    def are_at_rest(self) -> bool:
        """True while no signal is in the midst of an episode."""
        return bool(np.isnan(self.began).all())

    def running(self) -> Ints:
        """Signals in the midst of an episode."""
        return np.flatnonzero(~np.isnan(self.began[:, 0]))


SignalStateArrays = name_arrays(SignalState)


def absorb_signals(state: SignalState, arrivals: SignalArrivals, now: float) -> SignalState:
    """Places arrivals in their own seconds; those half a ring old are left out."""
    head = max(int(now), state.head)
    after = replace(state.copy(), head=head)
    place_counts(
        after.counts,
        after.last_told,
        arrivals.signals,
        arrivals.seconds,
        arrivals.counts,
        state.head,
        head,
    )
    return after


@compiled
def place_counts(
    counts: Floats,
    last_told: Floats,
    signals: Ints,
    seconds: Ints,
    told: Floats,
    before: int,
    head: int,
) -> None:
    """Moves the head on from ``before`` and adds what was ``told``, in place."""
    for second in range(max(before + 1, head - RING_S + 1), head + 1):
        counts[second % RING_S] = 0.0
    for entry in range(len(seconds)):
        second, signal = seconds[entry], signals[entry]
        if head - RING_S // 2 < second <= head and 0 <= told[entry] <= _MOST_COUNT:
            counts[second % RING_S, signal, 0] += told[entry]
            last_told[signal, 0] = np.fmax(last_told[signal, 0], float(second))


@compiled
def excess_of(signals: SignalState, signal: int, first: int, last: int) -> Floats:
    """Counts above the usual rate in seconds ``first`` to ``last``, (seconds,)."""
    excess = np.empty(max(last - first + 1, 0))
    for n in range(len(excess)):
        row = (first + n) % RING_S
        excess[n] = signals.counts[row, signal, 0] - signals.usual[signal, 0]
    return excess


@compiled
def watch_second(signals: SignalState, second: int) -> None:
    """Looks at one more settled second: who moves, who is calm again, what is usual, in place.

    A signal that is told of most of the time and fell silent is unknown; one that is mostly silent
    is at rest.
    """
    usual, variance = signals.usual, signals.variance
    began, onset, moved, duty = signals.began, signals.onset, signals.moved, signals.duty
    first = second - _FAST_ROWS + 1
    for s in range(len(usual)):
        is_told = signals.last_told[s, 0] >= second  # false for NaN
        apart = signals.counts[second % RING_S, s, 0] - usual[s, 0]
        fast = 0.0
        for recent in range(first, second + 1):
            fast += signals.counts[recent % RING_S, s, 0]
        jump, noise = (_JUMP - 1) * usual[s, 0], _SIGMAS * np.sqrt(variance[s, 0] / _FAST_ROWS)
        threshold = usual[s, 0] + max(jump, noise, _LEAST_RATE)
        if is_told and fast / _FAST_ROWS >= threshold:
            moved[s, 0] = second
            if np.isnan(onset[s, 0]):
                half = (usual[s, 0] + threshold) / 2
                onset[s, 0] = first
                while (
                    onset[s, 0] < second and signals.counts[int(onset[s, 0]) % RING_S, s, 0] <= half
                ):
                    onset[s, 0] += 1
        if second - moved[s, 0] >= (_CALM_S if is_told else _SILENT_S):
            onset[s, 0] = np.nan
        if np.isnan(began[s, 0]):
            began[s, 0] = onset[s, 0]
        duty[s, 0] += (is_told - duty[s, 0]) / DUTY_S
        if np.isnan(began[s, 0]) and (is_told or duty[s, 0] < _MOSTLY):
            usual[s, 0] += _USUAL_GAIN * apart
            variance[s, 0] += _USUAL_GAIN * (apart**2 - variance[s, 0])


@compiled
def watch_seconds(signals: SignalState, watched: int, until: int, known: Bools) -> int:
    """Looks at the seconds after ``watched``, which are settled ``until`` then, in place.

    That is all there is to do while every signal is at rest; once an episode has begun,
    ``learn_signals`` looks at them.

    Those in which nothing is ``known`` of any demand, (WINDOW_S, n), are passed over: nothing is
    concluded where nothing at all was told. Returns the newest second looked at.
    """
    for second in range(max(watched, until - len(known) // 2) + 1, until + 1):
        watched = second
        if known[second % len(known)].any():
            watch_second(signals, second)
    return watched


@compiled
def is_episode_over(signals: SignalState, signal: int, second: int) -> bool:
    """Whether the signal's running episode ends with ``second``."""
    began, moved = signals.began[signal, 0], signals.moved[signal, 0]
    is_spent = np.isnan(signals.onset[signal, 0]) and second - moved >= REACH_S
    is_long = second - began >= LONGEST_EPISODE_S  # false for NaN
    return not np.isnan(began) and (is_spent or is_long)


@compiled
def come_to_rest(signals: SignalState, signal: int, second: int) -> None:
    """Ends the signal's episode, in place: what is still high is usual from then on."""
    if not np.isnan(signals.onset[signal, 0]):
        excess = excess_of(signals, signal, second - _NEW_USUAL_S + 1, second)
        signals.usual[signal, 0] += excess.mean()
        signals.variance[signal, 0] = excess.var()
    signals.began[signal, 0] = signals.onset[signal, 0] = np.nan
