"""Burst buckets: worked examples, and the laws of DESIGN section 4."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.physics.bucket import BURST_SECONDS, BurstBuckets

UNITS = st.floats(min_value=0, max_value=1e6, allow_nan=False)


def bucket(provisioned: float, *, initial_burst_seconds: float = 0.0) -> BurstBuckets:
    buckets = BurstBuckets(np.array([provisioned]), initial_burst_seconds=initial_burst_seconds)
    buckets.advance_to(0)
    return buckets


def test_five_idle_minutes_at_150_units_carry_200_units_for_fifteen_minutes() -> None:
    """The developer guide's own example."""
    buckets = bucket(150)
    buckets.advance_to(300)
    demand = np.array([200.0])
    throttled = []
    for second in range(300, 300 + 901):
        buckets.advance_to(second)
        throttled.append(float(buckets.serve(demand)[1][0]))
    assert throttled[:900] == [0.0] * 900
    assert throttled[900] == 50.0


def test_what_a_second_leaves_over_is_there_the_next_second_and_no_sooner() -> None:
    buckets = bucket(10)
    assert buckets.admit(0, 4)
    assert not buckets.admit(0, 7)
    buckets.advance_to(1)
    assert buckets.spendable(0) == 16.0
    assert buckets.admit(0, 16)
    assert not buckets.admit(0, 1)


def test_a_request_is_served_whole_or_takes_nothing() -> None:
    buckets = bucket(10)
    assert not buckets.admit(0, 11)
    assert buckets.spendable(0) == 10.0


def test_lowering_capacity_lowers_what_is_saved() -> None:
    buckets = bucket(100, initial_burst_seconds=300)
    assert buckets.burst[0] == 30_000
    buckets.provision(0, 10)
    assert buckets.burst[0] == 3_000
    assert buckets.burst_cap[0] == 3_000


def test_raising_capacity_within_a_second_grants_the_difference_at_once() -> None:
    buckets = bucket(10)
    assert buckets.admit(0, 10)
    buckets.provision(0, 15)
    assert buckets.spendable(0) == 5.0


def test_lowering_capacity_within_a_second_counts_what_was_spent_of_it() -> None:
    buckets = bucket(10)
    assert buckets.admit(0, 6)
    buckets.provision(0, 8)
    assert buckets.spendable(0) == 2.0


def test_a_quarter_of_the_burst_is_75_seconds() -> None:
    buckets = BurstBuckets(np.array([4.0]), availability=0.25)
    assert buckets.burst[0] == 300.0
    buckets.advance_to(0)
    buckets.advance_to(10_000)
    assert buckets.burst[0] == 300.0


def test_a_clock_that_runs_backwards_gives_nothing() -> None:
    buckets = bucket(10)
    assert buckets.admit(0, 10)
    buckets.advance_to(-5)
    assert buckets.spendable(0) == 0.0


@given(
    slots=st.lists(st.tuples(UNITS, st.lists(UNITS, min_size=6, max_size=6)), min_size=1),
    availability=st.floats(0, 1),
    steps=st.lists(st.integers(1, 400), min_size=6, max_size=6),
)
def test_units_are_conserved_and_burst_stays_within_its_bounds(
    slots: list[tuple[float, list[float]]], availability: float, steps: list[int]
) -> None:
    provisioned = np.array([p for p, _ in slots])
    buckets = BurstBuckets(provisioned, availability=availability)
    second = 0
    for turn, step in enumerate(steps):
        second += step
        buckets.advance_to(second)
        demand = np.array([demands[turn] for _, demands in slots])
        before = buckets.burst
        consumed, throttled = buckets.serve(demand)
        np.testing.assert_allclose(consumed + throttled, demand, rtol=1e-12)
        assert (consumed >= 0).all()
        assert (throttled >= 0).all()
        assert (consumed <= provisioned + before).all()
        assert (buckets.burst >= 0).all()
        assert (buckets.burst <= BURST_SECONDS * provisioned).all()
        # Nothing is throttled while anything is left to spend.
        left = buckets.burst + buckets.allowance
        np.testing.assert_allclose(np.where(throttled > 0, left, 0.0), 0.0, atol=1e-6)


@given(demands=st.lists(st.lists(st.integers(1, 9), max_size=8), max_size=12))
def test_single_units_are_served_alike_in_bulk_and_one_by_one(demands: list[list[int]]) -> None:
    bulk, single = bucket(5), bucket(5)
    for second, requests in enumerate(demands):
        bulk.advance_to(second)
        single.advance_to(second)
        consumed, _ = bulk.serve(np.array([float(sum(requests))]))
        admitted = sum(single.admit(0, 1.0) for _ in range(sum(requests)))
        assert admitted == consumed[0]
        assert single.burst[0] == bulk.burst[0]


@given(levels=st.lists(st.integers(0, 1000), min_size=1, max_size=20))
def test_burst_never_exceeds_the_cap_of_the_capacity_in_force(levels: list[int]) -> None:
    buckets = bucket(1000, initial_burst_seconds=300)
    for second, units in enumerate(levels, start=1):
        buckets.provision(0, units)
        assert 0 <= buckets.burst[0] <= BURST_SECONDS * units
        buckets.advance_to(second)
        assert 0 <= buckets.burst[0] <= BURST_SECONDS * units


@pytest.mark.parametrize(
    ("misuse", "said"),
    [
        (lambda: bucket(1).serve(np.array([-1.0])), "demand of slot 0 is -1.0"),
        (lambda: bucket(1).serve(np.array([np.nan])), "demand of slot 0 is nan"),
        (lambda: bucket(1).serve(np.array([1.0, 2.0])), r"shape \(2,\); there are 1"),
        (lambda: bucket(1).admit(0, float("inf")), "request on slot 0: inf"),
        (lambda: BurstBuckets(availability=1.5), "availability is 1.5; it must be 0 to 1"),
        (lambda: BurstBuckets(initial_burst_seconds=301), "301 s; it must be 0 to 300"),
    ],
)
def test_misuse_is_told_with_value_and_bound(misuse: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        misuse()
