"""Decisions and targets as plain data, for logs and for ``/status``."""

from __future__ import annotations

import math
from collections.abc import Iterable

from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import CapacityChange, Dimension, Plan, ScalableTarget, Switch
from capacity_pilot.core.pilot import Step
from capacity_pilot.core.reasons import explain_reasons, name_holds, name_reasons

_ACTIONS = {1: "scale_out", 0: "hold", -1: "scale_in"}


def render_changes(changes: Iterable[CapacityChange]) -> list[dict[str, object]]:
    """The units each resource is to have."""
    return [{"resource": str(c.resource), "read": c.read, "write": c.write} for c in changes]


def render_switch(switch: Switch | None) -> dict[str, object]:
    """To which billing mode, and what either costs an hour; nothing where it stays."""
    if switch is None:
        return {}
    return {
        "billing_mode": switch.to.value,
        "on_demand_usd_per_hour": round(switch.on_demand_usd, 4),
        "provisioned_usd_per_hour": round(switch.provisioned_usd, 4),
    }


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
        "provisioned": render_number(decisions.provisioned[slot]),
        "demand": render_number(decisions.demand[slot]),
        "coverage": render_number(decisions.coverage[slot], digits=4),
        "expected": render_number(decisions.expected[slot]),
        "foreseen": render_number(decisions.foreseen[slot]),
        "upstream": render_number(decisions.upstream[slot]),
        "least": render_number(decisions.least[slot]),
        "resting": render_number(decisions.resting[slot]),
        "burst_units": render_number(decisions.burst_units[slot]),
        "seconds_to_throttle": render_number(decisions.seconds_to_throttle[slot]),
        "units": render_number(decisions.units[slot]),
        "action": _ACTIONS[int(decisions.action[slot])],
        "reasons": name_reasons(reasons),
        "held_by": name_holds(reasons),
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
        "coverage": render_number(coverage.coverage[slot], digits=4),
        "error": render_number(coverage.error[slot], digits=4),
        "spread": render_number(coverage.spread[slot], digits=4),
        "compared_minutes": int(coverage.compared[slot]),
        "compared_until": render_number(coverage.newest_at[slot]),
        "demand_multiplied_by": render_number(coverage.factor[slot], digits=4),
        "changed_at": render_number(coverage.changed_at[slot]),
        "before": render_number(coverage.ratio_before[slot], digits=4),
        "doubts": name_reasons(doubts) if doubts else (),
    }


def render_number(value: float, digits: int = 2) -> float | None:
    """JSON has neither NaN nor infinity; both mean "no such number" here."""
    return round(float(value), digits) if math.isfinite(value) else None
