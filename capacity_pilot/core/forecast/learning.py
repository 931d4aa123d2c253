"""What forecasting remembers, and how it takes in seconds that are newly known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import WINDOW_S, DemandState
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.excess import ExcessState, learn_excess, skip_second
from capacity_pilot.core.forecast.means import (
    BURST,
    MINUTE,
    SCALES_S,
    USUAL,
    add_late,
    learn_means,
    mean_of,
)
from capacity_pilot.core.forecast.noise import learn_silence, learn_step
from capacity_pilot.core.settling import News

LEAST_SEEN = 0.5
"""The weight from which on a mean says what is usual."""


@dataclass(frozen=True, slots=True)
class ForecastState:
    """What forecasting remembers; arrays end in the slot axis.

    ``sums`` and ``weights`` (scales, n) are those of ``means``, ``noise`` (2, n) is ``noise``'s.
    ``panic_until`` (n,) is when the last surge is reckoned to be over, Unix time, -inf for none.
    """

    sums: Floats
    weights: Floats
    noise: Floats
    excess: ExcessState
    panic_until: Floats

    @classmethod
    def empty(cls, size: int) -> ForecastState:
        return cls(
            sums=np.zeros((len(SCALES_S), size)),
            weights=np.zeros((len(SCALES_S), size)),
            noise=np.zeros((2, size)),
            excess=ExcessState.empty(size),
            panic_until=np.full(size, -np.inf),
        )


def learn_news(
    state: ForecastState, demand: DemandState, news: News, *, horizon_s: Floats
) -> ForecastState:
    """A copy that has taken in what is newly known; an excess is over what was usual
    ``horizon_s`` (n,) before.
    """
    learned = ForecastState(
        sums=state.sums.copy(),
        weights=state.weights.copy(),
        noise=state.noise.copy(),
        excess=state.excess.copy(),
        panic_until=state.panic_until.copy(),
    )
    if news.late is not None:
        add_late(learned.sums, news.late.slots, news.late.units, news.late.ages_s)
    for second in news.seconds:
        _learn_second(
            learned.sums,
            learned.weights,
            learned.noise,
            learned.excess.units,
            learned.excess.unseen,
            learned.excess.usual,
            demand.units,
            demand.known,
            demand.head,
            second.at,
            second.known,
            second.silent_s,
            second.before,
            horizon_s,
        )
    return learned


@compiled
def _learn_second(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    sums: Floats,
    weights: Floats,
    noise: Floats,
    excess: Floats,
    unseen: Floats,
    usual: Floats,
    demand: Floats,
    is_demand_known: Bools,
    head: int,
    at: int,
    known: Bools,
    silent_s: Floats,
    before: Floats,
    horizon_s: Floats,
) -> None:
    """Takes the second ``at`` into account where it is newly ``known``, in place.

    Before it, ``silent_s`` seconds turned out to be empty, and ``before`` was the last that was
    not.
    """
    row, previous = at % WINDOW_S, (at - 1) % WINDOW_S
    for slot in range(len(unseen)):
        if not known[slot]:
            if not before[slot] >= at:  # else it was taken up before, and only others are late
                skip_second(usual, slot, at)
            continue
        units = demand[row, slot]
        if silent_s[slot] > 0:
            is_kept = before[slot] > head - WINDOW_S
            fall = demand[int(before[slot]) % WINDOW_S, slot] if is_kept else 0.0
            learn_silence(noise, slot, fall, silent_s[slot])
        if is_demand_known[previous, slot]:
            learn_step(noise, slot, demand[previous, slot], units)
        learn_means(sums, weights, slot, units, silent_s[slot])
        is_told = weights[MINUTE, slot] > LEAST_SEEN
        means = (
            units,
            mean_of(sums, weights, BURST, slot),
            mean_of(sums, weights, MINUTE, slot),
            mean_of(sums, weights, USUAL, slot) if is_told else np.nan,
        )
        learn_excess(excess, unseen, usual, slot, at, means, horizon_s[slot])
