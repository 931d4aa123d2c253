"""How much demand there will be, and how sure that is.

``means`` averages demand over seconds to minutes, ``surge`` notices when it leaves its past,
``excess`` remembers how far it ever rose within the time a change takes. ``upstream`` forecasts
from causes, ``quantiles`` tells how true forecasts are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.demand import (
    DemandState,
    has_bounded_lag,
    is_fresh,
    recent_peak,
)
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.excess import (
    RING_S,
    ExcessState,
    expect_excess,
    learn_excess,
)
from capacity_pilot.core.forecast.means import (
    BURST,
    MINUTE,
    USUAL,
    MeansState,
    add_late,
    learn_means,
    measure_drift,
)
from capacity_pilot.core.forecast.surge import SurgeState, watch_surges
from capacity_pilot.core.settling import News

_NOISE_MEMORY = 0.99
_BURST_MEAN_S = 20.0
"""Of how many independent seconds an average with a time constant of 10 s has the variance."""

_DOUBT = 8.0
_DRIFT_GAIN = 0.75
_DRIFT_LAG_S = 30.0
_MOST_DRIFT = 0.5
_SURGE_GAIN = 4.0 / 3.0
_LEAST_SEEN = 0.5


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand ahead, in units per second, all (n,).

    ``level`` is demand now, ``grown`` what minutes and a burst show it to be at the horizon,
    ``expected`` where seconds show it to go. ``usual`` is its mean over five minutes, ``minute``
    over one; ``excess`` (3, n) how far it rose above that before, for the rows of
    ``forecast.excess``. NaN where nothing was ever seen. Only where ``is_fresh`` may low demand be
    believed.
    """

    level: Floats
    grown: Floats
    expected: Floats
    usual: Floats
    minute: Floats
    excess: Floats
    is_surging: Bools
    is_panicking: Bools
    is_fresh: Bools


@dataclass(frozen=True, slots=True)
class ForecastState:
    """What forecasting remembers: all arrays end in the slot axis."""

    excess: ExcessState
    surges: SurgeState
    means: MeansState
    noise_variance: Floats
    noise_weight: Floats

    @classmethod
    def empty(cls, size: int) -> ForecastState:
        return cls(
            excess=ExcessState.empty(size),
            surges=SurgeState.empty(size),
            means=MeansState.empty(size),
            noise_variance=np.zeros(size),
            noise_weight=np.zeros(size),
        )


def forecast(
    state: ForecastState,
    demand: DemandState,
    news: News,
    *,
    settled: int,
    ahead_s: Floats,
    now: float,
) -> tuple[ForecastState, Forecast]:
    """Forecasts demand until ``ahead_s`` seconds from ``now`` per slot, (n,).

    ``news`` is what is newly known of ``demand``, which is settled up to ``settled``.
    """
    horizon_s = ahead_s + max(now - settled, 0.0)  # a clock put back shortens nothing
    learned = _learn(state, demand, news, horizon_s=horizon_s)
    means = learned.means.values
    minute, usual = means[MINUTE], means[USUAL]
    seen = learned.means.weights[BURST] > 0
    fresh = is_fresh(demand, now) & seen
    # A faded sum over its faded count: right from the first pair of seconds on.
    noise = np.sqrt(learned.noise_variance / np.maximum(learned.noise_weight, 1e-9))
    apart = _discount_noise(means[BURST] - minute, _DOUBT * noise / np.sqrt(_BURST_MEAN_S))
    level = np.maximum(minute + apart, 0.0)
    peak = recent_peak(demand, settled)
    surges = watch_surges(
        state.surges,
        base=minute,
        level=level,
        peak=peak,
        noise=noise,
        is_watched=fresh & (learned.means.weights[MINUTE] > _LEAST_SEEN / 4),
        now=now,
    )
    if np.count_nonzero(surges.is_surging):
        level = np.where(surges.is_surging, np.maximum(level, peak), level)
    drift = measure_drift(learned.means, means) * (_DRIFT_GAIN * (horizon_s + _DRIFT_LAG_S))
    grown = level + fresh * np.minimum(drift, _MOST_DRIFT * level)
    # A burst's mean runs ahead of a minute's by what demand climbs in 50 s.
    expected = grown + fresh * (_SURGE_GAIN * np.maximum(apart, 0.0))
    nothing = np.where(seen, 0.0, np.nan)
    return replace(learned, surges=surges), Forecast(
        level=np.where(surges.is_surging, level, means[BURST]) + nothing,
        grown=grown + nothing,
        expected=expected + nothing,
        usual=usual + nothing,
        minute=minute + nothing,
        excess=expect_excess(learned.excess, usual) + nothing,
        is_surging=surges.is_surging,
        is_panicking=surges.panic_until > now,
        is_fresh=fresh if has_bounded_lag(demand) else np.zeros_like(fresh),
    )


def _learn(
    state: ForecastState, demand: DemandState, news: News, *, horizon_s: Floats
) -> ForecastState:
    """The means, the noise and the excesses with what is newly known."""
    size = len(demand.units)
    means, excess = state.means, state.excess
    variance, weight = state.noise_variance, state.noise_weight
    ago_s = np.minimum(horizon_s, RING_S - 1).astype(np.int64)
    if news.late is not None:
        means = add_late(means, news.late)
    for second in news.seconds:
        units, known, silent_s = demand.units[second.at % size], second.known, second.silent_s
        previous = (second.at - 1) % size
        # Half the squared step between neighbours is the variance without the trend's share.
        if np.count_nonzero(silent_s):
            ended = silent_s > 0
            fall = _units_at(demand, second.before, ended) ** 2 / 2
            kept = _NOISE_MEMORY**silent_s
            variance = kept * variance + ended * (1 - _NOISE_MEMORY) * fall
            weight = 1.0 - kept * (1.0 - weight)
        step = (units - demand.units[previous]) ** 2 / 2
        gain = (1 - _NOISE_MEMORY) * (known * demand.known[previous])
        variance = variance + gain * (step - variance)
        weight = weight + gain * (1 - weight)
        means = learn_means(means, units, known, silent_s)
        values = means.values
        excess = learn_excess(
            excess,
            np.stack([units, values[BURST], values[MINUTE]]),
            known=known > 0,
            usual=np.where(means.weights[MINUTE] > _LEAST_SEEN, values[USUAL], np.nan),
            second=second.at,
            ago_s=ago_s,
        )
    return replace(state, excess=excess, means=means, noise_variance=variance, noise_weight=weight)


def _discount_noise(value: Floats, doubt: Floats) -> Floats:
    """Nothing of what is within ``doubt``, all of what is beyond twice of it, no jump between."""
    kept: Floats = (np.abs(value) / np.maximum(doubt, 1e-9) - 1.0).clip(0.0, 1.0)
    return value * kept


def _units_at(demand: DemandState, seconds: Floats, where: Bools) -> Floats:
    """Demand in ``seconds`` (n,), 0 elsewhere and where the ring has moved on."""
    size = len(demand.units)
    within = where & (seconds > demand.head - size)
    rows = np.where(within, seconds, 0.0).astype(np.int64) % size
    units: Floats = demand.units[rows, np.arange(len(seconds))] * within
    return units
