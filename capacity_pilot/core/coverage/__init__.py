"""How much of consumption spans tell of, and demand corrected for the rest.

CloudWatch counts every unit, minutes late; spans come in seconds, of those who trace and are
sampled. Minutes known to both give each target its coverage (``minutes``, ``ratio``), live demand
is divided by it, and what it is not known well enough for is no ground for scale-in. ``reading``
says whose minutes are worth their price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from capacity_pilot.core.coverage.minutes import (
    MINUTE_S,
    MINUTES,
    NO_NEWS,
    ConsumedMinutes,
    Minutes,
    close_minutes,
    last_whole_minute,
    note_consumed,
    note_throttled,
)
from capacity_pilot.core.coverage.ratio import AT_ONCE, LEAST_MINUTES, Comparison, compare_minutes
from capacity_pilot.core.demand import Arrivals, DemandState
from capacity_pilot.core.fleet import Bools, Floats, Ints, put
from capacity_pilot.core.reasons import Reason, Reasons

FRESH_S = 600.0
"""Coverage counts as known so long after the end of the last minute compared."""

NEWS_S = 600.0
"""How long a change of coverage is news: meanwhile there is no scale-in."""

_THROTTLES_S = 300.0
_LEAST_RATIO = 0.005
_MOST_ERROR = 0.2
_MOST_SPREAD = 0.3
_NEARLY_ALL = 0.9
_LEAST_FACTOR, _MOST_FACTOR = 0.25, 200.0
_LEAST_MOVE = 0.03
_CONSISTENT_MINUTES = 10
_UNSEEN_MINUTES = 2


@dataclass(frozen=True, slots=True)
class CoverageState:
    """What coverage remembers. All (n,), NaN for unknown or never, times in Unix seconds.

    ``ratio``, ``error``, ``spread``, ``compared``, ``since`` and ``is_suspect`` as in
    ``ratio.Comparison``; ``newest_at`` is when the last minute known to both ended. ``factor`` is
    what demand is multiplied by. ``ratio_before`` was the ratio until ``changed_at``, when a change
    was noticed. ``is_unseen``: CloudWatch goes on counting, but no span tells of it.
    ``throttles_told_at`` is when CloudWatch last told of throttles that no span had told of.
    ``doubts`` are the reasons not to lower capacity on what is known of ``coverage``: the share of
    units spans tell of, 0 where they tell of none.
    """

    minutes: Minutes
    ratio: Floats
    error: Floats
    spread: Floats
    compared: Ints
    since: Ints
    newest_at: Floats
    factor: Floats
    ratio_before: Floats
    changed_at: Floats
    is_suspect: Bools
    is_unseen: Bools
    throttles_told_at: Floats
    doubts: Reasons
    coverage: Floats
    is_correcting: bool = False

    @classmethod
    def empty(cls, size: int, now: float) -> Self:
        unknown = np.full(size, np.nan)
        return cls(
            minutes=Minutes.empty(size, now),
            ratio=unknown,
            error=unknown,
            spread=unknown,
            compared=np.zeros(size, dtype=np.int64),
            since=np.full(size, last_whole_minute(now) + 1),
            newest_at=unknown,
            factor=np.ones(size),
            ratio_before=unknown,
            changed_at=unknown,
            is_suspect=np.zeros(size, dtype=np.bool_),
            is_unseen=np.zeros(size, dtype=np.bool_),
            throttles_told_at=unknown,
            doubts=np.full(size, Reason.COVERAGE_UNKNOWN.value),
            coverage=unknown,
        )


def learn_coverage(
    state: CoverageState, demand: DemandState, news: ConsumedMinutes | None, now: float
) -> tuple[CoverageState, DemandState]:
    """Takes in CloudWatch's ``news`` of minutes; without any nothing changes.

    Demand already known is put on the new scale along with what is to come: a correction is no
    change of demand.
    """
    if news is None or not len(news.slots):
        return state, demand
    after = _compare(state, demand, news, now)
    coverage = np.where(after.is_unseen, 0.0, after.ratio)
    after = replace(after, doubts=_doubt(after, now), coverage=coverage)
    if np.array_equal(after.factor, state.factor):
        return after, demand
    units = demand.units * (after.factor / state.factor)
    is_correcting = bool(np.count_nonzero(after.factor != 1.0))
    return replace(after, is_correcting=is_correcting), replace(demand, units=units)


def correct(state: CoverageState, arrivals: Arrivals) -> Arrivals:
    """What spans told, as all of demand: multiplied by each target's factor."""
    if not state.is_correcting:
        return arrivals
    units = arrivals.units * state.factor[arrivals.slots]
    return Arrivals(arrivals.slots, arrivals.seconds, units, arrivals.refusals, arrivals.throttled)


def keep_minutes(
    state: CoverageState, demand: DemandState, arrivals: Arrivals, now: float
) -> CoverageState:
    """Sums up what spans told, once a minute; ``arrivals`` uncorrected, ``demand`` after them."""
    noted = note_throttled(state.minutes, arrivals)
    minutes = close_minutes(noted, demand, state.factor, now)
    if minutes is state.minutes:
        return state
    after = replace(state, minutes=minutes)
    return after if minutes is noted else replace(after, doubts=_doubt(after, now))


