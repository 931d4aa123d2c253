"""Tells of targets that are idle by their policy's rule, what they cost, and what could be done."""

from __future__ import annotations

from collections.abc import Container, Iterator

import numpy as np
import structlog

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.idle import find_idle
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
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
        found = _find_idle(self._pilot)
        unused = _find_unused(self._pilot.fleet, found)
        for target in sorted(self._told - found.keys()):
            log.info("idle_over", target=str(target))
        self._told &= found.keys()
        for target in sorted(found.keys() - self._told)[:_MOST_TOLD]:
            log.warning("idle", **_render(self._pilot, target, found[target], unused))
            self._told.add(target)

    def report(self) -> dict[str, object]:
        """What ``/status`` says of them."""
        found = _find_idle(self._pilot)
        unused = _find_unused(self._pilot.fleet, found)
        return {"idle": [_render(self._pilot, t, slot, unused) for t, slot in found.items()]}

    def measure(self) -> Iterator[Metric]:
        """What ``/metrics`` says of them."""
        found = _find_idle(self._pilot)
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
            samples=[({}, sum(_price(self._pilot, *each) for each in found.items()))],
        )


def _find_idle(pilot: Pilot) -> dict[ScalableTarget, int]:
    """Who is idle, with its slot."""
    policy, idle_s = pilot.bounds, pilot.idle.idle_s
    if len(idle_s) != len(policy.is_managed):
        return {}
    slots = np.flatnonzero(find_idle(policy, idle_s)).tolist()
    return {pilot.fleet.target(slot): slot for slot in slots}


def _find_unused(fleet: Fleet, idle: Container[ScalableTarget]) -> set[Resource]:
    """Indexes that are neither read nor written, and tables of which nothing is."""
    silent = {r for r in fleet.resources if all(ScalableTarget(r, d) in idle for d in Dimension)}
    tables_in_use = {r.table for r in fleet.resources if r not in silent}
    return {r for r in silent if r.index or r.table not in tables_in_use}


def _render(
    pilot: Pilot, target: ScalableTarget, slot: int, unused: Container[Resource]
) -> dict[str, object]:
    units, is_lowered = pilot.capacity.provisioned[slot], pilot.idle.is_lowered[slot]
    return {
        "target": str(target),
        "since": render_time(float(pilot.idle.since[slot])),
        "is_lowered": bool(is_lowered),
        "provisioned": None if np.isnan(units) else int(units),
        "usd_per_month": round(_price(pilot, target, slot), 2),
        "advice": _advise(target.resource, unused),
    }


def _price(pilot: Pilot, target: ScalableTarget, slot: int) -> float:
    units = float(pilot.capacity.provisioned[slot])
    policy = pilot.policies.policy_for(target.resource.table)
    if policy is None or np.isnan(units):
        return 0.0
    return units * policy.prices.usd(target.dimension) * _HOURS_A_MONTH


def _advise(resource: Resource, unused: Container[Resource]) -> str:
    """What would cost less still."""
    if resource not in unused:
        return _HALF_ADVICE
    return _INDEX_ADVICE if resource.index else _TABLE_ADVICE
