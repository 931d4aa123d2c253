"""The burst bucket as seen from outside: an estimate of unused capacity AWS still lets us spend.

DynamoDB keeps up to 300 s of unused capacity, best-effort (AWS developer guide, burst capacity).
It is not reported, so it is reckoned from provisioned and demand, pessimistically: it starts
empty, does not fill in unknown seconds, and any throttle proves it empty up to that second, as
soon as it is told of and however late.

How much of the 300 s is really there is learned as well. A table throttled above its capacity
although the estimate would have borne it has a smaller bucket than was thought: it held no more
than what was drawn from it since it was at its highest, else the rest would have been there. One
that is not throttled, with nothing left, has a larger one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import WINDOW_S, DemandState
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.settling import News

BURST_S = 300.0


@dataclass(frozen=True, slots=True)
class BurstState:
    """``units`` in the bucket at the end of the last settled second, (n,).

    ``keeps_s`` (n,) is how many seconds of capacity the bucket was found to hold when full, and
    ``drawn`` (n,) what was taken since it was last at its highest and has not come back, units.
    ``last_refused`` (n,) is the newest throttled second taken into account, NaN for none.
    """

    units: Floats
    keeps_s: Floats
    drawn: Floats
    last_refused: Floats

    @classmethod
    def empty(cls, size: int) -> BurstState:
        return cls(np.zeros(size), np.full(size, BURST_S), np.zeros(size), np.full(size, np.nan))


def reckon_burst(
    state: BurstState, demand: DemandState, news: News, provisioned: Floats
) -> BurstState:
    """Moves the estimate on by what is newly known of ``demand``, one second at a time."""
    units, keeps_s, drawn = state.units.copy(), state.keeps_s.copy(), state.drawn.copy()
    if news.late is not None:
        spend_late(units, news.late.slots, news.late.units)
    pass_seconds(
        units,
        keeps_s,
        drawn,
        demand.units,
        news.seconds,
        news.known,
        news.silent_s,
        provisioned,
        demand.last_refused,
    )
    if demand.last_refused is not state.last_refused:  # the same array tells of no new one
        empty_refused(units, drawn, demand.last_refused, state.last_refused)
    return BurstState(units, keeps_s, drawn, demand.last_refused)


@compiled
def spend_late(units: Floats, late_slots: Ints, late_units: Floats) -> None:
    """Leaves what is left after demand of seconds reckoned before: it was spent all the same."""
    spent = np.zeros(len(units))
    for entry in range(len(late_slots)):
        spent[late_slots[entry]] += late_units[entry]
    for slot in range(len(units)):
        units[slot] = np.maximum(units[slot] - spent[slot], 0.0)


@compiled
def empty_refused(units: Floats, drawn: Floats, last_refused: Floats, before: Floats) -> None:
    """Empties the buckets of which a throttle is told that was not told ``before``.

    It may be told of before its second is settled, or after it was reckoned.
    """
    for slot in range(len(units)):
        if not np.isnan(last_refused[slot]) and last_refused[slot] != before[slot]:
            units[slot] = drawn[slot] = 0.0


@compiled
def pass_seconds(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    units: Floats,
    keeps_s: Floats,
    drawn: Floats,
    demand: Floats,
    seconds: Ints,
    known: Bools,
    silent_s: Floats,
    provisioned: Floats,
    last_refused: Floats,
) -> None:
    """Fills the buckets by what each second left, or empties them by what it took, in place."""
    for place in range(len(seconds)):
        second = seconds[place]
        for slot in range(len(units)):
            capacity = np.fmax(provisioned[slot], 0.0)  # NaN is none
            unused = known[place, slot] * (capacity - demand[second % WINDOW_S, slot])
            is_refused = last_refused[slot] >= second  # never is NaN, and is not
            if unused < 0:
                left = units[slot] + unused
                keeps_s[slot] = _learn_size(
                    keeps_s[slot], units[slot], left, drawn[slot], is_refused, capacity
                )
            flow = unused + silent_s[place, slot] * capacity
            drawn[slot] = np.maximum(drawn[slot] - flow, 0.0)
            filled = np.maximum(units[slot] + flow, 0.0)
            units[slot] = np.minimum(filled, keeps_s[slot] * capacity)
            if is_refused:
                units[slot] = drawn[slot] = 0.0


@compiled
def _learn_size(
    keeps_s: float,
    units: float,
    left: float,
    drawn: float,
    is_refused: bool,  # noqa: FBT001 - compiled code takes no keywords
    capacity: float,
) -> float:
    """The bucket's size after a second of demand above capacity, in seconds of capacity.

    ``left`` is what the estimate of ``units`` comes to after it, negative where more was asked than
    was thought to be there; ``units`` and ``drawn`` are as before it. A throttle below capacity is
    another limit's, a hot partition's for instance, and says nothing of the bucket; nor does one
    that was to be expected. What was in the bucket goes by the capacity that filled it, which may
    have been another one since: so its size is the part of the estimate that was there.
    """
    learned = keeps_s
    if is_refused and left > 0:
        learned = keeps_s * drawn / (drawn + units)
    elif not is_refused and left < 0:
        learned = keeps_s - left / np.maximum(capacity, 1e-9)
    return float(np.minimum(learned, BURST_S))
