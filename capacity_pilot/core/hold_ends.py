"""Until when what holds a decision back does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from capacity_pilot.core.guards import THROTTLE_MEMORY_S
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.quota import DAY_S, HOURLY_S, decreases_counted, next_decrease_at
from capacity_pilot.core.reasons import Reason


def find_ends(pilot: Pilot, slot: int, now: float) -> Mapping[Reason, float]:
    """When what may hold a slot is over, Unix seconds; what has no such time is left out."""
    ends: dict[Reason, float] = {}
    for reason, at in (
        *_find_own_ends(pilot, slot, now),
        *_find_scheduled_ends(pilot, pilot.fleet.target(slot), slot, now),
    ):
        if at > now:  # NaN, where it never happened, is not
            ends[reason] = max(at, ends.get(reason, at))
    return {reason: at for reason, at in ends.items() if at != math.inf}


def _find_own_ends(pilot: Pilot, slot: int, now: float) -> Iterator[tuple[Reason, float]]:
    capacity, state = pilot.capacity, pilot.state
    yield Reason.THROTTLING, float(state.demand.last_refused[slot]) + THROTTLE_MEMORY_S
    yield Reason.AFTERMATH, float(state.forecast.panic_until[slot])
    last = float(capacity.last_decrease_at[slot])
    counted = decreases_counted(
        float(capacity.decreases_today[slot]), float(capacity.described_at[slot]), now
    )
    if (standing := capacity.standing) is not None:
        again = float(standing.raised_again_at[slot]), float(standing.lowered_again_at[slot])
        # Where both directions wait, it is not known here which one is meant.
        yield Reason.COOLDOWN, max(again) if min(again) <= now else math.inf
    yield Reason.DECREASE_QUOTA, next_decrease_at(counted, last, now)
    yield from _find_switch_ends(pilot, pilot.fleet.target(slot).resource.table, now)
    yield Reason.DECREASE_RESERVE, min(last + HOURLY_S, (now // DAY_S + 1) * DAY_S)


def _find_switch_ends(pilot: Pilot, table: str, now: float) -> Iterator[tuple[Reason, float]]:
    policy, description = pilot.policies.policy_for(table), pilot.descriptions.get(table)
    if policy is None or policy.on_demand_escape is None or description is None:
        return
    rules, is_away = policy.on_demand_escape, pilot.has_escaped(table)
    if (since := pilot.switching.since(table)) is not None:
        yield Reason.SWITCH_WAITS, since + (rules.return_after if is_away else rules.after)
    allowed_at = pilot.switching.ledger.allowed_at(
        table, most=rules.switches_per_day, on_demand_at=description.on_demand_at, now=now
    )
    yield Reason.SWITCHES_SPENT, allowed_at


def _find_scheduled_ends(
    pilot: Pilot, target: ScalableTarget, slot: int, now: float
) -> Iterator[tuple[Reason, float]]:
    table = target.resource.table
    for watch in pilot.lookout.state.watches:
        if slot in watch.slots:
            is_announced = watch.occurrence.is_announced
            yield Reason.ANNOUNCED if is_announced else Reason.EVENT, watch.occurrence.ends_at
    number = pilot.policies.number_for(table)
    for window in pilot.lookout.freezes(now):
        if window.policy == number:
            yield Reason.FROZEN, window.ends_at
    for freeze in pilot.brakes.freezes:
        if freeze.concerns(table):
            yield Reason.OPERATOR_FREEZE, math.inf if freeze.until is None else freeze.until
    for override in pilot.brakes.overrides:
        units = getattr(override, target.dimension.label)
        if override.resource == target.resource and units is not None:
            yield Reason.OVERRIDDEN, override.until
