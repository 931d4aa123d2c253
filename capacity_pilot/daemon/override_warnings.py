"""What whoever overrides capacity should know of it at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

from capacity_pilot.core.brakes import OverrideOrder
from capacity_pilot.core.model import Dimension, ResourceDescription, TableDescription
from capacity_pilot.core.pilot import Step
from capacity_pilot.core.policy import TablePolicy
from capacity_pilot.core.quota import FREE_DECREASES, next_decrease_of
from capacity_pilot.core.reasons import explain_reasons
from capacity_pilot.core.standing import bar_table
from capacity_pilot.daemon.moments import render_time


def warn_of_override(
    order: OverrideOrder,
    description: TableDescription,
    *,
    policy: TablePolicy | None,
    step: Step | None,
    now: float,
) -> list[str]:
    """One line each: what demand it is below, what AWS asks of a decrease, what holds it."""
    read_of = {r.resource: r for r in description.resources}
    before = read_of[order.resource]
    warnings = list(_warn_of_demand(order, step))
    lowered = [
        dimension.label
        for dimension, now_there in zip(Dimension, (before.read, before.write), strict=True)
        if (units := getattr(order, dimension.label)) is not None and units < now_there
    ]
    if lowered:
        warnings.append(_warn_of_decrease(before, description.described_at, now))
    if policy is not None and (bars := bar_table(description, policy)):
        warnings.append(f"the table is held: {explain_reasons(int(bars))}")
    return warnings


def _warn_of_demand(order: OverrideOrder, step: Step | None) -> Iterator[str]:
    for dimension in Dimension:
        units = getattr(order, dimension.label)
        slot = None if step is None else step.fleet.slot(order.resource, dimension)
        if units is None or step is None or slot is None:
            continue
        demand = float(step.decisions.demand[slot])
        if math.isfinite(demand) and units < demand:
            yield (
                f"{dimension.label}: {units} is below the present demand of {demand:.0f} units/s: "
                "requests will be throttled once the burst bucket is empty"
            )


def _warn_of_decrease(before: ResourceDescription, described_at: float, now: float) -> str:
    counted, allowed_at = next_decrease_of(before, described_at, now)
    if allowed_at > now:
        return (
            f"AWS allows the next decrease of {before.resource} at {render_time(allowed_at)}: "
            "until then it stays as it is"
        )
    left = FREE_DECREASES - 1 - counted
    if left < 0:
        return f"a decrease of {before.resource}: AWS allows the next one an hour later"
    return f"a decrease of {before.resource}: AWS then allows {left} more today at any time"
