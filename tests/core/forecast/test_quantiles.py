"""Quantiles of demand are as often exceeded as they say, and who forecasts them is found out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Fleet, Floats, carry_over
from capacity_pilot.core.forecast.members import MEMBERS
from capacity_pilot.core.forecast.quantiles import (
    APPLY,
    HORIZONS,
    LATER,
    LEVELS,
    SOON,
    QuantileState,
)
from capacity_pilot.core.model import Resource
from tests.core.forecast.windows import MONDAY, Watch

DAY = 8640
MINUTE = 6


def draw_day(draw: np.random.Generator, size: int) -> Floats:
    """A day of windows (DAY, size) of every kind: waves, noise of any tail, steps, bursts."""
    at = np.arange(DAY)[:, None]
    wave = 1 + draw.uniform(0, 0.8, size) * np.sin(2 * np.pi * at / DAY + draw.uniform(0, 6, size))
    spread = draw.uniform(0.02, 0.9, size)
    noise = np.exp(spread * draw.standard_normal((DAY, size)) - spread**2 / 2)
    walk = np.exp(0.01 * draw.standard_normal((DAY, size)).cumsum(axis=0))
    steps = np.where(at < draw.integers(0, DAY, size), 1.0, draw.uniform(0.2, 5, size))
    bursts = np.ones((DAY, size))
    for slot in range(size):
        for start in draw.integers(0, DAY, draw.integers(0, 12)):
            since = np.arange(DAY - start)
            bursts[start:, slot] += draw.uniform(0.5, 4) * np.exp(-since / draw.uniform(6, 60))
    mean = 10 ** draw.uniform(0, 4, size)
    demand: Floats = mean * wave * noise * walk * steps * bursts
    return demand


def leader(watch: Watch, horizon: int) -> str:
    return MEMBERS[watch.state.calibration.leader[horizon, 0]]


def test_over_a_day_of_whatever_demand_quantiles_are_exceeded_as_often_as_they_say() -> None:
    watch = Watch(60)
    watch.see_all(draw_day(np.random.default_rng(5), 60))
    median, high, higher, _ = watch.exceeded
    assert (abs(median - 0.5) < 0.01).all()
    assert (abs(high - 0.1) < 0.01).all()
    assert ((higher > 0.005) & (higher < 0.02)).all()


@pytest.mark.parametrize("apply_time_s", [5.0, 120.0, 900.0])
def test_that_holds_at_any_apply_time(apply_time_s: float) -> None:
    """Below 10 s and beyond 5 min it is forecast as for those; less exactly the further ahead,
    since a day holds the fewer lessons.
    """
    watch = Watch(30, apply_time_s=apply_time_s)
    watch.see_all(draw_day(np.random.default_rng(6), 30))
    assert watch.state.current.ahead_s[APPLY, 0] == min(max(apply_time_s, 10.0), 300.0)
    assert 0.005 < watch.exceeded[2].mean() < 0.02
    assert (watch.exceeded[2] < 0.03).all()


def test_a_burst_widens_the_forecast_at_once_and_calm_narrows_it_slowly() -> None:
    """Steady demand of 100 until at noon it jumps about for three minutes."""
    watch, draw = Watch(1), np.random.default_rng(1)
    watch.see_all(100 + draw.standard_normal(1000))
    calm = watch.units[2, 0] - watch.units[0, 0]
    watch.see_all(100 + 60 * draw.standard_normal(3 * MINUTE).clip(-1.5, 1.5))
    watch.see_all(100 + draw.standard_normal(2 * MINUTE))
    wide = watch.units[2, 0] - watch.units[0, 0]
    assert wide > 5 * calm
    watch.see_all(100 + draw.standard_normal(60 * MINUTE))
    assert watch.units[2, 0] - watch.units[0, 0] < wide / 3


def test_whoever_forecasts_best_leads_and_is_demoted_when_that_ends() -> None:
    watch, draw = Watch(1), np.random.default_rng(2)
    watch.see_all(500 * np.exp(0.05 * draw.standard_normal(1500)))
    assert leader(watch, APPLY) == "minutes"  # noise around a level is best averaged
    watch.see_all(500 * np.exp((0.05 * draw.standard_normal(1500)).cumsum()))
    assert leader(watch, SOON) == "last"  # where a random walk stands is all there is to know


def test_what_happens_every_day_is_expected_from_the_third_day_on() -> None:
    """A report doubles demand on every half hour for ten minutes."""
    watch, draw = Watch(1), np.random.default_rng(3)
    at = np.arange(3 * DAY)
    demand = 300.0 * np.where(at % (30 * MINUTE) < 10 * MINUTE, 2.0, 1.0)
    demand *= np.exp(0.05 * draw.standard_normal(len(at)))
    watch.see_all(demand[: 2 * DAY])
    ahead = np.nanmedian([_see_and_look_ahead(watch, each) for each in demand[2 * DAY :]])
    assert leader(watch, LATER) == "season"
    assert ahead > 450


def _see_and_look_ahead(watch: Watch, demand: float) -> float:
    """The median 5 min on while the half hour is less than 5 min away, else NaN."""
    watch.see(demand)
    until_half_hour = -(watch.at - MONDAY) % 1800
    is_near = 60 < until_half_hour < 240
    return float(watch.state.current.units[0, LATER, 0]) if is_near else np.nan


def test_unknown_windows_are_not_scored_and_change_nothing() -> None:
    watch, unknown = Watch(2), np.array([True, False])
    watch.see_all([100.0] * 60)
    scored = watch.state.calibration.tally.scored
    for _ in range(60):
        watch.see(900.0, known=unknown)
    since = watch.state.calibration.tally.scored - scored
    # Those before the gap are still scored in it, as they become known for certain.
    assert (since[:, 0] == 60).all()
    assert (since[:, 1] == 3).all()
    assert watch.units[0, 0] > 4 * watch.units[0, 1]


def test_nothing_is_said_of_targets_never_seen() -> None:
    watch = Watch(2)
    for _ in range(30):
        watch.see(50.0, known=np.array([True, False]))
    assert np.isnan(watch.units[:, 1]).all()
    assert np.isfinite(watch.units[:, 0]).all()
    assert not watch.state.calibration.tally.scored[:, 1].any()


def test_between_windows_nothing_is_computed() -> None:
    watch = Watch(1)
    watch.see_all([10.0] * 5)
    before = watch.state
    watch.tick()
    assert watch.state is before


@pytest.mark.parametrize("away_s", [40, 130, 390, 400, 410, 4000, 90_000])
def test_after_a_pause_no_window_is_scored_by_forecasts_for_another(away_s: int) -> None:
    watch = Watch(1)
    watch.see_all([100.0] * 60)
    watch.pass_seconds(away_s)
    before = watch.state.calibration.tally.scored[LATER, 0]
    watch.see_all([1000.0] * 12)
    scored = watch.state.calibration.tally.scored[LATER, 0] - before
    # 5 min before these windows somebody was looking only if the pause was shorter.
    reached = max(0, 12 - 3 - max(0, (away_s - 310) // 10 + 1)) if away_s < 390 else 0
    assert scored <= max(reached, 12 - 3) * (away_s < 400)
    assert np.isfinite(watch.units).all()


@settings(max_examples=40)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(0, 1e9), st.sampled_from([0.0, 1.0, 1e9])),
        min_size=1,
        max_size=60,
    )
)
def test_quantiles_are_ordered_finite_and_never_below_nothing(means: list[float | None]) -> None:
    watch = Watch(1)
    for mean in means:
        watch.see(mean or 0.0, known=np.array([mean is not None]))
    units = watch.state.current.units[:, :, 0]
    if any(mean is not None for mean in means):
        assert np.isfinite(units).all()
        assert (units >= 0).all()
        assert (np.diff(units, axis=0) >= 0).all()
    tally = watch.state.calibration.tally
    assert (tally.exceeded <= tally.scored).all()
    assert (tally.pinball >= 0).all()
    assert np.array_equal(tally.led.sum(axis=0), tally.scored)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([1e-2, 7.0, 1e4]))
def test_demand_in_other_units_is_forecast_alike(seed: int, factor: float) -> None:
    day = draw_day(np.random.default_rng(seed), 3)[:400]
    one, other = Watch(3), Watch(3)
    one.see_all(day)
    other.see_all(day * factor)
    assert np.allclose(other.units, one.units * factor, rtol=1e-3)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_a_target_is_forecast_as_if_it_were_alone(seed: int) -> None:
    day = draw_day(np.random.default_rng(seed), 4)[:300]
    alone, together = Watch(2), Watch(4)  # a resource has two slots, never one
    alone.see_all(day[:, 2:])
    together.see_all(day)
    assert np.array_equal(alone.units, together.units[:, 2:])


def test_tables_that_come_and_go_leave_the_others_scores_alone() -> None:
    old = Fleet.of([Resource("feed"), Resource("orders")])
    new = Fleet.of([Resource("likes"), Resource("orders")])
    watch = Watch(len(old))
    watch.see_all(draw_day(np.random.default_rng(1), len(old))[:200])
    fresh = QuantileState.empty(len(new), watch.at)
    carried = carry_over(watch.state, fresh=fresh, old=old, new=new)
    before, after = watch.state.calibration.tally, carried.calibration.tally
    assert np.array_equal(after.exceeded[..., 2:], before.exceeded[..., 2:])
    assert not after.scored[:, :2].any()
    assert np.array_equal(carried.current.units[..., 2:], watch.state.current.units[..., 2:])
    watch.state = carried
    watch.see_all([5.0] * 20)
    assert watch.units.shape == (len(LEVELS), len(new))
    assert watch.state.current.ahead_s.shape == (len(HORIZONS), len(new))
