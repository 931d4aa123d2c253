"""How a burst of a signal usually goes on, by how long it has lasted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Floats, name_arrays

AGES_S: Final = np.array([1, 2, 4, 8, 16, 32, 64, 128, 256])

_MEMORY = 0.8
_UNHEARD_OF = 1.5
_PRIOR_BURSTS = 0.5
"""A burst of which nothing is known is taken to go on for half as long again; that weighs as
much as half an earlier one that lasted as long.
"""


@dataclass(frozen=True, slots=True)
class BurstsState(ArrayState):
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


BurstsStateArrays = name_arrays(BurstsState)


@compiled
def note_burst(bursts: BurstsState, signal: int, course: Floats) -> None:
    """Takes into account a burst that ended, ``course`` being its counts second by second, in
    place.
    """
    for age in range(len(AGES_S)):
        by_age = max(course[: AGES_S[age]].sum(), 0.0)
        for going_on in range(len(AGES_S)):
            if len(course) >= AGES_S[going_on]:
                faded = _MEMORY * bursts.come[going_on, age, signal, 0]
                bursts.come[going_on, age, signal, 0] = faded + by_age
    for going_on in range(len(AGES_S)):
        if len(course) >= AGES_S[going_on]:
            bursts.bursts[going_on, signal, 0] = _MEMORY * bursts.bursts[going_on, signal, 0] + 1


@compiled
def expect_burst(
    bursts: BurstsState, signal: int, come: float, age_s: int, seconds: int, lasts_s: float
) -> Floats:
    """Counts in the next ``seconds`` of a burst of which ``come`` came in its first ``age_s``.

    As of those earlier bursts that lasted as long, in proportion. Before there was any it is taken
    to last for ``lasts_s``, if somebody says so, 0 if nobody does.
    """
    at_age = 0
    while at_age + 1 < len(AGES_S) and AGES_S[at_age + 1] <= age_s:
        at_age += 1
    usual = bursts.come[at_age, :, signal, 0].copy()
    known, so_far = bursts.bursts[at_age, signal, 0], _come_by(usual, age_s)
    is_first = bursts.bursts[0, signal, 0] <= 0
    most = max(lasts_s / age_s, _UNHEARD_OF) if is_first else _UNHEARD_OF
    to_come, before = np.empty(seconds), 1.0
    for n in range(seconds):
        age = age_s + n + 1
        growth = min(age / age_s, most)
        if so_far > 0:
            as_usual = known * _come_by(usual, age) / so_far
            growth = (as_usual + _PRIOR_BURSTS * growth) / (known + _PRIOR_BURSTS)
        to_come[n] = come * (growth - before)
        before = growth
    return to_come


@compiled
def _come_by(usual: Floats, age_s: int) -> float:
    """What had come by ``age_s`` where ``usual`` (ages,) had by each of ``AGES_S``."""
    later = 1
    while later < len(AGES_S) - 1 and AGES_S[later] < age_s:
        later += 1
    first, last = AGES_S[later - 1], AGES_S[later]
    part = min((age_s - first) / (last - first), 1.0)
    return float(usual[later - 1] + part * (usual[later] - usual[later - 1]))
