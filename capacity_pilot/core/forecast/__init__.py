"""How much demand there will be, and how sure that is.

``trend`` measures level, slope and noise, ``means`` what is usual over minutes, ``surge`` notices
when demand leaves its past, ``error`` learns how far forecasts at the deciding horizon miss. Later
members join them here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.demand import (
    DemandState,
    has_bounded_lag,
    is_fresh,
    recent_peak,
    settled_until,
)
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.error import ErrorState, learn_errors, note_predictions
from capacity_pilot.core.forecast.means import USUAL, MeansState, learn_means, measure_drift
from capacity_pilot.core.forecast.surge import AFTERMATH_S, SurgeState, watch_surges
from capacity_pilot.core.forecast.trend import Trend, damp, measure_trend

_NOISE_MEMORY = 0.97
_MEANS_LAG_S = 30.0
_MOST_DRIFT = 0.5


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand ahead, in units per second, all (n,).

    ``level`` is demand now, ``expected`` its mean at the horizon, ``high`` the quantile of that
    mean which the policy's risk asks for, ``noise`` the standard deviation of single seconds
    around it. ``means`` (scales, n) is past demand averaged over ``means.SCALES_S``. NaN where
    nothing was ever seen, but 0 in ``means``. Only where ``is_fresh`` may low demand be believed.
    """

    level: Floats
    expected: Floats
    high: Floats
    noise: Floats
    means: Floats
    is_surging: Bools
    is_panicking: Bools
    is_aftermath: Bools
    is_fresh: Bools


@dataclass(frozen=True, slots=True)
class ForecastState:
    """What forecasting remembers: all arrays end in the slot axis."""

    errors: ErrorState
    surges: SurgeState
    means: MeansState
    noise_variance: Floats
    noise_weight: Floats
    last_level: Floats
    last_slope: Floats
    settled: int

    @classmethod
    def empty(cls, size: int, now: float) -> ForecastState:
        return cls(
            errors=ErrorState.empty(size),
            surges=SurgeState.empty(size),
            means=MeansState.empty(size),
            noise_variance=np.zeros(size),
            noise_weight=np.zeros(size),
            last_level=np.full(size, np.nan),
            last_slope=np.zeros(size),
            settled=int(now) - 1,
        )


def forecast(
    state: ForecastState, demand: DemandState, *, ahead_s: Floats, quantile: Floats, now: float
) -> tuple[ForecastState, Forecast]:
    """Forecasts the mean demand ``ahead_s`` seconds from ``now`` per slot, (n,).

    Learns from the newly settled seconds first, so that nothing is scored by data it has seen.
    """
    settled = max(settled_until(demand, now), state.settled)
    scored = range(state.settled + 1, settled + 1)
    learned = _learn(state, demand, scored, quantile=quantile, now=now)
    # A faded sum over its faded count: right from the first pair of seconds on.
    noise_variance = learned.noise_variance / np.maximum(learned.noise_weight, 1e-9)
    trend = measure_trend(demand, settled, noise_variance)
    fresh = is_fresh(demand, now) & ~np.isnan(trend.level)
    level = np.where(fresh, trend.level, state.last_level)
    slope = np.where(fresh, trend.slope, 0.0)
    noise = np.sqrt(noise_variance)
    peak = recent_peak(demand, settled)
    surges = watch_surges(
        state.surges, trend, level=level, peak=peak, noise=noise, is_fresh=fresh, now=now
    )
    any_surging = np.count_nonzero(surges.is_surging) > 0
    current = np.where(surges.is_surging, np.maximum(level, peak), level) if any_surging else level
    horizon_s = ahead_s + max(now - settled, 0.0)  # a clock put back shortens nothing
    worth_s = damp(horizon_s)
    means = learned.means.values
    # The slope of seconds is believed in a surge only; else growth is what minutes show.
    drift = measure_drift(learned.means) * (horizon_s + _MEANS_LAG_S)
    growth = np.minimum(drift, _MOST_DRIFT * current)
    if any_surging:
        growth = np.where(surges.is_surging, slope * worth_s, growth)
    expected = np.maximum(current + growth, 0.0)
    # By what is usual, not by the level: errors do not grow with a burst that will pass.
    high = expected + learned.errors.margin * means[USUAL]
    if any_surging:
        # Inside a surge the rise is no noise, and too small a first step costs an apply time. But
        # it ends as abruptly as it began: nothing beyond twice of what was seen is bought for it.
        unsettled_s = max(now - settled, 1.0)
        rise = np.fmax(np.fmax(trend.raw_slope, (current - level) / unsettled_s), 0.0)
        climb = current + np.minimum(rise * worth_s, current)
        high = np.where(surges.is_surging, np.maximum(high, climb), high)
    after = replace(
        learned,
        errors=note_predictions(learned.errors, expected, fresh, scored=scored, at_s=horizon_s),
        surges=surges,
        last_level=level,
        last_slope=slope,
        settled=settled,
    )
    return after, Forecast(
        level=current,
        expected=expected,
        high=high,
        noise=noise,
        means=means,
        is_surging=surges.is_surging,
        is_panicking=surges.panic_until > now,
        is_aftermath=surges.panic_until > now - AFTERMATH_S,
        is_fresh=fresh if has_bounded_lag(demand) else np.zeros_like(fresh),
    )


def _learn(
    state: ForecastState, demand: DemandState, seconds: range, *, quantile: Floats, now: float
) -> ForecastState:
    """The errors, the means and the noise with ``seconds`` taken into account."""
    size = len(demand.units)
    is_calm = state.surges.panic_until <= now
    errors, means = state.errors, state.means
    variance, weight = state.noise_variance, state.noise_weight
    for second in seconds[-(size // 2) :]:
        row, previous = second % size, (second - 1) % size
        units, known = demand.units[row], demand.known[row]
        errors = learn_errors(
            errors,
            units,
            known > 0,
            usual=means.values[USUAL],
            is_calm=is_calm,
            second=second,
            quantile=quantile,
        )
        means = learn_means(means, units, known)
        # Half the squared step between neighbours is the variance without the trend's share.
        step = (units - demand.units[previous]) ** 2 / 2
        gain = (1 - _NOISE_MEMORY) * (known * demand.known[previous])
        variance = variance + gain * (step - variance)
        weight = weight + gain * (1 - weight)
    return replace(state, errors=errors, means=means, noise_variance=variance, noise_weight=weight)


__all__ = ["Forecast", "ForecastState", "Trend", "forecast"]
