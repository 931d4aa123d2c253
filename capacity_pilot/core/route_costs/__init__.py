"""Demand of targets no span tells of, reckoned from requests of routes.

Some callers' spans name no table or no units, or there are none: then what CloudWatch counted of
past minutes is explained by how many requests entered which route (``fitting``), and live requests
alone give live demand. How far the reckoning misses minutes it has not seen is its ``error``; it is
believed below a fifth. A cost that changes with the code is noticed and named (``drift``). What is
reckoned goes the way of what spans tell: coverage compares and corrects it all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.coverage.minutes import MINUTE_S, MINUTES
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.fleet import Bools, Floats, Ints, put
from capacity_pilot.core.forecast.upstream.signals import RING_S, SignalArrivals, SignalState
from capacity_pilot.core.route_costs.drift import find_drift
from capacity_pilot.core.route_costs.fitting import fit_costs

KEPT = 240
"""Minutes kept: a target weighs about 1 kB for them, and 8 bytes for every route."""

_FIT_EVERY = 5
_LEAST_MINUTES = 20
_MOST_AT_ONCE = 16
_HALVING_MINUTES = 120.0
_PRIOR_MINUTES = 10.0
_ALIVE_S = 50
_NO_PRIOR_MINUTES = 0.01
_MOST_ERROR, _HOPELESS_ERROR = 0.2, 0.6
_ERROR_MEMORY = 0.5
_LEAST_CHANGE = 0.01


@dataclass(frozen=True, slots=True)
class RouteCosts:
    """What is known of r routes and n targets.

    ``counts`` (KEPT, r, 1) are requests per minute and ``units`` (KEPT, n) what CloudWatch counted,
    both over ``minute % KEPT``, NaN where unknown. ``costs`` (r + 1, n) are units per request; the
    last row is what goes on by itself, in units per minute. ``error`` (n,) is by what share of
    itself a minute not fitted yet was missed, NaN before there was one; ``since`` the first minute
    that may count, ``fitted`` the last one fitted, -1 for none. ``is_used``: demand is reckoned
    from these. A drift was noticed at ``drifted_at``: route number ``drifted`` went from
    ``cost_before`` to ``cost_after``. ``closed`` is the last minute whose counts are settled,
    ``reckoned`` the last second whose demand was.
    """

    counts: Floats
    units: Floats
    costs: Floats
    error: Floats
    since: Ints
    fitted: Ints
    is_used: Bools
    drifted_at: Floats
    drifted: Ints
    cost_before: Floats
    cost_after: Floats
    closed: int
    reckoned: int

    @classmethod
    def empty(cls, size: int, now: float) -> Self:
        never = np.full(size, np.nan)
        return cls(
            counts=np.full((KEPT, 0, 1), np.nan),
            units=np.full((KEPT, size), np.nan, dtype=np.float32),
            costs=np.zeros((1, size)),
            error=never,
            since=np.full(size, int(now) // MINUTE_S + 1),
            fitted=np.full(size, -1),
            is_used=np.zeros(size, dtype=np.bool_),
            drifted_at=never,
            drifted=np.full(size, -1),
            cost_before=never,
            cost_after=never,
            closed=int(now) // MINUTE_S,
            reckoned=int(now),
        )


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
        state = _make_room(state, len(signals), told.renewed)
    minute = coverage.minutes.closed
    if minute <= state.closed:
        return state, coverage
    state = _take_in(state, signals, coverage)
    is_wanting = coverage.is_unseen | state.is_used
    is_due = is_wanting & (minute - state.fitted >= _FIT_EVERY)
    is_due &= (~np.isnan(state.units)).sum(axis=0) >= _LEAST_MINUTES
    due = np.flatnonzero(is_due)
    due = due[np.argsort(state.fitted[due], kind="stable")][:_MOST_AT_ONCE]
    if len(due):
        before = state
        state = _refit(state, due, _may_cost(told.table_of, table_of[due]), now)
        coverage = _follow(before, state, due[before.is_used[due]], coverage)
    is_good = state.error <= np.where(state.is_used, _HOPELESS_ERROR, _MOST_ERROR)
    is_used = (state.is_used | coverage.is_unseen) & is_good
    return replace(state, is_used=is_used), coverage


def _make_room(state: RouteCosts, routes: int, renewed: Ints) -> RouteCosts:
    """More routes, and nothing left of those whose numbers were given to others.

    A route that is new had no requests in minutes in which others had.
    """
    earlier = len(state.costs) - 1
    grown = max(routes - earlier, 0)
    is_told = ~np.isnan(state.counts).any(axis=1, keepdims=True) if earlier else False
    blank = np.broadcast_to(np.where(is_told, 0.0, np.nan), (KEPT, grown, 1))
    counts = np.concatenate([state.counts, blank], axis=1)
    costs = np.insert(state.costs, [earlier] * grown, 0.0, axis=0)
    counts[:, renewed] *= 0.0
    costs[renewed] = 0.0
    return replace(state, counts=counts, costs=costs)


def _take_in(state: RouteCosts, signals: SignalState, coverage: CoverageState) -> RouteCosts:
    """The minutes up to ``coverage``'s last closed one, and all CloudWatch has said of late."""
    counts, units = state.counts.copy(), state.units.copy()
    closed = coverage.minutes.closed
    for minute in range(max(state.closed + 1, closed + 1 - KEPT), closed + 1):
        first, row = minute * MINUTE_S, minute % KEPT
        counts[row] = np.nan
        units[row] = np.nan
        if first > signals.head - RING_S:
            seconds = signals.counts[np.arange(first, first + MINUTE_S) % RING_S]
            if np.count_nonzero(seconds.any(axis=(1, 2))) >= _ALIVE_S:
                counts[row] = seconds.sum(axis=0)
    recent = np.arange(closed + 2 - MINUTES, closed + 1)
    is_counted = ~np.isnan(counts[recent % KEPT]).any(axis=1)
    units[recent % KEPT] = np.where(is_counted, coverage.minutes.consumed[recent % MINUTES], np.nan)
    return replace(state, counts=counts, units=units, closed=closed)


