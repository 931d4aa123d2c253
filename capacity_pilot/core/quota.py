"""AWS's allowance of decreases, per table and per index.

Four per UTC day, then one per 3600 s after the last accepted one; the count starts anew at
00:00 UTC (AWS developer guide, ServiceQuotas: "Decreasing provisioned throughput").
"""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.model import ResourceDescription

FREE_DECREASES = 4
HOURLY_S = 3600.0
DAY_S = 86_400.0


@compiled
def decreases_counted(decreases_today: float, described_at: float, now: float) -> float:
    """Today's count: a count read before the last midnight is over."""
    return decreases_today if described_at // DAY_S == now // DAY_S else 0.0


@compiled
def next_decrease_at(counted: float, last_decrease_at: float, now: float) -> float:
    """The earliest time AWS accepts a decrease, Unix seconds; ``now`` if it does already.

    ``last_decrease_at`` is NaN where none is known.
    """
    if counted < FREE_DECREASES:
        return now
    midnight = (now // DAY_S + 1) * DAY_S
    return float(np.fmax(np.fmin(last_decrease_at + HOURLY_S, midnight), now))


def next_decrease_of(
    resource: ResourceDescription, described_at: float, now: float
) -> tuple[int, float]:
    """Today's count, and when AWS accepts the next decrease of a resource as it was described."""
    last = resource.last_decrease_at
    counted = decreases_counted(float(resource.decreases_today), described_at, now)
    return int(counted), next_decrease_at(counted, np.nan if last is None else last, now)


@compiled
def keeps_reserve(counted: float, last_decrease_at: float, reserve: float, now: float) -> bool:
    """True where one more decrease leaves ``reserve`` free ones, or comes at the hourly pace.

    At that pace AWS would allow it anyway, so the reserve costs nothing from then on.
    """
    is_within_the_hour = now - last_decrease_at < HOURLY_S  # never decreased is NaN, and is not
    return counted + 1 + reserve <= FREE_DECREASES or not is_within_the_hour
