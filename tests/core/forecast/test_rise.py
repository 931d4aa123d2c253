"""How steep a surge is: what one second of it added, less what noise may have."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.demand import Arrivals, DemandState, absorb, settled_until
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast import Forecast, ForecastState, forecast
from capacity_pilot.core.settling import SettlingState, settle
from tests.core.scenario import MIDNIGHT

PUSH = (66.0, 140.0, 220.0, 264.0)


def watch(seconds: Floats) -> Forecast:
    """What is forecast of a target when its last second has just been told of."""
    now = MIDNIGHT
    demand, state = DemandState.empty(1, now), ForecastState.empty(1)
    settling = SettlingState.empty(1, now)
    for units in seconds:
        told = Arrivals(np.zeros(1, int), np.array([int(now)]), np.array([units]), np.zeros(1))
        now += 1.0
        demand = absorb(demand, told, now)
        settling, news = settle(settling, demand, told, until=settled_until(demand, now))
        state, ahead = forecast(
            state, demand, news, settled=settling.settled, ahead_s=np.array([5.0]), now=now
        )
    return ahead


def calm(noise: float) -> Floats:
    draw = np.random.default_rng(4)
    return np.maximum(44.0 + noise * draw.standard_normal(120), 0.0)


def test_no_surge_no_rise() -> None:
    ahead = watch(calm(3.0))
    assert not ahead.is_surging[0]
    assert ahead.rise[0] == 0.0


def test_a_push_rises_by_half_of_what_two_seconds_added() -> None:
    """From (66 + 140) / 2 to (140 + 220) / 2, less what its own steps make look like noise."""
    ahead = watch(np.r_[calm(1.0), PUSH[:3]])
    assert ahead.is_surging[0]
    assert 50.0 < ahead.rise[0] <= 77.0


def test_a_push_that_has_arrived_rises_no_more() -> None:
    ahead = watch(np.r_[calm(1.0), PUSH, [264.0, 200.0, 210.0, 205.0, 208.0, 206.0, 203.0, 204.0]])
    assert ahead.is_surging[0]
    assert ahead.rise[0] < 40.0


def test_what_noise_may_have_added_is_no_rise() -> None:
    quiet, noisy = (watch(np.r_[calm(noise), PUSH[:3]]) for noise in (1.0, 12.0))
    assert noisy.rise[0] < quiet.rise[0] - 10.0
