"""Targets that nobody asks anything of, and what their policy has done with their capacity.

No demand is nowhere to be read: silence is not zero, and CloudWatch gets nothing of a minute
without requests. But of a target whose provisioned capacity it has for a minute, it has what was
consumed then as well. So silence is *witnessed* from one such minute to the next, and counts only
while it is. Whoever is idle for as long as the policy says may be lowered below its minimum, if
spans would tell of its first request: they told of nearly all when it was last in use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np

from capacity_pilot.core.coverage import ConsumedMinutes, CoverageState
from capacity_pilot.core.coverage.doubts import was_covered
from capacity_pilot.core.coverage.minutes import MINUTE_S
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints, put
from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.guards import Situation
from capacity_pilot.core.policy_arrays import PolicyArrays
from capacity_pilot.core.reasons import Reason, Reasons
from capacity_pilot.core.sizing import Sizing

MOST_UNWATCHED_S: Final = 3600.0
"""CloudWatch is asked for idle targets every quarter of an hour, and is minutes late. After a
longer time without its word nobody knows what there was: the count begins anew."""

_WAKING_S: Final = 900.0


class Published(NamedTuple):
    """Of which ``slots`` CloudWatch has told all it has, and of no unit after the last it told of,
    up to ``until`` (Unix seconds), (m,) each.
    """

    slots: Ints
    until: Floats


@dataclass(frozen=True, slots=True)
class IdleState(ArrayState):
    """All (n,), Unix seconds, NaN for never or not now.

    Nothing was asked of a target from ``since`` to ``until``, as was witnessed. It ``is_lowered``:
    by the rule it may have less than its minimum. At ``woken_at`` that ended, and what is safe is
    not there again yet. ``is_at_rest``: no silence is witnessed, and nobody is waking.
    """

    since: Floats
    until: Floats
    is_lowered: Bools
    woken_at: Floats
    is_at_rest: bool = True

    @classmethod
    def empty(cls, size: int) -> Self:
        never = np.full(size, np.nan)
        return cls(never, never, np.zeros(size, dtype=np.bool_), never)

    @property
    def idle_s(self) -> Floats:
        """For how long each is known to be idle, NaN where it is not."""
        return self.until - self.since


class Idling(NamedTuple):
    """What follows for each slot, (n,), units/s: where it ``is_lowered`` it is to go to ``level``,
    and may, ``floor`` being its least otherwise. ``least`` is what one that woke is to have, NaN
    elsewhere.
    """

    is_lowered: Bools
    level: Floats
    floor: Floats
    least: Floats
    reasons: Reasons


class Evidence(NamedTuple):
    """What spans told of demand, and of what share of units; CloudWatch's ``news`` of minutes, and
    up to when they are all there were. ``None`` where CloudWatch was not asked.
    """

    demand: DemandState
    coverage: CoverageState
    news: ConsumedMinutes | None
    published: Published | None


def watch_idle(
    state: IdleState,
    told: Evidence,
    policy: PolicyArrays,
    *,
    provisioned: Floats,
    now: float,
) -> tuple[IdleState, Idling | None]:
    """Goes on counting; no ``Idling`` where no rule has anything to say.

    Spans of a target, and units or throttles of it in CloudWatch's news, end its silence.
    """
    if told.published is None and state.is_at_rest:
        return state, None
    since, until = _witness(state, told, now)
    is_idle = find_idle(policy, until - since)
    level = policy.floor if policy.idle is None else policy.idle.lower_to
    is_lowered = is_idle & ~np.isnan(level) & was_covered(told.coverage)
    woken_at = np.where(state.is_lowered & ~is_lowered & policy.is_managed, now, state.woken_at)
    safe = np.fmax(policy.safe, policy.floor)
    is_waking = ~is_lowered & (now - woken_at < _WAKING_S) & (provisioned < safe)
    woken_at = np.where(is_waking, woken_at, np.nan)
    is_at_rest = bool(np.isnan(since).all()) and not np.count_nonzero(is_waking)
    after = IdleState(since, until, is_lowered, woken_at, is_at_rest)
    is_unsure = is_idle & ~is_lowered & ~np.isnan(level)
    return after, Idling(
        is_lowered=is_lowered,
        level=level,
        floor=np.where(is_lowered, np.minimum(level, policy.floor), policy.floor),
        least=np.where(is_waking, safe, np.nan),
        reasons=is_idle * Reason.IDLE.value
        | is_unsure * Reason.COVERAGE_UNKNOWN.value
        | is_waking * Reason.WOKEN.value,
    )


def find_idle(policy: PolicyArrays, idle_s: Floats) -> Bools:
    """Who is idle by its policy's rule, known to be without demand for ``idle_s``, (n,) each."""
    if policy.idle is None:
        return np.zeros(len(idle_s), dtype=np.bool_)
    found: Bools = policy.is_managed & (idle_s >= policy.idle.after_s)  # NaN is not
    return found


