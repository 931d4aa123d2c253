"""What a replay's capacity costs by ``core/prices``, in US dollars.

The monthly free tier, reserved capacity, savings plans and storage are left out; they are the same
for everyone.

AWS bills provisioned throughput by the hour. Whether an hour is billed by its highest value or
pro rata by what was provisioned is not settled by its text, so both are offered.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.prices import USD_PER_MILLION_REQUEST_UNITS, USD_PER_UNIT_HOUR

_HOUR_S: Final = 3_600


def unit_hours(provisioned: Floats, *, step_s: int = 1) -> float:
    """Unit-hours of ``provisioned`` (steps,), units held for ``step_s`` seconds each."""
    return float(provisioned.sum()) * step_s / _HOUR_S


def unit_hours_by_hourly_maximum(provisioned: Floats, *, step_s: int = 1) -> float:
    """Unit-hours when each hour counts by its highest value.

    Hours are counted from the first step; the last one counts by the part of it there is.
    ``provisioned`` is (steps,); give seconds, since a minute's mean hides its highest value.
    ``InputError`` unless ``step_s`` divides an hour.
    """
    if step_s < 1 or _HOUR_S % step_s:
        raise InputError(f"a step is {step_s} s; it must be a divisor of {_HOUR_S}")
    per_hour = _HOUR_S // step_s
    starts = np.arange(0, provisioned.size, per_hour)
    if not starts.size:
        return 0.0
    steps = np.diff(starts, append=provisioned.size)
    return float((np.maximum.reduceat(provisioned, starts) * steps).sum()) / per_hour


def provisioned_usd(hours: float, dimension: Dimension) -> float:
    """Price of that many unit-hours."""
    return hours * USD_PER_UNIT_HOUR[dimension]


def on_demand_usd(request_units: float, dimension: Dimension) -> float:
    """Price of that many request units served on demand."""
    return request_units / 1e6 * USD_PER_MILLION_REQUEST_UNITS[dimension]
