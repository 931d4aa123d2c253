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

INSTANTS_S: Final = np.array([4, 10, 16, 23, 30, 38, 46, 56, 70, 88, 108, 128])
"""Seconds after the settled one for which demand is foretold."""

_WIDTHS_S = np.diff(INSTANTS_S, prepend=0)[:, None]
_LONGEST_S = int(INSTANTS_S[-1])
_WINDOW = np.array([[0.5], [2.0]])
_LEAST_SIGMAS = 3.0
_LEAST_RISE = 0.1
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
    state: UpstreamState, *, ahead_s: Floats, now: float
) -> tuple[UpstreamState, Announced]:
    """What is to come, by slot; the state remembers what was said first, to be held to it.

    That is the highest mean between half of ``ahead_s`` (n,) and twice of it: the time for which a
    change made now acts.
    """
    signals = state.signals
    nothing = Announced.nothing(len(ahead_s), signals.watched)
    window = max(now - signals.watched, 0.0) + _WINDOW * ahead_s
    highest: Floats | None = None
    for signal in state.pairs.leading(np.flatnonzero(~np.isnan(signals.began))):
        state, slots, course = _announce_one(state, signal, window)
        if len(slots):
            highest = np.zeros((len(INSTANTS_S), len(ahead_s))) if highest is None else highest
            highest[:, slots] = np.maximum(highest[:, slots], course)
    if highest is None:
        return state, nothing
    peak = highest.max(axis=0)
    (named,) = np.nonzero(peak)
    peak[peak == 0] = np.nan
    return state, Announced(named, highest[:, named], signals.watched, peak)


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
    needed[slots] = _level_out(np.where(waits, 0.0, course), left)
    return needed


def _level_out(course: Floats, units: Floats) -> Floats:
    """The least capacity above which ``course`` (instants, m) comes to no more than ``units`` (m,).

    Of the highest instants, however many, the mean less its share of ``units`` is at most that.
    """
    order = np.argsort(-course, axis=0)
    widths = np.broadcast_to(_WIDTHS_S, course.shape)
    long = np.cumsum(np.take_along_axis(widths, order, axis=0), axis=0)
    come = np.cumsum(np.take_along_axis(widths * course, order, axis=0), axis=0)
    least: Floats = ((come - units) / long).max(axis=0)
    return np.maximum(least, 0.0)


def _announce_one(
    state: UpstreamState, signal: int, window: Floats
) -> tuple[UpstreamState, Ints, Floats]:
    """The slots the signal is trusted for, and their courses (instants, slots)."""
    signals, held = state.signals, state.pairs
    pairs = held.of(signal)
    past = signals.excess(np.array([signal]), signals.watched - REACH_S + 2, signals.watched)
    to_come, weights = _go_on(state, signal)[:, None], held.take("weights", pairs)
    told = _bring(past, 0.0 * to_come, weights)
    untold = _bring(0.0 * past, to_come, weights) if to_come.any() else np.zeros(1)
    brought = told + untold
    first, last = window[:, pairs.slots]
    at = INSTANTS_S[:, None]
    peak = np.where((at >= first) & (at <= last), brought, 0.0).max(axis=0)
    calm, noise = held.take("calm", pairs), held.take("noise", pairs)
    is_news = peak > np.maximum(_LEAST_SIGMAS * noise, _LEAST_RISE * calm)  # false for NaN
    is_first = is_news & (held.take("said", pairs) == 0)
    if np.count_nonzero(is_first):
        first_said = Pairs(pairs.at[is_first], pairs.slots[is_first])
        due = signals.watched + last[is_first]
        state = replace(state, pairs=held.having(first_said, said=peak[is_first], due=due))
    is_believed = is_news & find_trusted(held, pairs)
    # What is still to be told of the signal is most of what is not known.
    course = calm + told * (1 + _LEAST_DOUBT) + untold * (1 + held.take("doubt", pairs))
    return state, pairs.slots[is_believed], course[:, is_believed]


def _bring(past: Floats, to_come: Floats, weights: Floats) -> Floats:
    """What a signal's course (seconds, 1) brings at each instant, (instants, pairs)."""
    binned = bin_lags(np.concatenate([past, to_come]), _LONGEST_S)
    brought: Floats = binned[INSTANTS_S - 1, :, 0] @ weights
    return brought


def _go_on(state: UpstreamState, signal: int) -> Floats:
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
    )
    return course[unknown_s:]
