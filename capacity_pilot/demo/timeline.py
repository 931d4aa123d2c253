"""When people open the app: a quiet while, a push notification, the crowd, and its leaving."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

SCHOOLS = ("northside", "southside")
_SEEN_BYTES = (2_000, 4_000)
_USERS = 1_000_000


class Phase(Enum):
    """What the crowd is doing."""

    WARM_UP = "warm-up"
    RISE = "push sent"
    HOLD = "holding"
    DECAY = "decay"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Visit:
    """Someone opens the app ``at_s`` after the start; the marker they leave has ``seen_bytes``."""

    at_s: float
    school: str
    user: int
    seen_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Seconds of each phase, and visits per second: ``base_rate`` before, ``factor`` times after.

    The push is sent when the warm-up ends; the rate then rises in a straight line.
    """

    warm_up_s: float = 25.0
    rise_s: float = 3.0
    hold_s: float = 25.0
    decay_s: float = 10.0
    base_rate: float = 10.0
    factor: float = 6.0

    def stretched(self, scale: float) -> Timeline:
        """The same push, with a longer or shorter time before and after it."""
        return Timeline(
            warm_up_s=self.warm_up_s * scale,
            rise_s=self.rise_s,
            hold_s=self.hold_s * scale,
            decay_s=self.decay_s * scale,
            base_rate=self.base_rate,
            factor=self.factor,
        )

    @property
    def push_s(self) -> float:
        return self.warm_up_s

    @property
    def hold_from_s(self) -> float:
        return self.warm_up_s + self.rise_s

    @property
    def hold_until_s(self) -> float:
        return self.hold_from_s + self.hold_s

    @property
    def duration_s(self) -> float:
        return self.hold_until_s + self.decay_s

    def phase(self, at_s: float) -> Phase:
        """The phase ``at_s`` seconds after the start."""
        ends = (self.push_s, self.hold_from_s, self.hold_until_s, self.duration_s)
        return next((p for p, end in zip(Phase, ends, strict=False) if at_s < end), Phase.OVER)

    def rate(self, at_s: float) -> float:
        """Expected visits per second; the decay goes back to the base rate."""
        ends = (0.0, self.push_s, self.hold_from_s, self.hold_until_s, self.duration_s)
        shares = (0.0, 0.0, 1.0, 1.0, 0.0)
        share = float(np.interp(at_s, ends, shares))
        return self.base_rate * (1.0 + (self.factor - 1.0) * share)


def draw_visits(timeline: Timeline, seed: int) -> tuple[Visit, ...]:
    """Poisson arrivals at the timeline's rate, the same for the same seed."""
    rng = np.random.default_rng(seed)
    highest = timeline.base_rate * timeline.factor
    visits = []
    at_s = rng.exponential(1.0 / highest)
    while at_s < timeline.duration_s:
        if rng.random() * highest < timeline.rate(at_s):  # thinning
            visits.append(
                Visit(
                    at_s=float(at_s),
                    school=SCHOOLS[rng.integers(len(SCHOOLS))],
                    user=int(rng.integers(_USERS)),
                    seen_bytes=int(rng.integers(*_SEEN_BYTES)),
                )
            )
        at_s += rng.exponential(1.0 / highest)
    return tuple(visits)
