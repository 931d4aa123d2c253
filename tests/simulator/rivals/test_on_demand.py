"""On-demand's limit by previous peak, against AWS's own examples and a second-by-second reading."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.rivals.on_demand import serve_on_demand

WRITE, READ = Dimension.WRITE, Dimension.READ
HALF_HOUR = 1800


def held(*pieces: tuple[float, int]) -> Floats:
    """Demand of (units, for seconds) pieces in a row."""
    return np.concatenate([np.full(seconds, units) for units, seconds in pieces])


@pytest.mark.parametrize(("dimension", "at_once"), [(WRITE, 4_000), (READ, 12_000)])
def test_a_new_table_serves_what_the_guide_says_at_once(dimension: Dimension, at_once: int) -> None:
    result = serve_on_demand(held((at_once + 1, 60)), dimension=dimension)
    assert result.served.tolist() == [at_once] * 60
    assert result.throttled.tolist() == [1] * 60


def test_double_a_peak_of_thirty_minutes_ago_is_served() -> None:
    demand = held((4_000, HALF_HOUR), (10_000, 2))
    assert serve_on_demand(demand, dimension=WRITE).served[-2:].tolist() == [8_000, 8_000]


def test_a_peak_a_second_younger_does_not_count_yet() -> None:
    demand = held((4_000, HALF_HOUR - 1), (10_000, 2))
    # The first second of 10,000 has nothing old enough behind it, the second has.
    assert serve_on_demand(demand, dimension=WRITE).served[-2:].tolist() == [4_000, 8_000]


def test_the_guides_growth_from_one_peak_to_double_and_double_again() -> None:
    demand = held(*[(units, HALF_HOUR) for units in (12_000, 24_000, 48_000, 96_000)])
    assert not serve_on_demand(demand, dimension=READ).throttled.any()


def test_a_peak_once_reached_is_served_again_after_days_of_nothing() -> None:
    demand = held((4_000, HALF_HOUR), (8_000, 60), (0, 3 * 86_400), (8_000, 60))
    assert not serve_on_demand(demand, dimension=WRITE).throttled.any()


def test_no_demand_is_no_error() -> None:
    assert serve_on_demand(np.zeros(0), dimension=WRITE).served.size == 0


@pytest.mark.parametrize("units", [-1.0, np.nan, np.inf])
def test_demand_that_cannot_be_is_refused(units: float) -> None:
    with pytest.raises(InputError, match=f"second 2 is {units} units; it must be finite"):
        serve_on_demand(np.array([1.0, 1.0, units]), dimension=WRITE)


PIECES = st.lists(st.tuples(st.floats(0, 50_000), st.integers(1, 2_500)), min_size=1, max_size=5)


@settings(max_examples=30)
@given(pieces=PIECES)
def test_blocks_agree_with_a_second_by_second_reading(pieces: list[tuple[float, int]]) -> None:
    demand = held(*pieces)
    peak = 0.0
    served: list[float] = []
    for second, units in enumerate(demand.tolist()):
        if second >= HALF_HOUR:
            peak = max(peak, served[second - HALF_HOUR])
        served.append(min(units, max(4_000.0, 2 * peak)))
    result = serve_on_demand(demand, dimension=WRITE)
    assert result.served.tolist() == served
    np.testing.assert_allclose(result.served + result.throttled, demand)


@given(pieces=PIECES, change_at=st.integers(0, 10_000))
def test_the_future_changes_nothing_before_it(
    pieces: list[tuple[float, int]], change_at: int
) -> None:
    demand = held(*pieces)
    other = np.where(np.arange(demand.size) < change_at, demand, 49_999.0)
    served = serve_on_demand(demand, dimension=WRITE).served
    assert serve_on_demand(other, dimension=WRITE).served[:change_at].tolist() == (
        served[:change_at].tolist()
    )
