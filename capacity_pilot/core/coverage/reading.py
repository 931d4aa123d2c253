"""Whose CloudWatch minutes are worth their price now.

GetMetricData costs by metrics asked for, not by minutes answered, so that a target read every few
minutes misses nothing but time. Where coverage is doubtful each minute is worth it, where a
decrease waits for it most of all; where it is well known a change is to be noticed within minutes;
a target that neither spans nor CloudWatch know of is looked for now and then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isinf
from typing import NamedTuple, Self

import numpy as np

from capacity_pilot.core.coverage import NO_NEWS, ConsumedMinutes, CoverageState
from capacity_pilot.core.coverage.minutes import MINUTE_S
from capacity_pilot.core.demand import DemandState, is_fresh
from capacity_pilot.core.fleet import Bools, Fleet, Floats, Ints, carry_over
from capacity_pilot.core.idle import Published
from capacity_pilot.core.model import ConsumedMinute, ConsumptionQuery, ScalableTarget
from capacity_pilot.core.reasons import Reason, Reasons

USD_PER_METRIC = 0.01 / 1000
"""GetMetricData's price per metric asked for (CloudWatch pricing, us-east-1, 2026)."""

_MONTH_S = 30.4 * 86_400
_SAVED_UP_S = 3600.0
_DOUBTFUL_S, _KNOWN_S, _IDLE_S = 60.0, 180.0, 900.0
_SEEN_S = 300.0
_NEARLY_ALL = 0.95
_AT_ONCE = 1500  # so that no single tick has more than these to compare: some 50 ms
_DOUBTS = (Reason.COVERAGE_UNKNOWN | Reason.LOW_COVERAGE | Reason.COVERAGE_CHANGED).value


@dataclass(frozen=True, slots=True)
class ReadingState:
    """``asked_at`` (n,) is when each target was last read for, in Unix seconds, NaN for never.

    ``metrics`` may be asked for at once, saved up until ``saved_at``, for an hour at most.
    """

    asked_at: Floats
    metrics: float
    saved_at: float

    @classmethod
    def empty(cls, size: int, now: float, usd_per_month: float) -> Self:
        saved = usd_per_month * _SAVED_UP_S / _MONTH_S / USD_PER_METRIC
        return cls(asked_at=np.full(size, np.nan), metrics=saved, saved_at=now)


class Choice(NamedTuple):
    """The slots to read minutes for, the most pressing first, and of which throttles and
    provisioned capacity as well, (m,) each.
    """

    slots: Ints
    with_throttles: Bools
    with_provisioned: Bools


class Stand(NamedTuple):
    """How each slot stands, (n,): the last decision's reasons, whether it is the pilot's, whether
    the policy has a rule on its idling, and whether it is lowered by that.
    """

    held: Reasons
    is_managed: Bools
    has_idle_rule: Bools
    is_lowered: Bools


def choose_readings(
    state: ReadingState,
    coverage: CoverageState,
    demand: DemandState,
    stand: Stand,
    *,
    usd_per_month: float,
    now: float,
) -> tuple[ReadingState, Choice]:
    """What to read now.

    Throttles are asked for where spans do not tell of nearly everything anyway, or of nothing just
    now; provisioned capacity where silence is to be witnessed. One that is lowered is looked after,
    since its first request may come untraced. Never more than the price allows.
    """
    seen = now - demand.last_seen <= _SEEN_S
    is_silent = ~is_fresh(demand, now)
    is_idle = ~seen & np.isnan(coverage.minutes.consumed).all(axis=0)
    is_doubtful = (coverage.doubts != 0) | coverage.is_suspect | is_silent
    every_s = np.where(is_doubtful, _DOUBTFUL_S, _KNOWN_S)
    every_s = np.where(is_idle, _IDLE_S, every_s)
    every_s = np.where(stand.is_lowered, _KNOWN_S, every_s)
    waited_s = np.where(np.isnan(state.asked_at), inf, now - state.asked_at)
    # Before a whole minute was watched there is nothing CloudWatch's could be compared with.
    is_due = stand.is_managed & (waited_s >= every_s) & (coverage.minutes.closed >= coverage.since)
    slots = np.flatnonzero(is_due)
    if not len(slots):
        return state, Choice(slots, is_due[:0], is_due[:0])
    pressing = np.where(stand.held & _DOUBTS, 0, np.where(is_idle, 2, 1))[slots]
    slots = slots[np.lexsort((-waited_s[slots], pressing))][:_AT_ONCE]
    with_throttles = ~(coverage.coverage[slots] >= _NEARLY_ALL) | is_silent[slots]
    with_provisioned = is_silent[slots] & stand.has_idle_rule[slots]
    metrics = _save_up(state, usd_per_month, now)
    spent = np.cumsum(1 + with_throttles + with_provisioned)
    most = slice(np.count_nonzero(spent <= metrics))
    chosen = Choice(slots[most], with_throttles[most], with_provisioned[most])
    asked_at = state.asked_at.copy()
    asked_at[chosen.slots] = now
    left = metrics - float(spent[most].max(initial=0))
    return ReadingState(asked_at, left, now), chosen


