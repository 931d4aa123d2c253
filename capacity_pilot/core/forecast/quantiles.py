"""Quantiles of demand to come, calibrated as they are scored: in the open, online, per target.

What is forecast is the mean demand of the 10 s window that contains the moment ``h`` seconds from
now, for three horizons ``h``: 10 s, the target's apply time, and 5 min. Single seconds are not
forecast, since the burst bucket levels them. A quantile forecast is the point forecast of the
member that leads, and margins above it in units of how far that member has lately missed.

Margins follow the quantile tracker of Angelopoulos, Candès and Tibshirani ("Conformal PID control
for time series prediction", 2023; adaptive conformal inference by Gibbs and Candès, 2021, in the
scores' own units): a margin rises by ``rate * q`` when the forecast it made was exceeded and falls
by ``rate * (1 - q)`` when it was not. Since the margin is a running sum of what it got wrong, and
stays bounded, forecasts are exceeded ``1 - q`` of the time in the long run, whatever demand does:
the difference is at most the margin's range over ``rate`` times the windows scored. Margins are
tracked as logarithms, which narrows the range, and more slowly the later the news of a forecast
is, since everything forecast meanwhile is wrong by the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.demand import WINDOW_S as KEPT_S
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.members import (
    MEMBERS,
    WINDOW_S,
    Floats32,
    MembersState,
    forecast_points,
    learn_window,
)
from capacity_pilot.core.forecast.tally import Tally, count, pinball

LEVELS = (0.5, 0.9, 0.99, 0.999)

HORIZONS = ("soon", "apply", "later")
SOON, APPLY, LATER = range(len(HORIZONS))
_SOON_S, _LATER_S = 10.0, 300.0

_ROWS = 40
_SETTLING = 3  # windows
_RATE = 0.3
_MOST_STEPS = _ROWS - _SETTLING - 1
_MEMORIES = np.array([2160.0, 12.0])[:, None, None, None]  # windows
_SHORT_SHARE = 0.5
_PRIOR_ERROR, _PRIOR_WEIGHT = 0.25, 0.02
_LOSS_MEMORY = 360.0  # windows
_CLEARLY_BETTER = 0.97
_LEVELS = np.array(LEVELS)[:, None, None]
# Of normal errors of size one: margins in mean absolute errors, and the mean loss, by which the
# levels' losses are made alike.
_MARGINS = np.array([0.0, 1.6, 4.0, 7.0])
_LOSSES = np.array([0.3989, 0.1755, 0.0267, 0.00337])[:, None, None, None]


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
class Calibration:
    """What is learned of the members' errors, and what came of it; arrays end in the slot axis.

    ``margins`` (levels, horizons, n): the median's is in scales, the others are logarithms of
    scales above it. ``misses`` (2, members, horizons, n) are faded sums of absolute errors over 6 h
    and over 2 min, ``weights`` (2, 1, horizons, n) those of their weights. ``losses`` (members,
    horizons, n) is each member's mean loss over the last hour or so, and ``is_leading``, of the
    same shape, true for one of them.
    """

    margins: Floats
    misses: Floats
    weights: Floats
    losses: Floats
    is_leading: Bools
    tally: Tally

    @classmethod
    def empty(cls, size: int) -> Calibration:
        members, shape = len(MEMBERS), (len(HORIZONS), size)
        margins = np.log(np.maximum(_MARGINS, 1.0))[:, None, None]
        is_leading = np.zeros((members, *shape), dtype=np.bool_)
        is_leading[0] = True
        return cls(
            margins=np.tile(margins, (1, *shape)),
            misses=np.zeros((2, members, *shape)),
            weights=np.zeros((2, 1, *shape)),
            losses=np.zeros((members, *shape)),
            is_leading=is_leading,
            tally=Tally.empty(size, levels=len(LEVELS), horizons=len(HORIZONS), members=members),
        )


@dataclass(frozen=True, slots=True)
class QuantileState:
    """What forecasting quantiles remembers; arrays end in the slot axis.

    ``filed`` (_ROWS, members + levels, horizons, n) is what was forecast for windows to come, each
    under its number modulo _ROWS: the members' points, then the quantiles, NaN where none was.
    ``spread`` (levels, members, horizons, n) is how far quantiles are above the points, units/s.
    ``window`` is the newest one learned from.
    """

    members: MembersState
    calibration: Calibration
    filed: Floats32
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
            filed=np.full((_ROWS, members + levels, *shape), np.nan, dtype=np.float32),
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
    members, calibration, filed = state.members, state.calibration, state.filed.copy()
    if newest - state.window > _ROWS:
        filed[:] = np.nan  # rows would be taken for those of later windows
    for window in range(max(state.window + 1, newest - _ROWS), newest + 1):
        over = window - _SETTLING
        row = filed[over % _ROWS]
        calibration = _score(calibration, _mean_of(demand, over), row, state)
        row[:] = np.nan  # for the window that comes round to it
        members = learn_window(members, _mean_of(demand, window), window)
    ahead_s = np.empty((len(HORIZONS), len(apply_time_s)))
    ahead_s[SOON] = _SOON_S
    ahead_s[APPLY] = apply_time_s.clip(_SOON_S, _LATER_S)
    ahead_s[LATER] = _LATER_S
    since_s = now - (newest + 1) * WINDOW_S
    steps = np.ceil((ahead_s + since_s) / WINDOW_S).clip(1, _MOST_STEPS).astype(np.int64)
    points = forecast_points(members, newest, steps)
    spread = _spread(calibration, points)
    units = ((points + spread) * calibration.is_leading).sum(axis=1)
    units = np.where(members.is_known, np.maximum(units, 0.0), np.nan)
    rows, horizons = (newest + steps) % _ROWS, np.arange(len(HORIZONS))[:, None]
    forecasts = np.concatenate([points, units])
    filed[rows, :, horizons, np.arange(len(apply_time_s))] = forecasts.transpose(1, 2, 0)
    return QuantileState(
        members=members,
        calibration=calibration,
        filed=filed,
        spread=spread,
        current=Quantiles(units, ahead_s, now),
        window=newest,
    )


def _mean_of(demand: DemandState, window: int) -> Floats:
    """The window's mean demand, units/s, (n,), NaN where less than half of it is known."""
    first = window * WINDOW_S
    if first <= demand.head - KEPT_S:
        return np.full(demand.known.shape[1], np.nan)
    rows = np.arange(first, first + WINDOW_S) % KEPT_S
    known = demand.known[rows].sum(axis=0)
    mean = np.full(len(known), np.nan)
    np.divide(demand.units[rows].sum(axis=0), known, out=mean, where=known >= WINDOW_S / 2)
    return mean


