"""How a burst of a signal usually goes on, by how long it has lasted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats

AGES_S: Final = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])

_MEMORY = 0.8
_UNHEARD_OF = 1.5
"""A burst that outlasts all earlier ones is taken to go on for half as long again."""


@dataclass(frozen=True, slots=True)
class BurstsState:
    """``come`` (ages, ages, S, 1): how much had come by each of ``AGES_S`` (second axis) of bursts
    that were still going on at another (first axis), in faded sums over bursts.
    """

    come: Floats

    @classmethod
    def empty(cls, size: int = 0) -> BurstsState:
        return cls(np.zeros((len(AGES_S), len(AGES_S), size, 1)))


def note_burst(state: BurstsState, signal: int, course: Floats) -> BurstsState:
    """Takes into account a burst that ended, ``course`` being its counts second by second."""
    by_age = np.cumsum(course)[np.minimum(AGES_S, len(course)) - 1]
    went_on = len(course) >= AGES_S
    come = state.come.copy()
    come[:, :, signal, 0] *= np.where(went_on, _MEMORY, 1.0)[:, None]
    come[:, :, signal, 0] += went_on[:, None] * np.maximum(by_age, 0.0)
    return BurstsState(come)


def expect_burst(
    state: BurstsState, signal: int, *, come: float, age_s: int, seconds: int
) -> Floats:
    """Counts in the next ``seconds`` of a burst of which ``come`` came in its first ``age_s``.

    As of those earlier bursts that lasted as long, in proportion.
    """
    at_age = int(np.searchsorted(AGES_S, age_s, side="right")) - 1
    usual = state.come[at_age, :, signal, 0]
    ages = np.arange(age_s, age_s + seconds + 1)
    so_far = float(np.interp(age_s, AGES_S, usual))
    if so_far <= 0:
        lasting = np.minimum(ages, _UNHEARD_OF * age_s)
        return np.diff(come / age_s * lasting)
    return np.diff(come / so_far * np.interp(ages, AGES_S, usual))
