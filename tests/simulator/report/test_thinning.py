"""Fewer points, and nothing a reader would miss."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.simulator.report.thinning import bin_minutes, trace_steps

levels = st.one_of(st.integers(0, 5).map(float), st.just(float("nan")))
courses = st.lists(levels, max_size=400).map(lambda values: np.array(values, dtype=np.float64))


@given(courses, st.integers(1, 500))
def test_bins_are_bounded_and_lose_neither_sum_nor_extremes(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], at_most: int
) -> None:
    bins = bin_minutes(len(values), at_most=at_most)
    assert len(bins.starts) <= at_most
    assert bins.total(values).sum() == np.nansum(values)
    known = values[np.isfinite(values)]
    if len(known):
        assert np.nanmin(bins.low(values)) == known.min()
        assert np.nanmax(bins.high(values)) == known.max()
        assert known.min() <= np.nanmin(bins.mean(values))


@given(courses)
def test_steps_that_fit_tell_every_minute(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    minutes, kept = trace_steps(values, at_most=1000)
    told = np.repeat(kept, np.diff(np.append(minutes, len(values))))
    np.testing.assert_array_equal(told, values)


@given(courses, st.integers(2, 60))
def test_steps_that_do_not_fit_keep_the_lowest_and_the_highest(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], at_most: int
) -> None:
    minutes, kept = trace_steps(values, at_most=at_most)
    assert len(kept) <= at_most + 1  # and the last minute
    assert (np.diff(minutes) > 0).all()
    np.testing.assert_array_equal(values[minutes], kept)
    known = values[np.isfinite(values)]
    if len(known):
        assert (np.nanmin(kept), np.nanmax(kept)) == (known.min(), known.max())


def test_a_week_is_told_in_five_minutes_and_a_day_by_the_minute() -> None:
    assert bin_minutes(7 * 1440, at_most=2016).width == 5
    assert bin_minutes(1440, at_most=2016).width == 1
    assert bin_minutes(258 * 1440, at_most=2016).width == 240
