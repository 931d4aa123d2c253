"""What signals that are away from their usual rate announce, and what it takes to be ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream.bursts import expect_burst
from capacity_pilot.core.forecast.upstream.pairs import PLACES, is_trusted
from capacity_pilot.core.forecast.upstream.response import BINS, bin_lags
from capacity_pilot.core.forecast.upstream.signals import REACH_S, excess_of
from capacity_pilot.core.forecast.upstream.state import UpstreamState

INSTANTS_S: Final = np.array([1, 2, 4, 8, 12, 16, 20, 25, 30, 36, 42, 50, 60, 72, 90, 110, 128])
"""Seconds after the settled one for which demand is foretold."""

_WIDTHS_S = np.diff(INSTANTS_S, prepend=0)
_LONGEST_S = int(INSTANTS_S[-1])
_WINDOW = (0.5, 2.0)
_LEAST_SIGMAS = 3.0
_LEAST_RISE = 0.1
_HALVINGS = 14
_LEAST_DOUBT = 0.1


@dataclass(frozen=True, slots=True)
class Announced:
    """Demand, in units/s, that trusted signals announce for ``slots`` (m,), rising: ``course``
    (instants, m) is its mean at ``INSTANTS_S`` after second ``settled``, with the usual error on
    top.
    """

    slots: Ints
    course: Floats
    settled: int

    @classmethod
    def nothing(cls, settled: int) -> Announced:
        return cls(np.zeros(0, dtype=np.int64), np.zeros((len(INSTANTS_S), 0)), settled)

    def peak(self, size: int) -> Floats:
        """The highest of each of ``size`` slots, NaN where nothing is announced."""
        peak = np.full(size, np.nan)
        if len(self.slots):
            peak[self.slots] = self.course.max(axis=0)
        return peak


@compiled
def announce(
    upstream: UpstreamState, watched: int, lasts_s: Floats, ahead_s: Floats, now: float
) -> tuple[Ints, Floats]:
    """The slots of ``Announced`` (m,) and their courses (instants, m). What is said first is
    remembered in place, so that a signal is held to it.

    ``watched`` is the newest second learned from, ``lasts_s`` (S,) how long bursts of signals are
    said to last, 0 where nobody says. News is what exceeds the noise at its highest between half
    of ``ahead_s`` (n,) and twice of it: the time for which a change made now acts.
    """
    pairs = upstream.pairs
    moving = ~np.isnan(upstream.signals.began[:, 0])
    row_of, told, untold = _foretell(upstream, moving, watched, lasts_s)
    size = pairs.signal.shape[1] if len(told) else 0
    highest, is_announced = np.zeros((len(INSTANTS_S), size)), np.zeros(size, dtype=np.bool_)
    unsettled_s = max(now - watched, 0.0)
    course = np.empty(len(INSTANTS_S))
    for place in range(PLACES):
        for slot in range(size):
            if not pairs.signal[place, slot] >= 0:  # true for NaN: the place is free
                continue
            signal = int(pairs.signal[place, slot])
            if not moving[signal]:
                continue
            first = unsettled_s + _WINDOW[0] * ahead_s[slot]
            last = unsettled_s + _WINDOW[1] * ahead_s[slot]
            calm, doubt, peak = pairs.calm[place, slot], pairs.doubt[place, slot], 0.0
            weights = pairs.weights[:, place, slot]
            for n in range(len(INSTANTS_S)):
                so_far = (told[row_of[signal], n] * weights).sum()
                to_come = (untold[row_of[signal], n] * weights).sum()
                if first <= INSTANTS_S[n] <= last:
                    peak = max(peak, so_far + to_come)
                # What is still to be told of the signal is most of what is not known.
                course[n] = calm + so_far * (1 + _LEAST_DOUBT) + to_come * (1 + doubt)
            noise = pairs.noise[place, slot]
            if not peak > np.maximum(_LEAST_SIGMAS * noise, _LEAST_RISE * calm):  # true for NaN
                continue
            if is_trusted(pairs, place, slot):
                is_announced[slot] = True
                highest[:, slot] = np.maximum(highest[:, slot], course)
            if pairs.said[place, slot] == 0:
                pairs.said[place, slot], pairs.due[place, slot] = peak, watched + last
    slots = np.flatnonzero(is_announced)
    return slots, highest[:, slots]


@compiled
def size_announced(
    slots: Ints,
    course: Floats,
    settled: int,
    provisioned: Floats,
    trusted_units: Floats,
    in_force_s: Floats,
    now: float,
) -> Floats:
    """The least capacity (n,) with which the bucket carries what is announced above it.

    ``slots`` (m,) and ``course`` (instants, m) are of ``announce``, after second ``settled``.
    ``trusted_units`` (n,) are what may be relied on of the bucket; what exceeds ``provisioned``
    until a change made now is in force, ``in_force_s`` (n,) from now, comes out of them first. NaN
    where nothing is announced.
    """
    needed = np.full(len(provisioned), np.nan)
    unsettled_s = max(now - settled, 0.0)
    for n in range(len(slots)):
        slot = slots[n]
        capacity = np.fmax(provisioned[slot], 0.0)  # NaN is none
        from_s = unsettled_s + in_force_s[slot]
        left, low, high = trusted_units[slot], 0.0, 0.0
        for at in range(len(INSTANTS_S)):
            if INSTANTS_S[at] <= from_s:
                left -= _WIDTHS_S[at] * max(course[at, n] - capacity, 0.0)
            else:
                high = max(high, course[at, n])
        left = max(left, 0.0)
        for _ in range(_HALVINGS):
            middle, drawn = (low + high) / 2, 0.0
            for at in range(len(INSTANTS_S)):
                if INSTANTS_S[at] > from_s:
                    drawn += _WIDTHS_S[at] * max(course[at, n] - middle, 0.0)
            if drawn <= left:
                high = middle
            else:
                low = middle
        needed[slot] = high
    return needed


@compiled
def _foretell(
    upstream: UpstreamState, moving: Bools, watched: int, lasts_s: Floats
) -> tuple[Ints, Floats, Floats]:
    """Bins at ``INSTANTS_S`` (rows, instants, BINS), of what is told of moving signals that have a
    place and of what is likely to come, and which row is whose, (S,).
    """
    signals, held = upstream.signals, upstream.pairs.signal
    row_of, rows = np.full(len(moving), -1), 0
    if moving.any():
        for place, slot in np.ndindex(held.shape):
            if held[place, slot] >= 0:  # false for NaN
                signal = int(held[place, slot])
                if moving[signal] and row_of[signal] < 0:
                    row_of[signal], rows = rows, rows + 1
    told = np.empty((rows, len(INSTANTS_S), BINS))
    untold = np.empty((rows, len(INSTANTS_S), BINS))
    for signal in range(len(moving)):
        if row_of[signal] < 0:
            continue
        course = np.zeros(REACH_S - 1 + _LONGEST_S)
        course[: REACH_S - 1] = excess_of(signals, signal, watched - REACH_S + 2, watched)
        told[row_of[signal]] = bin_lags(course)[INSTANTS_S - 1]
        course[:] = 0.0
        course[REACH_S - 1 :] = _go_on(upstream, signal, watched, lasts_s[signal])
        untold[row_of[signal]] = bin_lags(course)[INSTANTS_S - 1]
    return row_of, told, untold


@compiled
def _go_on(upstream: UpstreamState, signal: int, watched: int, lasts_s: float) -> Floats:
    """What the running burst is likely to bring in the seconds to come, (_LONGEST_S,).

    A burst whose signal fell silent goes on as such bursts do: silence is not zero.
    """
    signals = upstream.signals
    onset, moved = signals.onset[signal, 0], signals.moved[signal, 0]
    told_until = int(min(signals.last_told[signal, 0], float(watched)))
    if np.isnan(onset) or moved < told_until:
        return np.zeros(_LONGEST_S)
    come = excess_of(signals, signal, int(onset), told_until).sum()
    unknown_s = watched - told_until
    age_s = told_until - int(onset) + 1
    course = expect_burst(upstream.bursts, signal, come, age_s, unknown_s + _LONGEST_S, lasts_s)
    return course[unknown_s:]
