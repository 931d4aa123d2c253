"""What one settled second teaches of signals and of the demand that follows them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.bursts import note_burst
from capacity_pilot.core.forecast.upstream.pairs import (
    Pairs,
    begin_episode,
    end_episode,
    find_disproved,
    give_places,
    score_second,
)
from capacity_pilot.core.forecast.upstream.response import (
    add_moments,
    bin_lags,
    close_moments,
    fit_response,
)
from capacity_pilot.core.forecast.upstream.signals import (
    REACH_S,
    SignalState,
    end_episodes,
    episodes_over,
    watch_signals,
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


@dataclass(frozen=True, slots=True)
class Scope:
    """Which slots a signal may lead: those of its table, ``signal_table`` (S,), NaN for any;
    ``table_of`` (n,) numbers the slots' tables.
    """

    signal_table: Floats
    table_of: Ints

    def slots_of(self, signal: int) -> Ints:
        table = self.signal_table[signal]
        return np.flatnonzero((self.table_of == table) | np.isnan(table))


def learn_second(
    state: UpstreamState, demand: DemandState, second: int, *, scope: Scope
) -> UpstreamState:
    """Takes ``second`` into account, whose demand and signals have all arrived."""
    is_alive = bool(demand.known[second % len(demand.known)].any())
    before, signals = state.signals, watch_signals(state.signals, second, is_alive=is_alive)
    active = signals.running()
    state = state.with_signals(signals)
    if not len(active):
        return state
    state = _note_bursts(state, before)
    for signal in np.flatnonzero(np.isnan(before.began) & ~np.isnan(signals.began)).tolist():
        pairs = state.pairs.of(signal)
        calm, noise = _measure_calm(demand, pairs.slots, before=int(signals.began[signal, 0]))
        state = replace(state, pairs=begin_episode(state.pairs, pairs, calm=calm, noise=noise))
    state = _score(state, active, demand, second)
    return _learn_block(state, active, demand, second, scope) if _ends_block(second) else state


def _note_bursts(state: UpstreamState, before: SignalState) -> UpstreamState:
    """Takes those into account that ended since ``before``."""
    over = np.flatnonzero(~np.isnan(before.onset) & np.isnan(state.signals.onset)).tolist()
    bursts = state.bursts
    for signal in over:
        onset, moved = int(before.onset[signal, 0]), int(before.moved[signal, 0])
        bursts = note_burst(bursts, signal, before.excess(np.array([signal]), onset, moved)[:, 0])
    return replace(state, bursts=bursts) if over else state


def _score(state: UpstreamState, active: Ints, demand: DemandState, second: int) -> UpstreamState:
    active = state.pairs.holders(active)
    if not len(active):
        return state
    binned = bin_lags(state.signals.excess(active, second - REACH_S + 1, second), 1)[0]
    rows = np.arange(second - _SMOOTH_ROWS + 1, second + 1) % len(demand.units)
    for n, signal in enumerate(active.tolist()):
        pairs = state.pairs.of(signal)
        known = demand.known[rows[:, None], pairs.slots]
        units = demand.units[rows[:, None], pairs.slots]
        calm = state.pairs.calm[pairs]
        scored = score_second(
            state.pairs,
            pairs,
            second,
            explained=binned[:, n] @ state.pairs.weights[:, *pairs],
            excess=np.where(known[-1] > 0, units[-1] - calm, np.nan),
            smooth=units.sum(axis=0) / np.maximum(known.sum(axis=0), 1.0) - calm,
        )
        state = replace(state, pairs=scored)
    return state


def _ends_block(second: int) -> bool:
    return second % _BLOCK_S == _BLOCK_S - 1


def _learn_block(
    state: UpstreamState, active: Ints, demand: DemandState, second: int, scope: Scope
) -> UpstreamState:
    """Learns from the block that ``second`` ends, and closes episodes that are over."""
    binned = _bin_until(state.signals, active, second, _BLOCK_S)
    state = replace(state, moments=add_moments(state.moments, active, binned))
    for n, signal in enumerate(active.tolist()):
        pairs = state.pairs.of(signal)
        if len(pairs.slots):
            state = _add_products(state, pairs, demand, second, binned[:, :, n])
        blocks = (second - int(state.signals.began[signal, 0])) // _BLOCK_S
        if blocks in _ADOPTION_BLOCKS:
            state = _adopt(state, signal, demand, second, scope.slots_of(signal))
    over = episodes_over(state.signals)
    for signal in over.tolist():
        state = _close(state, signal)
    return replace(state, signals=end_episodes(state.signals, over)) if len(over) else state


def _bin_until(signals: SignalState, active: Ints, second: int, seconds: int) -> Floats:
    return bin_lags(signals.excess(active, second - seconds - REACH_S + 2, second), seconds)


def _add_products(
    state: UpstreamState, pairs: Pairs, demand: DemandState, second: int, binned: Floats
) -> UpstreamState:
    """Of the last seconds, as many as ``binned`` (seconds, BINS) has.

    A second in which nothing is known of demand is taken to have been as the response has it.
    """
    rows = np.arange(second - len(binned) + 1, second + 1)[:, None] % len(demand.units)
    explained = binned @ state.pairs.weights[:, *pairs]
    excess = demand.units[rows, pairs.slots] - np.nan_to_num(state.pairs.calm[pairs])
    excess = np.where(demand.known[rows, pairs.slots] > 0, excess, explained)
    products = state.pairs.products[:, *pairs] + binned.T @ excess
    return replace(state, pairs=state.pairs.having(pairs, products=products))


def _close(state: UpstreamState, signal: int) -> UpstreamState:
    pairs, held = state.pairs.of(signal), state.pairs
    moments = close_moments(state.moments, signal)
    if len(pairs.slots):
        # What a hint said that did not come true is no prior for what did.
        disproved = find_disproved(held, pairs)
        weights = fit_response(
            state.moments,
            signal,
            held.products[:, *pairs],
            prior=np.where(disproved, 0.0, held.weights[:, *pairs]),
            lessons=np.where(disproved, 0.0, held.lessons[pairs]),
        )
        held = end_episode(held, pairs, weights)
    return replace(state, pairs=held, moments=moments)


def _adopt(
    state: UpstreamState, signal: int, demand: DemandState, second: int, slots: Ints
) -> UpstreamState:
    """Gives the signal places at slots whose demand has risen since, and not before it."""
    taken = (state.pairs.signal[:, slots] == signal).any(axis=0)
    began = int(state.signals.began[signal, 0])
    slots = _rising(demand, slots[~taken], began=began, second=second)
    calm, noise = _measure_calm(demand, slots, before=began)
    departed = _find_departure(demand, slots, calm, noise, began=began, second=second)
    led = departed - began >= _LEAST_LEAD_S  # false for NaN
    held, pairs = give_places(state.pairs, signal, slots[led], calm=calm[led], noise=noise[led])
    elapsed = (second + 1 - began) // _BLOCK_S * _BLOCK_S
    binned = _bin_until(state.signals, np.array([signal]), second, elapsed)[:, :, 0]
    return _add_products(replace(state, pairs=held), pairs, demand, second, binned)


def _rising(demand: DemandState, slots: Ints, *, began: int, second: int) -> Ints:
    """A cheap look, so that most slots need no closer one."""
    size = len(demand.units)
    now, then = (
        demand.units[np.arange(last - _BLOCK_S + 1, last + 1)[:, None] % size, slots].mean(axis=0)
        for last in (second, began - _BEFORE_S - 1)
    )
    rising: Ints = slots[now > (1 + _LEAST_RISE) * then]
    return rising


def _measure_calm(demand: DemandState, slots: Ints, *, before: int) -> tuple[Floats, Floats]:
    """Mean and deviation (slots,) of a minute before a second; NaN where little is known."""
    size, last = len(demand.units), before - _BEFORE_S
    first = max(last - _CALM_ROWS, demand.head - size + 1)
    rows = np.arange(first, last)[:, None] % size
    known, units = demand.known[rows, slots], demand.units[rows, slots]
    count = known.sum(axis=0)
    mean = np.where(count >= _LEAST_ROWS, units.sum(axis=0) / np.maximum(count, 1.0), np.nan)
    squares = (known * (units - mean) ** 2).sum(axis=0) / np.maximum(count, 1.0)
    return mean, np.maximum(np.sqrt(squares), _LEAST_NOISE * mean)


def _find_departure(
    demand: DemandState, slots: Ints, calm: Floats, noise: Floats, *, began: int, second: int
) -> Floats:
    """The first second at which demand had left its calm level, NaN for none, (slots,)."""
    seconds = np.arange(began - _BEFORE_S, second + 1)
    units = demand.units[seconds[:, None] % len(demand.units), slots]
    smooth = (units[2:] + units[1:-1] + units[:-2]) / 3
    rise = np.maximum(_RISE_SIGMAS / np.sqrt(3) * noise, _LEAST_RISE * calm)
    left = smooth > calm + rise
    return np.where(left.any(axis=0), seconds[2:][left.argmax(axis=0)], np.nan)
