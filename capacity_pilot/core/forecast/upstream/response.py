"""How a signal's excess comes out as demand: a finite impulse response, never negative.

Demand above its usual level is explained by the signal's mean excess in bins of lag that double
in width. The response is learned once per episode, from the whole of it, by non-negative least
squares that start from what earlier episodes taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Floats, name_arrays
from capacity_pilot.core.forecast.upstream.signals import REACH_S

EDGES_S: Final = np.array([0, 2, 4, 8, 16, 32, 64, 128, REACH_S])
"""Bins of lag, in seconds from a count to the demand it brings."""

BINS: Final = len(EDGES_S) - 1

_SWEEPS = 32
_MEMORY = 0.7
_FIRST_TRUST = 0.02
_MOST_LESSONS = 3.0


@dataclass(frozen=True, slots=True)
class MomentState(ArrayState):
    """Sums of products of lag bins over the running episodes (BINS, BINS, S, 1), and what their
    traces usually come to (S, 1).
    """

    sums: Floats
    energy: Floats

    @classmethod
    def empty(cls, size: int = 0) -> MomentState:
        return cls(np.zeros((BINS, BINS, size, 1)), np.zeros((size, 1)))


MomentStateArrays = name_arrays(MomentState)


@compiled
def add_moments(moments: MomentState, signal: int, binned: Floats) -> None:
    """Takes seconds of ``signal`` into account, ``binned`` (seconds, BINS), in place."""
    for second in range(len(binned)):
        for b in range(BINS):
            for c in range(BINS):
                moments.sums[b, c, signal, 0] += binned[second, b] * binned[second, c]


@compiled
def close_moments(moments: MomentState, signal: int) -> None:
    """The signal's episode is over."""
    trace = _trace(moments, signal)
    usual = moments.energy[signal, 0]
    moments.energy[signal, 0] = _MEMORY * usual + (1 - _MEMORY) * trace if usual else trace
    moments.sums[:, :, signal, 0] = 0.0


@compiled
def bin_lags(excess: Floats) -> Floats:
    """Mean excess per bin of lag (seconds, BINS) at each of the last seconds.

    ``excess`` (REACH_S + seconds - 1,) ends with the last of them.
    """
    come = np.zeros(len(excess) + 1)
    for n in range(len(excess)):
        come[n + 1] = come[n] + excess[n]
    binned = np.empty((len(come) - REACH_S, BINS))
    for second in range(len(binned)):
        at = REACH_S + second
        for b in range(BINS):
            first, last = EDGES_S[b], EDGES_S[b + 1]
            binned[second, b] = (come[at - first] - come[at - last]) / (last - first)
    return binned


@compiled
def fit_response(
    moments: MomentState, signal: int, products: Floats, prior: Floats, lessons: float
) -> Floats:
    """Weights (BINS,) that explain the signal's running episode, none negative.

    ``products`` (BINS,) are the episode's sums of products of bins and demand. ``prior`` counts as
    much as the ``lessons`` it comes from, up to three, each of a usual episode's weight, so that a
    small episode teaches little. Coordinate descent.
    """
    sums = moments.sums[:, :, signal, 0].copy()
    trace = _trace(moments, signal)
    if lessons > 0:
        usual = max(moments.energy[signal, 0], trace * _FIRST_TRUST)
        trust = min(lessons, _MOST_LESSONS) * usual / BINS
    else:
        trust = _FIRST_TRUST * trace / BINS
    weights = prior.copy()
    for _ in range(_SWEEPS):
        for b in range(BINS):
            curvature = sums[b, b] + trust
            if curvature > 0:
                slope = (sums[b] * weights).sum() - products[b] + trust * (weights[b] - prior[b])
                weights[b] = max(weights[b] - slope / curvature, 0.0)
    return weights


@compiled
def _trace(moments: MomentState, signal: int) -> float:
    trace = 0.0
    for b in range(BINS):
        trace += moments.sums[b, b, signal, 0]
    return trace


def gain_of(weights: Floats) -> float:
    """Units that one count brings in all, by its ``weights`` (BINS,)."""
    return float(weights.sum())  # a bin's mean has each count in it for the bin's width
