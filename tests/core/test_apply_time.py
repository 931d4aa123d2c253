"""Apply times are learned per slot, and stay within bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.apply_time import ApplyTimes, learn_apply_time

FIRST = np.array([0])


def test_repeated_apply_times_are_believed_for_the_slots_they_are_of() -> None:
    times = ApplyTimes.expecting(2, 30.0)
    for _ in range(30):
        times = learn_apply_time(times, FIRST, 120.0)
    assert 120 <= times.high_s()[0] < 150
    assert times.high_s()[1] == ApplyTimes.expecting(2, 30.0).high_s()[1]


@given(st.lists(st.floats(allow_nan=False), max_size=20))
def test_whatever_is_observed_the_estimate_stays_within_bounds(observed: list[float]) -> None:
    times = ApplyTimes.expecting(1, 30.0)
    for seconds in observed:
        times = learn_apply_time(times, FIRST, seconds)
    assert 0.5 <= times.high_s()[0] <= 900


@given(st.floats(1, 400), st.floats(1.5, 2))
def test_a_slower_change_never_makes_the_estimate_faster(expected: float, factor: float) -> None:
    times = ApplyTimes.expecting(1, expected)
    slower = learn_apply_time(times, FIRST, times.high_s()[0] * factor)
    assert slower.high_s()[0] >= min(times.high_s()[0], 900)
