"""The burst bucket as seen from outside: an estimate of unused capacity AWS still lets us spend.

DynamoDB keeps up to 300 s of unused capacity, best-effort (AWS developer guide, burst capacity).
It is not reported, so it is reckoned from provisioned and demand, pessimistically: it starts
empty, does not fill in unknown seconds, and any throttle proves it empty up to that second, as
soon as it is told of and however late.

How much of the 300 s is really there is learned as well. A table throttled above its capacity with
something left in the estimate has a smaller bucket than was thought, by what was left; one that
is not, with nothing left, has a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand import (
    MOST_UNITS,
    Arrivals,
    DemandState,
    ended_silence_s,
    late_seconds,
)
from capacity_pilot.core.fleet import Bools, Floats

BURST_S = 300.0


@dataclass(frozen=True, slots=True)
class BurstState:
    """``units`` in the bucket at the end of second ``reckoned``, (n,).

    ``keeps_s`` (n,) is how many seconds of capacity the bucket was found to hold when full.
    ``last_refused`` (n,) is the newest throttled second taken into account, NaN for none;
    ``known_until`` as in the forecast's state.
    """

    units: Floats
    keeps_s: Floats
    last_refused: Floats
    known_until: Floats
    reckoned: int

    @classmethod
    def empty(cls, size: int, now: float) -> BurstState:
        nothing = np.full(size, np.nan)
        return cls(np.zeros(size), np.full(size, BURST_S), nothing, nothing, int(now) - 1)


def reckon_burst(
    state: BurstState,
    demand: DemandState,
    arrivals: Arrivals,
    provisioned: Floats,
    *,
    settled: int,
) -> BurstState:
    """Moves the estimate on to ``settled``, one second at a time.

    ``arrivals`` are what ``demand`` was last told; what is late of them was spent all the same.
    """
    units, keeps_s, known_until = state.units, state.keeps_s, state.known_until
    size = len(demand.units)
    capacity = np.fmax(provisioned, 0.0)  # NaN is none
    late = late_seconds(arrivals, state.reckoned, demand.head)
    if late:
        units = _spend_late(units, known_until, arrivals)
    newly_settled = range(max(state.reckoned, settled - size // 2) + 1, settled + 1)
    for second in [*late, *newly_settled]:
        row = second % size
        known = (demand.known[row] > 0) & ~(known_until >= second)
        silent_s = ended_silence_s(demand, second, known_until)
        unused = known * (capacity - demand.units[row])
        refused = demand.last_refused >= second
        if np.count_nonzero(unused < 0):
            keeps_s = _learn_size(keeps_s, units, unused, refused=refused, capacity=capacity)
        filled = units + unused + silent_s * capacity
        units = np.minimum(np.maximum(filled, 0.0), keeps_s * capacity)
        units[refused] = 0.0
        known_until = np.where(known, second, known_until)
    if demand.last_refused is not state.last_refused:  # the same array tells of no new one
        # A throttle may be told of before its second is settled, or after it was reckoned.
        is_news = ~np.isnan(demand.last_refused) & (demand.last_refused != state.last_refused)
        units = np.where(is_news, 0.0, units)
    return BurstState(
        units, keeps_s, demand.last_refused, known_until, max(settled, state.reckoned)
    )


def _spend_late(units: Floats, known_until: Floats, arrivals: Arrivals) -> Floats:
    """What is left after demand told of late, of seconds reckoned before."""
    late = (arrivals.seconds <= known_until[arrivals.slots]) & (arrivals.units > 0)
    spent = np.zeros(len(units))
    np.add.at(spent, arrivals.slots[late], np.minimum(arrivals.units[late], MOST_UNITS))
    left: Floats = np.maximum(units - spent, 0.0)
    return left


def _learn_size(
    keeps_s: Floats, units: Floats, unused: Floats, *, refused: Bools, capacity: Floats
) -> Floats:
    """The bucket's size where demand was above capacity in a second, in seconds of capacity.

    ``units`` are what was thought to be in it before. A throttle below capacity is another
    limit's, a hot partition's for instance, and says nothing of the bucket.
    """
    above = unused < 0
    left = units + unused  # negative where more was served than was thought to be there
    surprise = np.where(refused, np.minimum(-units, 0.0), np.maximum(-left, 0.0))
    learned: Floats = keeps_s + np.where(above, surprise, 0.0) / np.maximum(capacity, 1e-9)
    return learned.clip(0.0, BURST_S)
