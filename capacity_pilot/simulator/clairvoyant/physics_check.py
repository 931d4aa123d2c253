"""Whether a plan really throttles nothing and asks for nothing that AWS refuses.

The same sums in the same order as ``physics.bucket`` in bulk and ``physics.quota``, since a plan
that uses the last unit of the burst bucket must not fail there by a rounding error.
"""

from __future__ import annotations

import math

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.simulator.clairvoyant.grid import MINUTE_S
from capacity_pilot.simulator.physics.bucket import BURST_SECONDS


def first_throttled_second(demand: Floats, units: Ints, availability: float) -> int | None:
    """The first second of ``demand`` (seconds,) that ``units`` (minutes,) throttle, if any.

    The bucket is full before the first.
    """
    second = _serve(demand, units, availability)
    return int(second) if second < len(demand) else None


@compiled
def _serve(demand: Floats, units: Ints, availability: float) -> int:
    """How many seconds pass until one is throttled, or all."""
    capacity = float(units[0])
    cap = availability * BURST_SECONDS * capacity
    burst = min(BURST_SECONDS * capacity, cap)
    allowance = capacity
    for second in range(demand.size):
        if second > 0:
            burst = min(burst + allowance, cap)
        if second % MINUTE_S == 0:
            capacity = float(units[second // MINUTE_S])
            cap = availability * BURST_SECONDS * capacity
            burst = min(burst, cap)
        allowance = capacity
        consumed = min(demand[second], allowance + burst)
        if consumed < demand[second]:
            return second
        from_allowance = min(consumed, allowance)
        allowance -= from_allowance
        burst = max(burst - (consumed - from_allowance), 0.0)
    return len(demand)


def least_constant_units(demand: Floats, availability: float, least: int) -> int:
    """The smallest capacity that throttles nothing if it is never changed."""
    minutes = math.ceil(len(demand) / MINUTE_S)
    too_low, enough = least - 1, max(least, math.ceil(demand.max(initial=0.0)))
    while enough - too_low > 1:
        middle = (too_low + enough) // 2
        constant = np.full(minutes, middle, dtype=np.int64)
        if first_throttled_second(demand, constant, availability) is None:
            enough = middle
        else:
            too_low = middle
    return int(enough)
