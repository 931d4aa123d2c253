"""From decisions per slot to at most one UpdateTable per table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import CapacityChange, Dimension, Direction, Plan, ScalableTarget
from capacity_pilot.core.reasons import Reason, name_reasons
from capacity_pilot.core.tick import Decisions

FRESH_S = 5.0
"""A decision older than this is not sent: the next tick has a better one."""


def plan_changes(fleet: Fleet, decisions: Decisions, now: float) -> tuple[Plan, ...]:
    """One plan per table with something to do, the table and its indexes together; the most urgent
    first.

    Increases go first and alone: a decrease in the same call would have AWS refuse both once the
    decrease quota is spent. The dimension that is not to move is sent as it is, since AWS always
    wants both.
    """
    if not np.count_nonzero(decisions.action):
        return ()
    asked = defaultdict(list)
    for one in _list_asked(decisions):
        asked[fleet.resources[one.resource].table].append(one)
    plans = [_plan_table(fleet, table, of, now) for table, of in asked.items()]
    return tuple(sorted(plans, key=lambda plan: (plan.direction is Direction.IN, plan.urgent_s)))


class _Asked(NamedTuple):
    """What was decided for the two slots of a resource, by its number."""

    resource: int
    action: list[int]
    units: list[float]
    provisioned: list[float]
    reasons: list[int]
    seconds_to_throttle: list[float]


def _list_asked(decisions: Decisions) -> Iterator[_Asked]:
    """Resources with something to do, as plain numbers: hundreds can be asked for in a tick, and
    to pick each from arrays takes ten times as long.
    """
    resources = np.unique(np.flatnonzero(decisions.action) // 2)
    values = (
        decisions.action,
        decisions.units,
        decisions.provisioned,
        decisions.reasons,
        decisions.seconds_to_throttle,
    )
    pairs = (of.reshape(-1, 2)[resources].tolist() for of in values)
    return map(_Asked, resources.tolist(), *pairs)


def _plan_table(fleet: Fleet, table: str, asked: list[_Asked], now: float) -> Plan:
    sign = 1 if any(1 in one.action for one in asked) else -1
    changes: list[CapacityChange] = []
    moving: list[ScalableTarget] = []
    reasons, soonest_s = 0, math.inf
    for one in asked:
        if sign not in one.action:
            continue
        resource, units = fleet.resources[one.resource], list(one.provisioned)
        for dimension in Dimension:
            if one.action[dimension] == sign:
                units[dimension] = one.units[dimension]
                moving.append(ScalableTarget(resource, dimension))
                reasons |= one.reasons[dimension]
                soonest_s = min(soonest_s, one.seconds_to_throttle[dimension])  # NaN never is less
        read, write = map(int, units)
        changes.append(CapacityChange(resource=resource, read=read, write=write))
    urgent_s = math.inf
    if sign > 0:
        urgent_s = 0.0 if reasons & Reason.OVERRIDDEN.value else soonest_s
    return Plan(
        table=table,
        direction=Direction.OUT if sign > 0 else Direction.IN,
        changes=tuple(changes),
        decided_at=now,
        expires_at=now + FRESH_S,
        reasons=name_reasons(reasons),
        moving=tuple(moving),
        urgent_s=urgent_s,
    )
