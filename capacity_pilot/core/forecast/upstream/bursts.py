"""How a burst of a signal usually goes on, by how long it has lasted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats

AGES_S: Final = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])

_MEMORY = 0.8
_UNHEARD_OF = 1.5
_PRIOR_BURSTS = 0.5
"""A burst of which nothing is known is taken to go on for half as long again; that weighs as
much as half an earlier one that lasted as long.
"""


@dataclass(frozen=True, slots=True)
class BurstsState:
    """``come`` (ages, ages, S, 1): how much had come by each of ``AGES_S`` (second axis) of bursts
    that were still going on at another (first axis), in faded sums over bursts; ``bursts`` (ages,
    S, 1) is how many those were, faded alike.
    """

    come: Floats
    bursts: Floats

    @classmethod
    def empty(cls, size: int = 0) -> BurstsState:
        ages = len(AGES_S)
        return cls(np.zeros((ages, ages, size, 1)), np.zeros((ages, size, 1)))


def note_burst(state: BurstsState, signal: int, course: Floats) -> BurstsState:
    """Takes into account a burst that ended, ``course`` being its counts second by second."""
    by_age = np.cumsum(course)[np.minimum(AGES_S, len(course)) - 1]
    went_on = len(course) >= AGES_S
    fading = np.where(went_on, _MEMORY, 1.0)
    come, bursts = state.come.copy(), state.bursts.copy()
    come[:, :, signal, 0] *= fading[:, None]
    come[:, :, signal, 0] += went_on[:, None] * np.maximum(by_age, 0.0)
    bursts[:, signal, 0] = fading * bursts[:, signal, 0] + went_on
    return BurstsState(come, bursts)


def expect_burst(
    state: BurstsState, signal: int, *, come: float, age_s: int, seconds: int, lasts_s: float = 0.0
) -> Floats:
    """Counts in the next ``seconds`` of a burst of which ``come`` came in its first ``age_s``.

    As of those earlier bursts that lasted as long, in proportion. Before there was any it is taken
    to last for ``lasts_s``, if somebody says so, 0 if nobody does.
    """
    at_age = int(np.searchsorted(AGES_S, age_s, side="right")) - 1
    usual = state.come[at_age, :, signal, 0]
    ages = np.arange(age_s, age_s + seconds + 1)
    is_first = state.bursts[0, signal, 0] <= 0
    most = np.maximum(lasts_s / age_s, _UNHEARD_OF) if is_first else _UNHEARD_OF
    growth = np.minimum(ages / age_s, most)
    so_far = float(np.interp(age_s, AGES_S, usual))
    if so_far > 0:
        known = state.bursts[at_age, signal, 0]
        as_usual = np.interp(ages, AGES_S, usual) / so_far
        growth = (known * as_usual + _PRIOR_BURSTS * growth) / (known + _PRIOR_BURSTS)
    return np.diff(come * growth)
