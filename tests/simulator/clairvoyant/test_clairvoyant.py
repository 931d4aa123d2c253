"""Worked days, and the laws of every answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.clairvoyant import find_clairvoyant
from tests.simulator.clairvoyant.replayed import (
    DAY_S,
    MIDNIGHT,
    assert_lawful,
    decrease_minutes,
)


def flat(units: float, minutes: int) -> Floats:
    return np.full(60 * minutes, units)


def with_peaks(minutes: int, every: int, lasting: int) -> Floats:
    """100 units/s, and 400 for ``lasting`` minutes every so many."""
    minute = np.arange(60 * minutes) // 60
    return np.where(minute % every >= every - lasting, 400.0, 100.0)


def test_without_burst_flat_demand_takes_its_own_capacity() -> None:
    found = find_clairvoyant(flat(500.0, 120), start_at=MIDNIGHT, availability=0.0)
    assert (found.units == 500).all()
    assert found.gap == 0.0


def test_with_burst_flat_demand_lives_off_the_first_bucket() -> None:
    """A bucket of 300 c lasts an hour at 3600 (d - c): 3900 c = 3600 d. Lowering does better."""
    demand = flat(520.0, 60)
    found = find_clairvoyant(demand, start_at=MIDNIGHT)
    assert demand.sum() - 300 * found.units[0] <= found.unit_seconds <= 480.0 * 3600
    assert_lawful(found, demand)


def test_a_spike_that_the_bucket_holds_takes_no_capacity_of_its_own() -> None:
    """All 738,000 units come from capacity or the 30,000 of the first bucket; none is wasted."""
    demand = flat(100.0, 120)
    demand[3600:3660] = 400.0
    found = find_clairvoyant(demand, start_at=MIDNIGHT)
    assert found.unit_seconds == demand.sum() - 30_000.0
    assert found.gap < 0.002
    assert_lawful(found, demand)


def test_without_burst_a_spike_takes_one_minute_and_one_decrease() -> None:
    demand = flat(100.0, 120)
    demand[3610:3620] = 400.0
    found = find_clairvoyant(demand, start_at=MIDNIGHT, availability=0.0)
    assert found.units[60] == 400
    assert (np.delete(found.units, 60) == 100).all()
    assert found.bound_unit_seconds == found.unit_seconds == 120 * 6000.0 + 60 * 300.0


def test_idle_tables_keep_the_least() -> None:
    found = find_clairvoyant(flat(0.0, 100), start_at=MIDNIGHT, least=7)
    assert (found.units == 7).all()
    assert found.gap == 0.0


def test_more_peaks_than_decreases_leave_capacity_standing() -> None:
    """Six peaks in an hour, half an hour before midnight: four are left, then midnight's four."""
    demand = with_peaks(60, every=10, lasting=2)
    late = find_clairvoyant(demand, start_at=MIDNIGHT - 3600.0 * 6, availability=0.0)
    assert decrease_minutes(late.units) == [10, 20, 30, 40]
    assert (late.units[48:] == 400).all()
    across = find_clairvoyant(demand, start_at=MIDNIGHT - 1800.0, availability=0.0)
    assert decrease_minutes(across.units) == [10, 20, 30, 40, 50]
    for found in (late, across):
        assert found.gap == 0.0


def test_the_fifth_decrease_waits_an_hour_for_the_fourth() -> None:
    demand = with_peaks(180, every=20, lasting=2)
    found = find_clairvoyant(demand, start_at=MIDNIGHT, availability=0.0)
    minutes = decrease_minutes(found.units)
    assert minutes[:4] == [20, 40, 60, 80]
    assert minutes[4] - minutes[3] >= 60
    assert_lawful(found, demand, availability=0.0)


def test_a_day_with_one_peak_comes_close_to_its_bound() -> None:
    second = np.arange(DAY_S)
    demand = 500.0 + 400.0 * np.sin(2 * math.pi * second / DAY_S)
    demand = np.random.default_rng(1).poisson(demand).astype(np.float64)
    found = find_clairvoyant(demand, start_at=MIDNIGHT)
    assert found.gap < 0.01
    assert demand.sum() * 0.95 < found.bound_unit_seconds
    assert_lawful(found, demand)


