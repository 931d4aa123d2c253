"""What forecasting remembers, and how it takes in seconds that are newly known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import WINDOW_S, DemandState
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints
from capacity_pilot.core.forecast.excess import (
    ExcessState,
    learn_excess,
    learn_refusal,
    learn_spike,
    skip_second,
)
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
from capacity_pilot.core.forecast.recurrence import RecurrenceState, foreseen_height
from capacity_pilot.core.settling import News

LEAST_SEEN = 0.5
"""The weight from which on a mean says what is usual."""


@dataclass(frozen=True, slots=True)
class ForecastState(ArrayState):
    """What forecasting remembers; arrays end in the slot axis.

    ``sums`` and ``weights`` (scales, n) are those of ``means``, ``noise`` (2, n) is ``noise``'s.
    ``panic_until`` (n,) is when the last surge is reckoned to be over, Unix time, -inf for none.
    """

    sums: Floats
    weights: Floats
    noise: Floats
    excess: ExcessState
    panic_until: Floats
    recurrence: RecurrenceState

    @classmethod
    def empty(cls, size: int) -> ForecastState:
        return cls(
            sums=np.zeros((len(SCALES_S), size)),
            weights=np.zeros((len(SCALES_S), size)),
            noise=np.zeros((2, size)),
            excess=ExcessState.empty(size),
            panic_until=np.full(size, -np.inf),
            recurrence=RecurrenceState.empty(size),
        )


def learn_news(
    state: ForecastState, demand: DemandState, news: News, *, horizon_s: Floats
) -> ForecastState:
    """A copy that has taken in what is newly known; an excess is over what was usual
    ``horizon_s`` (n,) before.
    """
    learned = state.copy()
    if news.late is not None:
        add_late(learned.sums, news.late.slots, news.late.units, news.late.ages_s)
    learn_seconds(
        learned.sums,
        learned.weights,
        learned.noise,
        learned.excess.units,
        learned.excess.unseen,
        learned.excess.usual,
        learned.excess.spikes,
        demand.units,
        demand.known,
        demand.last_refused,
        demand.head,
        news.seconds,
        news.known,
        news.silent_s,
        news.before,
        horizon_s,
        learned.recurrence.foreseen,
    )
    return learned


@compiled
def learn_seconds(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    sums: Floats,
    weights: Floats,
    noise: Floats,
    excess: Floats,
    unseen: Floats,
    usual: Floats,
    spikes: Floats,
    demand: Floats,
    is_demand_known: Bools,
    last_refused: Floats,
    head: int,
    seconds: Ints,
    known: Bools,
    silent_s: Floats,
    before: Floats,
    horizon_s: Floats,
    foreseen: Floats,
) -> None:
    """Takes the fields of ``News`` into account, in place."""
    for place in range(len(seconds)):
        at = seconds[place]
        row, previous = at % WINDOW_S, (at - 1) % WINDOW_S
        for slot in range(len(unseen)):
            last, silence_s = before[place, slot], silent_s[place, slot]
            if not known[place, slot]:
                if not last >= at:  # else it was taken up before, and only others are late
                    skip_second(usual, slot, at)
                continue
            units = demand[row, slot]
            if silence_s > 0:
                fall = demand[int(last) % WINDOW_S, slot] if last > head - WINDOW_S else 0.0
                learn_silence(noise, slot, fall, silence_s)
            if is_demand_known[previous, slot]:
                learn_step(noise, slot, demand[previous, slot], units)
            learn_means(sums, weights, slot, units, silence_s)
            is_told = weights[MINUTE, slot] > LEAST_SEEN
            means = (
                units,
                mean_of(sums, weights, BURST, slot),
                mean_of(sums, weights, MINUTE, slot),
                mean_of(sums, weights, USUAL, slot) if is_told else np.nan,
            )
            height = foreseen_height(foreseen, slot, at)
            learn_excess(excess, unseen, usual, slot, at, means, height, horizon_s[slot])
            learn_spike(spikes, slot, demand, is_demand_known, at)
            if last_refused[slot] >= at:  # never is NaN, and is not
                learn_refusal(excess, slot, units, means[2])
