"""Level and slope of demand over the last seconds, by exponentially weighted least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Floats

_FAST_S = 6.0
_BASE_S = 40.0
_DAMPING_S = 20.0
_UNSETTLED_ROWS = 40
_LEAST_BASE_S = 8.0
_RIDGE = 2.0
_DOUBT = 2.0


@dataclass(frozen=True, slots=True)
class Trend:
    """``level`` at the settled second and ``slope`` (units/s per s), weighing the last seconds;
    ``raw_slope`` is the slope before noise was allowed for, ``base`` the mean over the last
    minute or so, NaN until enough of it is known to stand for the past. All (n,), NaN where
    nothing is known.
    """

    level: Floats
    slope: Floats
    raw_slope: Floats
    base: Floats


def measure_trend(demand: DemandState, settled: int, noise_variance: Floats) -> Trend:
    """Fits a line through the known settled seconds of each slot.

    A slope within two standard errors of none is none: noise must not be extrapolated. In the
    same way the level keeps to the base unless it is further from it than noise can explain.
    """
    size = len(demand.units)
    age = ((settled - np.arange(size)) % size).astype(np.float64)
    usable = age < size - _UNSETTLED_ROWS  # rows of seconds after ``settled`` look very old
    fast = np.where(usable, np.exp(-age / _FAST_S), 0.0)
    base = np.where(usable, np.exp(-age / _BASE_S), 0.0)
    s0, s1, s2, b0 = np.stack([fast, -fast * age, fast * age**2, base]) @ demand.known
    y0, y1, yb = np.stack([fast, -fast * age, base]) @ demand.units
    with np.errstate(divide="ignore", invalid="ignore"):
        center, mean = s1 / s0, y0 / s0
        spread = s2 - s1 * center
        raw_slope = (y1 - center * y0) / (spread + _RIDGE)
        doubt = _DOUBT * np.sqrt(noise_variance / (2 * (spread + _RIDGE)))
        slope = _discount_noise(raw_slope, doubt)
        fast_level, base_level = mean - slope * center, yb / b0
        apart = fast_level - base_level
        explained = _DOUBT * np.sqrt(noise_variance / _FAST_S)
        level = np.maximum(base_level + _discount_noise(apart, explained), 0.0)
        # A slot silent for a minute has weights too small to divide by.
        known = s0 > 1e-6
        return Trend(
            level=np.where(known, level, np.nan),
            slope=np.where(known, slope, 0.0),
            raw_slope=np.where(known, raw_slope, 0.0),
            base=np.where(b0 > _LEAST_BASE_S, base_level, np.nan),
        )


def _discount_noise(value: Floats, doubt: Floats) -> Floats:
    """Nothing of what is within ``doubt``, all of what is beyond twice of it, no jump between."""
    return value * np.clip(np.abs(value) / np.maximum(doubt, 1e-9) - 1.0, 0.0, 1.0)


def damp(horizon_s: Floats) -> Floats:
    """Seconds a slope is worth over a horizon: no trend is believed to go on for ever."""
    worth: Floats = _DAMPING_S * -np.expm1(-horizon_s / _DAMPING_S)
    return worth