def _compare(
    state: CoverageState, demand: DemandState, news: ConsumedMinutes, now: float
) -> CoverageState:
    """The state with the targets of the news compared anew."""
    state = replace(state, minutes=note_consumed(state.minutes, news))
    slots = np.unique(news.slots)
    recent = state.minutes.recent()
    rows = recent % MINUTES
    told = state.minutes.told[rows][:, slots]
    consumed = state.minutes.consumed[rows][:, slots]
    since, has_changed = state.since[slots], np.zeros(len(slots), dtype=np.bool_)
    for minute in _minutes_to_compare(state, news):
        found = compare_minutes(told, consumed, recent, since=since, until=minute)
        since, has_changed = found.since, has_changed | found.has_changed
    changed, before = slots[has_changed], state.ratio[slots][has_changed]
    last_seen = demand.last_seen[slots]
    return replace(
        state,
        ratio=put(state.ratio, slots, found.ratio),
        error=put(state.error, slots, found.error),
        spread=put(state.spread, slots, found.spread),
        compared=put(state.compared, slots, found.compared),
        since=put(state.since, slots, since),
        newest_at=put(state.newest_at, slots, (found.newest + 1) * MINUTE_S),
        factor=put(state.factor, slots, _move_factor(state.factor[slots], found)),
        ratio_before=put(state.ratio_before, changed, before),
        changed_at=put(state.changed_at, changed, now),
        is_suspect=put(state.is_suspect, slots, found.is_suspect),
        is_unseen=put(state.is_unseen, slots, _is_unseen(consumed, recent, last_seen, since)),
        throttles_told_at=_note_throttles(state.throttles_told_at, demand, news, now),
    )


def _minutes_to_compare(state: CoverageState, news: ConsumedMinutes) -> list[int]:
    """Up to which minutes to compare, one after the other.

    A few new ones are told apart from the rest at once. Of many, those in which coverage had
    changed would pass for the rest.
    """
    last = state.minutes.closed + 1
    is_new = (news.minutes <= last) & ~(news.minutes * MINUTE_S < state.newest_at[news.slots])
    is_new &= news.minutes >= state.since[news.slots]
    new = np.unique(news.minutes[is_new]).tolist()
    return [*new[:-1], last] if len(new) > AT_ONCE else [last]


def _move_factor(factor: Floats, found: Comparison) -> Floats:
    """The factors the comparison asks for, (m,), where it is sure that they are others.

    Upward two minutes are enough, and the error is added; down it takes three. What spans tell
    of is only scaled down when CloudWatch has counted less for ten minutes.
    """
    ratio, error = np.maximum(found.ratio, 1e-9), found.error
    is_excess = (found.compared >= _CONSISTENT_MINUTES) & (ratio - 3 * error > 1)
    wanted = np.where(is_excess, 1 / ratio, 1 / np.clip(ratio - error, 1 / _MOST_FACTOR, 1.0))
    sure = np.maximum(_LEAST_MOVE, 2 * error / ratio)
    wanted = np.where(np.abs(np.log(ratio)) <= sure, 1.0, np.maximum(wanted, _LEAST_FACTOR))
    enough = np.where(wanted > factor, found.compared >= 2, found.compared >= LEAST_MINUTES)
    moves = (np.abs(np.log(wanted / factor)) > sure) & enough
    return np.where(moves, wanted, factor)


def _is_unseen(consumed: Floats, minutes: Ints, last_seen: Floats, since: Ints) -> Bools:
    """True where the newest minutes CloudWatch knows have units, and no span is that young."""
    is_told = ~np.isnan(consumed) & (minutes[:, None] >= since)
    rank = is_told[::-1].cumsum(axis=0)[::-1]
    seen = np.where(np.isnan(last_seen), -np.inf, last_seen)
    silent = (consumed > 0) & (minutes[:, None] * MINUTE_S > seen)
    newest: Bools = (is_told & (rank <= _UNSEEN_MINUTES) & silent).sum(axis=0) == _UNSEEN_MINUTES
    return newest


def _note_throttles(
    told_at: Floats, demand: DemandState, news: ConsumedMinutes, now: float
) -> Floats:
    began = news.minutes * float(MINUTE_S)
    # NaN compares false: no throttle known, and none told of.
    is_told = demand.last_refused[news.slots] >= began
    is_untold = (news.throttle_events > 0) & ~is_told & (now - began <= FRESH_S)
    return put(told_at, news.slots[is_untold], now)


def _doubt(state: CoverageState, now: float) -> Reasons:
    """The reasons not to lower capacity on what is known of coverage at ``now``, (n,)."""
    is_known = (state.compared >= LEAST_MINUTES) & (now - state.newest_at <= FRESH_S)
    is_known &= state.error <= _MOST_ERROR * state.ratio
    # Of sampling alone noise is all that comes, and that is the forecast's to bear.
    is_partial = state.ratio + 2 * state.error < _NEARLY_ALL
    is_low = state.is_unseen | (state.ratio < _LEAST_RATIO)
    is_low |= is_partial & (state.spread > _MOST_SPREAD)
    has_changed = now - state.changed_at < NEWS_S
    is_throttled = now - state.throttles_told_at < _THROTTLES_S
    doubts: Reasons = (
        ~is_known * Reason.COVERAGE_UNKNOWN.value
        | is_low * Reason.LOW_COVERAGE.value
        | has_changed * Reason.COVERAGE_CHANGED.value
        | is_throttled * Reason.THROTTLING.value
    )
    return doubts


__all__ = [
    "FRESH_S",
    "NEWS_S",
    "NO_NEWS",
    "ConsumedMinutes",
    "CoverageState",
    "correct",
    "keep_minutes",
    "learn_coverage",
]
