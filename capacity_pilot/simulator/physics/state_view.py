"""The world as JSON: what AWS would show, late, beside what is really going on."""

from __future__ import annotations

from typing import Any

import numpy as np

from capacity_pilot.core.model import Dimension, ScalableTarget
from capacity_pilot.simulator.physics.meter import PublishedMinute
from capacity_pilot.simulator.physics.tables import ResourceState
from capacity_pilot.simulator.physics.world import World


def view_state(world: World, now: float) -> dict[str, Any]:
    """One entry per scalable target, tables in order of name."""
    slots = np.stack(
        (
            world.buckets.burst,
            world.buckets.burst_cap,
            world.meter.totals().consumed,
            world.meter.totals().throttled,
            world.meter.totals().requests,
            world.meter.totals().refusals,
            world.meter.last_second().consumed,
            world.meter.last_second().throttled,
        )
    )
    published = world.meter.published(now)
    return {
        "now": now,
        "targets": [
            _view_target(resource, dimension, slots=slots, published=published, now=now)
            for table in world.tables()
            for resource in table.resources.values()
            for dimension in Dimension
        ],
    }


def _view_target(
    resource: ResourceState,
    dimension: Dimension,
    *,
    slots: np.ndarray[Any, np.dtype[np.float64]],
    published: PublishedMinute | None,
    now: float,
) -> dict[str, Any]:
    slot = resource.slot(dimension)
    burst, cap, consumed, throttled, requests, refusals, last_consumed, last_throttled = map(
        float, slots[:, slot]
    )
    pending = resource.pending
    return {
        "target": str(ScalableTarget(resource.resource, dimension)),
        "table": resource.resource.table,
        "index": resource.resource.index or None,
        "dimension": dimension.label,
        "status": resource.status,
        "provisioned": resource.units[dimension],
        "requested": pending
        and {"units": pending.units[dimension], "applies_at": pending.applies_at},
        "burst": {"level": burst, "cap": cap},
        "consumed": {"units": consumed, "requests": requests},
        "throttled": {"units": throttled, "requests": refusals},
        "last_second": {"consumed": last_consumed, "throttled": last_throttled},
        "cloudwatch": published
        and {
            "minute_starts_at": published.starts_at,
            "consumed_sum": float(published.consumed[slot]),
            "throttle_events": float(published.throttle_events[slot]),
            "requests": float(published.requests[slot]),
        },
        "decreases_today": resource.quota.decreases_today(now),
        "next_decrease_at": resource.quota.next_decrease_at(now),
    }
