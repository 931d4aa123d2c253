"""Sizing: more demand never asks for less."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.sizing import Sizing, size_capacity

units = st.floats(0, 1e7)
noises = st.one_of(st.just(0.0), st.floats(1e-100, 1e7))
shares = st.floats(0, 1)


def forecast(level: float, high: float, noise: float, *, panicking: bool = False) -> Forecast:
    def one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([value])

    flag = np.array([panicking])
    return Forecast(
        level=one(level),
        expected=one(level),
        high=one(high),
        noise=one(noise),
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
