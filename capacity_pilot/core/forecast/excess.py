"""How far demand has risen above what was usual before anybody could have answered it.

What a target did once within the time a change takes, it may do again. The highest excess of its
past, fading over a day and a half, is what capacity and burst bucket together must be ready for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Bools, Floats

SECOND, BURST, MINUTE = 0, 1, 2
"""Rows of the excess: of single seconds, and of means over 10 and 60 s."""

RING_S = 128
_KEPT = exp(-1.0 / 129_600.0)
_MOST = 12.0
_AROUND_S = 10
_LEAST_UNITS = 1.0
_UNSEEN = (0.2, 0.4, 0.4)
"""What is expected of a target nobody has watched: to be used to four fifths at most."""


@dataclass(frozen=True, slots=True)
class ExcessState(ArrayState):
    """``units`` (3, n) is the highest excess measured, units/s, fading; ``unseen`` (n,) how much
    is left of what is expected of a target nobody has watched, 1 at first; ``usual`` (RING_S, n)
    what was usual, units/s, as a ring over ``second % RING_S``, NaN where nobody knew. ``spikes``
    (n,) is how far two seconds stood out at most from those around them, units/s, fading: where
    calls come in clumps, high seconds say little of the next.
    """

    units: Floats
    unseen: Floats
    usual: Floats
    spikes: Floats

    @classmethod
    def empty(cls, size: int) -> ExcessState:
        usual = np.full((RING_S, size), np.nan)
        return cls(np.zeros((3, size)), np.ones(size), usual, np.zeros(size))


@compiled
def learn_excess(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    units: Floats,
    unseen: Floats,
    usual: Floats,
    slot: int,
    second: int,
    demand: tuple[float, float, float, float],
    foreseen: float,
    ago_s: float,
) -> None:
    """Takes a known ``second`` into account, in ``ExcessState``'s arrays.

    ``demand`` is of the second itself and as means over 10, 60 and 300 s, units/s, the last one
    NaN where not enough was seen. The excess is over what was usual ``ago_s`` before, at most
    ``RING_S - 1`` s, or over what was ``foreseen``; where nobody knew what was usual there is
    nothing to learn.
    """
    before = usual[(second - int(min(ago_s, RING_S - 1.0))) % RING_S, slot]
    usual[second % RING_S, slot] = demand[3]
    if np.isnan(before):
        return
    most = _MOST * max(before, _LEAST_UNITS)
    for row in range(len(_UNSEEN)):
        excess = min(max(demand[row] - max(before, foreseen), 0.0), most)
        units[row, slot] = max(_KEPT * units[row, slot], excess)
    unseen[slot] *= _KEPT


@compiled
def learn_refusal(units: Floats, slot: int, second: float, minute: float) -> None:
    """Takes a second with refusals into account, whatever was usual before: its demand has to be
    borne and no bucket bore it. Over a ``minute``'s mean, both units/s.
    """
    excess = min(max(second - minute, 0.0), _MOST * max(minute, _LEAST_UNITS))
    units[SECOND, slot] = max(units[SECOND, slot], excess)


@compiled
def skip_second(usual: Floats, slot: int, second: int) -> None:
    """Silence neither adds to what was learned nor fades it, and tells nothing of what is usual."""
    usual[second % RING_S, slot] = np.nan


@compiled
def expect_excess(units: float, unseen: float, usual: float, row: int) -> float:
    """What to be ready for on top of ``usual``, units/s."""
    return max(units, _UNSEEN[row] * unseen * usual)


@compiled
def learn_spike(spikes: Floats, slot: int, demand: Floats, is_known: Bools, second: int) -> None:
    """Takes into account how far the two seconds of ten seconds ago stood out, in place.

    A spike is over the mean of ten seconds before it as well as of ten after it: neither the
    beginning of a rise nor its end is one. ``demand`` and ``is_known`` are rings over
    ``second % RING_S``; where less than half of the seconds around are known nothing is learned.
    """
    spikes[slot] *= _KEPT
    last = second - _AROUND_S
    around = 0.0
    for first in (last - 1 - _AROUND_S, last + 1):
        total, count = 0.0, 0
        for near in range(first, first + _AROUND_S):
            if is_known[near % RING_S, slot]:
                total += demand[near % RING_S, slot]
                count += 1
        if count < _AROUND_S / 2:
            return
        around = max(around, total / count)
    row, previous = last % RING_S, (last - 1) % RING_S
    if is_known[row, slot] and is_known[previous, slot]:
        high = (demand[row, slot] + demand[previous, slot]) / 2
        spikes[slot] = max(spikes[slot], high - around)
