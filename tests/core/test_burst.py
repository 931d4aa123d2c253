"""The burst bucket is reckoned so that it is never thought fuller than it can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.burst import BURST_S, BurstState, reckon_burst
from capacity_pilot.core.demand import Arrivals, DemandState, absorb
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.settling import SettlingState, settle
from tests.core.scenario import MIDNIGHT, arrivals

NOW = int(MIDNIGHT)
CAPACITY = np.array([100.0])


class Watch:
    """The bucket of one table from ``NOW`` on, or with ``units`` in it at the end of ``since``."""

    def __init__(self, units: float = 0.0, since: int = NOW - 1) -> None:
        empty = BurstState.empty(1)
        self.state = BurstState(np.array([units]), empty.keeps_s, empty.drawn, empty.last_refused)
        self.settling = SettlingState(np.array([np.nan]), since)

    def reckon(self, demand: DemandState, settled: int, capacity: Floats = CAPACITY) -> float:
        self.settling, news = settle(self.settling, demand, Arrivals.none(), until=settled)
        self.state = reckon_burst(self.state, demand, news, capacity)
        return float(self.state.units[0])


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_bucket_is_what_was_left_unused_between_empty_and_300_s(demand: list[float]) -> None:
    watch, seen = Watch(), DemandState.empty(1, NOW)
    expected = 0.0
    for offset, units in enumerate(demand):
        seen = absorb(seen, arrivals((0, NOW + offset, units)), NOW + offset)
        left = watch.reckon(seen, NOW + offset)
        expected = min(max(expected + 100.0 - units, 0.0), BURST_S * 100.0)
        assert np.isclose(left, expected)


def test_unknown_seconds_fill_nothing() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 40.0)), NOW + 50)
    assert Watch().reckon(seen, NOW + 50) == 60.0


def test_unknown_capacity_fills_nothing() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 40.0)), NOW)
    assert Watch().reckon(seen, NOW, np.array([np.nan])) == 0.0


def full(seen: DemandState, units: float = 30_000.0) -> Watch:
    return Watch(units, seen.head)


def test_throttling_in_a_second_not_yet_settled_empties_the_bucket_at_once() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 40.0)), NOW)
    watch = full(seen)
    seen = absorb(seen, arrivals((0, NOW + 6, 400.0), refusals=3.0), NOW + 6)
    assert watch.reckon(seen, NOW) == 0.0


def test_throttling_that_goes_on_keeps_the_bucket_empty() -> None:
    """Each second brings another refusal, always newer than what is settled."""
    seen = DemandState.empty(1, NOW)
    watch = full(seen)
    for second in range(NOW + 1, NOW + 60):
        seen = absorb(seen, arrivals((0, second, 50.0), refusals=1.0), second)
        assert watch.reckon(seen, second - 6) == 0.0


def test_throttling_told_of_late_empties_the_bucket_too() -> None:
    seen = absorb(DemandState.empty(1, NOW), arrivals((0, NOW + 10, 40.0)), NOW + 10)
    watch = full(seen)
    seen = absorb(seen, arrivals((0, NOW + 4, 400.0), refusals=3.0), NOW + 11)
    assert watch.reckon(seen, NOW + 10) == 0.0


def keeps(*seconds: tuple[float, float], units: float) -> float:
    """Seconds of capacity the bucket is found to hold, after (demand, refusals) in each second."""
    seen = DemandState.empty(1, NOW)
    watch = full(seen, units)
    for second, (demand, refusals) in enumerate(seconds, start=NOW + 1):
        seen = absorb(seen, arrivals((0, second, demand), refusals=refusals), second)
        watch.reckon(seen, second)
    return float(watch.state.keeps_s[0])


def test_a_throttle_with_something_left_shows_a_smaller_bucket() -> None:
    """Of 30,000 units only 10,000 were spent when there were none left."""
    assert keeps((10_100.0, 0.0), (500.0, 3.0), units=30_000.0) == 100.0


def test_a_throttle_of_what_a_filling_bucket_would_have_borne_shows_that_none_is_kept() -> None:
    """Ten seconds left 60 units each, and not even 200 of them were there."""
    assert keeps(*[(40.0, 0.0)] * 10, (300.0, 3.0), units=0.0) == 0.0


def test_a_throttle_that_was_to_be_expected_shows_nothing() -> None:
    assert keeps((40.0, 0.0), (500.0, 3.0), (40.0, 0.0), (500.0, 3.0), units=0.0) == BURST_S


def test_what_came_back_meanwhile_was_there_to_be_drawn() -> None:
    """3,000 were drawn and 600 came back: of 20,000 reckoned with, the 2,400 missing were there."""
    spent = keeps((3_100.0, 0.0), *[(40.0, 0.0)] * 10, (500.0, 3.0), units=20_000.0)
    assert spent == pytest.approx(300.0 * 2_400 / 20_000)


def test_a_throttle_below_capacity_is_another_limits() -> None:
    assert keeps((90.0, 3.0), units=30_000.0) == BURST_S


def test_a_bucket_found_small_grows_by_what_it_bears_after_all() -> None:
    assert keeps((500.0, 3.0), units=30_000.0) == 0.0
    assert keeps((500.0, 3.0), (400.0, 0.0), units=30_000.0) == 3.0
