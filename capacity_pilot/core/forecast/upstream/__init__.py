"""Demand foreseen from upstream: signals that move before a table's demand does.

``signals`` keeps what is told of signals and notices when one leaves its usual rate, ``ladder``
learns how bursts of a signal go on, ``response`` how a signal comes out as demand, ``pairs``
which signal may be believed for which slot; ``learning`` takes them from second to second. What
is foreseen can only raise capacity. No work is done in seconds in which no signal is away from its
usual rate.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.demand import DemandState, settled_until
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.ladder import project
from capacity_pilot.core.forecast.upstream.learning import Scope, learn_second
from capacity_pilot.core.forecast.upstream.pairs import Pairs, find_trusted
from capacity_pilot.core.forecast.upstream.response import bin_lags
from capacity_pilot.core.forecast.upstream.signals import (
    NO_SIGNALS,
    REACH_S,
    SignalArrivals,
    absorb_signals,
)
from capacity_pilot.core.forecast.upstream.state import UpstreamState, make_room

_INSTANTS_S = np.array([1, 2, 4, 8, 12, 16, 20, 25, 30, 36, 42, 50, 60, 72, 90, 110, 128])
_LONGEST_S = int(_INSTANTS_S[-1])
_WINDOW = np.array([[0.5], [2.0]])
_LEAST_SIGMAS = 3.0
_LEAST_RISE = 0.1
_WELL_ABOVE = 1.2


def foresee(
    state: UpstreamState,
    arrivals: SignalArrivals,
    demand: DemandState,
    *,
    table_of: Ints,
    ahead_s: Floats,
    now: float,
) -> tuple[UpstreamState, Floats]:
    """Demand in units/s (n,) that signals announce for the time for which a change made now acts.

    That is the highest the mean is expected to be between half of ``ahead_s`` (n,) from now and
    twice of it, when the next change could act, and the usual error on top. NaN where no trusted
    signal announces any. ``table_of`` (n,) numbers the slots' tables.
    """
    foreseen = np.full(len(table_of), np.nan)
    if not len(arrivals.table_of):
        return state, foreseen
    state = make_room(state, arrivals)
    state = replace(state, signals=absorb_signals(state.signals, arrivals, now))
    seconds = range(state.signals.watched + 1, settled_until(demand, now) + 1)
    for second in seconds[-len(demand.units) // 2 :]:
        state = learn_second(state, demand, second, scope=Scope(arrivals.table_of, table_of))
    window = max(now - state.signals.watched, 0.0) + _WINDOW * ahead_s
    for signal in np.flatnonzero(~np.isnan(state.signals.began)).tolist():
        pairs = state.pairs.of(signal)
        if len(pairs.slots):
            state = _announce(state, signal, pairs, window=window, foreseen=foreseen)
    return state, foreseen


def _announce(
    state: UpstreamState, signal: int, pairs: Pairs, *, window: Floats, foreseen: Floats
) -> UpstreamState:
    """Raises ``foreseen``, in place, to what the signal has its slots expect."""
    signals, held = state.signals, state.pairs
    past = signals.excess(np.array([signal]), signals.watched - REACH_S + 2, signals.watched)
    excess = np.concatenate([past, _go_on(state, signal)[:, None]])
    course = bin_lags(excess, _LONGEST_S)[_INSTANTS_S - 1, :, 0] @ held.weights[:, *pairs]
    first, last = window[:, pairs.slots]
    at = _INSTANTS_S[:, None]
    peak = np.where((at >= first) & (at <= last), course, 0.0).max(axis=0)
    calm, noise = held.calm[pairs], held.noise[pairs]
    said = np.maximum(held.said[pairs], peak)
    is_news = find_trusted(held, pairs) & (
        peak > np.maximum(_LEAST_SIGMAS * noise, _LEAST_RISE * calm)
    )
    expected = np.where(is_news, calm + peak * (1 + held.doubt[pairs]), np.nan)
    np.fmax.at(foreseen, pairs.slots, expected)
    return replace(state, pairs=held.having(pairs, said=said))


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
    course = project(
        state.ladder.growth(signal),
        come=come,
        age_s=int(told_until - onset) + 1,
        seconds=unknown_s + _LONGEST_S,
    )
    return course[unknown_s:]


def buy_at_once(foreseen: Floats, provisioned: Floats) -> Floats:
    """What of ``foreseen`` must not wait for the bucket, (n,): all that is well above capacity.

    The bucket is for the part of the surge that was not foreseen.
    """
    return np.where(foreseen > _WELL_ABOVE * provisioned, foreseen, np.nan)


__all__ = ["NO_SIGNALS", "SignalArrivals", "UpstreamState", "buy_at_once", "foresee"]
