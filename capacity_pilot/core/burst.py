"""The burst bucket as seen from outside: an estimate of unused capacity AWS still lets us spend.

DynamoDB keeps up to 300 s of unused capacity, best-effort (AWS developer guide, burst capacity).
It is not reported, so it is reckoned from provisioned and demand, pessimistically: it starts
empty, does not fill in unknown seconds, and any throttle proves it empty up to that second, as
soon as it is told of and however late.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Floats

BURST_S = 300.0


@dataclass(frozen=True, slots=True)
class BurstState:
    """``units`` in the bucket at the end of second ``reckoned``, (n,).

    ``last_refused`` (n,) is the newest throttled second taken into account, NaN for none.
    """

    units: Floats
    last_refused: Floats
    reckoned: int

    @classmethod
    def empty(cls, size: int, now: float) -> BurstState:
        return cls(np.zeros(size), np.full(size, np.nan), int(now) - 1)


def reckon_burst(
    state: BurstState, demand: DemandState, provisioned: Floats, *, settled: int
) -> BurstState:
    """Moves the estimate on to ``settled``, one second at a time."""
    units = state.units
    size = len(demand.units)
    capacity = np.fmax(provisioned, 0.0)  # NaN is none
    for second in range(max(state.reckoned, settled - size // 2) + 1, settled + 1):
        row = second % size
        unused = demand.known[row] * (capacity - demand.units[row])
        units = np.minimum(np.maximum(units + unused, 0.0), BURST_S * capacity)
        units[demand.last_refused >= second] = 0.0
    if demand.last_refused is not state.last_refused:  # the same array tells of no new one
        # A throttle may be told of before its second is settled, or after it was reckoned.
        is_news = ~np.isnan(demand.last_refused) & (demand.last_refused != state.last_refused)
        units = np.where(is_news, 0.0, units)
    return BurstState(units, demand.last_refused, max(settled, state.reckoned))
