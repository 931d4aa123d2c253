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

from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.settling import LateUnits, News

BURST_S = 300.0


@dataclass(frozen=True, slots=True)
class BurstState:
    """``units`` in the bucket at the end of the last settled second, (n,).

    ``keeps_s`` (n,) is how many seconds of capacity the bucket was found to hold when full.
    ``last_refused`` (n,) is the newest throttled second taken into account, NaN for none.
    """

    units: Floats
    keeps_s: Floats
    last_refused: Floats

    @classmethod
    def empty(cls, size: int) -> BurstState:
        return cls(np.zeros(size), np.full(size, BURST_S), np.full(size, np.nan))


def reckon_burst(
    state: BurstState, demand: DemandState, news: News, provisioned: Floats
) -> BurstState:
    """Moves the estimate on by what is newly known of ``demand``, one second at a time."""
    units, keeps_s = state.units, state.keeps_s
    capacity = np.fmax(provisioned, 0.0)  # NaN is none
    if news.late is not None:
        units = _spend_late(units, news.late)
    for second in news.seconds:
        unused = second.known * (capacity - demand.units[second.at % len(demand.units)])
        refused = demand.last_refused >= second.at
        if np.count_nonzero(unused < 0):
            keeps_s = _learn_size(keeps_s, units, unused, refused=refused, capacity=capacity)
        filled = units + unused + second.silent_s * capacity
        units = np.minimum(np.maximum(filled, 0.0), keeps_s * capacity)
        units[refused] = 0.0
    if demand.last_refused is not state.last_refused:  # the same array tells of no new one
        # A throttle may be told of before its second is settled, or after it was reckoned.
        is_news = ~np.isnan(demand.last_refused) & (demand.last_refused != state.last_refused)
        units = np.where(is_news, 0.0, units)
    return BurstState(units, keeps_s, demand.last_refused)


def _spend_late(units: Floats, late: LateUnits) -> Floats:
    """What is left after demand of seconds reckoned before: it was spent all the same."""
    spent = np.zeros(len(units))
    np.add.at(spent, late.slots, late.units)
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
