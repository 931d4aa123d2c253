"""Sizing: more demand never asks for less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.sizing import Sizing, size_capacity

units = st.floats(0, 1e7)
noises = st.one_of(st.just(0.0), st.floats(1e-100, 1e7))
shares = st.floats(0, 1)


def forecast(
    level: float,
    high: float,
    noise: float,
    *,
    panicking: bool = False,
    means: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> Forecast:
    def one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([value])

    flag = np.array([panicking])
    return Forecast(
        level=one(level),
        expected=one(level),
        high=one(high),
        noise=one(noise),
        means=np.array(means).reshape(-1, 1),
        is_surging=flag,
        is_panicking=flag,
        is_aftermath=flag,
        is_fresh=~flag | flag,
    )


def size(
    ahead: Forecast, *, provisioned: float, bucket: float, reliance: float, apply_s: float
) -> Sizing:
    return size_capacity(
        ahead,
        provisioned=np.array([provisioned]),
        burst_units=np.array([bucket]),
        burst_reliance=np.array([reliance]),
        apply_time_s=np.array([apply_s]),
        unsettled_s=4.0,
    )


settings = st.fixed_dictionaries(
    {
        "provisioned": units,
        "bucket": st.floats(0, 1e9),
        "reliance": shares,
        "apply_s": st.floats(0.5, 900),
    }
)


@given(settings, units, units, noises, units, units, st.booleans())
def test_more_demand_never_asks_for_less(
    setting: dict[str, float],
    level: float,
    high: float,
    noise: float,
    more: float,
    higher: float,
    panicking: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    low = size(forecast(level, high, noise, panicking=panicking), **setting)
    raised = forecast(level + more, high + higher, noise, panicking=panicking)
    up = size(raised, **setting)
    assert up.least >= low.least
    assert up.sustained >= low.sustained
    assert up.seconds_to_throttle <= low.seconds_to_throttle
    assert 0 <= low.least <= low.sustained


@given(settings, units, units, noises)
def test_panic_never_asks_for_less(
    setting: dict[str, float], level: float, high: float, noise: float
) -> None:
    calm = size(forecast(level, high, noise), **setting)
    panic = size(forecast(level, high, noise, panicking=True), **setting)
    assert panic.least >= calm.least


@given(settings, units, units, noises)
def test_a_fuller_bucket_never_asks_for_more(
    setting: dict[str, float], level: float, high: float, noise: float
) -> None:
    ahead = forecast(level, high, noise)
    full = size(ahead, **(setting | {"bucket": setting["bucket"] * 2 + 1}))
    assert full.least <= size(ahead, **setting).least
    dry = size(ahead, **(setting | {"reliance": 0.0}))
    assert dry.least == dry.sustained


def test_nothing_known_asks_for_nothing() -> None:
    unknown = forecast(np.nan, np.nan, 0.0)
    sizing = size(unknown, provisioned=100.0, bucket=500.0, reliance=0.5, apply_s=30.0)
    assert np.isnan([sizing.least, sizing.sustained]).all()
    assert sizing.seconds_to_throttle == np.inf


def test_seconds_to_throttle_is_the_reliable_bucket_over_the_excess() -> None:
    ahead = replace(forecast(100.0, 150.0, 0.0))
    sizing = size(ahead, provisioned=100.0, bucket=6_000.0, reliance=0.5, apply_s=30.0)
    assert sizing.seconds_to_throttle == 60.0


def rest(means: tuple[float, ...], *, high: float = 1000.0, bucket: float = 1e9) -> float:
    """Where to come down to from 500 units with half of the bucket trusted: 150 s when full."""
    ahead = forecast(100.0, high, 0.0, means=means)
    sizing = size(ahead, provisioned=500.0, bucket=bucket, reliance=0.5, apply_s=25.0)
    return float(sizing.resting[0])


def test_what_is_usual_is_carried_without_the_bucket() -> None:
    assert rest((0.0, 0.0, 400.0)) == pytest.approx(408.0)


def test_short_bursts_are_the_buckets() -> None:
    """6400 units/s for 10 s fit 400 units with 150 s of them saved; 640 for 60 s fit 183."""
    assert rest((6400.0, 0.0, 0.0)) == pytest.approx(400.0)
    assert rest((0.0, 640.0, 0.0), high=700.0) == pytest.approx(640 / 3.5)


def test_a_bucket_that_is_empty_now_must_not_have_the_table_raised_again_at_once() -> None:
    assert rest((0.0, 0.0, 400.0), bucket=0.0) == pytest.approx(1000.0)


def test_nobody_rests_above_what_the_forecast_needs() -> None:
    assert rest((900.0, 900.0, 900.0), high=300.0) == pytest.approx(300.0)


def test_a_burst_the_bucket_outlasts_is_waited_out() -> None:
    """500 units above 500 for 31 s (4 untold, apply time, another call) are 15,500."""
    burst = forecast(1000.0, 1000.0, 0.0)
    kept = size(burst, provisioned=500.0, bucket=51_000.0, reliance=0.5, apply_s=25.0)
    assert kept.least <= 500.0  # 25,500 are trusted, 10,000 of them a reserve
    spent = size(burst, provisioned=500.0, bucket=50_998.0, reliance=0.5, apply_s=25.0)
    assert spent.least > 900.0


def test_what_is_seen_of_a_surge_and_a_step_more_is_bought_at_once() -> None:
    surge = forecast(1000.0, 1800.0, 0.0, panicking=True)
    sizing = size(surge, provisioned=500.0, bucket=150_000.0, reliance=0.5, apply_s=25.0)
    assert sizing.least == 1300.0
    dry = size(surge, provisioned=500.0, bucket=0.0, reliance=0.5, apply_s=25.0)
    assert dry.least == 1800.0
