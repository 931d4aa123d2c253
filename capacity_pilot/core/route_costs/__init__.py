"""Demand of targets no span tells of, reckoned from requests of routes.

Some callers' spans name no table or no units, or there are none: then what CloudWatch counted of
past minutes is explained by how many requests entered which route (``fitting``), and live requests
alone give live demand. How far the reckoning misses minutes it has not seen is its ``error``; it is
believed below a fifth. A cost that changes with the code is noticed and named (``drift``). What is
reckoned goes the way of what spans tell: coverage compares and corrects it all the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.coverage.minutes import MINUTE_S, MINUTES
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.fleet import Ints, put
from capacity_pilot.core.forecast.upstream.signals import SignalArrivals, SignalState
from capacity_pilot.core.route_costs.refit import find_payers, refit
from capacity_pilot.core.route_costs.state import RouteCosts, list_counted, make_room, take_in

_FIT_EVERY = 5
_LEAST_MINUTES = 20
_MOST_AT_ONCE = 16
_MOST_ERROR, _HOPELESS_ERROR = 0.2, 0.6
_LEAST_CHANGE = 0.01


def reckon(
    state: RouteCosts, arrivals: Arrivals, signals: SignalArrivals
) -> tuple[RouteCosts, Arrivals]:
    """Adds to ``arrivals`` what routes' requests come to for targets that go by them.

    A target of which spans tell units again goes by these.
    """
    if not np.count_nonzero(state.is_used):
        return state, arrivals
    seen = arrivals.slots[arrivals.units > 0]
    if np.count_nonzero(state.is_used[seen]):
        is_used = state.is_used.copy()
        is_used[seen] = False
        state = replace(state, is_used=is_used)
    slots = np.flatnonzero(state.is_used)
    is_known = signals.signals < len(state.costs) - 1
    if not len(slots) or not np.count_nonzero(is_known):
        return state, arrivals
    seconds, place = np.unique(signals.seconds[is_known], return_inverse=True)
    requests = np.zeros((len(seconds), len(state.costs)))
    np.add.at(requests, (place, signals.signals[is_known]), signals.counts[is_known])
    requests[:, -1] = (seconds > state.reckoned) / MINUTE_S  # once a second, whatever comes late
    units = requests @ state.costs[:, slots]
    reckoned = Arrivals(
        np.concatenate([arrivals.slots, np.tile(slots, len(seconds))]),
        np.concatenate([arrivals.seconds, np.repeat(seconds, len(slots))]),
        np.concatenate([arrivals.units, units.ravel()]),
        np.concatenate([arrivals.refusals, np.zeros(units.size)]),
        None
        if arrivals.throttled is None
        else np.concatenate([arrivals.throttled, np.zeros(units.size)]),
    )
    return replace(state, reckoned=max(state.reckoned, int(seconds[-1]))), reckoned


def learn_costs(
    state: RouteCosts,
    signals: SignalState,
    coverage: CoverageState,
    told: SignalArrivals,
    *,
    table_of: Ints,
    now: float,
) -> tuple[RouteCosts, CoverageState]:
    """Takes in each minute once its counts are settled, and now and then fits costs to them.

    ``table_of`` (n,) numbers the slots' tables; a signal of one table costs no other. Coverage's
    minutes of what was reckoned follow the costs, so that a new fit is no change of coverage.
    """
    if not len(signals):
        return state, coverage
    if len(state.costs) - 1 != len(signals) or len(told.renewed):
        state = make_room(state, len(signals), told.renewed)
    minute = coverage.minutes.closed
    if minute <= state.closed:
        return state, coverage
    state = take_in(state, signals, coverage)
    is_wanting = coverage.is_unseen | state.is_used
    is_due = is_wanting & (minute - state.fitted >= _FIT_EVERY)
    is_due &= (~np.isnan(state.units)).sum(axis=0) >= _LEAST_MINUTES
    due = np.flatnonzero(is_due)
    due = due[np.argsort(state.fitted[due], kind="stable")][:_MOST_AT_ONCE]
    if len(due):
        before = state
        state = refit(state, due, find_payers(told.table_of, table_of[due]), now)
        coverage = _follow(before, state, due[before.is_used[due]], coverage)
    is_good = state.error <= np.where(state.is_used, _HOPELESS_ERROR, _MOST_ERROR)
    is_used = (state.is_used | coverage.is_unseen) & is_good
    return replace(state, is_used=is_used), coverage


def _follow(
    before: RouteCosts, after: RouteCosts, slots: Ints, coverage: CoverageState
) -> CoverageState:
    """Coverage as if demand of ``slots`` had been reckoned by the new costs all along.

    Its correction changes the other way, so that demand stays what it was.
    """
    if not len(slots):
        return coverage
    minutes, counts = list_counted(after)
    is_kept = minutes > coverage.minutes.closed - MINUTES + 1
    minutes, counts = minutes[is_kept], counts[is_kept]
    reckoned = counts @ after.costs[:, slots]
    told = coverage.minutes.told.copy()
    places = (minutes % MINUTES)[:, None], slots
    told[places] = np.where(np.isnan(told[places]), np.nan, reckoned)
    scale = reckoned.sum(axis=0) / np.maximum((counts @ before.costs[:, slots]).sum(axis=0), 1e-9)
    scale = np.where((scale > 0) & (np.abs(scale - 1) > _LEAST_CHANGE), scale, 1.0)
    factor = put(coverage.factor, slots, coverage.factor[slots] / scale)
    return replace(
        coverage,
        minutes=replace(coverage.minutes, told=told),
        factor=factor,
        ratio=put(coverage.ratio, slots, coverage.ratio[slots] * scale),
        is_correcting=bool(np.count_nonzero(factor != 1.0)),
    )


__all__ = ["RouteCosts", "learn_costs", "reckon"]
