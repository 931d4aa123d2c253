"""How far down the pilot has come with what it hears of a target, and what it still does there.

Spans tell of demand in seconds, CloudWatch of consumption in minutes. Where spans are lost and
CloudWatch is not, capacity still follows consumption up, slower; where neither tells anything it
is held; and where that lasts, the target is handed back: to Application Auto Scaling, or to the
level the policy calls safe. Nothing is lowered below ``NO_UPSTREAM``. The way down is taken at
once, the way up only after ``CLIMB_S`` of hearing more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, NamedTuple, Self

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.coverage import ConsumedMinutes
from capacity_pilot.core.coverage.minutes import MINUTE_S, MINUTES, Minutes
from capacity_pilot.core.demand import DemandState, is_fresh
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.upstream import UpstreamState, find_deaf
from capacity_pilot.core.policy_arrays import PolicyArrays
from capacity_pilot.core.reasons import Reason, Reasons

CLIMB_S: Final = 30.0
"""More has to be heard for so long before a target climbs back."""

_HEARD_S: Final = 300.0
"""A minute that began longer ago says nothing of the present: one is out after two, and read within
the next one or two."""

_REACH: Final = 8  # minutes that may lie within ``_HEARD_S``, and the ones before them
_TARGET: Final = 0.7
_REFILL: Final = 0.6
"""Above 70 % of capacity used there is a raise to where 60 % is. 70 % is AWS's own example of a
target; a raise to just there would be due again with the next minute's noise."""

_THROTTLED: Final = 1.5
"""A minute with throttles asked for more than it got, and nobody counts how much."""


class Rung(IntEnum):
    """What a target is driven by, best first."""

    FULL = 0
    NO_UPSTREAM = 1
    CLOUDWATCH = 2
    HOLD = 3
    HAND_BACK = 4


# Plain integers, since compiled code knows no enumerations.
_FULL, _NO_UPSTREAM, _CLOUDWATCH, _HOLD, _HAND_BACK = (rung.value for rung in Rung)
_BY_CLOUDWATCH, _SAFE_LEVEL = Reason.BY_CLOUDWATCH.value, Reason.SAFE_LEVEL.value

RUNG_WORDING: Final = {
    Rung.FULL: "spans are heard",
    Rung.NO_UPSTREAM: "spans are heard, the signals that demand follows are not",
    Rung.CLOUDWATCH: "no spans: raised by CloudWatch's late minutes, never lowered",
    Rung.HOLD: "neither spans nor CloudWatch tell of it: held, idle or unheard",
    Rung.HAND_BACK: "nothing known for the policy's hand_back_after: handed back",
}

CLIMBING: Final = f"more is heard again: believed once that has lasted {CLIMB_S:.0f} s"
"""What is to be said of a target on its way back up, of which a rung's words are true no more."""


@dataclass(frozen=True, slots=True)
class LadderState:
    """All (n,), times in Unix seconds, NaN for never.

    ``rung`` is where each target stands, 0 where it is not the pilot's, ``better_since`` since when
    more is heard than its rung needs; ``known_at`` is when last anything was known of it.
    ``throttled`` is the newest minute, by its beginning, of whose throttles CloudWatch told.
    ``seen_before`` is the newest second of spans known from before a pause: it is nothing heard.
    """

    rung: Ints
    better_since: Floats
    known_at: Floats
    throttled: Floats
    seen_before: Floats

    @classmethod
    def empty(cls, size: int, now: float) -> Self:
        """Nothing was heard yet, since ``now``."""
        return cls(
            rung=np.full(size, _HOLD),
            better_since=np.full(size, np.nan),
            known_at=np.full(size, float(now)),
            throttled=np.full(size, np.nan),
            seen_before=np.full(size, np.nan),
        )

    def resumed(self, last_seen: Floats, now: float) -> Self:
        """After a pause in which nobody listened: what nobody heard is no silence, and spans up to
        ``last_seen`` (n,), which this process did not hear, are no hearing.
        """
        fresh = self.empty(len(self.rung), now)
        return replace(fresh, rung=self.rung, seen_before=last_seen.copy())

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is left to be moved while all targets are heard."""
        return not np.count_nonzero(self.rung) and bool(np.isnan(self.seen_before).all())


class Heard(NamedTuple):
    """What is heard of the fleet: spans, CloudWatch's minutes and its news of them, and signals."""

    demand: DemandState
    minutes: Minutes
    news: ConsumedMinutes | None
    upstream: UpstreamState


class Footing(NamedTuple):
    """What follows, (n,): whether spans may be believed to be back, and the capacity to have at
    least, units/s, NaN where the rung asks for none, with the reason for it.
    """

    is_heard: Bools
    least: Floats
    reasons: Reasons


