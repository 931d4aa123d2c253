"""One target's demand, second by second, each told of as soon as it is over."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.demand import Arrivals, DemandState, absorb, settled_until
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast import Forecast, ForecastState, forecast
from capacity_pilot.core.settling import SettlingState, settle
from tests.core.scenario import MIDNIGHT


def watch(*parts: Floats, ahead_s: float = 5.0) -> Forecast:
    """What is forecast of the target when its last second has just been told of."""
    now = MIDNIGHT
    demand, state = DemandState.empty(1, now), ForecastState.empty(1)
    settling = SettlingState.empty(1, now)
    for units in np.concatenate(parts):
        told = Arrivals(np.zeros(1, int), np.array([int(now)]), np.array([units]), np.zeros(1))
        now += 1.0
        demand = absorb(demand, told, now)
        settling, news = settle(settling, demand, told, until=settled_until(demand, now))
        state, ahead = forecast(
            state, demand, news, settled=settling.settled, ahead_s=np.array([ahead_s]), now=now
        )
    return ahead
