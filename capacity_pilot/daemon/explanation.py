"""All there is to say of one table: what is wanted of it and why, and why not more or less."""

from __future__ import annotations

import math
from collections.abc import Iterable

from capacity_pilot.core.brakes import Brake
from capacity_pilot.core.errors import JournalError, LeaseError
from capacity_pilot.core.escape.rules import EscapeRules
from capacity_pilot.core.forecast.calibration import LEVELS
from capacity_pilot.core.forecast.quantiles import APPLY
from capacity_pilot.core.hold_ends import find_ends
from capacity_pilot.core.ladder import CLIMBING, RUNG_WORDING, Rung
from capacity_pilot.core.model import Dimension, ResourceDescription, TableDescription
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.ports import Journal
from capacity_pilot.core.quota import FREE_DECREASES, next_decrease_of
from capacity_pilot.core.reasons import WORDING, list_reasons
from capacity_pilot.daemon.brake_rendering import render_brake
from capacity_pilot.daemon.deed_report import render_deed, render_recorded
from capacity_pilot.daemon.ladder_watch import name_rung
from capacity_pilot.daemon.moments import render_time
from capacity_pilot.daemon.narration import render_number, render_target

Told = dict[str, object]

_PAST_S = 86_400.0
_MOST_RECORDED = 20


async def explain_with_past(
    pilot: Pilot, step: Step | None, table: str, now: float, *, journal: Journal | None
) -> Told | None:
    """As ``explain_table``, and with what the journal holds of changes before those."""
    told = explain_table(pilot, step, table, now)
    if told is None or journal is None:
        return told
    deeds = pilot.deeds.of(table)
    before = deeds[0].plan.decided_at if deeds else math.inf
    try:
        records = await journal.read(since=now - _PAST_S, table=table)
    except (JournalError, LeaseError):
        return told  # what the journal's state is says ``/status``
    recorded = render_recorded(records, before=before, now=now)
    return told | {"changes": [*_latest_first(pilot, table, now), *recorded[:_MOST_RECORDED]]}


def _latest_first(pilot: Pilot, table: str, now: float) -> list[Told]:
    return [render_deed(deed, now) for deed in reversed(pilot.deeds.of(table))]


def explain_table(pilot: Pilot, step: Step | None, table: str, now: float) -> Told | None:
    """JSON-ready; ``None`` for a table that is not managed."""
    description = pilot.descriptions.get(table)
    policy = pilot.policies.policy_for(table)
    if description is None or policy is None:
        return None
    brakes = pilot.brakes.in_force(now)
    return {
        "table": table,
        "policy": policy.name,
        "mode": policy.mode.value,
        "described_s_ago": round(now - description.described_at, 1),
        "is_changing": pilot.is_changing(table),
        "on_demand_escape": _explain_escape(pilot, policy.on_demand_escape, description, now),
        "freezes": _render_brakes((f for f in brakes.freezes if f.concerns(table)), now),
        "overrides": _render_brakes((o for o in brakes.overrides if o.table == table), now),
        "resources": [_explain_resource(r, description, now) for r in description.resources],
        "targets": [] if step is None else _explain_targets(pilot, step, description, now),
        "changes": _latest_first(pilot, table, now),
    }


def _explain_escape(
    pilot: Pilot, rules: EscapeRules | None, description: TableDescription, now: float
) -> Told | None:
    """How a table that may be switched stands; ``None`` where the policy allows none."""
    if rules is None:
        return None
    table, switching = description.table, pilot.switching
    escape = switching.escape(table)
    counted = switching.ledger.counted(table, on_demand_at=description.on_demand_at, now=now)
    usd = switching.usd_per_hour.get(table)
    return {
        "billing_mode": description.billing_mode.value,
        "on_demand_since": None if escape is None else render_time(escape.at),
        "usd_per_hour": None if usd is None else round(usd, 4),
        "switches_in_24_h": len(counted),
        "switches_per_day": rules.switches_per_day,
    }


def _render_brakes(brakes: Iterable[Brake], now: float) -> list[Told]:
    return [render_brake(brake, now) for brake in brakes]


def _explain_resource(
    resource: ResourceDescription, description: TableDescription, now: float
) -> Told:
    """How a table or an index stands with AWS, and what it allows of decreases."""
    today, allowed_at = next_decrease_of(resource, description.described_at, now)
    return {
        "resource": str(resource.resource),
        "status": resource.status.value,
        "decreases_today": today,
        "free_decreases": max(FREE_DECREASES - today, 0),
        "next_decrease_at": render_time(allowed_at) if allowed_at > now else None,
    }


def _explain_targets(
    pilot: Pilot, step: Step, description: TableDescription, now: float
) -> list[Told]:
    slots = (
        step.fleet.slot(r.resource, dimension)
        for r in description.resources
        for dimension in Dimension
    )
    is_same = step.fleet is pilot.fleet  # else tables came or went since, and slots are others
    return [_explain_target(pilot, step, s, now) for s in slots if s is not None and is_same]


def _explain_target(pilot: Pilot, step: Step, slot: int, now: float) -> Told:
    decisions, bounds = step.decisions, pilot.bounds
    moves, holds = list_reasons(int(decisions.reasons[slot]))
    ends = find_ends(pilot, slot, now)
    is_managed = bool(bounds.is_managed[slot])
    quantiles = pilot.quantiles.current.units[:, APPLY, slot]
    rung = Rung(int(pilot.ladder.rung[slot]))
    is_climbing = math.isfinite(pilot.ladder.better_since[slot])
    return render_target(step, slot) | {
        "rung": name_rung(rung),
        "heard": CLIMBING if is_climbing else RUNG_WORDING[rung],
        "min": int(bounds.floor[slot]) if is_managed else None,
        "max": int(bounds.ceiling[slot]) if is_managed else None,
        "sustained": render_number(decisions.sustained[slot]),
        "apply_time_s": render_number(pilot.apply_time_s[slot]),
        "quantiles": {str(q): render_number(u) for q, u in zip(LEVELS, quantiles, strict=True)},
        "burst_reliance": render_number(bounds.burst_reliance[slot]),
        "because": [WORDING[reason] for reason in moves],
        "holds": [
            {
                "because": WORDING[reason],
                "until": render_time(ends[reason]) if reason in ends else None,
            }
            for reason in holds
        ],
    }
