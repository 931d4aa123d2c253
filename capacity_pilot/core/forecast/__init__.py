"""How much demand there will be, and how sure that is.

``means`` averages demand over seconds to minutes, ``noise`` tells movement from noise, ``surge``
notices when demand leaves its past, ``excess`` remembers how far it ever rose within the time a
change takes; ``learning`` feeds them. ``recurrence`` finds surges that come by the clock,
``upstream`` forecasts from causes, ``quantiles`` tells how true forecasts are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import DemandState, has_bounded_lag, settled_until
from capacity_pilot.core.demand.freshness import is_target_fresh, target_peak
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.excess import expect_excess
from capacity_pilot.core.forecast.learning import LEAST_SEEN, ForecastState, learn_news
from capacity_pilot.core.forecast.means import BURST, MINUTE, USUAL, mean_of, measure_drift
from capacity_pilot.core.forecast.noise import discount_noise, noise_of
from capacity_pilot.core.forecast.recurrence import note_surges
from capacity_pilot.core.forecast.surge import PANIC_S, is_surge
from capacity_pilot.core.settling import News

__all__ = ["Forecast", "ForecastState", "forecast"]

_BURST_MEAN_S = 20.0
"""Of how many independent seconds an average with a time constant of 10 s has the variance."""

_DOUBT = 8.0
_DRIFT_GAIN = 0.75
_DRIFT_LAG_S = 30.0
_MOST_DRIFT = 0.5
_SURGE_GAIN = 4.0 / 3.0
_RISE_SIGMAS = 2.0
"""How much of a rise within two seconds may be noise, in standard deviations of a second."""

LEVEL, GROWN, EXPECTED, NEWEST, USUAL_AHEAD, MINUTE_AHEAD, RISE, SPIKE, EXCESS = range(9)
_EXCESSES = 3
SURGING, PANICKING, FRESH = range(3)


class Forecast(NamedTuple):
    """Demand ahead, in units per second, all (n,).

    ``level`` is demand now, ``grown`` what minutes and a burst show it to be at the horizon,
    ``expected`` where seconds show it to go; ``newest`` is the highest mean of two neighbouring
    seconds lately. ``usual`` is demand's mean over five minutes, ``minute`` over one; ``rise`` how
    much of a surge's highest two seconds came with the later one, units/s per s, 0 outside of
    surges; ``spike`` how far two seconds have stood out lately; ``excess`` (3, n) how far it rose
    above what was usual before, for the rows of ``forecast.excess``. NaN where nothing was ever
    seen. Only where ``is_fresh`` may low demand be believed.
    """

    level: Floats
    grown: Floats
    expected: Floats
    newest: Floats
    usual: Floats
    minute: Floats
    rise: Floats
    spike: Floats
    excess: Floats
    is_surging: Bools
    is_panicking: Bools
    is_fresh: Bools


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
    learned = learn_news(state, demand, news, horizon_s=horizon_s)
    ahead, flags = look_ahead(
        learned.sums,
        learned.weights,
        learned.noise,
        learned.excess.units,
        learned.excess.unseen,
        learned.excess.spikes,
        learned.panic_until,
        demand.units,
        demand.last_seen,
        demand.mean_gap,
        demand.news_age,
        has_bounded_lag(demand),
        int(now) - settled_until(demand, now),
        settled,
        demand.head,
        horizon_s,
        float(now),
    )
    recurrence = learned.recurrence
    note_surges(
        recurrence.began,
        recurrence.heights,
        recurrence.count,
        recurrence.opened,
        recurrence.due,
        recurrence.foreseen,
        ahead[LEVEL],
        ahead[MINUTE_AHEAD],
        flags[SURGING],
        flags[PANICKING],
        float(now),
    )
    return learned, Forecast(
        level=ahead[LEVEL],
        grown=ahead[GROWN],
        expected=ahead[EXPECTED],
        newest=ahead[NEWEST],
        usual=ahead[USUAL_AHEAD],
        minute=ahead[MINUTE_AHEAD],
        rise=ahead[RISE],
        spike=ahead[SPIKE],
        excess=ahead[EXCESS:],
        is_surging=flags[SURGING],
        is_panicking=flags[PANICKING],
        is_fresh=flags[FRESH],
    )


@compiled
def look_ahead(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    sums: Floats,
    weights: Floats,
    noise: Floats,
    excess: Floats,
    unseen: Floats,
    spikes: Floats,
    panic_until: Floats,
    demand: Floats,
    last_seen: Floats,
    mean_gap: Floats,
    news_age: Floats,
    has_bounded_lag: bool,  # noqa: FBT001 - compiled code takes no keywords
    behind_s: int,
    settled: int,
    head: int,
    horizon_s: Floats,
    now: float,
) -> tuple[Floats, Bools]:
    """The fields of ``Forecast`` as rows, (12, n) and (3, n); moves ``panic_until`` in place."""
    size = len(unseen)
    ahead = np.full((EXCESS + _EXCESSES, size), np.nan)
    flags = np.zeros((3, size), dtype=np.bool_)
    for slot in range(size):
        flags[PANICKING, slot] = panic_until[slot] > now
        if not weights[BURST, slot] > 0:
            continue
        burst = mean_of(sums, weights, BURST, slot)
        minute = mean_of(sums, weights, MINUTE, slot)
        usual = mean_of(sums, weights, USUAL, slot)
        deviation = noise_of(noise, slot)
        apart = discount_noise(burst - minute, _DOUBT * deviation / math.sqrt(_BURST_MEAN_S))
        level = max(minute + apart, 0.0)
        ahead[LEVEL, slot] = ahead[NEWEST, slot] = burst
        is_fresh = is_target_fresh(
            last_seen[slot], mean_gap[slot], news_age[slot], behind_s, int(now)
        )
        drift = 0.0
        ahead[RISE, slot] = 0.0
        if is_fresh:
            flags[FRESH, slot] = has_bounded_lag
            # What is not settled yet is a lower bound, good enough to notice a surge by.
            peak, rise = target_peak(demand, slot, settled, head)
            fast = ahead[NEWEST, slot] = max(level, peak)
            is_told = weights[MINUTE, slot] > LEAST_SEEN / 4
            if is_told and is_surge(minute, fast, deviation, spikes[slot]):
                level = ahead[LEVEL, slot] = fast
                flags[SURGING, slot] = flags[PANICKING, slot] = True
                panic_until[slot] = now + PANIC_S
                ahead[RISE, slot] = max(rise - _RISE_SIGMAS * deviation, 0.0)
            drift = measure_drift(minute, usual, weights[USUAL, slot])
            drift *= _DRIFT_GAIN * (horizon_s[slot] + _DRIFT_LAG_S)
        grown = level + min(drift, _MOST_DRIFT * level)
        # A burst's mean runs ahead of a minute's by what demand climbs in 50 s.
        climb = _SURGE_GAIN * max(apart, 0.0) if is_fresh else 0.0
        ahead[GROWN, slot] = grown
        ahead[EXPECTED, slot] = grown + climb
        ahead[USUAL_AHEAD, slot] = usual
        ahead[MINUTE_AHEAD, slot] = minute
        ahead[SPIKE, slot] = spikes[slot]
        for row in range(_EXCESSES):
            expected = expect_excess(excess[row, slot], unseen[slot], usual, row)
            ahead[EXCESS + row, slot] = expected
    return ahead, flags
