"""What CloudWatch shows, and when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.physics.meter import Meter, PublishedMinute


def metered(seconds: int, *, lag: float = 60.0) -> Meter:
    """One slot that consumes 2 units and is refused 1 in each second from 0 on."""
    meter = Meter(publication_lag_seconds=lag)
    meter.add()
    for second in range(seconds):
        meter.advance_to(second)
        meter.record(np.array([2.0]), np.array([1.0]))
    return meter


def published(meter: Meter, now: float) -> PublishedMinute:
    minute = meter.published(now)
    assert minute is not None
    return minute


def test_a_minute_is_out_one_lag_after_it_ended() -> None:
    meter = metered(125)
    assert meter.published(119.9) is None
    first = published(meter, 120.0)
    assert first.starts_at == 0.0
    assert first.consumed[0] == 120.0
    assert first.throttle_events[0] == 60.0
    assert published(meter, 179.9).starts_at == 0.0


def test_an_idle_minute_is_out_as_zero() -> None:
    meter = metered(60)
    meter.advance_to(200)
    idle = published(meter, 200.0)
    assert (idle.starts_at, idle.consumed[0]) == (60.0, 0.0)


def test_earlier_minutes_can_be_read_until_they_are_dropped() -> None:
    meter = metered(16 * 60)
    earlier = meter.published(16 * 60.0, minutes_back=10)
    assert earlier is not None
    assert (earlier.starts_at, earlier.consumed[0]) == (240.0, 120.0)
    meter.advance_to(40 * 60)
    assert meter.published(16 * 60.0) is None


def test_the_last_second_is_the_whole_one_before_now() -> None:
    meter = metered(3)
    meter.record_served(0, 7.0)
    assert meter.last_second().consumed[0] == 2.0
    meter.advance_to(3)
    assert meter.last_second().consumed[0] == 9.0
    meter.advance_to(5)
    assert meter.last_second().consumed[0] == 0.0


def test_single_requests_count_their_units_and_themselves() -> None:
    meter = Meter()
    slot = meter.add()
    meter.advance_to(0)
    meter.record_served(slot, 2.5)
    meter.record_refused(slot, 4.0)
    totals = meter.totals()
    assert (totals.consumed[slot], totals.requests[slot]) == (2.5, 1.0)
    assert (totals.throttled[slot], totals.refusals[slot]) == (4.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50)), max_size=40))
def test_published_minutes_lose_and_invent_nothing(steps: list[tuple[int, int]]) -> None:
    meter = Meter(publication_lag_seconds=0)
    meter.add()
    second, by_minute = 0, dict[int, int]()
    meter.advance_to(0)
    seen: dict[int, float] = {}
    for pause, units in steps:
        for passing in range(second, second + pause + 1):
            meter.advance_to(passing)
            minute = meter.published(float(passing))
            if minute is not None:
                seen[int(minute.starts_at // 60)] = float(minute.consumed[0])
        second += pause
        meter.record(np.array([float(units)]), np.zeros(1))
        by_minute[second // 60] = by_minute.get(second // 60, 0) + units
    for minute_number in range(second // 60):
        assert seen[minute_number] == by_minute.get(minute_number, 0)


def test_a_lag_longer_than_what_is_kept_is_refused() -> None:
    with pytest.raises(InputError, match="lag is 3600"):
        Meter(publication_lag_seconds=3600)
