"""Level and slope of demand over the last seconds, by exponentially weighted least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand import WINDOW_S, DemandState
from capacity_pilot.core.fleet import Floats

_FAST_S = 6.0
_BASE_S = 40.0
_DAMPING_S = 20.0
_UNSETTLED_ROWS = 40
_LEAST_BASE_S = 8.0
_RIDGE = 2.0
_DOUBT = 2.0
_LEVEL_DOUBT = 4.0
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True)
class Trend:
    """``level`` at the settled second and ``slope`` (units/s per s), weighing the last seconds;
    ``raw_slope`` is the slope before noise was allowed for, ``base`` the mean over the last
    minute or so, NaN until enough of it is known to stand for the past. All (n,), NaN where
    nothing is known lately.
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
    newest_first = -settled % WINDOW_S
    weights = _WEIGHTS[:, newest_first : newest_first + WINDOW_S]
    b0, s0, s1, s2 = weights @ demand.known
    yb, y0, y1 = weights[:3] @ demand.units
    # A slot silent for a minute has weights too small to divide by.
    s0[s0 <= _LEAST_WEIGHT] = np.nan
    center, mean = s1 / s0, y0 / s0
    spread = s2 - s1 * center + _RIDGE
    raw_slope = (y1 - center * y0) / spread
    slope = _discount_noise(raw_slope, _DOUBT * np.sqrt(noise_variance / (2 * spread)))
    base = yb / np.maximum(b0, _LEAST_WEIGHT)
    apart = _discount_noise(
        mean - slope * center - base, _LEVEL_DOUBT * np.sqrt(noise_variance / _FAST_S)
    )
    level = np.maximum(base + apart, 0.0)
    base[b0 <= _LEAST_BASE_S] = np.nan
    return Trend(level, slope, raw_slope, base)


def _weigh_rows() -> Floats:
    """Weights (4, 2 * WINDOW_S) of the ring's rows: of the base's mean, and of the fast line's
    sums of ages to the powers of 0, 1 (negative, so that time runs forward) and 2.

    Column ``j`` is for the row of ``-j`` seconds before the settled one, and the whole ring is
    there twice: whichever row is the newest, all rows in their order are one slice.
    """
    age = (-np.arange(2 * WINDOW_S) % WINDOW_S).astype(np.float64)
    usable = age < WINDOW_S - _UNSETTLED_ROWS  # seconds after the settled one look very old
    base = np.where(usable, np.exp(-age / _BASE_S), 0.0)
    fast = np.where(usable, np.exp(-age / _FAST_S), 0.0)
    return np.stack([base, fast, -fast * age, fast * age**2])


_WEIGHTS = _weigh_rows()


def _discount_noise(value: Floats, doubt: Floats) -> Floats:
    """Nothing of what is within ``doubt``, all of what is beyond twice of it, no jump between."""
    kept: Floats = (np.abs(value) / np.maximum(doubt, 1e-9) - 1.0).clip(0.0, 1.0)
    return value * kept


def damp(horizon_s: Floats) -> Floats:
    """Seconds a slope is worth over a horizon: no trend is believed to go on for ever."""
    worth: Floats = _DAMPING_S * -np.expm1(-horizon_s / _DAMPING_S)
    return worth
