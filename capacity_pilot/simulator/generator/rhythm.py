"""How busy people are, by hour and weekday, and how that wanders."""

from __future__ import annotations

from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats

DAY_S: Final = 86_400
_BY_WEEKDAY: Final = (0.94, 0.95, 0.97, 0.99, 1.03, 1.10, 1.02)  # Monday first; their mean is 1
_WANDERING: Final = ((600, 0.05), (60, 0.02))  # knots every so many seconds, deviation at each


def activity(t: Floats) -> Floats:
    """People's traffic at ``t`` seconds from Monday 00:00, relative to its mean of about 1.

    Lowest, near a quarter, towards five in the morning; highest at nine in the evening, with a
    shoulder at nine in the morning.
    """
    hour = t / 3600 % 24
    by_hour = (
        1.0
        + 0.6 * np.cos(2 * np.pi * (hour - 18.5) / 24)
        + 0.25 * np.cos(4 * np.pi * (hour - 21.5) / 24)
    )
    noons = t / DAY_S - 0.5
    by_weekday: Floats = np.interp(noons % 7, np.arange(8), (*_BY_WEEKDAY, _BY_WEEKDAY[0]))
    return by_hour * by_weekday


class Drift:
    """A slow, lognormal wandering around 1, known for the whole span so that any part is alike."""

    __slots__ = ("_knots",)

    def __init__(self, rng: np.random.Generator, seconds: int) -> None:
        self._knots = [
            (step, deviation * rng.standard_normal(seconds // step + 2))
            for step, deviation in _WANDERING
        ]

    def at(self, t: Floats) -> Floats:
        logs = [np.interp(t / step, np.arange(len(knots)), knots) for step, knots in self._knots]
        drift: Floats = np.exp(np.sum(logs, axis=0))
        return drift
