"""Why what spans tell of a target is no ground for lowering its capacity."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.coverage.minutes import MINUTE_S, ConsumedMinutes
from capacity_pilot.core.coverage.ratio import LEAST_MINUTES
from capacity_pilot.core.coverage.state import CoverageState
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Bools, Floats, Ints, put
from capacity_pilot.core.reasons import Reason, Reasons

_FRESH_S = 600.0  # so long after the last minute compared coverage counts as known
_NEWS_S = 600.0  # so long a change of it is news
_THROTTLES_S = 300.0
_LEAST_RATIO = 0.005
_MOST_ERROR = 0.2
_MOST_SPREAD = 0.3
_NEARLY_ALL = 0.9
_UNSEEN_MINUTES = 2


def doubt_coverage(state: CoverageState, now: float) -> Reasons:
    """The reasons not to lower capacity on what is known of coverage at ``now``, (n,)."""
    is_known = _is_measured(state) & (now - state.newest_at <= _FRESH_S)
    # Of sampling alone noise is all that comes, and that is the forecast's to bear.
    is_partial = state.ratio + 2 * state.error < _NEARLY_ALL
    is_low = state.is_unseen | (state.ratio < _LEAST_RATIO)
    is_low |= is_partial & (state.spread > _MOST_SPREAD)
    has_changed = now - state.changed_at < _NEWS_S
    is_throttled = now - state.throttles_told_at < _THROTTLES_S
    doubts: Reasons = (
        ~is_known * Reason.COVERAGE_UNKNOWN.value
        | is_low * Reason.LOW_COVERAGE.value
        | has_changed * Reason.COVERAGE_CHANGED.value
        | is_throttled * Reason.THROTTLING.value
    )
    return doubts


def was_covered(state: CoverageState) -> Bools:
    """Whether spans told of nearly all of a target when it was last in use, (n,)."""
    covered: Bools = _is_measured(state) & ((state.doubts & Reason.LOW_COVERAGE.value) == 0)
    return covered


def _is_measured(state: CoverageState) -> Bools:
    """Whether enough minutes were compared for the ratio to be certain, however long ago, (n,)."""
    measured: Bools = state.compared >= LEAST_MINUTES
    measured &= state.error <= _MOST_ERROR * state.ratio
    return measured


def find_unseen(consumed: Floats, minutes: Ints, last_seen: Floats, since: Ints) -> Bools:
    """True where the newest minutes CloudWatch knows have units, and no span is that young."""
    is_told = ~np.isnan(consumed) & (minutes[:, None] >= since)
    rank = is_told[::-1].cumsum(axis=0)[::-1]
    seen = np.where(np.isnan(last_seen), -np.inf, last_seen)
    silent = (consumed > 0) & (minutes[:, None] * MINUTE_S > seen)
    newest: Bools = (is_told & (rank <= _UNSEEN_MINUTES) & silent).sum(axis=0) == _UNSEEN_MINUTES
    return newest


def note_throttles(
    told_at: Floats, demand: DemandState, news: ConsumedMinutes, now: float
) -> Floats:
    """``told_at`` (n,) with those of whose throttles CloudWatch tells, and no span had told."""
    began = news.minutes * float(MINUTE_S)
    # NaN compares false: no throttle known, and none told of.
    is_told = demand.last_refused[news.slots] >= began
    is_untold = (news.throttle_events > 0) & ~is_told & (now - began <= _FRESH_S)
    return put(told_at, news.slots[is_untold], now)
