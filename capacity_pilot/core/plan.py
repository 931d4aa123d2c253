"""From decisions per slot to at most one UpdateTable per table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Fleet, Ints
from capacity_pilot.core.model import CapacityChange, Dimension, Direction, Plan, ScalableTarget
from capacity_pilot.core.reasons import Reason, name_reasons
from capacity_pilot.core.tick import Decisions

FRESH_S = 5.0
"""A decision older than this is not sent: the next tick has a better one."""

MOST = 500
"""Tables planned for in a tick at most: DynamoDB has no more of an account under way at once, and
no more calls are answered while plans are fresh.
"""

Waiting = Collection[tuple[str, Direction]]
"""Tables that are not to be changed one way for now, whatever is decided."""

NOTHING_WAITS: Waiting = frozenset()


def plan_changes(
    fleet: Fleet, decisions: Decisions, now: float, *, waiting: Waiting = NOTHING_WAITS
) -> tuple[Plan, ...]:
    """One plan per table with something to do, the table and its indexes together; the most urgent
    first. Of more than ``MOST`` those; the others are decided for anew in the next tick.

    Increases go first and alone: a decrease in the same call would have AWS refuse both once the
    decrease quota is spent. The dimension that is not to move is sent as it is, since AWS always
    wants both.
    """
    if not np.count_nonzero(decisions.action):
        return ()
    resources = _choose_resources(fleet, decisions, waiting)
    asked = defaultdict(list)
    for one in _list_asked(decisions, resources):
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


def _choose_resources(fleet: Fleet, decisions: Decisions, waiting: Waiting) -> Ints:
    """The resources with something to do, by number; of too many tables, the most urgent ones'.

    Those that only wait take nobody's place.
    """
    slots = np.flatnonzero(decisions.action)
    resources: Ints = np.unique(slots // 2)
    if len(resources) <= MOST:
        return resources
    tables, first, place = np.unique(fleet.table_of[slots], return_index=True, return_inverse=True)
    if len(tables) <= MOST:
        return resources
    is_raised = decisions.action[slots] > 0
    is_overridden = (decisions.reasons[slots] & Reason.OVERRIDDEN.value) != 0
    soonest_s = np.where(is_overridden, 0.0, decisions.seconds_to_throttle[slots])
    is_out, urgent_s = np.zeros(len(tables), dtype=np.bool_), np.full(len(tables), np.inf)
    np.logical_or.at(is_out, place, is_raised)
    np.fmin.at(urgent_s, place, np.where(is_raised, soonest_s, np.inf))
    names = [fleet.resources[resource].table for resource in (slots[first] // 2).tolist()]
    ways = [Direction.OUT if out else Direction.IN for out in is_out.tolist()]
    is_waiting = np.array([each in waiting for each in zip(names, ways, strict=True)])
    order = np.lexsort((urgent_s, ~is_out, is_waiting))
    chosen = np.isin(fleet.table_of[2 * resources], tables[order[:MOST]])
    return resources[chosen]


def _list_asked(decisions: Decisions, resources: Ints) -> Iterator[_Asked]:
    """What is asked for of these, as plain numbers: hundreds can be asked for in a tick, and to
    pick each from arrays takes ten times as long.
    """
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
