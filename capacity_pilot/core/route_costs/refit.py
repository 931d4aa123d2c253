"""Costs fitted anew, scored by minutes not seen before, and corrected where one has drifted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints, put
from capacity_pilot.core.route_costs.drift import find_drift
from capacity_pilot.core.route_costs.fitting import fit_costs
from capacity_pilot.core.route_costs.state import KEPT, RouteCosts, list_counted

_HALVING_MINUTES = 120.0
_PRIOR_MINUTES, _NO_PRIOR_MINUTES = 10.0, 0.01
_ERROR_MEMORY = 0.5


def refit(state: RouteCosts, due: Ints, may_cost: Bools, now: float) -> RouteCosts:
    """Costs of the targets ``due`` (m,), scored first by the minutes they have not seen."""
    minutes, counts = list_counted(state)
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


def _score(missed: Floats, units: Floats, error: Floats) -> Floats:
    """``error`` with the share missed of minutes newly known, (m,)."""
    is_known = ~np.isnan(missed)
    lost = np.where(is_known, missed**2, 0.0).sum(axis=0)
    whole = np.where(is_known, units**2, 0.0).sum(axis=0)
    share = np.sqrt(lost / np.where(whole > 0, whole, np.nan))
    learned = np.where(np.isnan(error), share, error + (1 - _ERROR_MEMORY) * (share - error))
    return np.where(np.isnan(share), error, learned)


def find_payers(signal_table: Floats, table_of: Ints) -> Bools:
    """Which routes may cost which targets, (r + 1, m): any but those of another table."""
    own = np.isnan(signal_table)[:, None] | (signal_table[:, None] == table_of)
    return np.concatenate([own, np.ones((1, len(table_of)), dtype=np.bool_)])
