"""Apply times are learned per slot, within and beyond warm throughput, and stay within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.apply_time import (
    ANYWHERE,
    BEYOND,
    WITHIN,
    ApplyTimes,
    Reach,
    learn_apply_time,
    reach_of,
)
from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Resource,
    ResourceDescription,
    ResourceStatus,
    TableDescription,
)

FIRST = np.array([0])
reaches = st.sampled_from([WITHIN, BEYOND, ANYWHERE])


def high(times: ApplyTimes, slot: int = 0, *, near_warm: bool = False) -> float:
    return float(times.high_s(np.full(times.log_mean.shape[1], near_warm))[slot])


def learn(times: ApplyTimes, seconds: float, reach: Reach, count: int = 30) -> ApplyTimes:
    for _ in range(count):
        times = learn_apply_time(times, FIRST, seconds, reach)
    return times


def test_repeated_apply_times_are_believed_for_the_slots_they_are_of() -> None:
    times = learn(ApplyTimes.expecting(2, 30.0), 120.0, ANYWHERE)
    assert 120 <= high(times) == high(times, near_warm=True) < 150
    assert high(times, 1) == high(ApplyTimes.expecting(2, 30.0), 1)


def test_what_is_slow_beyond_warm_throughput_says_nothing_of_what_is_fast_within() -> None:
    times = learn(learn(ApplyTimes.expecting(1, 30.0), 2.0, WITHIN), 240.0, BEYOND, count=1)
    assert 2 <= high(times) < 3
    assert 240 <= high(times, near_warm=True) < 500
    times = learn(times, 2.0, WITHIN, count=1)
    assert 240 <= high(times, near_warm=True) < 500, "nor the other way round"


def test_before_one_kind_was_seen_the_other_tells_of_it_but_never_that_beyond_is_fast() -> None:
    expected = ApplyTimes.expecting(1, 30.0)
    slow = learn(expected, 240.0, BEYOND)
    assert high(slow) == high(slow, near_warm=True) >= 240
    fast = learn(expected, 2.0, WITHIN)
    assert high(fast) < 3
    assert high(fast, near_warm=True) == high(expected)
    assert high(learn(expected, 90.0, WITHIN), near_warm=True) >= 90


@given(
    observed=st.lists(st.tuples(st.floats(allow_nan=False), reaches), max_size=20),
    near_warm=st.booleans(),
)
def test_whatever_is_observed_the_estimate_stays_within_bounds(
    *, observed: list[tuple[float, Reach]], near_warm: bool
) -> None:
    times = ApplyTimes.expecting(1, 30.0)
    for seconds, reach in observed:
        times = learn(times, seconds, reach, count=1)
    assert 0.5 <= high(times, near_warm=near_warm) <= 900


@given(expected=st.floats(1, 400), factor=st.floats(1.5, 2), reach=reaches, near_warm=st.booleans())
def test_a_slower_change_never_makes_the_estimate_faster(
    *, expected: float, factor: float, reach: Reach, near_warm: bool
) -> None:
    times = ApplyTimes.expecting(1, expected)
    before = high(times, near_warm=near_warm)
    slower = learn(times, before * factor, reach, count=1)
    assert high(slower, near_warm=near_warm) >= min(before, 900)


def described(warm: int | None) -> TableDescription:
    resources = tuple(
        ResourceDescription(
            resource=Resource("feed", index),
            status=ResourceStatus.ACTIVE,
            read=100,
            write=100,
            warm_read=12_000,
            warm_write=warm,
        )
        for index in ("", "x")
    )
    return TableDescription(
        table="feed", billing_mode=BillingMode.PROVISIONED, resources=resources, described_at=0.0
    )


@pytest.mark.parametrize(
    ("units", "warm", "reach"),
    [((50, 50), 4000, WITHIN), ((4000, 4000), 4000, WITHIN), ((200, 4001), 4000, BEYOND)],
)
def test_a_call_reaches_beyond_where_anything_in_it_does(
    units: tuple[int, int], warm: int, reach: Reach
) -> None:
    changes = [
        CapacityChange(resource=Resource("feed", index), read=100, write=write)
        for index, write in zip(("", "x"), units, strict=True)
    ]
    assert reach_of(changes, described(warm)) == reach
    assert reach_of(changes, described(None)) == ANYWHERE
    assert reach_of(changes, None) == ANYWHERE
