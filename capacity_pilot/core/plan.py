"""From decisions per slot to at most one UpdateTable per table."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import CapacityChange, Direction, Plan
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
    acting: defaultdict[str, list[int]] = defaultdict(list)
    for resource in np.unique(np.flatnonzero(decisions.action) // 2).tolist():
        acting[fleet.resources[resource].table].append(resource)
    plans = [
        _plan_table(fleet, decisions, table, resources, now) for table, resources in acting.items()
    ]
    return tuple(sorted(plans, key=lambda plan: (plan.direction is Direction.IN, plan.urgent_s)))


def _plan_table(
    fleet: Fleet, decisions: Decisions, table: str, resources: list[int], now: float
) -> Plan:
    slots = [2 * r + d for r in resources for d in (0, 1)]
    sign = 1 if decisions.action[slots].max() > 0 else -1
    moving = decisions.action[slots] == sign
    units = np.where(moving, decisions.units[slots], decisions.provisioned[slots])
    changes = [
        CapacityChange(resource=fleet.resources[resource], read=int(read), write=int(write))
        for resource, (read, write), moves in zip(
            resources, units.reshape(-1, 2).tolist(), moving.reshape(-1, 2).tolist(), strict=True
        )
        if any(moves)
    ]
    reasons = int(np.bitwise_or.reduce(decisions.reasons[slots][moving]))
    urgent_s = math.inf
    if sign > 0:
        soonest_s = np.fmin.reduce(decisions.seconds_to_throttle[slots][moving], initial=np.inf)
        urgent_s = 0.0 if reasons & Reason.OVERRIDDEN else float(soonest_s)
    return Plan(
        table=table,
        direction=Direction.OUT if sign > 0 else Direction.IN,
        changes=tuple(changes),
        decided_at=now,
        expires_at=now + FRESH_S,
        reasons=name_reasons(reasons),
        moving=tuple(
            fleet.target(slot) for slot, moves in zip(slots, moving.tolist(), strict=True) if moves
        ),
        urgent_s=urgent_s,
    )
