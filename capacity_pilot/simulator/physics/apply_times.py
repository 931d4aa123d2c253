"""How long AWS takes to put an accepted capacity change in force, and how often it accepts one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from capacity_pilot.core.errors import InputError

_LONGEST_IN_MEDIANS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyTimes:
    """Seconds from an accepted UpdateTable until its capacity is in force.

    Changes within a resource's warm throughput take a short, uniform time: 1.0 to 2.4 s for a
    table and 2 to 6 s for an index, as measured against AWS. Beyond it AWS says "several
    minutes" at most; the model draws a lognormal time, at most ten medians. With
    ``warm_is_fast`` off every change takes the lognormal time, which is the harder world.
    """

    median_seconds: float = 30.0
    sigma: float = 0.35
    table_seconds: tuple[float, float] = (1.0, 2.4)
    index_seconds: tuple[float, float] = (2.0, 6.0)
    warm_is_fast: bool = True
    creation_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not (self.median_seconds > 0 and math.isfinite(self.median_seconds)):
            raise InputError(f"median apply time is {self.median_seconds} s; it must be > 0")
        if not (self.sigma >= 0 and math.isfinite(self.sigma)):
            raise InputError(f"sigma of the apply time is {self.sigma}; it must be >= 0")
        for name in ("table_seconds", "index_seconds"):
            shortest, longest = getattr(self, name)
            if not 0 <= shortest <= longest < math.inf:
                raise InputError(f"{name} is {shortest} to {longest}; it must be 0 <= a <= b")
        if not 0 <= self.creation_seconds < math.inf:
            raise InputError(f"creation_seconds is {self.creation_seconds}; it must be >= 0")

    def draw(self, rng: np.random.Generator, *, is_index: bool, is_warm: bool) -> float:
        """Seconds this one change will take."""
        if is_warm and self.warm_is_fast:
            return float(rng.uniform(*(self.index_seconds if is_index else self.table_seconds)))
        drawn = self.median_seconds * math.exp(self.sigma * rng.standard_normal())
        return min(drawn, _LONGEST_IN_MEDIANS * self.median_seconds)


class ControlPlaneLimiter:
    """The account's limit on effective UpdateTable calls: a token bucket.

    Of ten concurrent calls AWS throttled about three, and a retry a second later went through
    (measured); hence 7 tokens, refilled at 7 per second, by default.
    """

    __slots__ = ("_filled_at", "_largest_burst", "_per_second", "_tokens")

    def __init__(self, *, per_second: float = 7.0, largest_burst: float = 7.0) -> None:
        if not (per_second > 0 and largest_burst >= 1):
            raise InputError(
                f"control-plane limit of {per_second}/s with bursts of {largest_burst}; "
                "the rate must be > 0 and the burst >= 1"
            )
        self._per_second = per_second
        self._largest_burst = largest_burst
        self._tokens = largest_burst
        self._filled_at: float | None = None

    def permits(self, now: float) -> bool:
        """Takes a token if there is one."""
        if self._filled_at is not None and now > self._filled_at:
            gained = (now - self._filled_at) * self._per_second
            self._tokens = min(self._tokens + gained, self._largest_burst)
        if self._filled_at is None or now > self._filled_at:
            self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