def _score(
    learned: Calibration, mean: Floats, filed: Floats32, state: QuantileState
) -> Calibration:
    """Learns from what was ``filed`` for a window that had this ``mean`` (n,).

    What is not known or was not forecast, (horizons, n), changes nothing.
    """
    gaps = mean - filed
    scored = ~np.isnan(gaps[-1])
    if not np.count_nonzero(scored):
        return learned
    gaps = np.where(scored, gaps, 0.0)
    errors, missed = gaps[: len(MEMBERS)], gaps[len(MEMBERS) :]
    gains = scored / _MEMORIES
    # A member is judged by the same margins as the leader, in its own scales.
    loss = (pinball(errors - state.spread, _LEVELS[:, None]) / _LOSSES).sum(axis=0)
    losses = learned.losses + (scored / _LOSS_MEMORY) * (loss - learned.losses)
    rates = scored * (_RATE / (state.current.ahead_s / WINDOW_S + _SETTLING + 1))
    return Calibration(
        margins=learned.margins + rates * ((missed > 0) - (1.0 - _LEVELS)),
        misses=learned.misses + gains * (np.abs(errors) - learned.misses),
        weights=learned.weights + gains * (1.0 - learned.weights),
        losses=losses,
        is_leading=_choose(losses, learned.is_leading),
        tally=count(
            learned.tally, missed, scored, levels=_LEVELS, mean=mean, is_leading=learned.is_leading
        ),
    )


def _choose(losses: Floats, is_leading: Bools) -> Bools:
    """The member of the least loss leads, once that is clearly less than the leader's."""
    demoted = losses.min(axis=0) < _CLEARLY_BETTER * (losses * is_leading).sum(axis=0)
    if not np.count_nonzero(demoted):
        return is_leading
    is_best = np.arange(len(losses))[:, None, None] == losses.argmin(axis=0)
    return np.where(demoted, is_best, is_leading)


def _spread(learned: Calibration, points: Floats) -> Floats:
    """How far each quantile is above each member's point forecast, (levels, members, horizons, n).

    A scale is a member's mean absolute error: over hours for the median; for what lies above it
    over hours or half of it over minutes, whichever is more, so that bursts widen the margins at
    once and calm does not narrow them as fast. At first it is a quarter of what is forecast.
    """
    prior = _PRIOR_WEIGHT * _PRIOR_ERROR * points
    scales = (learned.misses + prior) / (learned.weights + _PRIOR_WEIGHT)
    spread = np.empty((len(LEVELS), *points.shape))
    spread[0] = learned.margins[0] * scales[0]
    widths = np.maximum(scales[0], _SHORT_SHARE * scales[1])
    spread[1:] = np.exp(learned.margins[1:, None]) * widths
    spread[1:] += spread[0]
    return spread
