"""Point forecasts of a window's mean demand, by several simple rules.

Which of them to believe is found out per target and horizon by ``quantiles``. All see nothing but
means of windows of ``WINDOW_S`` seconds that are over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.compiled import compiled
from capacity_pilot.core.fleet import ArrayState, Bools, Floats, Ints

WINDOW_S = 10
"""Seconds a forecast is the mean demand of: shorter peaks are the burst bucket's business."""

MEMBERS = ("last", "level", "minutes", "trend", "season")
"""The last window (naive); means over 30 s and over 5 min; 30 s with the slope between the
means of 30 and 90 s; 30 s with yesterday's change from this time of day on (seasonal-naive)."""

_LEVEL, _BASE, _MINUTES = 0, 1, 2
_MEMORIES = (3.0, 9.0, 30.0)  # windows
_LEVEL_AGE = 2.0  # windows: the mean age of what the level averages
_AGE_BETWEEN = 6.0  # windows: how much older the base's average is
_LONGEST_SLOPE = 12.0  # windows: no slope is believed to go on for longer
_BIN = 30  # windows in a season's bin, 5 min
_BINS_A_DAY = 86_400 // (_BIN * WINDOW_S)
_BINS_KEPT = _BINS_A_DAY + 4  # today's must not overwrite yesterday's while those are read

Floats32 = npt.NDArray[np.float32]
MemberParts = tuple[Floats, Floats, Floats, Floats32, Floats, Floats, int, bool]


@dataclass(frozen=True, slots=True)
class MembersState(ArrayState):
    """What the rules remember. ``last`` (n,) is the newest known window's mean, 0 before it.

    ``sums`` and ``weights`` (3, n) are the faded sums of the means over 30, 90 and 300 s and of
    their weights. ``bins`` (_BINS_KEPT, n) holds means of 5 minutes, by their number since 1970
    modulo its length, NaN where unknown; ``bin_sum`` and ``bin_count`` (n,) the windows of the
    running one, number ``bin``. ``has_yesterday`` once any bin is a day old.
    """

    last: Floats
    sums: Floats
    weights: Floats
    bins: Floats32
    bin_sum: Floats
    bin_count: Floats
    bin: int
    has_yesterday: bool

    @classmethod
    def empty(cls, size: int, window: int) -> MembersState:
        return cls(
            last=np.zeros(size),
            sums=np.zeros((len(_MEMORIES), size)),
            weights=np.zeros((len(_MEMORIES), size)),
            bins=np.full((_BINS_KEPT, size), np.nan, dtype=np.float32),
            bin_sum=np.zeros(size),
            bin_count=np.zeros(size),
            bin=window // _BIN,
            has_yesterday=False,
        )

    @property
    def parts(self) -> MemberParts:
        """As compiled functions take them."""
        return (
            self.last,
            self.sums,
            self.weights,
            self.bins,
            self.bin_sum,
            self.bin_count,
            self.bin,
            self.has_yesterday,
        )

    @property
    def is_known(self) -> Bools:
        """Where any window was known, (n,)."""
        known: Bools = self.weights[_LEVEL] > 0
        return known


def learn_window(state: MembersState, mean: Floats, window: int) -> MembersState:
    """Takes the mean demand (n,) of a window, NaN where unknown; windows come in order."""
    learned = state.copy()
    number, has_yesterday = take_window(
        *learned.parts,
        mean,
        window,
    )
    return replace(learned, bin=number, has_yesterday=has_yesterday)


def forecast_points(state: MembersState, window: int, steps: Ints) -> Floats:
    """Every member's forecast for ``steps`` (horizons, n) windows after ``window``.

    Gives (members, horizons, n); 0 where nothing was ever known. Where yesterday is not known the
    season's forecast is the level.
    """
    return point_ahead(
        state.last, state.sums, state.weights, state.bins, state.has_yesterday, window, steps
    )


