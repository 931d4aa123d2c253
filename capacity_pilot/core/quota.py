"""AWS's allowance of decreases, per table and per index.

Four per UTC day, then one per 3600 s after the last accepted one; the count starts anew at
00:00 UTC (AWS developer guide, ServiceQuotas: "Decreasing provisioned throughput").
"""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats

FREE_DECREASES = 4
HOURLY_S = 3600.0
DAY_S = 86_400.0


def decreases_counted(decreases_today: Floats, described_at: Floats, now: float) -> Floats:
    """Today's count: a count read before the last midnight is over."""
    is_todays = np.floor_divide(described_at, DAY_S) == now // DAY_S
    counted: Floats = is_todays * decreases_today
    return counted


def next_decrease_at(counted: Floats, last_decrease_at: Floats, now: float) -> Floats:
    """The earliest time AWS accepts a decrease, Unix seconds, (n,); ``now`` if it does already."""
    midnight = (now // DAY_S + 1) * DAY_S
    hourly = np.fmin(last_decrease_at + HOURLY_S, midnight)
    return np.where(counted < FREE_DECREASES, now, np.fmax(hourly, now))


def keeps_reserve(counted: Floats, last_decrease_at: Floats, reserve: Floats, now: float) -> Bools:
    """True where one more decrease leaves ``reserve`` free ones, or comes at the hourly pace.

    At that pace AWS would allow it anyway, so the reserve costs nothing from then on.
    """
    within_the_hour = now - last_decrease_at < HOURLY_S  # never decreased is NaN, and is not
    kept: Bools = (counted + 1 + reserve <= FREE_DECREASES) | ~within_the_hour
    return kept
