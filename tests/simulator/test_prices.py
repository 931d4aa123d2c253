"""Bills worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.prices import (
    on_demand_usd,
    provisioned_usd,
    unit_hours,
    unit_hours_by_hourly_maximum,
)

WRITE, READ = Dimension.WRITE, Dimension.READ


def test_a_hundred_units_for_a_day() -> None:
    day = np.full(86_400, 100.0)
    assert unit_hours(day) == unit_hours_by_hourly_maximum(day) == 2400
    assert provisioned_usd(2400, WRITE) == pytest.approx(1.56)
    assert provisioned_usd(2400, READ) == pytest.approx(0.312)


def test_one_second_of_a_thousand_costs_its_whole_hour_by_the_maximum() -> None:
    two_hours = np.full(7200, 100.0)
    two_hours[10] = 1000.0
    assert unit_hours(two_hours) == pytest.approx(200.25)
    assert unit_hours_by_hourly_maximum(two_hours) == 1100


def test_a_last_half_hour_counts_half() -> None:
    assert unit_hours_by_hourly_maximum(np.full(90, 60.0), step_s=60) == 90


def test_nothing_costs_nothing() -> None:
    assert unit_hours(np.zeros(0)) == unit_hours_by_hourly_maximum(np.zeros(0)) == 0


@pytest.mark.parametrize("step_s", [0, -60, 7, 7200])
def test_steps_that_do_not_fill_an_hour_are_refused(step_s: int) -> None:
    with pytest.raises(InputError, match=f"a step is {step_s} s"):
        unit_hours_by_hourly_maximum(np.ones(60), step_s=step_s)


def test_on_demand_is_cheaper_below_29_percent_utilization() -> None:
    """The break-even of both dimensions: a used unit-hour is 3,600 request units."""
    for dimension in (WRITE, READ):
        used_at = provisioned_usd(1.0, dimension) / on_demand_usd(3600.0, dimension)
        assert used_at == pytest.approx(0.289, abs=0.0005)


def test_a_million_request_units() -> None:
    assert on_demand_usd(1e6, WRITE) == 0.625
    assert on_demand_usd(2e6, READ) == 0.25


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=300))
def test_an_hours_maximum_never_costs_less_than_pro_rata(units: list[int]) -> None:
    minutes = np.array(units, dtype=np.float64)
    maximum = unit_hours_by_hourly_maximum(minutes, step_s=60)
    assert maximum >= unit_hours(minutes, step_s=60) - 1e-9
    assert maximum <= minutes.max() * minutes.size / 60 + 1e-9