def test_slow_tables_keep_changes_apart() -> None:
    demand = with_peaks(240, every=30, lasting=3)
    found = find_clairvoyant(demand, start_at=MIDNIGHT, availability=0.1, apply_time_s=200.0)
    changes = np.flatnonzero(np.diff(found.units)) + 1
    assert len(changes) > 4
    assert np.diff(changes).min() >= 4
    assert_lawful(found, demand, availability=0.1)


def test_an_unfinished_minute_is_paid_by_the_second() -> None:
    demand = flat(10.0, 3)[:150]
    found = find_clairvoyant(demand, start_at=MIDNIGHT, availability=0.0)
    assert found.unit_seconds == 1500.0
    assert found.bound_unit_seconds == 1200.0 + 30.0


@pytest.mark.parametrize("availability", [0.1, 1.0])
def test_hourly_decreases_of_a_restless_day_are_lawful_and_close_to_the_bound(
    availability: float,
) -> None:
    """Up for ten minutes every half hour: long enough a day for decreases to be grouped."""
    minutes = 20 * 60
    rates = np.where(np.arange(minutes) % 30 < 10, 800.0, 200.0)
    demand = np.random.default_rng(3).poisson(np.repeat(rates, 60)).astype(np.float64)
    found = find_clairvoyant(demand, start_at=MIDNIGHT + 5400.0, availability=availability)
    assert_lawful(found, demand, start_at=MIDNIGHT + 5400.0, availability=availability)
    assert len(decrease_minutes(found.units)) > 15
    assert found.gap < 0.03


RATES = st.lists(st.sampled_from([0.0, 0.3, 3.0, 20.0, 150.0, 900.0]), min_size=2, max_size=40)


@settings(max_examples=25)
@given(
    rates=RATES,
    minutes_each=st.integers(1, 12),
    seed=st.integers(0, 99),
    scale=st.floats(0.1, 50.0),
    availability=st.one_of(st.just(1.0), st.floats(0.0, 1.0)),
    apply_time_s=st.sampled_from([0.0, 30.0, 61.0, 300.0]),
    start_at=st.floats(0.0, 2.0 * DAY_S),
    least=st.integers(1, 200),
)
def test_every_answer_is_lawful(
    *,
    rates: list[float],
    minutes_each: int,
    seed: int,
    scale: float,
    availability: float,
    apply_time_s: float,
    start_at: float,
    least: int,
) -> None:
    rng = np.random.default_rng(seed)
    demand = rng.poisson(np.repeat(rates, 60 * minutes_each)).astype(np.float64) * scale
    found = find_clairvoyant(
        demand,
        start_at=start_at,
        availability=availability,
        apply_time_s=apply_time_s,
        least=least,
    )
    assert_lawful(found, demand, start_at=start_at, availability=availability)
    assert found.units.min() >= least
    changes = np.flatnonzero(np.diff(found.units)) + 1
    assert np.diff(changes).min(initial=99) >= math.ceil(apply_time_s / 60.0)


@pytest.mark.parametrize(
    ("demand", "changed", "message"),
    [
        (np.ones(59), {}, r"demand has shape \(59,\); a clairvoyant needs at least 60 seconds"),
        (np.ones((2, 60)), {}, r"demand has shape \(2, 60\)"),
        (np.array([1.0] * 60 + [-2.0]), {}, r"demand of second 60 is -2.0; it must be"),
        (np.array([1.0] * 60 + [np.nan]), {}, r"demand of second 60 is nan; it must be"),
        (np.ones(60), {"availability": 1.5}, r"burst availability is 1.5; it must be 0 to 1"),
        (np.ones(60), {"apply_time_s": -1.0}, r"apply time is -1.0 s; it must be"),
        (np.ones(60), {"least": 0}, r"least is 0 units; it must be >= 1"),
        (np.full(60, 1e12), {}, r"the clairvoyant counts up to \d+ unit-minutes"),
    ],
)
def test_bad_input_is_refused(demand: Floats, changed: dict[str, float], message: str) -> None:
    arguments: dict[str, float] = {"start_at": 0.0, **changed}
    with pytest.raises(InputError, match=message):
        find_clairvoyant(demand, **arguments)  # type: ignore[arg-type]  # least is whole
