"""How far demand has risen above what was usual before anybody could have answered it.

What a target did once within the time a change takes, it may do again. The highest excess of its
past, fading over a day and a half, is what capacity and burst bucket together must be ready for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints

SECOND, BURST, MINUTE = 0, 1, 2
"""Rows of the excess: of single seconds, and of means over 10 and 60 s."""

RING_S = 128
_FADE_S = 129_600.0
_MOST = 12.0
_LEAST_UNITS = 1.0
_UNSEEN = np.array([[0.2], [0.4], [0.4]])
"""What is expected of a target nobody has watched: to be used to four fifths at most."""


@dataclass(frozen=True, slots=True)
class ExcessState:
    """``units`` (3, n) is the highest excess measured, units/s, fading; ``unseen`` (n,) how much
    is left of what is expected of a target nobody has watched, 1 at first; ``usual`` (RING_S, n)
    what was usual, units/s, as a ring over ``second % RING_S``, NaN where nobody knew.
    """

    units: Floats
    unseen: Floats
    usual: Floats

    @classmethod
    def empty(cls, size: int) -> ExcessState:
        return cls(np.zeros((3, size)), np.ones(size), np.full((RING_S, size), np.nan))


def learn_excess(
    state: ExcessState, demand: Floats, *, known: Bools, usual: Floats, second: int, ago_s: Ints
) -> ExcessState:
    """Takes into account ``demand`` (3, n), of ``second`` itself and as means over 10 and 60 s,
    where ``known``. ``usual`` (n,) is what is usual now, NaN where not enough was seen; the
    excess is over what was usual ``ago_s`` seconds (n,), at most ``RING_S - 1``, before.
    """
    before = state.usual[(second - ago_s) % RING_S, np.arange(len(ago_s))]
    excess = (demand - before).clip(0.0, _MOST * np.maximum(before, _LEAST_UNITS))
    # Silence neither adds to what was learned nor fades it.
    measured = known & ~np.isnan(before)
    kept = np.where(measured, np.exp(-1.0 / _FADE_S), 1.0)
    ring = state.usual.copy()
    ring[second % RING_S] = np.where(known, usual, np.nan)
    return ExcessState(
        units=np.where(measured, np.fmax(kept * state.units, excess), state.units),
        unseen=kept * state.unseen,
        usual=ring,
    )


def expect_excess(state: ExcessState, usual: Floats) -> Floats:
    """What to be ready for on top of ``usual`` (n,), units/s, (3, n)."""
    return np.maximum(state.units, (_UNSEEN * state.unseen) * usual)
