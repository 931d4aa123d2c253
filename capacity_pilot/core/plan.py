"""From decisions per slot to at most one UpdateTable per table."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.fleet import Fleet, Floats, Ints
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
    urgent_s = _find_urgency(decisions)
    resources = _choose_resources(fleet, decisions, urgent_s, waiting)
    asked = defaultdict(list)
    for one in _list_asked(decisions, urgent_s, resources):
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
    urgent_s: list[float]


def _find_urgency(decisions: Decisions) -> Floats:
    """Seconds within which each slot must be raised, (n,): none for what is overridden, infinite
    where nothing is raised; NaN where it is not known.
    """
    is_overridden = (decisions.reasons & Reason.OVERRIDDEN.value) != 0
    dry_in_s = np.where(is_overridden, 0.0, decisions.seconds_to_throttle)
    urgent_s: Floats = np.where(decisions.action > 0, dry_in_s, np.inf)
    return urgent_s


def _choose_resources(
    fleet: Fleet, decisions: Decisions, urgent_s: Floats, waiting: Waiting
) -> Ints:
    """The resources with something to do, by number; of too many tables, the most urgent ones'.

    Those that only wait take nobody's place.
    """
    slots = np.flatnonzero(decisions.action)
    resources: Ints = np.unique(slots // 2)
    if len(resources) <= MOST:
        return resources
    table_of = fleet.table_of
    tables, first, place = np.unique(table_of[slots], return_index=True, return_inverse=True)
    if len(tables) <= MOST:
        return resources
    is_out, soonest_s = np.zeros(len(tables), dtype=np.bool_), np.full(len(tables), np.inf)
    np.logical_or.at(is_out, place, decisions.action[slots] > 0)
    np.fmin.at(soonest_s, place, urgent_s[slots])
    names = [fleet.resources[resource].table for resource in (slots[first] // 2).tolist()]
    ways = [Direction.OUT if out else Direction.IN for out in is_out.tolist()]
    is_waiting = np.array([each in waiting for each in zip(names, ways, strict=True)])
    order = np.lexsort((soonest_s, ~is_out, is_waiting))
    return resources[np.isin(table_of[2 * resources], tables[order[:MOST]])]


def _list_asked(decisions: Decisions, urgent_s: Floats, resources: Ints) -> Iterator[_Asked]:
    """What is asked for of these, as plain numbers: hundreds can be asked for in a tick, and to
    pick each from arrays takes ten times as long.
    """
    values = (
        decisions.action,
        decisions.units,
        decisions.provisioned,
        decisions.reasons,
        urgent_s,
    )
    pairs = (of.reshape(-1, 2)[resources].tolist() for of in values)
    return map(_Asked, resources.tolist(), *pairs)


def _plan_table(fleet: Fleet, table: str, asked: list[_Asked], now: float) -> Plan:
    sign = 1 if any(1 in one.action for one in asked) else -1
    changes: list[CapacityChange] = []
    moving: list[ScalableTarget] = []
    reasons, urgent_s = 0, math.inf
    for one in asked:
        if sign not in one.action:
            continue
        resource, units = fleet.resources[one.resource], list(one.provisioned)
        for dimension in Dimension:
            if one.action[dimension] == sign:
                units[dimension] = one.units[dimension]
                moving.append(ScalableTarget(resource, dimension))
                reasons |= one.reasons[dimension]
                urgent_s = min(urgent_s, one.urgent_s[dimension])  # NaN never is less
        read, write = map(int, units)
        changes.append(CapacityChange(resource=resource, read=read, write=write))
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
