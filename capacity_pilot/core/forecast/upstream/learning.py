"""What settled seconds teach of signals and of the demand that follows them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream.bursts import note_burst
from capacity_pilot.core.forecast.upstream.pairs import (
    PairState,
    begin_episode,
    end_episode,
    is_disproved,
    score_second,
    take_place,
)
from capacity_pilot.core.forecast.upstream.response import (
    BINS,
    add_moments,
    bin_lags,
    close_moments,
    fit_response,
)
from capacity_pilot.core.forecast.upstream.signals import (
    REACH_S,
    SignalState,
    come_to_rest,
    excess_of,
    is_episode_over,
    watch_second,
)
from capacity_pilot.core.forecast.upstream.state import UpstreamState

_BLOCK_S = 8
"""Episodes are learned from in blocks, which costs an eighth."""

_ADOPTION_BLOCKS = (2, 4, 6, 8)
"""Blocks into an episode at which it is asked whose demand followed."""

_CALM_ROWS = 60
_LEAST_ROWS = 10
_BEFORE_S = 15
"""What demand did so shortly before a signal's move may be what moved the signal."""

_SMOOTH_ROWS = 5
_LEAST_LEAD_S = 5
_RISE_SIGMAS = 4.0
_LEAST_RISE = 0.15
_LEAST_NOISE = 0.02


class DemandRings(NamedTuple):
    """Of ``DemandState``: ``units`` and ``known`` (WINDOW_S, n), up to second ``head``."""

    units: Floats
    known: Bools
    head: int