def rest(
    idling: Idling | None, ahead: Forecast, sizing: Sizing, provisioned: Floats
) -> tuple[Forecast, Sizing]:
    """Of what is lowered, the forecast of when it was last heard of no longer holds: its demand is
    known, and nothing.
    """
    if idling is None or not np.count_nonzero(idling.is_lowered):
        return ahead, sizing
    is_lowered, level = idling.is_lowered, idling.level
    return ahead._replace(
        level=np.where(is_lowered, 0.0, ahead.level),
        expected=np.where(is_lowered, 0.0, ahead.expected),
        is_fresh=ahead.is_fresh | is_lowered,
    ), Sizing(
        least=np.where(is_lowered, np.minimum(level, provisioned), sizing.least),
        sustained=np.where(is_lowered, level, sizing.sustained),
        resting=np.where(is_lowered, level, sizing.resting),
        seconds_to_throttle=np.where(is_lowered, np.inf, sizing.seconds_to_throttle),
    )


def bend(policy: PolicyArrays, idling: Idling | None) -> PolicyArrays:
    """The policy of the slots as they are: what is known to be idle may have less than its minimum,
    and needs no level that is safe while nothing is known.
    """
    if idling is None or not np.count_nonzero(idling.is_lowered):
        return policy
    safe = np.where(idling.is_lowered, np.nan, policy.safe)
    return replace(policy, floor=idling.floor, safe=safe)


def admit(idling: Idling | None, at: Situation) -> Situation:
    """What guards look at: witnessed silence is no doubt, and who woke needs what is safe."""
    if idling is None:
        return at
    doubts = at.coverage_doubts
    return at._replace(
        least=np.fmax(at.least, idling.least),
        is_fresh=at.is_fresh | idling.is_lowered,
        coverage_doubts=None if doubts is None else np.where(idling.is_lowered, 0, doubts),
    )


def _witness(state: IdleState, told: Evidence, now: float) -> tuple[Floats, Floats]:
    """From when to when nothing was asked, after what is new."""
    since, until, asked_at = state.since, state.until, told.demand.last_seen
    news, published = told.news, told.published
    if news is not None and len(news.slots):
        is_use = (news.consumed > 0) | (news.throttle_events > 0)  # false for NaN
        asked_at = asked_at.copy()
        ended = (news.minutes[is_use] + 1.0) * MINUTE_S
        np.fmax.at(asked_at, news.slots[is_use], ended)
    is_over = (asked_at > since) | ~(now - until <= MOST_UNWATCHED_S) | (since > now)
    since, until = np.where(is_over, np.nan, since), np.where(is_over, np.nan, until)
    if published is None or not len(published.slots):
        return since, until
    slots, at = published
    is_silent = ~(at <= asked_at[slots]) & (at <= now) & (now - at <= MOST_UNWATCHED_S)
    slots, at = slots[is_silent], at[is_silent]
    goes_on = at - until[slots] <= MOST_UNWATCHED_S  # false for NaN
    since = put(since, slots, np.where(goes_on, since[slots], at))
    return since, put(until, slots, np.fmax(until[slots], at))
