"""What the members' errors teach: margins above their points, and which of them leads.

Margins follow the quantile tracker of Angelopoulos, Candès and Tibshirani ("Conformal PID control
for time series prediction", 2023; adaptive conformal inference by Gibbs and Candès, 2021, in the
scores' own units): a margin rises by ``rate * q`` when the forecast it made was exceeded and falls
by ``rate * (1 - q)`` when it was not. Since the margin is a running sum of what it got wrong, and
stays bounded, forecasts are exceeded ``1 - q`` of the time in the long run, whatever demand does:
the difference is at most the margin's range over ``rate`` times the windows scored. Margins are
tracked as logarithms, which narrows the range, and more slowly the later the news of a forecast
is, since everything forecast meanwhile is wrong by the same.

Compiled functions take one horizon of one slot each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Floats, Ints
from capacity_pilot.core.forecast.members import MEMBERS, WINDOW_S, Floats32
from capacity_pilot.core.forecast.tally import Tally, pinball

LEVELS = (0.5, 0.9, 0.99, 0.999)

HORIZONS = ("soon", "apply", "later")

SETTLING = 3
"""How many windows later a window is scored."""

_RATE = 0.3
_MEMORIES = (2160.0, 12.0)  # windows
_LONG, _SHORT = 0, 1
_SHORT_SHARE = 0.5
_PRIOR_ERROR, _PRIOR_WEIGHT = 0.25, 0.02
_LOSS_MEMORY = 360.0  # windows
_CLEARLY_BETTER = 0.97
# Of normal errors of size one: margins in mean absolute errors, and the mean loss, by which the
# levels' losses are made alike.
_MARGINS = np.array([0.0, 1.6, 4.0, 7.0])
_LOSSES = (0.3989, 0.1755, 0.0267, 0.00337)


_Learned = tuple[Floats, Floats, Floats, Floats, Ints]
_Tallied = tuple[Floats, Floats, Floats, Floats, Floats]
CalibrationParts = tuple[*_Learned, *_Tallied]


@dataclass(frozen=True, slots=True)
class Calibration(ArrayState):
    """What is learned of the members' errors, and what came of it; arrays end in the slot axis.

    ``margins`` (levels, horizons, n): the median's is in scales, the others are logarithms of
    scales above it. ``misses`` (2, members, horizons, n) are faded sums of absolute errors over 6 h
    and over 2 min, ``weights`` (2, horizons, n) those of their weights. ``losses`` (members,
    horizons, n) is each member's mean loss over the last hour or so, and ``leader`` (horizons, n)
    the number of the one that is believed.
    """

    margins: Floats
    misses: Floats
    weights: Floats
    losses: Floats
    leader: Ints
    tally: Tally

    @classmethod
    def empty(cls, size: int) -> Calibration:
        members, shape = len(MEMBERS), (len(HORIZONS), size)
        margins = np.log(np.maximum(_MARGINS, 1.0))[:, None, None]
        return cls(
            margins=np.tile(margins, (1, *shape)),
            misses=np.zeros((len(_MEMORIES), members, *shape)),
            weights=np.zeros((len(_MEMORIES), *shape)),
            losses=np.zeros((members, *shape)),
            leader=np.zeros(shape, dtype=np.int64),
            tally=Tally.empty(size, levels=len(LEVELS), horizons=len(HORIZONS), members=members),
        )

    @property
    def parts(self) -> CalibrationParts:
        """As compiled functions take them, with the tally's."""
        return (
            self.margins,
            self.misses,
            self.weights,
            self.losses,
            self.leader,
            self.tally.scored,
            self.tally.demand,
            self.tally.exceeded,
            self.tally.pinball,
            self.tally.led,
        )


