"""Decisions and targets as plain data, for logs and for ``/status``."""

from __future__ import annotations

import math
from collections.abc import Iterable

from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import CapacityChange, Dimension, Plan, ScalableTarget
from capacity_pilot.core.pilot import Step
from capacity_pilot.core.reasons import explain_reasons, name_reasons

_ACTIONS = {1: "scale_out", 0: "hold", -1: "scale_in"}


def render_changes(changes: Iterable[CapacityChange]) -> list[dict[str, object]]:
    """The units each resource is to have."""
    return [{"resource": str(c.resource), "read": c.read, "write": c.write} for c in changes]


def render_plan_targets(plan: Plan, step: Step) -> list[dict[str, object]]:
    """The targets of every resource the plan changes, as the deciding tick saw them."""
    slots = (step.fleet.slot(c.resource, d) for c in plan.changes for d in Dimension)
    return [render_target(step, slot) for slot in slots if slot is not None]


def render_target(step: Step, slot: int) -> dict[str, object]:
    """One scalable target in a tick: units per second, ``None`` where nothing is known."""
    target, decisions = step.fleet.target(slot), step.decisions
    reasons = int(decisions.reasons[slot])
    return {
        "table": target.resource.table,
        "index": target.resource.index or None,
        "dimension": target.dimension.label,
        "provisioned": _number(decisions.provisioned[slot]),
        "demand": _number(decisions.demand[slot]),
        "coverage": _number(decisions.coverage[slot], digits=4),
        "expected": _number(decisions.expected[slot]),
        "foreseen": _number(decisions.foreseen[slot]),
        "upstream": _number(decisions.upstream[slot]),
        "burst_units": _number(decisions.burst_units[slot]),
        "seconds_to_throttle": _number(decisions.seconds_to_throttle[slot]),
        "units": _number(decisions.units[slot]),
        "action": _ACTIONS[int(decisions.action[slot])],
        "reasons": name_reasons(reasons),
        "because": explain_reasons(reasons),
    }


def name_target(target: ScalableTarget) -> dict[str, str]:
    """A target as a metric's labels."""
    return {
        "table": target.resource.table,
        "index": target.resource.index,
        "dimension": target.dimension.label,
    }


def render_coverage(fleet: Fleet, coverage: CoverageState, slot: int) -> dict[str, object]:
    """What is known of how much spans tell of one target; times in Unix seconds."""
    doubts = int(coverage.doubts[slot])
    return {
        "target": str(fleet.target(slot)),
        "coverage": _number(coverage.coverage[slot], digits=4),
        "error": _number(coverage.error[slot], digits=4),
        "spread": _number(coverage.spread[slot], digits=4),
        "compared_minutes": int(coverage.compared[slot]),
        "compared_until": _number(coverage.newest_at[slot]),
        "demand_multiplied_by": _number(coverage.factor[slot], digits=4),
        "changed_at": _number(coverage.changed_at[slot]),
        "before": _number(coverage.ratio_before[slot], digits=4),
        "doubts": name_reasons(doubts) if doubts else (),
    }


def _number(value: float, digits: int = 2) -> float | None:
    """JSON has neither NaN nor infinity; both mean "no such number" here."""
    return round(float(value), digits) if math.isfinite(value) else None
