"""How much of consumption spans tell of, and demand corrected for the rest.

CloudWatch counts every unit, minutes late; spans come in seconds, of those who trace and are
sampled. Minutes known to both give each target its coverage (``minutes``, ``ratio``), live demand
is corrected by it (``correction``), and where it is not known well enough nothing is lowered
(``doubts``). ``reading`` says whose minutes are worth their price.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from capacity_pilot.core.coverage.correction import move_factor
from capacity_pilot.core.coverage.doubts import doubt_coverage, find_unseen, note_throttles
from capacity_pilot.core.coverage.minutes import (
    MINUTE_S,
    MINUTES,
    NO_NEWS,
    ConsumedMinutes,
    close_minutes,
    note_consumed,
    note_throttled,
)
from capacity_pilot.core.coverage.ratio import AT_ONCE, compare_minutes
from capacity_pilot.core.coverage.state import CoverageState
from capacity_pilot.core.demand import Arrivals, DemandState
from capacity_pilot.core.fleet import put

_COMPARED_WITHIN = 15
"""Minutes ago: until then they may be missed or revised."""


def learn_coverage(
    state: CoverageState, demand: DemandState, news: ConsumedMinutes | None, now: float
) -> tuple[CoverageState, DemandState]:
    """Takes in CloudWatch's ``news`` of minutes; without any nothing changes.

    Demand already known is put on the new scale along with what is to come: a correction is no
    change of demand.
    """
    if news is None or not len(news.slots):
        return state, demand
    news = _leave_out_old(news, now)
    if not len(news.slots):
        return state, demand
    after = _compare(state, demand, news, now)
    coverage = np.where(after.is_unseen, 0.0, after.ratio)
    after = replace(after, doubts=doubt_coverage(after, now), coverage=coverage)
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
    return after if minutes is noted else replace(after, doubts=doubt_coverage(after, now))


def _leave_out_old(news: ConsumedMinutes, now: float) -> ConsumedMinutes:
    """Minutes that are old by now come again for whoever asks if there was anything in them at all;
    with those that are kept they could not be compared any more.
    """
    is_young = news.minutes >= int(now) // MINUTE_S - _COMPARED_WITHIN
    if is_young.all():
        return news
    return ConsumedMinutes(
        news.slots[is_young],
        news.minutes[is_young],
        news.consumed[is_young],
        news.throttle_events[is_young],
    )


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
        factor=put(state.factor, slots, move_factor(state.factor[slots], found)),
        ratio_before=put(state.ratio_before, changed, before),
        changed_at=put(state.changed_at, changed, now),
        is_suspect=put(state.is_suspect, slots, found.is_suspect),
        is_unseen=put(state.is_unseen, slots, find_unseen(consumed, recent, last_seen, since)),
        throttles_told_at=note_throttles(state.throttles_told_at, demand, news, now),
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


__all__ = [
    "NO_NEWS",
    "ConsumedMinutes",
    "CoverageState",
    "correct",
    "keep_minutes",
    "learn_coverage",
]
