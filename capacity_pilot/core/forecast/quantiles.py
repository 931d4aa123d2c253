"""Quantiles of demand to come, calibrated as they are scored: in the open, online, per target.

What is forecast is the mean demand of the 10 s window that contains the moment ``h`` seconds from
now, for three horizons ``h``: 10 s, the target's apply time, and 5 min. Single seconds are not
forecast, since the burst bucket levels them. A quantile forecast is the point forecast of the
member that leads, and margins above it in units of how far that member has lately missed:
``calibration`` learns both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import WINDOW_S as KEPT_S
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.core.forecast.calibration import (
    HORIZONS,
    LEVELS,
    SETTLING,
    Calibration,
    score,
    spread_out,
)
from capacity_pilot.core.forecast.members import (
    MEMBERS,
    WINDOW_S,
    Floats32,
    MembersState,
    forecast_points,
    learn_window,
)

__all__ = ["HORIZONS", "LEVELS", "QuantileState", "Quantiles", "learn_quantiles"]

SOON, APPLY, LATER = range(len(HORIZONS))
_SOON_S, _LATER_S = 10.0, 300.0

_ROWS = 40
_MOST_STEPS = _ROWS - SETTLING - 1


@dataclass(frozen=True, slots=True)
class Quantiles:
    """``units`` (levels, horizons, n), units/s: mean demand of the window ``ahead_s`` on.

    In order of ``LEVELS`` and ``HORIZONS``; ``ahead_s`` (horizons, n) counts from ``issued_at``,
    when the newest window had settled. NaN where nothing was ever seen.
    """

    units: Floats
    ahead_s: Floats
    issued_at: float

    @classmethod
    def unknown(cls, size: int, now: float) -> Quantiles:
        shape = (len(HORIZONS), size)
        return cls(np.full((len(LEVELS), *shape), np.nan), np.full(shape, np.nan), now)


@dataclass(frozen=True, slots=True)
class QuantileState:
    """What forecasting quantiles remembers; arrays end in the slot axis.

    ``points`` (_ROWS, members, horizons, n) and ``units`` (_ROWS, levels, horizons, n) are what was
    forecast for windows to come, each under its number modulo _ROWS, by the members and as
    quantiles, NaN where nothing was. ``spread`` (levels, members, horizons, n) is how far quantiles
    are above the members' newest points, units/s. ``window`` is the newest one learned from.
    """

    members: MembersState
    calibration: Calibration
    points: Floats32
    units: Floats32
    spread: Floats
    current: Quantiles
    window: int

    @classmethod
    def empty(cls, size: int, now: float) -> QuantileState:
        window = int(now) // WINDOW_S - 1
        levels, members, shape = len(LEVELS), len(MEMBERS), (len(HORIZONS), size)
        return cls(
            members=MembersState.empty(size, window),
            calibration=Calibration.empty(size),
            points=np.full((_ROWS, members, *shape), np.nan, dtype=np.float32),
            units=np.full((_ROWS, levels, *shape), np.nan, dtype=np.float32),
            spread=np.zeros((levels, members, *shape)),
            current=Quantiles.unknown(size, now),
            window=window,
        )


def learn_quantiles(
    state: QuantileState,
    demand: DemandState,
    *,
    settled: int,
    apply_time_s: Floats,
    now: float,
) -> QuantileState:
    """Scores what was forecast for windows that are over by now, and forecasts anew.

    Does so once per window, when its last second has settled, and nothing in between. A window is
    scored 30 s later, when seconds without spans are known for zeros or for unknown. Apply times
    beyond 5 min count as 5 min.
    """
    newest = (settled + 1) // WINDOW_S - 1
    if newest <= state.window:
        return state
    members, calibration = state.members, state.calibration.copy()
    filed_points, filed_units = state.points.copy(), state.units.copy()
    if newest - state.window > _ROWS:
        filed_units[:] = np.nan  # rows would be taken for those of later windows
    for window in range(max(state.window + 1, newest - _ROWS), newest + 1):
        over = window - SETTLING
        score(
            calibration,
            _mean_of(demand, over),
            points=filed_points[over % _ROWS],
            units=filed_units[over % _ROWS],
            spread=state.spread,
            ahead_s=state.current.ahead_s,
        )
        filed_units[over % _ROWS] = np.nan  # for the window that comes round to it
        members = learn_window(members, _mean_of(demand, window), window)
    ahead_s = np.empty((len(HORIZONS), len(apply_time_s)))
    ahead_s[SOON] = _SOON_S
    ahead_s[APPLY] = apply_time_s.clip(_SOON_S, _LATER_S)
    ahead_s[LATER] = _LATER_S
    since_s = now - (newest + 1) * WINDOW_S
    steps = np.ceil((ahead_s + since_s) / WINDOW_S).clip(1, _MOST_STEPS).astype(np.int64)
    points = forecast_points(members, newest, steps)
    spread, units = spread_out(calibration, points)
    units[..., ~members.is_known] = np.nan
    _file(filed_points, points, newest + steps)
    _file(filed_units, units, newest + steps)
    return QuantileState(
        members=members,
        calibration=calibration,
        points=filed_points,
        units=filed_units,
        spread=spread,
        current=Quantiles(units, ahead_s, now),
        window=newest,
    )


def _mean_of(demand: DemandState, window: int) -> Floats:
    """The window's mean demand, units/s, (n,), NaN where less than half of it is known."""
    first = window * WINDOW_S
    if first <= demand.head - KEPT_S:
        return np.full(demand.known.shape[1], np.nan)
    return _average(demand.units, demand.known, first)


@compiled
def _average(units: Floats, is_known: Bools, first: int) -> Floats:
    size = units.shape[1]
    total, known = np.zeros(size), np.zeros(size)
    for second in range(first, first + WINDOW_S):
        total += units[second % KEPT_S]
        known += is_known[second % KEPT_S]
    for slot in range(size):
        total[slot] = total[slot] / known[slot] if known[slot] >= WINDOW_S / 2 else np.nan
    return total


@compiled
def _file(filed: Floats32, forecasts: Floats, windows: Ints) -> None:
    """Files ``forecasts`` (rows, horizons, n) under the ``windows`` (horizons, n) they are for."""
    rows, horizons, size = forecasts.shape
    for row in range(rows):
        for horizon in range(horizons):
            for slot in range(size):
                place = windows[horizon, slot] % _ROWS
                filed[place, row, horizon, slot] = forecasts[row, horizon, slot]
