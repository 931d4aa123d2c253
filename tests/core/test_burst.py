"""The burst bucket is reckoned so that it is never thought fuller than it can be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.burst import BURST_S, BurstState, reckon_burst
from capacity_pilot.core.demand import Arrivals, DemandState, absorb
from tests.core.scenario import MIDNIGHT, arrivals

NOW = int(MIDNIGHT)
CAPACITY = np.array([100.0])


def reckon(state: BurstState, demand: DemandState, settled: int) -> BurstState:
    return reckon_burst(state, demand, Arrivals.none(), CAPACITY, settled=settled)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_bucket_is_what_was_left_unused_between_empty_and_300_s(demand: list[float]) -> None:
    state, seen = BurstState.empty(1, NOW), DemandState.empty(1, NOW)
    expected = 0.0
    for offset, units in enumerate(demand):
        seen = absorb(seen, arrivals((0, NOW + offset, units)), NOW + offset)
        state = reckon(state, seen, NOW + offset)
        expected = min(max(expected + 100.0 - units, 0.0), BURST_S * 100.0)
        assert np.isclose(state.units[0], expected)


def test_unknown_seconds_fill_nothing() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 40.0)), NOW + 50)
    assert reckon(BurstState.empty(1, NOW), seen, NOW + 50).units[0] == 60.0


def test_unknown_capacity_fills_nothing() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 40.0)), NOW)
    state = reckon_burst(
        BurstState.empty(1, NOW), seen, Arrivals.none(), np.array([np.nan]), settled=NOW
    )
    assert state.units[0] == 0.0


def full(seen: DemandState) -> BurstState:
    return replace(BurstState.empty(1, NOW), units=np.array([30_000.0]), reckoned=seen.head)


def test_throttling_in_a_second_not_yet_settled_empties_the_bucket_at_once() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 40.0)), NOW)
    state = full(seen)
    seen = absorb(seen, arrivals((0, NOW + 6, 400.0), refusals=3.0), NOW + 6)
    assert reckon(state, seen, NOW).units[0] == 0.0


def test_throttling_that_goes_on_keeps_the_bucket_empty() -> None:
    """Each second brings another refusal, always newer than what is settled."""
    seen = DemandState.empty(1, NOW)
    state = full(seen)
    for second in range(NOW + 1, NOW + 60):
        seen = absorb(seen, arrivals((0, second, 50.0), refusals=1.0), second)
        state = reckon(state, seen, second - 6)
        assert state.units[0] == 0.0


def test_throttling_told_of_late_empties_the_bucket_too() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW + 10, 40.0)), NOW + 10)
    state = full(seen)
    seen = absorb(seen, arrivals((0, NOW + 4, 400.0), refusals=3.0), NOW + 11)
    assert reckon(state, seen, NOW + 10).units[0] == 0.0
