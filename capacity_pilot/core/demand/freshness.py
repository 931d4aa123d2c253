"""How far what was told reaches, and what it says of the present."""

from __future__ import annotations

import math

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand.state import LAG_BINS, WINDOW_S, DemandState
from capacity_pilot.core.fleet import Bools, Floats

_CREDIBLE_GAPS = 8.0
_LEAST_SILENCE_S, _MOST_SILENCE_S = 10.0, 300.0
_PEAK_REACH_S = 2


def has_bounded_lag(state: DemandState) -> bool:
    """False while more than a fiftieth of demand is later than lags are told apart.

    Then no second within reach is complete, and what is seen is a lower bound.
    """
    return state.lag_s < LAG_BINS - 1


def settled_until(state: DemandState, now: float) -> int:
    """The newest second whose demand has arrived, but for the slowest fiftieth."""
    return math.floor(now - state.lag_s) - 1


def is_fresh(state: DemandState, now: float) -> Bools:
    """Targets whose last span is recent enough to speak for the present, (n,).

    A target told of later than the fleet is measured by its own lag. Spans ahead of the clock
    (it was put back) say nothing of the present.
    """
    second = int(now)
    behind_s = second - settled_until(state, now)
    return find_fresh(state.last_seen, state.mean_gap, state.news_age, behind_s, second)


@compiled
def credible_silence_s(mean_gap: float) -> float:
    """Seconds for which a target's silence is ordinary."""
    return min(max(_CREDIBLE_GAPS * mean_gap + 2.0, _LEAST_SILENCE_S), _MOST_SILENCE_S)


@compiled
def is_target_fresh(
    last_seen: float, mean_gap: float, news_age: float, behind_s: int, second: int
) -> bool:
    """``is_fresh`` of one target in this ``second``, ``behind_s`` after the newest settled one."""
    silence = second - last_seen
    # Never seen is NaN, and not fresh.
    return silence >= 0 and silence <= credible_silence_s(mean_gap) + max(news_age, behind_s)


@compiled
def target_peak(units: Floats, slot: int, settled: int, head: int) -> tuple[float, float]:
    """The highest mean of two neighbouring seconds of a target lately, units/s, and how much of it
    came with the later one.

    Reaches from just before ``settled`` to the present, whose sums are still lower bounds;
    ``units`` (WINDOW_S, n) and ``head`` are demand's.
    """
    peak, rise = 0.0, 0.0
    for second in range(max(settled - _PEAK_REACH_S, head - WINDOW_S + 1), head):
        later = units[(second + 1) % WINDOW_S, slot]
        pair = (later + units[second % WINDOW_S, slot]) / 2
        if pair > peak:
            peak, rise = pair, max(later - units[(second - 1) % WINDOW_S, slot], 0.0) / 2
    return peak, rise


@compiled
def find_fresh(
    last_seen: Floats, mean_gap: Floats, news_age: Floats, behind_s: int, second: int
) -> Bools:
    """``is_target_fresh`` of each, (n,)."""
    fresh = np.empty(len(last_seen), dtype=np.bool_)
    for slot in range(len(last_seen)):
        fresh[slot] = is_target_fresh(
            last_seen[slot], mean_gap[slot], news_age[slot], behind_s, second
        )
    return fresh
