"""How long UpdateTable takes to come into force, learned per slot from what it took before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints

_LEAST_GAIN = 0.2
_SPREAD = 0.35
_SIGMAS = 1.64  # the 0.95 quantile of a normal distribution
_BOUNDS_S = (0.5, 900.0)


@dataclass(frozen=True, slots=True)
class ApplyTimes:
    """Mean and variance of the logarithm of the apply time, which is about lognormal, and how
    many changes they were ``learned_from``; all (n,).
    """

    log_mean: Floats
    log_variance: Floats
    learned_from: Floats

    @classmethod
    def expecting(cls, size: int, seconds: float) -> ApplyTimes:
        return cls(np.full(size, np.log(seconds)), np.full(size, _SPREAD**2), np.zeros(size))

    def high_s(self) -> Floats:
        """Seconds within which 95 % of changes are in force, (n,)."""
        high: Floats = np.exp(self.log_mean + _SIGMAS * np.sqrt(self.log_variance))
        return np.clip(high, *_BOUNDS_S)


def learn_apply_time(times: ApplyTimes, slots: Ints, seconds: float) -> ApplyTimes:
    """Takes one observed change of the given slots into account.

    The first one replaces what was expected: a guess about tables says little of this table.
    """
    observed = float(np.log(np.clip(seconds, *_BOUNDS_S)))
    mean, variance = times.log_mean.copy(), times.log_variance.copy()
    learned_from = times.learned_from.copy()
    gain = np.maximum(1.0 / (learned_from[slots] + 1.0), _LEAST_GAIN)
    surprise = observed - mean[slots]
    mean[slots] += gain * surprise
    blended = (1 - gain) * (variance[slots] + gain * surprise**2)
    variance[slots] = np.where(learned_from[slots] > 0, blended, variance[slots])
    learned_from[slots] += 1.0
    return ApplyTimes(mean, variance, learned_from)