def _refit(state: RouteCosts, due: Ints, may_cost: Bools, now: float) -> RouteCosts:
    """Costs of the targets ``due`` (m,), scored first by the minutes they have not seen."""
    minutes, counts = _counted(state)
    units = state.units[minutes % KEPT][:, due].astype(np.float64)
    ages = (state.closed - minutes)[:, None]
    costs, error, since = state.costs[:, due], state.error[due], state.since[due]
    was_fitted = state.fitted[due] >= 0
    is_new = was_fitted & (minutes[:, None] > state.fitted[due])
    missed = np.where(is_new, units - counts @ costs, np.nan)
    drift = find_drift(missed, counts, costs, may_cost=may_cost, error=error)
    drifted = due[drift.is_found]
    at = (drift.row[drift.is_found], np.flatnonzero(drift.is_found))
    before = costs[at]
    costs[at] += drift.by[drift.is_found]
    since = np.where(drift.is_found, np.where(was_fitted, state.fitted[due] + 1, since), since)
    fitted = fit_costs(
        counts,
        np.where(minutes[:, None] >= since, units, np.nan),
        weights=0.5 ** (ages / _HALVING_MINUTES),
        may_cost=may_cost,
        prior=costs,
        trust=np.where(was_fitted, _PRIOR_MINUTES, _NO_PRIOR_MINUTES),
    )
    route = np.where(at[0] < len(state.costs) - 1, at[0], -1)
    return replace(
        state,
        costs=put(state.costs, due, fitted),
        error=put(state.error, due, _score(missed, units, error)),
        since=put(state.since, due, since),
        fitted=put(state.fitted, due, state.closed),
        drifted_at=put(state.drifted_at, drifted, now),
        drifted=put(state.drifted, drifted, route),
        cost_before=put(state.cost_before, drifted, before),
        cost_after=put(state.cost_after, drifted, costs[at]),
    )


def _counted(state: RouteCosts) -> tuple[Ints, Floats]:
    """The minutes whose requests are known, ascending, and the requests, with what goes by itself
    as one more, (k, r + 1).
    """
    minutes = np.arange(state.closed + 1 - KEPT, state.closed + 1)
    counts = state.counts[minutes % KEPT, :, 0]
    is_known = ~np.isnan(counts).any(axis=1)
    counts = counts[is_known]
    return minutes[is_known], np.concatenate([counts, np.ones((len(counts), 1))], axis=1)


def _score(missed: Floats, units: Floats, error: Floats) -> Floats:
    """``error`` with the share missed of minutes newly known, (m,)."""
    is_known = ~np.isnan(missed)
    lost = np.where(is_known, missed**2, 0.0).sum(axis=0)
    whole = np.where(is_known, units**2, 0.0).sum(axis=0)
    share = np.sqrt(lost / np.where(whole > 0, whole, np.nan))
    learned = np.where(np.isnan(error), share, error + (1 - _ERROR_MEMORY) * (share - error))
    return np.where(np.isnan(share), error, learned)


def _may_cost(signal_table: Floats, table_of: Ints) -> Bools:
    """Which routes may cost which targets, (r + 1, m): any but those of another table."""
    own = np.isnan(signal_table)[:, None] | (signal_table[:, None] == table_of)
    return np.concatenate([own, np.ones((1, len(table_of)), dtype=np.bool_)])


def _follow(
    before: RouteCosts, after: RouteCosts, slots: Ints, coverage: CoverageState
) -> CoverageState:
    """Coverage as if demand of ``slots`` had been reckoned by the new costs all along.

    Its correction changes the other way, so that demand stays what it was.
    """
    if not len(slots):
        return coverage
    minutes, counts = _counted(after)
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
