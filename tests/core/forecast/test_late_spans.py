"""What is told of late counts as if it had been told in time."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.demand import Arrivals, DemandState, absorb, settled_until
from capacity_pilot.core.forecast import Forecast, ForecastState, forecast
from capacity_pilot.core.settling import SettlingState, settle
from tests.core.scenario import MIDNIGHT, arrivals

NOW = int(MIDNIGHT)


class Watch:
    """One target or several from ``NOW`` on."""

    def __init__(self, size: int = 1) -> None:
        self.demand, self.state = DemandState.empty(size, NOW), ForecastState.empty(size)
        self.settling = SettlingState.empty(size, NOW)
        self.ahead_s = np.full(size, 30.0)

    def tick(self, now: int, told: Arrivals) -> Forecast:
        self.demand = absorb(self.demand, told, now)
        self.settling, news = settle(
            self.settling, self.demand, told, until=settled_until(self.demand, now)
        )
        self.state, ahead = forecast(
            self.state,
            self.demand,
            news,
            settled=self.settling.settled,
            ahead_s=self.ahead_s,
            now=now,
        )
        return ahead


def seconds(first: int, last: int, units: float) -> Arrivals:
    return arrivals(*((0, NOW + second, units) for second in range(first, last)))


def test_a_backlog_told_at_once_is_learned_second_by_second() -> None:
    """A collector held twenty seconds back from before the daemon started."""
    watch = Watch()
    watch.tick(NOW, Arrivals.none())
    ahead = watch.tick(NOW + 1, seconds(-20, 0, 400.0))
    assert ahead.level[0] == pytest.approx(400.0)
    assert watch.settling.known_until[0] == NOW - 1


def test_a_part_of_a_second_told_after_it_was_learned_is_added_to_it() -> None:
    whole, parted = Watch(), Watch()
    for second in range(60):
        for watch, units in ((whole, 100.0), (parted, 60.0)):
            watch.tick(NOW + second, seconds(second - 6, second - 5, units))
    watch_late = parted.tick(NOW + 60, seconds(0 - 6, 55 - 0, 40.0))
    in_time = whole.tick(NOW + 60, Arrivals.none())
    assert watch_late.minute[0] == pytest.approx(in_time.minute[0], rel=0.02)
    assert watch_late.usual[0] == pytest.approx(in_time.usual[0], rel=0.02)


def test_a_second_told_of_again_is_the_same_second_with_more_in_it() -> None:
    again, at_once = Watch(), Watch()
    for second in range(60):
        doubled = 200.0 if second == 16 else 100.0
        again.tick(NOW + second, seconds(second - 6, second - 5, 100.0))
        at_once.tick(NOW + second, seconds(second - 6, second - 5, doubled))
    again.tick(NOW + 60, arrivals((0, NOW + 10, 100.0)))
    at_once.tick(NOW + 60, Arrivals.none())
    assert again.state.sums == pytest.approx(at_once.state.sums, rel=1e-12)
    assert np.array_equal(again.state.weights, at_once.state.weights)


def test_what_is_told_late_of_one_target_says_nothing_of_another() -> None:
    watch = Watch(2)
    for second in range(60):
        told = arrivals(*((slot, NOW + second - 6, 100.0) for slot in (0, 1)))
        watch.tick(NOW + second, told)
    usual = watch.state.excess.usual[:, 1]
    assert np.count_nonzero(np.isfinite(usual)) > 10
    watch.tick(NOW + 60, arrivals((0, NOW + 50, 100.0)))
    assert np.array_equal(watch.state.excess.usual[:, 1], usual, equal_nan=True)


def test_silence_between_seconds_counts_as_empty_once_it_is_known_to_be() -> None:
    """One call of 100 units every ten seconds is ten units a second."""
    watch = Watch()
    for second in range(900):
        told = seconds(second - 6, second - 5, 100.0) if second % 10 == 0 else Arrivals.none()
        ahead = watch.tick(NOW + second, told)
    assert ahead.usual[0] == pytest.approx(10.0, rel=0.15)