@compiled
def take_window(  # noqa: PLR0913, PLR0917 - compiled code takes no dataclasses
    last: Floats,
    sums: Floats,
    weights: Floats,
    bins: Floats32,
    bin_sum: Floats,
    bin_count: Floats,
    number: int,
    has_yesterday: bool,  # noqa: FBT001 - compiled code takes no keywords
    mean: Floats,
    window: int,
) -> tuple[int, bool]:
    """``learn_window`` in place; returns the running bin's number and whether a day is known."""
    begun = window // _BIN
    if begun > number:
        has_yesterday = _turn_bins(bins, bin_sum, bin_count, number, begun)
        number = begun
    for slot in range(len(mean)):
        if np.isnan(mean[slot]):
            continue
        last[slot] = mean[slot]
        for row in range(len(_MEMORIES)):
            gain = 1.0 / _MEMORIES[row]
            sums[row, slot] += gain * (mean[slot] - sums[row, slot])
            weights[row, slot] += gain * (1.0 - weights[row, slot])
        bin_sum[slot] += mean[slot]
        bin_count[slot] += 1.0
    return number, has_yesterday


@compiled
def point_ahead(
    last: Floats,
    sums: Floats,
    weights: Floats,
    bins: Floats32,
    has_yesterday: bool,  # noqa: FBT001 - compiled code takes no keywords
    window: int,
    steps: Ints,
) -> Floats:
    """``forecast_points`` by a state's arrays."""
    points = np.empty((len(MEMBERS), *steps.shape))
    for slot in range(len(last)):
        level = sums[_LEVEL, slot] / max(weights[_LEVEL, slot], 1e-9)
        base = sums[_BASE, slot] / max(weights[_BASE, slot], 1e-9)
        minutes = sums[_MINUTES, slot] / max(weights[_MINUTES, slot], 1e-9)
        slope = (level - base) / _AGE_BETWEEN
        then = _recall(bins, slot, window - _LEVEL_AGE) if has_yesterday else 0.0
        for horizon in range(len(steps)):
            ahead = steps[horizon, slot]
            change = _recall(bins, slot, window + ahead) - then if has_yesterday else 0.0
            trend = level + slope * min(ahead + _LEVEL_AGE, _LONGEST_SLOPE)
            points[0, horizon, slot] = last[slot]
            points[1, horizon, slot] = level
            points[2, horizon, slot] = minutes
            points[3, horizon, slot] = max(trend, 0.0)
            points[4, horizon, slot] = level if np.isnan(change) else max(level + change, 0.0)
    return points


@compiled
def _recall(bins: Floats32, slot: int, window: float) -> float:
    """Demand a day before ``window``, linear between the bins' middles; NaN if unknown."""
    position = (window + 0.5) / _BIN - 0.5 - _BINS_A_DAY
    before = int(np.floor(position))
    early, late = bins[before % _BINS_KEPT, slot], bins[(before + 1) % _BINS_KEPT, slot]
    return float(early + (position - before) * (late - early))


@compiled
def _turn_bins(bins: Floats32, bin_sum: Floats, bin_count: Floats, number: int, begun: int) -> bool:
    """Files the running bin when the one ``begun`` begins; bins between are unknown.

    Returns whether anything is known of the time that far from a day before.
    """
    for slot in range(len(bin_sum)):
        is_enough = bin_count[slot] >= _BIN / 2
        mean = bin_sum[slot] / bin_count[slot] if is_enough else np.nan
        bins[number % _BINS_KEPT, slot] = mean
        bin_sum[slot] = bin_count[slot] = 0.0
    for missed in range(max(number + 1, begun - _BINS_KEPT), begun):
        bins[missed % _BINS_KEPT] = np.nan
    for oldest in range(begun - _BINS_A_DAY - 1, begun - _BINS_A_DAY + 3):
        if not np.isnan(bins[oldest % _BINS_KEPT]).all():
            return True
    return False
