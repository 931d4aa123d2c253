"""Capacities that never change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.rivals import Bounds
from capacity_pilot.simulator.rivals.fixed import static_peak, static_percentile

WIDE = Bounds(least=1, most=1_000_000)


def test_the_peak_is_the_highest_second_in_whole_units() -> None:
    assert static_peak(np.array([3.0, 70.2, 12.0]), bounds=WIDE) == 71


def test_the_99th_percentile_of_a_hundred_seconds_leaves_one_out() -> None:
    assert static_percentile(np.arange(1.0, 101.0), 99, bounds=WIDE) == 99
    assert static_percentile(np.arange(1.0, 101.0), 99.1, bounds=WIDE) == 100


def test_bounds_hold_for_what_is_known_beforehand_too() -> None:
    assert static_peak(np.array([500.0]), bounds=Bounds(least=1, most=100)) == 100
    assert static_peak(np.array([0.0]), bounds=Bounds(least=5, most=100)) == 5


@pytest.mark.parametrize("percentile", [0.0, -1.0, 100.5, float("nan")])
def test_percentiles_outside_0_to_100_are_refused(percentile: float) -> None:
    with pytest.raises(InputError, match=f"percentile is {percentile:g}; .*at most 100"):
        static_percentile(np.array([1.0]), percentile, bounds=WIDE)


def test_an_empty_demand_is_refused() -> None:
    with pytest.raises(InputError, match="0 seconds"):
        static_peak(np.zeros(0), bounds=WIDE)


@pytest.mark.parametrize(("least", "most"), [(0, 5), (6, 5), (-1, -1)])
def test_bounds_no_table_can_have_are_refused(least: int, most: int) -> None:
    with pytest.raises(InputError, match=f"bounds are {least} to {most} units"):
        Bounds(least=least, most=most)


@given(
    demand=st.lists(st.floats(0, 1e5), min_size=1, max_size=200),
    percentile=st.floats(0.1, 100),
)
def test_at_least_that_share_of_seconds_fits(demand: list[float], percentile: float) -> None:
    seconds = np.array(demand)
    units = static_percentile(seconds, percentile, bounds=WIDE)
    assert (seconds <= units).mean() >= percentile / 100 - 1e-9
    assert units <= static_peak(seconds, bounds=WIDE)
