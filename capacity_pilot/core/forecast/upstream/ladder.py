"""How much more of a burst is usually to come, by how long it has lasted.

The chain ladder of claims reserving (Mack, "Distribution-free calculation of the standard error of
chain ladder reserve estimates", ASTIN Bulletin 23, 1993): the growth from one age to the next is
the ratio of the sums over earlier bursts, here of those that were still going on at that age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats

AGES_S = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])
_MEMORY = 0.8


@dataclass(frozen=True, slots=True)
class LadderState:
    """Faded sums over bursts of what had come by ``AGES_S``, each (ages - 1, S, 1): ``earlier``
    by each age, ``later`` by the next one.
    """

    earlier: Floats
    later: Floats

    @classmethod
    def empty(cls, size: int = 0) -> LadderState:
        shape = (len(AGES_S) - 1, size, 1)
        return cls(np.zeros(shape), np.zeros(shape))

    def growth(self, signal: int) -> Floats:
        """By what factor a burst still going on grows from each age to the next, at least 1."""
        earlier, later = self.earlier[:, signal, 0], self.later[:, signal, 0]
        growth: Floats = np.maximum(later, earlier) / np.maximum(earlier, 1e-9)
        return np.where(earlier > 0, growth, 1.0)


def climb(state: LadderState, signal: int, course: Floats) -> LadderState:
    """Takes into account a burst that ended, ``course`` being its counts second by second."""
    come = np.cumsum(course)
    by_age = come[np.minimum(AGES_S, len(course)) - 1]
    went_on = len(course) > AGES_S[:-1]
    earlier, later = state.earlier.copy(), state.later.copy()
    earlier[:, signal, 0] = _MEMORY * earlier[:, signal, 0] + np.where(went_on, by_age[:-1], 0.0)
    later[:, signal, 0] = _MEMORY * later[:, signal, 0] + np.where(went_on, by_age[1:], 0.0)
    return LadderState(earlier, later)


def project(growth: Floats, *, come: float, age_s: int, seconds: int) -> Floats:
    """Counts in the next ``seconds`` of a burst of which ``come`` came in its first ``age_s``."""
    rungs = np.searchsorted(AGES_S, age_s, side="right")
    ages, total = [age_s], [come]
    for rung in range(int(rungs), len(AGES_S)):
        share = np.log2(AGES_S[rung] / ages[-1])  # of the way from one age to the next
        total.append(total[-1] * float(growth[rung - 1]) ** share)
        ages.append(int(AGES_S[rung]))
    by_second = np.interp(np.arange(age_s, age_s + seconds + 1), ages, total)
    return np.diff(by_second)
