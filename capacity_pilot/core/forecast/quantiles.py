"""Quantiles of demand to come, calibrated as they are scored: in the open, online, per target.

What is forecast is the mean demand of the 10 s window that contains the moment ``h`` seconds from
now, for three horizons ``h``: 10 s, the target's apply time, and 5 min. Single seconds are not
forecast, since the burst bucket levels them. A quantile forecast is the point forecast of the
member that leads, and margins above it in units of how far that member has lately missed:
``calibration`` learns both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.demand import WINDOW_S as KEPT_S
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints
from capacity_pilot.core.forecast.calibration import (
    HORIZONS,
    LEVELS,
    SETTLING,
    Calibration,
    CalibrationParts,
    score,
    spread_out,
)
from capacity_pilot.core.forecast.members import (
    MEMBERS,
    WINDOW_S,
    Floats32,
    MemberParts,
    MembersState,
    point_ahead,
    take_window,
)

__all__ = ["HORIZONS", "LEVELS", "QuantileState", "Quantiles", "learn_quantiles"]

SOON, APPLY, LATER = range(len(HORIZONS))
_SOON_S, _LATER_S = 10.0, 300.0

_Parts = tuple[*MemberParts, *CalibrationParts, Floats32, Floats32, Floats, Floats, Floats, int]

Turned = tuple[int, int, bool]
"""A state's ``window``, and its members' ``bin`` and ``has_yesterday``."""

_ROWS = 40
_MOST_STEPS = _ROWS - SETTLING - 1


@dataclass(frozen=True, slots=True)
class Quantiles(ArrayState):
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
class QuantileState(ArrayState):
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

    @property
    def parts(self) -> _Parts:
        """As compiled functions take them."""
        return (
            *self.members.parts,
            *self.calibration.parts,
            self.points,
            self.units,
            self.spread,
            self.current.units,
            self.current.ahead_s,
            self.window,
        )

    def turned(self, turned: Turned, now: float) -> QuantileState:
        """As ``learn_windows`` left the arrays at ``now``, and what it returned."""
        window, number, has_yesterday = turned
        return replace(
            self,
            members=replace(self.members, bin=number, has_yesterday=has_yesterday),
            current=replace(self.current, issued_at=now),
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
    if (settled + 1) // WINDOW_S - 1 <= state.window:
        return state
    after = state.copy()
    turned = learn_windows(
        *after.parts,
        demand.units,
        demand.known,
        demand.head,
        settled,
        apply_time_s,
        now,
    )
    return after.turned(turned, now)


@compiled
def learn_windows(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    # What is remembered, in place: of the members,
    last: Floats,
    sums: Floats,
    weights: Floats,
    bins: Floats32,
    bin_sum: Floats,
    bin_count: Floats,
    number: int,
    has_yesterday: bool,  # noqa: FBT001 - compiled code takes no keywords
    # their calibration,
    margins: Floats,
    misses: Floats,
    miss_weights: Floats,
    losses: Floats,
    leader: Ints,
    # how they did,
    scored: Floats,
    demand: Floats,
    exceeded: Floats,
    pinballs: Floats,
    led: Floats,
    # and what was forecast.
    filed_points: Floats32,
    filed_units: Floats32,
    spread: Floats,
    units: Floats,
    ahead_s: Floats,
    window: int,
    # What is known of demand by now.
    seen: Floats,
    is_known: Bools,
    head: int,
    settled: int,
    apply_time_s: Floats,
    now: float,
) -> Turned:
    """``learn_quantiles`` once a window is over, by the arrays of a state that is written to.

    What it returns belongs into the state, too.
    """
    newest = (settled + 1) // WINDOW_S - 1
    if newest - window > _ROWS:
        filed_units[:] = np.nan  # rows would be taken for those of later windows
    for over in range(max(window + 1, newest - _ROWS), newest + 1):
        row = (over - SETTLING) % _ROWS
        score(
            _average(seen, is_known, head, over - SETTLING),
            filed_points[row],
            filed_units[row],
            spread,
            ahead_s,
            margins,
            misses,
            miss_weights,
            losses,
            leader,
            scored,
            demand,
            exceeded,
            pinballs,
            led,
        )
        filed_units[row] = np.nan  # for the window that comes round to it
        number, has_yesterday = take_window(
            last,
            sums,
            weights,
            bins,
            bin_sum,
            bin_count,
            number,
            has_yesterday,
            _average(seen, is_known, head, over),
            over,
        )
    since_s = now - (newest + 1) * WINDOW_S
    steps = np.empty(ahead_s.shape, dtype=np.int64)
    for slot in range(len(apply_time_s)):
        ahead_s[SOON, slot] = _SOON_S
        ahead_s[APPLY, slot] = min(max(apply_time_s[slot], _SOON_S), _LATER_S)
        ahead_s[LATER, slot] = _LATER_S
        for horizon in range(len(HORIZONS)):
            away = np.ceil((ahead_s[horizon, slot] + since_s) / WINDOW_S)
            steps[horizon, slot] = int(min(max(away, 1.0), _MOST_STEPS))
    points = point_ahead(last, sums, weights, bins, has_yesterday, newest, steps)
    spread[:], units[:] = spread_out(margins, misses, miss_weights, leader, points)
    for slot in range(len(apply_time_s)):
        if not weights[0, slot] > 0:  # nothing was ever known
            units[:, :, slot] = np.nan
    _file(filed_points, points, newest + steps)
    _file(filed_units, units, newest + steps)
    return newest, number, has_yesterday


@compiled
def _average(units: Floats, is_known: Bools, head: int, window: int) -> Floats:
    """The window's mean demand, units/s, (n,), NaN where less than half of it is known."""
    size, first = units.shape[1], window * WINDOW_S
    if first <= head - KEPT_S:
        return np.full(size, np.nan)
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
