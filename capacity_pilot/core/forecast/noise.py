"""How much of demand's movement is noise: its variance from one second to the next."""

from __future__ import annotations

import math

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import Floats

VARIANCE, WEIGHT = 0, 1
"""Rows of what is kept of noise: a faded sum, (units/s)², and that of its weights."""

_MEMORY = 0.99
_FEWEST, _ENOUGH = 0.045, 0.5
"""Weights between which a target has been watched for 5 s and for a minute."""

_SIGMAS = 5.0


@compiled
def learn_step(noise: Floats, slot: int, before: float, units: float) -> None:
    """Takes the step from ``before`` to ``units`` of neighbouring seconds, units/s, into account,
    in place.

    Half of its square is the variance without the trend's share. While few steps were seen, each
    has the weight of many, and the one a surge begins with would explain the surge as noise. So
    until then it counts for five deviations at most; calls of one unit each are the least noise
    there is.
    """
    gain, squared = 1 - _MEMORY, (units - before) ** 2 / 2
    if _FEWEST < noise[WEIGHT, slot] < _ENOUGH:
        variance = max(noise[VARIANCE, slot] / noise[WEIGHT, slot], before)
        squared = min(squared, _SIGMAS**2 * variance)
    noise[VARIANCE, slot] += gain * (squared - noise[VARIANCE, slot])
    noise[WEIGHT, slot] += gain * (1 - noise[WEIGHT, slot])


@compiled
def learn_silence(noise: Floats, slot: int, fall: float, silent_s: float) -> None:
    """Takes ``silent_s`` seconds without demand, after a ``fall`` to none, in place."""
    kept = _MEMORY**silent_s
    noise[VARIANCE, slot] = kept * noise[VARIANCE, slot] + (1 - _MEMORY) * (fall**2 / 2)
    noise[WEIGHT, slot] = 1.0 - kept * (1.0 - noise[WEIGHT, slot])


@compiled
def noise_of(noise: Floats, slot: int) -> float:
    """The standard deviation, units/s, right from the first pair of seconds on."""
    return math.sqrt(noise[VARIANCE, slot] / max(noise[WEIGHT, slot], 1e-9))


@compiled
def discount_noise(value: float, doubt: float) -> float:
    """Nothing of what is within ``doubt``, all of what is beyond twice of it, no jump between."""
    return value * min(max(abs(value) / max(doubt, 1e-9) - 1.0, 0.0), 1.0)
