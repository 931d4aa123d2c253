"""Mean demand over seconds to minutes, by exponential averages that are right from the start."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.settling import LateUnits

SCALES_S = np.array([[10.0], [60.0], [300.0]])
"""Time constants: a burst, a minute, and what is usual."""

BURST, MINUTE, USUAL = 0, 1, 2
"""Rows of the means."""

_SETTLED_WEIGHT = 0.5


@dataclass(frozen=True, slots=True)
class MeansState:
    """Faded sums of demand, units/s, and of their weights; both (scales, n)."""

    sums: Floats
    weights: Floats

    @classmethod
    def empty(cls, size: int) -> MeansState:
        return cls(np.zeros((len(SCALES_S), size)), np.zeros((len(SCALES_S), size)))

    @property
    def values(self) -> Floats:
        """Mean demand per scale, units/s, (scales, n); 0 where nothing was seen."""
        means: Floats = self.sums / np.maximum(self.weights, 1e-9)
        return means


def learn_means(state: MeansState, units: Floats, known: Floats, silent_s: Floats) -> MeansState:
    """Takes one second's demand (n,) into account where ``known`` is 1, after ``silent_s`` seconds
    (n,) without any.
    """
    sums, weights = state.sums, state.weights
    if np.count_nonzero(silent_s):
        kept = (1.0 - 1.0 / SCALES_S) ** silent_s
        sums, weights = kept * sums, 1.0 - kept * (1.0 - weights)
    gains = known / SCALES_S
    return MeansState(sums + gains * (units - sums), weights + gains * (1.0 - weights))


def add_late(state: MeansState, late: LateUnits) -> MeansState:
    """Takes units into account that were not told of when their second was learned."""
    sums = state.sums.copy()
    shares = (1.0 - 1.0 / SCALES_S) ** late.ages_s / SCALES_S
    for scale, added in enumerate(shares * late.units):
        np.add.at(sums[scale], late.slots, added)
    return MeansState(sums, state.weights)


def measure_drift(state: MeansState, means: Floats) -> Floats:
    """How fast demand grows over minutes, units/s per s, (n,); never negative.

    An average lags a steady climb by its time constant, so two of them differ by the climb over
    the difference of theirs. Nothing is said until the slower one has seen enough.
    """
    lag_s = SCALES_S[USUAL, 0] - SCALES_S[MINUTE, 0]
    rise = np.maximum(means[MINUTE] - means[USUAL], 0.0) / lag_s
    return np.where(state.weights[USUAL] > _SETTLED_WEIGHT, rise, 0.0)
