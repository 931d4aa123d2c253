"""How a signal's excess comes out as demand: a finite impulse response, never negative.

Demand above its usual level is explained by the signal's mean excess in bins of lag that double
in width. The response is learned once per episode, from the whole of it, by non-negative least
squares that start from what earlier episodes taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.upstream.signals import REACH_S

EDGES_S: Final = np.array([0, 2, 4, 8, 16, 32, 64, 128, REACH_S])
"""Bins of lag, in seconds from a count to the demand it brings."""

BINS: Final = len(EDGES_S) - 1

_SWEEPS = 32
_MEMORY = 0.7
_FIRST_TRUST = 0.02
_MOST_LESSONS = 3.0


@dataclass(frozen=True, slots=True)
class MomentState:
    """Sums of products of lag bins over the running episodes (BINS, BINS, S, 1), and what their
    traces usually come to (S, 1).
    """

    sums: Floats
    energy: Floats

    @classmethod
    def empty(cls, size: int = 0) -> MomentState:
        return cls(np.zeros((BINS, BINS, size, 1)), np.zeros((size, 1)))


def add_moments(state: MomentState, signals: Ints, binned: Floats) -> MomentState:
    """Takes seconds of ``signals`` into account, ``binned`` (seconds, BINS, signals)."""
    sums = state.sums.copy()
    sums[:, :, signals, 0] += np.einsum("tbs,tcs->bcs", binned, binned)
    return MomentState(sums, state.energy)


def close_moments(state: MomentState, signal: int) -> MomentState:
    """The signal's episode is over."""
    sums, energy = state.sums.copy(), state.energy.copy()
    trace = np.trace(sums[:, :, signal, 0])
    energy[signal] = (
        trace if not energy[signal, 0] else (_MEMORY * energy[signal] + (1 - _MEMORY) * trace)
    )
    sums[:, :, signal] = 0.0
    return MomentState(sums, energy)


def bin_lags(excess: Floats, seconds: int) -> Floats:
    """Mean excess per bin of lag (seconds, BINS, signals) at each of the last ``seconds`` seconds.

    ``excess`` (REACH_S + seconds - 1, signals) ends with the last of them.
    """
    come = np.zeros((len(excess) + 1, *excess.shape[1:]))
    np.cumsum(excess, axis=0, out=come[1:])
    at = np.arange(REACH_S, REACH_S + seconds)
    by_edge = come[at[:, None] - EDGES_S]
    widths = np.diff(EDGES_S)[:, None]
    binned: Floats = (by_edge[:, :-1] - by_edge[:, 1:]) / widths
    return binned


def fit_response(
    state: MomentState, signal: int, products: Floats, *, prior: Floats, lessons: Floats
) -> Floats:
    """Weights (BINS, pairs) that explain the signal's running episode, none negative.

    ``products`` (BINS, pairs) are the episode's sums of products of bins and demand. ``prior``
    counts as much as the ``lessons`` (pairs,) it comes from, up to three, each of a usual
    episode's weight, so that a small episode teaches little. Coordinate descent.
    """
    moments = state.sums[:, :, signal, 0]
    usual = max(float(state.energy[signal, 0]), float(np.trace(moments)) * _FIRST_TRUST)
    trust = (
        np.where(
            lessons > 0,
            np.minimum(lessons, _MOST_LESSONS) * usual,
            _FIRST_TRUST * np.trace(moments),
        )
        / BINS
    )
    weights = prior.copy()
    for _ in range(_SWEEPS):
        for b in range(BINS):
            curvature = moments[b, b] + trust
            slope = moments[b] @ weights - products[b] + trust * (weights[b] - prior[b])
            step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
            weights[b] = np.maximum(weights[b] - step, 0.0)
    return weights


def gain_of(weights: Floats) -> Floats:
    """Units that one count brings in all, (pairs,)."""
    gain: Floats = weights.sum(axis=0)  # a bin's mean has each count in it for the bin's width
    return gain
