"""What signals that are away from their usual rate announce, and what it takes to be ready."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.bursts import expect_burst
from capacity_pilot.core.forecast.upstream.pairs import Pairs, find_trusted
from capacity_pilot.core.forecast.upstream.response import bin_lags
from capacity_pilot.core.forecast.upstream.signals import REACH_S
from capacity_pilot.core.forecast.upstream.state import UpstreamState

INSTANTS_S: Final = np.array([1, 2, 4, 8, 12, 16, 20, 25, 30, 36, 42, 50, 60, 72, 90, 110, 128])
"""Seconds after the settled one for which demand is foretold."""

_WIDTHS_S = np.diff(INSTANTS_S, prepend=0)[:, None]
_LONGEST_S = int(INSTANTS_S[-1])
_WINDOW = np.array([[0.5], [2.0]])
_LEAST_SIGMAS = 3.0
_LEAST_RISE = 0.1
_HALVINGS = 14
_LEAST_DOUBT = 0.1


@dataclass(frozen=True, slots=True)
class Announced:
    """Demand, in units/s, that trusted signals announce for ``slots`` (m,), rising: ``course``
    (instants, m) is its mean at ``INSTANTS_S`` after second ``settled``, with the usual error on
    top. ``peak`` (n,) is its highest, NaN for all other slots.
    """

    slots: Ints
    course: Floats
    settled: int
    peak: Floats

    @classmethod
    def nothing(cls, size: int, settled: int) -> Announced:
        none = np.zeros((len(INSTANTS_S), 0))
        return cls(np.zeros(0, dtype=np.int64), none, settled, np.full(size, np.nan))


def announce(
    state: UpstreamState, *, lasts_s: Floats, ahead_s: Floats, now: float
) -> tuple[UpstreamState, Announced]:
    """What is to come, by slot; the state remembers what was said first, to be held to it.

    ``lasts_s`` (S,) is how long bursts of signals are said to last, 0 where nobody says.

    That is the highest mean between half of ``ahead_s`` (n,) and twice of it: the time for which a
    change made now acts.
    """
    signals = state.signals
    nothing = Announced.nothing(len(ahead_s), signals.watched)
    running = state.pairs.holders(signals.running())
    if not len(running):
        return state, nothing
    window = max(now - signals.watched, 0.0) + _WINDOW * ahead_s
    slots, courses = [nothing.slots], [nothing.course]
    for signal in running.tolist():
        pairs = state.pairs.of(signal)
        to_come = _go_on(state, signal, float(lasts_s[signal]))
        state, announced, course = _announce_one(state, signal, pairs, window, to_come)
        slots.append(announced)
        courses.append(course)
    named = np.concatenate(slots)
    if not len(named):
        return state, nothing
    unique, place = np.unique(named, return_inverse=True)
    highest = np.zeros((len(unique), len(INSTANTS_S)))
    np.maximum.at(highest, place, np.concatenate(courses, axis=1).T)
    peak = nothing.peak
    peak[unique] = highest.max(axis=1)
    return state, Announced(unique, highest.T, signals.watched, peak)


def size_announced(
    announced: Announced,
    *,
    provisioned: Floats,
    trusted_units: Floats,
    in_force_s: Floats,
    now: float,
) -> Floats:
    """The least capacity (n,) with which the bucket carries what is announced above it.

    ``trusted_units`` (n,) are what may be relied on of the bucket; what exceeds ``provisioned``
    until a change made now is in force, ``in_force_s`` (n,) from now, comes out of them first. NaN
    where nothing is announced.
    """
    needed = np.full(len(provisioned), np.nan)
    slots, course = announced.slots, announced.course
    if not len(slots):
        return needed
    waits = INSTANTS_S[:, None] <= max(now - announced.settled, 0.0) + in_force_s[slots]
    capacity = np.fmax(provisioned[slots], 0.0)  # NaN is none
    drained = (waits * _WIDTHS_S * np.maximum(course - capacity, 0.0)).sum(axis=0)
    left = np.maximum(trusted_units[slots] - drained, 0.0)
    later = np.where(waits, 0.0, course)
    low, high = np.zeros(len(slots)), later.max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = (_WIDTHS_S * np.maximum(later - middle, 0.0)).sum(axis=0) <= left
        low, high = np.where(fits, low, middle), np.where(fits, middle, high)
    needed[slots] = high
    return needed


def _announce_one(
    state: UpstreamState, signal: int, pairs: Pairs, window: Floats, counts: Floats
) -> tuple[UpstreamState, Ints, Floats]:
    """The slots the signal is trusted for, and their courses (instants, slots), if the running
    burst brings ``counts`` (_LONGEST_S,) from now on.
    """
    signals, held = state.signals, state.pairs
    past = signals.excess(np.array([signal]), signals.watched - REACH_S + 2, signals.watched)
    to_come = counts[:, None]
    told, untold = (
        bin_lags(np.concatenate(course), _LONGEST_S)[INSTANTS_S - 1, :, 0] @ held.weights[:, *pairs]
        for course in ((past, 0.0 * to_come), (0.0 * past, to_come))
    )
    brought = told + untold
    first, last = window[:, pairs.slots]
    at = INSTANTS_S[:, None]
    peak = np.where((at >= first) & (at <= last), brought, 0.0).max(axis=0)
    calm, noise = held.calm[pairs], held.noise[pairs]
    is_news = peak > np.maximum(_LEAST_SIGMAS * noise, _LEAST_RISE * calm)  # false for NaN
    is_first = is_news & (held.said[pairs] == 0)
    if np.count_nonzero(is_first):
        first_said = Pairs(pairs.places[is_first], pairs.slots[is_first])
        due = signals.watched + last[is_first]
        state = replace(state, pairs=held.having(first_said, said=peak[is_first], due=due))
    is_believed = is_news & find_trusted(held, pairs)
    # What is still to be told of the signal is most of what is not known.
    course = calm + told * (1 + _LEAST_DOUBT) + untold * (1 + held.doubt[pairs])
    return state, pairs.slots[is_believed], course[:, is_believed]


def _go_on(state: UpstreamState, signal: int, lasts_s: float) -> Floats:
    """What the running burst is likely to bring in the seconds to come, (_LONGEST_S,).

    A burst whose signal fell silent goes on as such bursts do: silence is not zero.
    """
    signals = state.signals
    onset, moved = signals.onset[signal, 0], signals.moved[signal, 0]
    told_until = min(signals.last_told[signal, 0], signals.watched)
    if np.isnan(onset) or moved < told_until:
        return np.zeros(_LONGEST_S)
    come = float(signals.excess(np.array([signal]), int(onset), int(told_until)).sum())
    unknown_s = signals.watched - int(told_until)
    course = expect_burst(
        state.bursts,
        signal,
        come=come,
        age_s=int(told_until - onset) + 1,
        seconds=unknown_s + _LONGEST_S,
        lasts_s=lasts_s,
    )
    return course[unknown_s:]