class Readings:
    """What was asked of CloudWatch, what it answered, and what that may cost a month in USD.

    0 reads nothing; there is then nothing to compare spans with, and nothing depends on it.
    """

    def __init__(self, usd_per_month: float, now: float) -> None:
        self._usd_per_month = usd_per_month
        self._state = ReadingState.empty(0, now, usd_per_month)
        self._answers: list[ConsumedMinute] = []
        self._published: dict[ScalableTarget, int] = {}

    @property
    def is_on(self) -> bool:
        return self._usd_per_month > 0

    def refit(self, *, old: Fleet, new: Fleet, now: float) -> None:
        """Follows the fleet."""
        fresh = ReadingState.empty(len(new), now, self._usd_per_month)
        self._state = carry_over(self._state, fresh=fresh, old=old, new=new)

    def choose(
        self,
        fleet: Fleet,
        coverage: CoverageState,
        demand: DemandState,
        stand: Stand,
        now: float,
    ) -> tuple[ConsumptionQuery, ...]:
        """What to read now, by name; it counts as asked for."""
        if not self.is_on or len(fleet) != len(stand.held):
            return ()
        self._state, chosen = choose_readings(
            self._state,
            coverage,
            demand,
            stand,
            usd_per_month=self._usd_per_month,
            now=now,
        )
        return tuple(
            ConsumptionQuery(
                target=fleet.target(slot), with_throttles=throttles, with_provisioned=provisioned
            )
            for slot, throttles, provisioned in zip(
                *(part.tolist() for part in chosen), strict=True
            )
        )

    def note(self, answers: Iterable[ConsumedMinute]) -> None:
        """Keeps CloudWatch's answers for the next tick."""
        for answer in answers:
            if answer.units is not None or answer.throttle_events is not None:
                self._answers.append(answer)
            if answer.has_provisioned:
                latest = self._published.get(answer.target, answer.minute)
                self._published[answer.target] = max(latest, answer.minute)

    def take(self, fleet: Fleet) -> ConsumedMinutes | None:
        """What was answered since last asked, by slot; ``None`` if nothing is ever read."""
        if not self.is_on:
            return None
        if not self._answers:
            return NO_NEWS
        answers, self._answers = self._answers, []
        placed = [
            (slot, a.minute, _or_nan(a.units), _or_nan(a.throttle_events))
            for a in answers
            if (slot := fleet.slot(a.target.resource, a.target.dimension)) is not None
        ]
        slots, minutes, consumed, throttle_events = np.array(placed).reshape(-1, 4).T
        return ConsumedMinutes(
            slots.astype(np.int64), minutes.astype(np.int64), consumed, throttle_events
        )

    def take_published(self, fleet: Fleet) -> Published | None:
        """For which targets it had told all there was since last asked, and up to when."""
        if not self._published:
            return None
        told, self._published = self._published, {}
        placed = [
            (slot, minute * MINUTE_S)
            for target, minute in told.items()
            if (slot := fleet.slot(target.resource, target.dimension)) is not None
        ]
        slots, until = np.array(placed).reshape(-1, 2).T
        return Published(slots.astype(np.int64), until.astype(np.float64))


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _save_up(state: ReadingState, usd_per_month: float, now: float) -> float:
    if isinf(usd_per_month):
        return inf
    per_s = usd_per_month / _MONTH_S / USD_PER_METRIC
    saved = state.metrics + per_s * max(now - state.saved_at, 0.0)
    return min(saved, per_s * _SAVED_UP_S)
