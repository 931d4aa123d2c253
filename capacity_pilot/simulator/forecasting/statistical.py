"""Holt-Winters, AutoETS and MSTL on minutes, fitted at midnight and moved on minute by minute.

statsforecast (Apache-2.0) and statsmodels (BSD-3-Clause) are development dependencies, and untyped:
they are imported when a model is asked for.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.forecasting.case import Case
from capacity_pilot.simulator.forecasting.models import (
    DAY_MINUTES,
    carry_minutes,
    count_steps,
    from_minutes,
)

_MOST_DAYS = 3
_STL_JUMP = DAY_MINUTES // 10

MoveOn = Callable[[Floats, int, int], Floats]
"""A day's forecasts: of minutes so far, the day's first one, and steps; (minutes, steps)."""


def forecast_auto_ets(case: Case) -> Floats:
    """The exponential smoothing without season that AutoETS finds best."""
    return _forecast_days(case, least_days=1, move_on=_move_auto_ets)


def forecast_mstl(case: Case) -> Floats:
    """A daily season by MSTL, held for the day, and AutoETS for what is left."""
    return _forecast_days(case, least_days=2, move_on=_move_mstl)


def forecast_holt_winters(case: Case) -> Floats:
    """Additive smoothing of level, damped trend and daily season."""
    return _forecast_days(case, least_days=2, move_on=_move_holt_winters)


def _forecast_days(case: Case, *, least_days: int, move_on: MoveOn) -> Floats:
    minutes, steps = carry_minutes(case.truth), count_steps(case)
    ahead = np.full((len(minutes), steps), np.nan)
    for first in range(least_days * DAY_MINUTES, len(minutes), DAY_MINUTES):
        began, until = max(first - _MOST_DAYS * DAY_MINUTES, 0), first + DAY_MINUTES
        past = minutes[began : min(until, len(minutes))]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about fits that stop early: their forecasts tell
            ahead[first:until] = move_on(past, first - began, steps)
    return from_minutes(case, np.maximum(ahead, 0.0))


def _move_auto_ets(minutes: Floats, first: int, steps: int) -> Floats:
    models = importlib.import_module("statsforecast.models")
    model = models.AutoETS(season_length=1, model="ZZN").fit(minutes[:first])
    return np.stack(list(_forward(model, minutes, first, steps)))


def _move_mstl(minutes: Floats, first: int, steps: int) -> Floats:
    models = importlib.import_module("statsforecast.models")
    # Smoothing a tenth of the points, as R's STL does, takes a hundredth of the time.
    jumps = dict.fromkeys(("seasonal_jump", "trend_jump", "low_pass_jump"), _STL_JUMP)
    model = models.MSTL(
        season_length=DAY_MINUTES,
        trend_forecaster=models.AutoETS(season_length=1, model="ZZN"),
        stl_kwargs=jumps,
    ).fit(minutes[:first])
    season = model.model_["seasonal"].to_numpy()
    season = np.concatenate([season, season[-DAY_MINUTES:], season[-DAY_MINUTES:][:steps]])
    adjusted = minutes - season[: len(minutes)]
    ahead = np.stack(list(_forward(model.trend_forecaster, adjusted, first, steps)))
    minute = np.arange(first, len(minutes))[:, None] + np.arange(1, steps + 1)
    seasonal: Floats = ahead + season[minute]
    return seasonal


def _forward(model: Any, minutes: Floats, first: int, steps: int) -> Iterator[Floats]:
    for newest in range(first, len(minutes)):
        past = minutes[: newest + 1]
        if np.ptp(past) == 0:  # statsforecast would fit anew, for a second or more
            yield np.full(steps, past[-1])
        else:
            yield model.forward(y=past, h=steps)["mean"]


def _move_holt_winters(minutes: Floats, first: int, steps: int) -> Floats:
    smoothing = importlib.import_module("statsmodels.tsa.holtwinters").ExponentialSmoothing
    kind = {
        "trend": "add",
        "damped_trend": True,
        "seasonal": "add",
        "seasonal_periods": DAY_MINUTES,
    }
    found = smoothing(minutes[:first], initialization_method="heuristic", **kind).fit().params
    moved = smoothing(
        minutes,
        initialization_method="known",
        initial_level=found["initial_level"],
        initial_trend=found["initial_trend"],
        initial_seasonal=found["initial_seasons"][:DAY_MINUTES],
        **kind,
    ).fit(
        smoothing_level=found["smoothing_level"],
        smoothing_trend=found["smoothing_trend"],
        smoothing_seasonal=found["smoothing_seasonal"],
        damping_trend=found["damping_trend"],
        optimized=False,
    )
    newest = np.arange(first, len(minutes))[:, None]
    step = np.arange(1, steps + 1)
    worth = np.cumsum(found["damping_trend"] ** step)
    season = np.asarray(moved.season)[newest + step - DAY_MINUTES]
    ahead: Floats = (
        np.asarray(moved.level)[newest] + worth * np.asarray(moved.trend)[newest] + season
    )
    return ahead
