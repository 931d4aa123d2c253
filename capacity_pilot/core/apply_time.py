"""How long UpdateTable takes to come into force, learned per slot from what it took before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints

_MEMORY = 0.8
_SPREAD = 0.35
_SIGMAS = 1.64  # the 0.95 quantile of a normal distribution
_BOUNDS_S = (0.5, 900.0)


@dataclass(frozen=True, slots=True)
class ApplyTimes:
    """Mean and variance of the logarithm of the apply time, (n,): it is about lognormal."""

    log_mean: Floats
    log_variance: Floats

    @classmethod
    def expecting(cls, size: int, seconds: float) -> ApplyTimes:
        return cls(np.full(size, np.log(seconds)), np.full(size, _SPREAD**2))

    def high_s(self) -> Floats:
        """Seconds within which 95 % of changes are in force, (n,)."""
        high: Floats = np.exp(self.log_mean + _SIGMAS * np.sqrt(self.log_variance))
        return np.clip(high, *_BOUNDS_S)


def learn_apply_time(times: ApplyTimes, slots: Ints, seconds: float) -> ApplyTimes:
    """Takes one observed change of the given slots into account."""
    observed = float(np.log(np.clip(seconds, *_BOUNDS_S)))
    mean, variance = times.log_mean.copy(), times.log_variance.copy()
    surprise = observed - mean[slots]
    mean[slots] += (1 - _MEMORY) * surprise
    variance[slots] = _MEMORY * (variance[slots] + (1 - _MEMORY) * surprise**2)
    return ApplyTimes(mean, variance)
