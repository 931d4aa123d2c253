"""Tells of targets that are idle by their policy's rule, what they cost, and what could be done."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import structlog

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import Dimension, ScalableTarget
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.daemon.moments import render_time
from capacity_pilot.web.metrics import Metric

LOOK_S = 60.0

_HOURS_A_MONTH = 730.0
_MOST_TOLD = 20
"""In one look; the others are told in the next ones."""

_TABLE_ADVICE = "delete it, or make it on-demand: unused that costs its storage alone"
_INDEX_ADVICE = "delete it: nobody reads or writes it"
_HALF_ADVICE = "a lower min would cost less"

log = structlog.get_logger("capacity_pilot")


class IdleWatch:
    """Call ``look`` every ``LOOK_S`` seconds: what becomes idle, or ends being so, is told once."""

    def __init__(self, pilot: Pilot) -> None:
        self._pilot = pilot
        self._told: set[ScalableTarget] = set()

    async def look(self) -> None:
        """Tells of what has changed since last looked."""
        found = {target: slot for slot, target in _find_idle(self._pilot)}
        for target in sorted(self._told - found.keys()):
            log.info("idle_over", target=str(target))
        self._told &= found.keys()
        for target in sorted(found.keys() - self._told)[:_MOST_TOLD]:
            log.warning("idle", **_render(self._pilot, target, found[target], set(found)))
            self._told.add(target)

    def report(self) -> dict[str, object]:
        """What ``/status`` says of them."""
        found = {target: slot for slot, target in _find_idle(self._pilot)}
        return {"idle": [_render(self._pilot, t, slot, set(found)) for t, slot in found.items()]}

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of them."""
        found = [slot for slot, _ in _find_idle(self._pilot)]
        yield Metric(
            name="capacity_pilot_idle_targets",
            kind="gauge",
            told="Targets nobody has asked anything of for as long as their policy's idle says.",
            samples=[({}, float(len(found)))],
        )
        yield Metric(
            name="capacity_pilot_idle_usd_per_month",
            kind="gauge",
            told="What their capacity costs.",
            samples=[({}, sum(_price(self._pilot, slot) for slot in found))],
        )


def _find_idle(pilot: Pilot) -> Iterator[tuple[int, ScalableTarget]]:
    rules, idle_s, fleet = pilot.bounds.idle, pilot.idle.idle_s, pilot.fleet
    if rules is None or len(idle_s) != len(rules.after_s):
        return
    is_idle = pilot.bounds.is_managed & (idle_s >= rules.after_s)  # NaN is not
    for slot in np.flatnonzero(is_idle).tolist():
        yield slot, fleet.target(slot)


def _render(
    pilot: Pilot, target: ScalableTarget, slot: int, idle: set[ScalableTarget]
) -> dict[str, object]:
    units, is_lowered = pilot.capacity.provisioned[slot], pilot.idle.is_lowered[slot]
    return {
        "target": str(target),
        "since": render_time(float(pilot.idle.since[slot])),
        "is_lowered": bool(is_lowered),
        "provisioned": None if np.isnan(units) else int(units),
        "usd_per_month": round(_price(pilot, slot), 2),
        "advice": _advise(pilot.fleet, target, idle),
    }


def _price(pilot: Pilot, slot: int) -> float:
    target, units = pilot.fleet.target(slot), float(pilot.capacity.provisioned[slot])
    policy = pilot.policies.policy_for(target.resource.table)
    if policy is None or np.isnan(units):
        return 0.0
    return units * policy.prices.usd(target.dimension) * _HOURS_A_MONTH


def _advise(fleet: Fleet, target: ScalableTarget, idle: set[ScalableTarget]) -> str:
    """What would cost less still, by what else of the table is idle."""
    resource = target.resource
    of_table = [r for r in fleet.resources if r.table == resource.table]
    concerned = [resource] if resource.index else of_table
    if all(ScalableTarget(r, d) in idle for r in concerned for d in Dimension):
        return _INDEX_ADVICE if resource.index else _TABLE_ADVICE
    return _HALF_ADVICE
