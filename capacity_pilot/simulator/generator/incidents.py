"""What changes people's traffic from one moment to the next: outages and launches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.generator.rhythm import DAY_S, activity

_OUTAGES_PER_DAY: Final = 0.5
# Clients that timed out together try again together: seconds after the return, width, height.
_ECHOES: Final = ((30.0, 5.0, 0.6), (75.0, 10.0, 0.3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The app is away for ``lasts_s`` seconds; ``left`` of its traffic still gets through.

    When it comes back, whoever waited tries again: ``storm`` times the ordinary traffic within
    seconds, falling with ``decay_s``, with echoes.
    """

    at_s: float
    lasts_s: float
    left: float
    storm: float
    decay_s: float

    def share(self, t: Floats) -> Floats:
        """What of ordinary traffic gets through at ``t``."""
        is_away = (t >= self.at_s) & (t < self.at_s + self.lasts_s)
        return np.where(is_away, self.left, 1.0)

    def retries(self, t: Floats) -> Floats:
        """What comes on top at ``t``, relative to people's mean traffic."""
        since = np.maximum(t - self.at_s - self.lasts_s, 0.0)
        shape = np.exp(-since / self.decay_s)
        for after, width, height in _ECHOES:
            shape += height * np.exp(-0.5 * ((since - after) / width) ** 2)
        ordinary = float(activity(np.array([self.at_s + self.lasts_s]))[0])
        return ordinary * self.storm * shape * -np.expm1(-since / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """People gather for ``gathering_s`` seconds, come all at once, and more of them stay."""

    at_s: float
    gathering_s: float
    lift: float
    decay_s: float
    stays: float

    def factor(self, t: Floats) -> Floats:
        """By what people's traffic is multiplied at ``t``."""
        since = t - self.at_s
        gathering = 0.5 * np.exp(np.minimum(since, 0.0) / self.gathering_s)
        crowd = (self.lift - self.stays) * np.exp(-np.maximum(since, 0.0) / self.decay_s)
        arrived = -np.expm1(-np.maximum(since, 0.0) / 5.0)
        return 1.0 + np.where(since < 0, gathering, 0.5 + (crowd + self.stays - 0.5) * arrived)


def draw_outages(rng: np.random.Generator, seconds: int) -> tuple[Outage, ...]:
    """One every two days or so, at least one, clear of the span's ends."""
    return tuple(
        Outage(
            at_s=float(rng.uniform(0.1, 0.8) * seconds),
            lasts_s=float(min(rng.uniform(90, 1200), 0.1 * seconds)),
            left=float(rng.uniform(0.0, 0.3)),
            storm=float(rng.uniform(1.5, 5.0)),
            decay_s=float(rng.uniform(60, 240)),
        )
        for _ in range(max(1, rng.poisson(_OUTAGES_PER_DAY * seconds / DAY_S)))
    )


def draw_launch(rng: np.random.Generator, seconds: int) -> Launch:
    """One, in the span's second third."""
    return Launch(
        at_s=float(rng.uniform(1 / 3, 2 / 3) * seconds),
        gathering_s=float(rng.uniform(120, 600)),
        lift=float(rng.uniform(2.0, 7.0)),
        decay_s=float(rng.uniform(1200, 5400)),
        stays=float(rng.uniform(0.2, 0.8)),
    )