@compiled
def score(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    mean: Floats,
    points: Floats32,
    units: Floats32,
    spread: Floats,
    ahead_s: Floats,
    margins: Floats,
    misses: Floats,
    weights: Floats,
    losses: Floats,
    leader: Ints,
    scored: Floats,
    demand: Floats,
    exceeded: Floats,
    pinballs: Floats,
    led: Floats,
) -> None:
    """Learns from a window that had this ``mean`` (n,), units/s, in place.

    For it the members forecast ``points`` (members, horizons, n), and the quantiles were ``units``
    (levels, horizons, n). Now they are ``spread`` (levels, members, horizons, n) above the members'
    points, ``ahead_s`` (horizons, n) ahead. What is not known or was not forecast, which is NaN,
    changes nothing. The rest are ``Calibration``'s arrays and its tally's.
    """
    for horizon in range(len(HORIZONS)):
        for slot in range(len(mean)):
            if np.isnan(mean[slot]) or np.isnan(units[0, horizon, slot]):
                continue
            scored[horizon, slot] += 1.0
            demand[horizon, slot] += mean[slot]
            led[leader[horizon, slot], horizon, slot] += 1.0
            rate = _RATE / (ahead_s[horizon, slot] / WINDOW_S + SETTLING + 1)
            for level in range(len(LEVELS)):
                missed = mean[slot] - units[level, horizon, slot]
                is_exceeded = missed > 0
                exceeded[level, horizon, slot] += is_exceeded
                pinballs[level, horizon, slot] += pinball(missed, LEVELS[level])
                margins[level, horizon, slot] += rate * (is_exceeded - (1.0 - LEVELS[level]))
            for member in range(len(MEMBERS)):
                error = mean[slot] - points[member, horizon, slot]
                _learn_miss(misses[:, member, horizon], slot, error)
                loss = _lose(error, spread[:, member, horizon], slot)
                losses[member, horizon, slot] += (1.0 / _LOSS_MEMORY) * (
                    loss - losses[member, horizon, slot]
                )
            for memory in range(len(_MEMORIES)):
                gain = 1.0 / _MEMORIES[memory]
                weights[memory, horizon, slot] += gain * (1.0 - weights[memory, horizon, slot])
            leader[horizon, slot] = _choose(losses[:, horizon], slot, leader[horizon, slot])


@compiled
def _learn_miss(misses: Floats, slot: int, error: float) -> None:
    """``misses`` (2, n) are a member's, in place."""
    for memory in range(len(_MEMORIES)):
        gain = 1.0 / _MEMORIES[memory]
        misses[memory, slot] += gain * (abs(error) - misses[memory, slot])


@compiled
def _lose(error: float, spread: Floats, slot: int) -> float:
    """A member's loss: it is judged by the same margins as the leader, in its own scales."""
    loss = 0.0
    for level in range(len(LEVELS)):
        loss += pinball(error - spread[level, slot], LEVELS[level]) / _LOSSES[level]
    return loss


@compiled
def _choose(losses: Floats, slot: int, leader: int) -> int:
    """The member of the least loss leads, once that is clearly less than the leader's."""
    best = 0
    for member in range(1, len(MEMBERS)):
        if losses[member, slot] < losses[best, slot]:
            best = member
    is_better = losses[best, slot] < _CLEARLY_BETTER * losses[leader, slot]
    return best if is_better else leader


@compiled
def spread_out(
    margins: Floats, misses: Floats, weights: Floats, leader: Ints, points: Floats
) -> tuple[Floats, Floats]:
    """How far each quantile is above each member's point forecast, (levels, members, horizons, n),
    and the quantiles above the leaders' points, (levels, horizons, n).

    A scale is a member's mean absolute error: over hours for the median; for what lies above it
    over hours or half of it over minutes, whichever is more, so that bursts widen the margins at
    once and calm does not narrow them as fast. At first it is a quarter of what is forecast.
    """
    members, horizons, size = points.shape
    spread = np.empty((len(LEVELS), members, horizons, size))
    units = np.empty((len(LEVELS), horizons, size))
    widths = np.empty(len(LEVELS))
    for horizon in range(horizons):
        for slot in range(size):
            for level in range(1, len(LEVELS)):
                widths[level] = math.exp(margins[level, horizon, slot])
            long = weights[_LONG, horizon, slot] + _PRIOR_WEIGHT
            short = weights[_SHORT, horizon, slot] + _PRIOR_WEIGHT
            for member in range(members):
                prior = _PRIOR_WEIGHT * _PRIOR_ERROR * points[member, horizon, slot]
                scale = (misses[_LONG, member, horizon, slot] + prior) / long
                lately = (misses[_SHORT, member, horizon, slot] + prior) / short
                median = margins[0, horizon, slot] * scale
                spread[0, member, horizon, slot] = median
                width = max(scale, _SHORT_SHARE * lately)
                for level in range(1, len(LEVELS)):
                    spread[level, member, horizon, slot] = widths[level] * width + median
            best = leader[horizon, slot]
            for level in range(len(LEVELS)):
                above = points[best, horizon, slot] + spread[level, best, horizon, slot]
                units[level, horizon, slot] = max(above, 0.0)
    return spread, units
