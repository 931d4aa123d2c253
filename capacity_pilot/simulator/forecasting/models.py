"""The models the pilot is compared with: point forecasts of each window from its origin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.forecast.members import WINDOW_S
from capacity_pilot.simulator.forecasting.case import Case

MINUTE = 60 // WINDOW_S
"""Windows in a minute."""

DAY_MINUTES = 1440

Model = Callable[[Case], Floats]
"""Gives (windows,), NaN where it cannot say. May look at truth up to each window's origin only."""


def forecast_naive(case: Case) -> Floats:
    """The newest known window's mean."""
    return _at(_carry_forward(case.truth), case.origins)


def forecast_seasonal_naive(case: Case) -> Floats:
    """The mean of the same minute a day before."""
    minute = np.arange(len(case.truth)) // MINUTE - DAY_MINUTES
    points = _at(mean_minutes(case.truth), minute)
    return np.where(case.origins >= 0, points, np.nan)


def mean_minutes(truth: Floats) -> Floats:
    """Means of the whole minutes, (minutes,), NaN where none of its windows is known."""
    windows = truth[: len(truth) // MINUTE * MINUTE].reshape(-1, MINUTE)
    known = ~np.isnan(windows)
    counts = known.sum(axis=1)
    sums = np.where(known, windows, 0.0).sum(axis=1)
    means = np.full(len(windows), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def carry_minutes(truth: Floats) -> Floats:
    """The same with gaps filled by what was known before them, 0 at the very beginning."""
    return np.nan_to_num(_carry_forward(mean_minutes(truth)))


def from_minutes(case: Case, ahead: Floats) -> Floats:
    """Windows' forecasts from minutes' (minutes, steps): those made at the end of each minute for
    the ones after it.
    """
    window = np.arange(len(case.truth))
    newest = (case.origins + 1) // MINUTE - 1
    step = window // MINUTE - newest - 1
    said = (newest >= 0) & (newest < len(ahead)) & (step >= 0) & (step < ahead.shape[1])
    points = np.full(len(case.truth), np.nan)
    points[said] = ahead[newest[said], step[said]]
    return points


def count_steps(case: Case) -> int:
    """How many minutes ahead forecasts have to reach."""
    window = np.arange(len(case.truth))
    steps = window // MINUTE - ((case.origins + 1) // MINUTE - 1)
    return int(steps[case.origins >= 0].max(initial=1))


def _at(values: Floats, places: Ints) -> Floats:
    """``values`` at ``places``, NaN outside."""
    inside = (places >= 0) & (places < len(values))
    found = np.full(len(places), np.nan)
    found[inside] = values[places[inside]]
    return found


def _carry_forward(values: Floats) -> Floats:
    """Unknown values become the last known one before them."""
    newest = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return _at(values, newest)
