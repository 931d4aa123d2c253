"""The models that the pilot is compared with: what they say, and what they cannot have known."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.forecasting.models import (
    Model,
    carry_minutes,
    forecast_naive,
    forecast_seasonal_naive,
)
from capacity_pilot.simulator.forecasting.run import SIMPLE, STATISTICAL
from capacity_pilot.simulator.forecasting.statistical import forecast_holt_winters
from tests.simulator.forecasting.cases import BEHIND, DAY, HOUR, draw_wave, make_case

MODELS = {**SIMPLE, **STATISTICAL}
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
FITTED = pytest.mark.parametrize("model", STATISTICAL.values(), ids=STATISTICAL.keys())
LENGTH = 2 * DAY + HOUR


def scored(points: Floats) -> Floats:
    return points[~np.isnan(points)]


@EVERY
def test_no_forecast_depends_on_what_came_after_its_origin(model: Model) -> None:
    truth = draw_wave(LENGTH)
    changed = truth.copy()
    now = 2 * DAY + HOUR // 2
    changed[now:] *= 7
    before, after = (model(make_case(each)) for each in (truth, changed))
    # Forecasts made when all windows before ``now`` were known at most.
    assert np.array_equal(before[: now + BEHIND], after[: now + BEHIND], equal_nan=True)
    assert not np.array_equal(before, after, equal_nan=True) or model is forecast_seasonal_naive


@EVERY
def test_steady_demand_is_forecast_as_it_is(model: Model) -> None:
    points = scored(model(make_case(np.full(LENGTH, 80.0))))
    assert len(points) >= HOUR - 2 * BEHIND
    assert points == pytest.approx(80.0, rel=1e-3)


@EVERY
def test_an_idle_table_is_no_trouble(model: Model) -> None:
    points = model(make_case(np.zeros(LENGTH)))
    assert (scored(points) == 0).all()


@EVERY
def test_gaps_are_no_trouble(model: Model) -> None:
    truth = draw_wave(LENGTH)
    truth[HOUR : 2 * HOUR] = np.nan
    truth[2 * DAY - 20 : 2 * DAY + 40] = np.nan
    last = model(make_case(truth))[-HOUR // 2 :]
    assert np.isfinite(last).all()
    assert abs(last - 300).max() < 150


def test_naive_is_the_newest_known_window() -> None:
    truth = np.arange(100.0)
    truth[50] = np.nan
    points = forecast_naive(make_case(truth))
    assert np.isnan(points[:BEHIND]).all()
    assert points[60] == truth[60 - BEHIND]
    assert points[50 + BEHIND] == truth[49]


def test_seasonal_naive_is_the_minute_a_day_before() -> None:
    truth = draw_wave(DAY + 60)
    points = forecast_seasonal_naive(make_case(truth))
    assert np.isnan(points[:DAY]).all()
    assert points[DAY + 13] == pytest.approx(truth[12:18].mean())


def test_gaps_are_filled_with_what_was_known_before_them() -> None:
    truth = np.repeat([np.nan, 5.0, np.nan, np.nan, 9.0], 6)
    assert carry_minutes(truth).tolist() == [0.0, 5.0, 5.0, 5.0, 9.0]


@FITTED
def test_a_daily_wave_is_followed_better_than_by_yesterday_alone(model: Model) -> None:
    truth = draw_wave(LENGTH)
    truth[DAY:] *= 1.3
    case = make_case(truth)
    last = slice(2 * DAY + HOUR // 2, LENGTH)
    fitted, yesterday = (
        abs(truth - each(case))[last].mean() for each in (model, forecast_seasonal_naive)
    )
    assert fitted < 1.2 * yesterday
    assert fitted < 0.1 * truth[last].mean()


def test_holt_winters_says_what_statsmodels_says_of_the_same_minutes() -> None:
    """At the very minute it was fitted, where both know the same."""
    truth = draw_wave(LENGTH)
    points = forecast_holt_winters(make_case(truth))
    minutes = carry_minutes(truth)[: 2 * 1440]
    smoothing = importlib.import_module("statsmodels.tsa.holtwinters").ExponentialSmoothing
    fit = smoothing(
        minutes,
        trend="add",
        damped_trend=True,
        seasonal="add",
        seasonal_periods=1440,
        initialization_method="heuristic",
    ).fit()
    smoothed = fit.params["smoothing_level"], fit.params["damping_trend"]
    assert all(0 <= each <= 1 for each in smoothed)
    # A minute later, with what that minute taught: close to what was said without it.
    first = points[2 * DAY + 6 + BEHIND]
    assert first == pytest.approx(float(fit.forecast(3)[-1]), rel=0.1)
