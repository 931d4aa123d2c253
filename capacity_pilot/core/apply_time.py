"""How long UpdateTable takes to come into force, learned per slot from what it took before.

Up to its warm throughput a resource is raised in seconds; beyond, AWS adds to it first, which takes
minutes (developer guide, warm throughput). So the two are learned apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.model import CapacityChange, TableDescription

WITHIN, BEYOND = 0, 1
"""Rows: changes to what is warm, and to more."""

Reach = int | slice
ANYWHERE: Final = slice(None)
"""The rows that a change tells of; both, where it is not known what is warm."""

NEAR_WARM: Final = 0.8
"""Of warm throughput; who has more than that provisioned may well need more than is warm next."""

_LEAST_GAIN = 0.2
_SPREAD = 0.35
_SIGMAS = 1.64  # the 0.95 quantile of a normal distribution
_BOUNDS_S = (0.5, 900.0)


@dataclass(frozen=True, slots=True)
class ApplyTimes:
    """Mean and variance of the logarithm of the apply time, which is about lognormal, and how
    many changes they were ``learned_from``; all (2, n), rows ``WITHIN`` and ``BEYOND``.
    """

    log_mean: Floats
    log_variance: Floats
    learned_from: Floats

    @classmethod
    def expecting(cls, size: int, seconds: float) -> ApplyTimes:
        rows = (2, size)
        return cls(np.full(rows, np.log(seconds)), np.full(rows, _SPREAD**2), np.zeros(rows))

    def high_s(self, is_near_warm: Bools) -> Floats:
        """Seconds within which 95 % of changes are in force, (n,): of those beyond warm throughput
        where the next may go there. Where none of the one kind were seen, those of the other tell
        more than what was expected of any table; none beyond is taken to be faster than that.
        """
        high = np.exp(self.log_mean + _SIGMAS * np.sqrt(self.log_variance))
        is_known = self.learned_from > 0
        within = np.where(is_known[WITHIN] | ~is_known[BEYOND], high[WITHIN], high[BEYOND])
        beyond = np.where(is_known[BEYOND], high[BEYOND], np.maximum(high[BEYOND], within))
        chosen: Floats = np.clip(np.where(is_near_warm, beyond, within), *_BOUNDS_S)
        return chosen


def learn_apply_time(times: ApplyTimes, slots: Ints, seconds: float, reach: Reach) -> ApplyTimes:
    """Takes one observed change of the given slots into account.

    The first one replaces what was expected: a guess about tables says little of this table.
    """
    observed = float(np.log(np.clip(seconds, *_BOUNDS_S)))
    mean, variance = times.log_mean.copy(), times.log_variance.copy()
    learned_from = times.learned_from.copy()
    of = np.arange(2)[reach].reshape(-1, 1), slots
    gain = np.maximum(1.0 / (learned_from[of] + 1.0), _LEAST_GAIN)
    surprise = observed - mean[of]
    mean[of] += gain * surprise
    blended = (1 - gain) * (variance[of] + gain * surprise**2)
    variance[of] = np.where(learned_from[of] > 0, blended, variance[of])
    learned_from[of] += 1.0
    return ApplyTimes(mean, variance, learned_from)


def reach_of(changes: Iterable[CapacityChange], before: TableDescription | None) -> Reach:
    """What a call tells of: one covers a table and its indexes, which wait for each other."""
    known = {} if before is None else {r.resource: r for r in before.resources}
    reach: Reach = WITHIN
    for change in changes:
        resource = known.get(change.resource)
        if resource is None or resource.warm_read is None or resource.warm_write is None:
            return ANYWHERE
        if change.read > resource.warm_read or change.write > resource.warm_write:
            reach = BEYOND
    return reach
