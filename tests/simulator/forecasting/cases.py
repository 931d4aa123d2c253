"""Demand to forecast, without a pilot that forecasts it."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.quantiles import LEVELS
from capacity_pilot.simulator.forecasting.case import Case

DAY = 8640
HOUR = 360
BEHIND = 8
"""Windows from the newest one known to the one forecast."""


def make_case(truth: Floats, quantiles: Floats | None = None) -> Case:
    windows = np.arange(len(truth))
    if quantiles is None:
        quantiles = np.full((len(LEVELS), len(truth)), np.nan)
    return Case(
        name="feed",
        truth=truth,
        origins=np.where(windows < BEHIND, -1, windows - BEHIND),
        quantiles=quantiles,
    )


def draw_wave(windows: int, seed: int = 0) -> Floats:
    """Twice as much by day as by night, and a tenth of noise."""
    draw = np.random.default_rng(seed)
    wave = 300 + 100 * np.sin(2 * np.pi * np.arange(windows) / DAY)
    demand: Floats = wave * np.exp(0.1 * draw.standard_normal(windows))
    return demand
