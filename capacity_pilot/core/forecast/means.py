"""Mean demand over seconds to minutes, by exponential averages that are right from the start.

An average is a faded sum over the faded sum of its weights. Compiled functions take one slot's
second each, and write to the ``sums`` and ``weights`` (rows, n) they are given.
"""

from __future__ import annotations

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Floats, Ints

SCALES_S = (10.0, 60.0, 300.0)
"""Time constants: a burst, a minute, and what is usual."""

BURST, MINUTE, USUAL = 0, 1, 2
"""Rows of the means."""

_SETTLED_WEIGHT = 0.5


@compiled
def mean_of(sums: Floats, weights: Floats, row: int, slot: int) -> float:
    """Mean demand, units/s; 0 where nothing was seen."""
    return float(sums[row, slot] / max(weights[row, slot], 1e-9))


@compiled
def learn_means(sums: Floats, weights: Floats, slot: int, units: float, silent_s: float) -> None:
    """Takes a known second's demand into account, after ``silent_s`` seconds without any."""
    for row in range(len(SCALES_S)):
        if silent_s > 0:
            kept = (1.0 - 1.0 / SCALES_S[row]) ** silent_s
            sums[row, slot] = kept * sums[row, slot]
            weights[row, slot] = 1.0 - kept * (1.0 - weights[row, slot])
        gain = 1.0 / SCALES_S[row]
        sums[row, slot] += gain * (units - sums[row, slot])
        weights[row, slot] += gain * (1.0 - weights[row, slot])


@compiled
def add_late(sums: Floats, slots: Ints, units: Floats, ages_s: Floats) -> None:
    """Takes units (m,) into account that were not told of when their second was learned."""
    for row in range(len(SCALES_S)):
        for entry in range(len(slots)):
            share = (1.0 - 1.0 / SCALES_S[row]) ** ages_s[entry] / SCALES_S[row]
            sums[row, slots[entry]] += share * units[entry]


@compiled
def measure_drift(minute: float, usual: float, usual_weight: float) -> float:
    """How fast demand grows over minutes, units/s per s; never negative.

    An average lags a steady climb by its time constant, so two of them differ by the climb over
    the difference of theirs. Nothing is said until the slower one has seen enough.
    """
    if not usual_weight > _SETTLED_WEIGHT:
        return 0.0
    return max(minute - usual, 0.0) / (SCALES_S[USUAL] - SCALES_S[MINUTE])