@compiled
def learn_signals(
    upstream: UpstreamState,
    watched: int,
    until: int,
    demand: DemandRings,
    signal_table: Floats,
    table_of: Ints,
) -> int:
    """Takes the seconds after ``watched`` into account, in place: all that has happened until
    ``until`` has been told. Returns the newest second taken into account.

    A signal may lead slots of its table, ``signal_table`` (S,), NaN for any; ``table_of`` (n,)
    numbers the slots' tables.
    """
    signals = upstream.signals
    for second in range(max(watched, until - len(demand.units) // 2) + 1, until + 1):
        watched = second
        was_resting = np.isnan(signals.began[:, 0])
        had_onset, had_moved = signals.onset.copy(), signals.moved.copy()
        if demand.known[second % len(demand.known)].any():  # else nothing is concluded
            watch_second(signals, second)
        moving = ~np.isnan(signals.began[:, 0])
        if not moving.any():
            continue
        _note_bursts(upstream, had_onset, had_moved)
        _score_places(upstream, moving, was_resting, second, demand)
        if second % _BLOCK_S == _BLOCK_S - 1:
            for signal in range(len(moving)):
                if moving[signal]:
                    table = signal_table[signal]
                    _learn_block(upstream, signal, second, demand, table, table_of)
    return watched


@compiled
def _note_bursts(upstream: UpstreamState, had_onset: Floats, had_moved: Floats) -> None:
    """Takes those into account that ended with this second; what was before is (S, 1)."""
    signals = upstream.signals
    for signal in range(len(had_onset)):
        onset = had_onset[signal, 0]
        if not np.isnan(onset) and np.isnan(signals.onset[signal, 0]):
            course = excess_of(signals, signal, int(onset), int(had_moved[signal, 0]))
            note_burst(upstream.bursts, signal, course)


@compiled
def _score_places(
    upstream: UpstreamState,
    moving: Bools,
    was_resting: Bools,
    second: int,
    demand: DemandRings,
) -> None:
    """Holds ``second`` against what places of ``moving`` signals (S,) make of it; episodes of those
    that were at rest before begin with it.
    """
    signals, pairs = upstream.signals, upstream.pairs
    binned = np.zeros((len(moving), BINS))
    is_binned = np.zeros(len(moving), dtype=np.bool_)
    for place, slot in np.ndindex(pairs.signal.shape):
        if not pairs.signal[place, slot] >= 0:  # true for NaN: the place is free
            continue
        signal = int(pairs.signal[place, slot])
        if not moving[signal]:
            continue
        if was_resting[signal]:
            began = int(signals.began[signal, 0])
            calm, noise = _measure_calm(demand, slot, began)
            begin_episode(pairs, place, slot, calm, noise)
        if not is_binned[signal]:
            is_binned[signal] = True
            binned[signal] = _bin(signals, signal, second, second)[0]
        _score(pairs, place, slot, second, demand, binned[signal])


@compiled
def _score(
    pairs: PairState,
    place: int,
    slot: int,
    second: int,
    demand: DemandRings,
    binned: Floats,
) -> None:
    units, known, calm = demand.units, demand.known, pairs.calm[place, slot]
    came, seen = 0.0, 0
    for recent in range(second - _SMOOTH_ROWS + 1, second + 1):
        came += units[recent % len(units), slot]
        seen += known[recent % len(units), slot]
    row = second % len(units)
    excess = units[row, slot] - calm if known[row, slot] else np.nan
    explained = _explain(pairs, place, slot, binned)
    score_second(pairs, place, slot, second, explained, excess, came / max(seen, 1) - calm)


@compiled
def _learn_block(
    upstream: UpstreamState,
    signal: int,
    second: int,
    demand: DemandRings,
    table: float,
    table_of: Ints,
) -> None:
    """Learns from the block that ``second`` ends, and closes the signal's episode if it is over."""
    signals, pairs = upstream.signals, upstream.pairs
    binned = _bin(signals, signal, second - _BLOCK_S + 1, second)
    add_moments(upstream.moments, signal, binned)
    for place, slot in np.ndindex(pairs.signal.shape):
        if pairs.signal[place, slot] == signal:
            _add_products(pairs, place, slot, second, demand, binned)
    if (second - int(signals.began[signal, 0])) // _BLOCK_S in _ADOPTION_BLOCKS:
        _adopt(upstream, signal, second, demand, table, table_of)
    if not is_episode_over(signals, signal, second):
        return
    for place, slot in np.ndindex(pairs.signal.shape):
        if pairs.signal[place, slot] == signal:
            _close(upstream, signal, place, slot)
    close_moments(upstream.moments, signal)
    come_to_rest(signals, signal, second)


@compiled
def _close(upstream: UpstreamState, signal: int, place: int, slot: int) -> None:
    """Has the pair learn from the signal's episode."""
    pairs = upstream.pairs
    prior, lessons = pairs.weights[:, place, slot].copy(), pairs.lessons[place, slot]
    if is_disproved(pairs, place, slot):
        # What a hint said that did not come true is no prior for what did.
        prior[:], lessons = 0.0, 0.0
    products = pairs.products[:, place, slot].copy()
    weights = fit_response(upstream.moments, signal, products, prior, lessons)
    end_episode(pairs, place, slot, weights)


@compiled
def _bin(signals: SignalState, signal: int, first: int, last: int) -> Floats:
    """Bins (seconds, BINS) of seconds ``first`` to ``last``."""
    return bin_lags(excess_of(signals, signal, first - REACH_S + 1, last))


@compiled
def _explain(pairs: PairState, place: int, slot: int, binned: Floats) -> float:
    """Demand that the response makes of a second's bins, units/s."""
    explained = 0.0
    for b in range(BINS):
        explained += binned[b] * pairs.weights[b, place, slot]
    return explained


@compiled
def _add_products(
    pairs: PairState,
    place: int,
    slot: int,
    second: int,
    demand: DemandRings,
    binned: Floats,
) -> None:
    """Of the last seconds, as many as ``binned`` (seconds, BINS) has.

    A second in which nothing is known of demand is taken to have been as the response has it.
    """
    units, known, calm = demand.units, demand.known, pairs.calm[place, slot]
    calm = 0.0 if np.isnan(calm) else calm
    for n in range(len(binned)):
        row = (second - len(binned) + 1 + n) % len(units)
        if known[row, slot]:
            excess = units[row, slot] - calm
        else:
            excess = _explain(pairs, place, slot, binned[n])
        for b in range(BINS):
            pairs.products[b, place, slot] += binned[n, b] * excess


@compiled
def _adopt(
    upstream: UpstreamState,
    signal: int,
    second: int,
    demand: DemandRings,
    table: float,
    table_of: Ints,
) -> None:
    """Gives the signal places at slots whose demand has risen since, and not before it."""
    signals, pairs = upstream.signals, upstream.pairs
    began = int(signals.began[signal, 0])
    binned = np.zeros((0, BINS))
    for slot in range(len(table_of)):
        may_lead = np.isnan(table) or table_of[slot] == table
        if not may_lead or (pairs.signal[:, slot] == signal).any():
            continue
        if not _is_rising(demand, slot, began, second):
            continue
        calm, noise = _measure_calm(demand, slot, began)
        if not _find_departure(demand, slot, calm, noise, began, second) - began >= _LEAST_LEAD_S:
            continue
        place = take_place(pairs, slot, signal, calm, noise)
        if place < 0:
            continue
        if not len(binned):
            elapsed = (second + 1 - began) // _BLOCK_S * _BLOCK_S
            binned = _bin(signals, signal, second - elapsed + 1, second)
        _add_products(pairs, place, slot, second, demand, binned)


@compiled
def _is_rising(demand: DemandRings, slot: int, began: int, second: int) -> bool:
    """A cheap look, so that most slots need no closer one."""
    units = demand.units
    now, then = 0.0, 0.0
    for age in range(_BLOCK_S):
        now += units[(second - age) % len(units), slot]
        then += units[(began - _BEFORE_S - 1 - age) % len(units), slot]
    return now > (1 + _LEAST_RISE) * then


@compiled
def _measure_calm(demand: DemandRings, slot: int, before: int) -> tuple[float, float]:
    """Mean and deviation of a minute before a second; NaN where little is known."""
    units, known, size = demand.units, demand.known, len(demand.units)
    last = before - _BEFORE_S
    first = max(last - _CALM_ROWS, demand.head - size + 1)
    seen, total, squares = 0, 0.0, 0.0
    for second in range(first, last):
        seen += known[second % size, slot]
        total += units[second % size, slot]
    if seen < _LEAST_ROWS:
        return np.nan, np.nan
    mean = total / seen
    for second in range(first, last):
        if known[second % size, slot]:
            squares += (units[second % size, slot] - mean) ** 2
    return mean, max(np.sqrt(squares / seen), _LEAST_NOISE * mean)


@compiled
def _find_departure(
    demand: DemandRings, slot: int, calm: float, noise: float, began: int, second: int
) -> float:
    """The first second at which demand had left its calm level, NaN for none."""
    units = demand.units
    rise = np.maximum(_RISE_SIGMAS / np.sqrt(3) * noise, _LEAST_RISE * calm)
    for at in range(began - _BEFORE_S + 2, second + 1):
        smooth = 0.0
        for recent in range(at - 2, at + 1):
            smooth += units[recent % len(units), slot] / 3
        if smooth > calm + rise:  # false for NaN
            return at
    return np.nan
