"""One capacity for the whole replay, chosen by whoever already knows its demand."""

from __future__ import annotations

import math

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.rivals import Bounds


def static_peak(demand: Floats, *, bounds: Bounds) -> int:
    """Units that carry the highest second of ``demand`` (seconds,) without any burst.

    Within bounds, so a peak above the policy's most throttles here too.
    """
    return _whole_units(demand, 100.0, bounds)


def static_percentile(demand: Floats, percentile: float, *, bounds: Bounds) -> int:
    """The least whole units that at least ``percentile`` percent of the seconds do not exceed.

    ``demand`` is (seconds,), units/s; ``percentile`` is above 0 and at most 100, else
    ``InputError``.
    """
    if not 0.0 < percentile <= 100.0:
        raise InputError(f"percentile is {percentile:g}; it must be above 0 and at most 100")
    return _whole_units(demand, percentile, bounds)


def _whole_units(demand: Floats, percentile: float, bounds: Bounds) -> int:
    if not demand.size:
        raise InputError("a demand of 0 seconds has no percentiles; it must have at least 1")
    # The inverted CDF names a second that was really seen, instead of one between two.
    units = float(np.percentile(demand, percentile, method="inverted_cdf"))
    return bounds.clamp(math.ceil(units))
