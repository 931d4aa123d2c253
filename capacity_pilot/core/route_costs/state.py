"""What is known of routes' requests, of what was consumed, and of what the ones cost the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.coverage.minutes import MINUTE_S, MINUTES
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream.signals import RING_S, SignalState

KEPT = 240
"""Minutes kept: a target weighs about 1 kB for them, and 8 bytes for every route."""

_ALIVE_S = 50


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


def make_room(state: RouteCosts, routes: int, renewed: Ints) -> RouteCosts:
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


def take_in(state: RouteCosts, signals: SignalState, coverage: CoverageState) -> RouteCosts:
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


def list_counted(state: RouteCosts) -> tuple[Ints, Floats]:
    """The minutes whose requests are known, ascending, and the requests, with what goes by itself
    as one more, (k, r + 1).
    """
    minutes = np.arange(state.closed + 1 - KEPT, state.closed + 1)
    counts = state.counts[minutes % KEPT, :, 0]
    is_known = ~np.isnan(counts).any(axis=1)
    counts = counts[is_known]
    return minutes[is_known], np.concatenate([counts, np.ones((len(counts), 1))], axis=1)