def step_ladder(
    state: LadderState,
    heard: Heard,
    policy: PolicyArrays,
    *,
    provisioned: Floats,
    has_scaler: Bools | None,
    now: float,
) -> tuple[LadderState, Footing | None]:
    """Moves every target to its rung; no ``Footing`` where all are heard and none was lost.

    ``has_scaler`` (n,) is where Application Auto Scaling has a scalable target: it is what such a
    target is handed back to, and no safe level is set beside it.
    """
    deaf = find_deaf(heard.upstream, now)
    size = len(state.rung)
    is_new = ~(heard.demand.last_seen <= state.seen_before)  # NaN, none before, is below nothing
    fresh = is_fresh(heard.demand, now) & is_new
    is_lost = deaf is not None or np.count_nonzero(policy.is_managed & ~fresh)
    if not is_lost and state.is_at_rest:
        return state, None
    throttled = _note_throttled(state.throttled, heard.news)
    rung, since, known_at = state.rung.copy(), state.better_since.copy(), state.known_at.copy()
    footing = Footing(np.empty(size, np.bool_), np.full(size, np.nan), np.zeros(size, np.int64))
    _step(
        rung,
        since,
        known_at,
        footing.is_heard,
        footing.least,
        footing.reasons,
        throttled,
        policy.is_managed,
        fresh,
        heard.demand.last_seen,
        heard.minutes.consumed,
        heard.minutes.closed,
        np.zeros(size, np.bool_) if deaf is None else deaf,
        provisioned,
        np.where(False if has_scaler is None else has_scaler, np.nan, policy.safe),
        policy.hand_back_after_s,
        float(now),
    )
    seen_before = np.where(policy.is_managed & ~is_new, state.seen_before, np.nan)
    return LadderState(rung, since, known_at, throttled, seen_before), footing


def _note_throttled(throttled: Floats, news: ConsumedMinutes | None) -> Floats:
    if news is None or not np.count_nonzero(is_throttled := news.throttle_events > 0):
        return throttled
    throttled = throttled.copy()
    began = news.minutes[is_throttled] * float(MINUTE_S)
    np.fmax.at(throttled, news.slots[is_throttled], began)
    return throttled


@compiled
def _step(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    rung: Ints,
    better_since: Floats,
    known_at: Floats,
    is_heard: Bools,
    least: Floats,
    reasons: Ints,
    throttled: Floats,
    is_managed: Bools,
    fresh: Bools,
    last_seen: Floats,
    consumed: Floats,
    closed: int,
    is_deaf: Bools,
    provisioned: Floats,
    safe: Floats,
    hand_back_after_s: Floats,
    now: float,
) -> None:
    """Writes to the first six, slot by slot."""
    size = len(rung)
    newest = np.empty(size, dtype=np.int64)
    answers = False
    for slot in range(size):
        newest[slot] = _newest_minute(consumed, slot, closed, now)
        answers = answers or newest[slot] >= 0
    for slot in range(size):
        if not is_managed[slot]:
            rung[slot], is_heard[slot] = _FULL, fresh[slot]
            continue
        allowed = _HOLD
        if fresh[slot]:
            allowed = _NO_UPSTREAM if is_deaf[slot] else _FULL
        elif newest[slot] >= 0:
            allowed = _CLOUDWATCH
        if allowed != _HOLD or rung[slot] <= _NO_UPSTREAM:
            known_at[slot] = now
        # While CloudWatch tells of others, what it does not tell of has no requests.
        is_lost = not answers and now - known_at[slot] >= hand_back_after_s[slot]
        if allowed == _HOLD and (is_lost or rung[slot] == _HAND_BACK):
            allowed = _HAND_BACK
        # Before now: the second it is lost in asks for nothing.
        was_lost = rung[slot] >= _CLOUDWATCH
        rung[slot], better_since[slot] = _move(rung[slot], better_since[slot], allowed, now)
        is_heard[slot] = fresh[slot] and rung[slot] <= _NO_UPSTREAM
        # A minute that spans told half of was decided by already; NaN, never seen, compares false.
        is_told = newest[slot] * MINUTE_S + MINUTE_S // 2 <= last_seen[slot]
        if allowed == _CLOUDWATCH and was_lost and not is_told:
            used = _reckon_use(consumed, slot, newest[slot], throttled[slot])
            if used > _TARGET * provisioned[slot]:
                least[slot], reasons[slot] = used / _REFILL, _BY_CLOUDWATCH
        elif rung[slot] == _HAND_BACK and safe[slot] > provisioned[slot]:
            least[slot], reasons[slot] = safe[slot], _SAFE_LEVEL


@compiled
def _newest_minute(consumed: Floats, slot: int, closed: int, now: float) -> int:
    """The newest minute CloudWatch knows units of, if it is young enough to count, else -1."""
    for minute in range(closed + 1, closed + 1 - _REACH, -1):
        if now - minute * MINUTE_S > _HEARD_S:
            return -1
        if consumed[minute % MINUTES, slot] > 0:
            return minute
    return -1


@compiled
def _move(rung: int, since: float, allowed: int, now: float) -> tuple[int, float]:
    if allowed >= rung:
        return allowed, np.nan
    if np.isnan(since) or since > now:
        return rung, now
    return (allowed, np.nan) if now - since >= CLIMB_S else (rung, since)


@compiled
def _reckon_use(consumed: Floats, slot: int, newest: int, throttled: float) -> float:
    """Units/s in use by now: the higher of two minutes, and what it rose by between them once more,
    since the newest is as old when it is read.
    """
    last = consumed[newest % MINUTES, slot] / MINUTE_S
    before = consumed[(newest - 1) % MINUTES, slot] / MINUTE_S
    if np.isnan(before):
        before = last
    used = np.maximum(2 * last - before, before)
    if throttled >= (newest - 1) * MINUTE_S:
        used = np.maximum(used, _THROTTLED * np.maximum(last, before))
    return float(used)
