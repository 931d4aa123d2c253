"""dynamic-dynamodb (github.com/sebdah/dynamic-dynamodb, last changed in 2018) with its defaults.

Facts from its configuration defaults, ``core/table``, ``calculators`` and ``statistics/table``:

- Every 300 s it reads one 300 s Sum of consumption that began 15 minutes ago, and divides it by
  300 s and by what is provisioned *now*.
- Above 90 % it adds 50 % of what is provisioned, or of what was consumed when burst let that be
  more; below 30 % it takes 50 % away, at the first such check.
- At 0 % it does not scale in (``allow-scaling-down-...-on-0-percent`` is off), and a window
  without data counts as 0 %. A window with some minutes missing counts them as idle.
- Throttle counts and ratios have thresholds, but all are off by default.
- A proposal below what was consumed leaves the table as it is, also if only the policy's most
  stands in the way.
- A table that is not ACTIVE, or is out of decreases, is left until the next check.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from capacity_pilot.simulator.rivals import Bounds, Sight

CHECK_EVERY_S: Final = 300.0
WINDOW_BEGAN_S_AGO: Final = 900.0
WINDOW_S: Final = 300.0
UPPER_PERCENT: Final = 90.0
LOWER_PERCENT: Final = 30.0
STEP: Final = 0.5


class DynamicDynamodb:
    """Its daemon, watching one scalable target; the first check is made when first asked."""

    __slots__ = ("_bounds", "_heard_from", "_minutes", "_next_check_at")

    name: Final = "dynamic-dynamodb"

    def __init__(self, *, bounds: Bounds) -> None:
        self._bounds = bounds
        self._minutes: deque[tuple[float, float]] = deque(maxlen=int(WINDOW_BEGAN_S_AGO // 60))
        self._next_check_at = -math.inf
        self._heard_from: float | None = None

    def decide(self, sight: Sight) -> int | None:
        """Units proposed by the check that is due; ``None`` between checks or without change."""
        if sight.news and self._heard_from is None:
            self._heard_from = sight.news[0].starts_at
        for minute in sight.news:
            self._minutes.append((minute.starts_at, minute.consumed))
        if sight.now < self._next_check_at:
            return None
        self._next_check_at = sight.now + CHECK_EVERY_S
        if not sight.is_changeable:
            return None
        consumed = self._consumed(sight.now)
        proposed = self._proposed(consumed, sight.provisioned)
        if proposed == sight.provisioned or math.ceil(consumed) > proposed:
            return None
        return proposed

    def _consumed(self, now: float) -> float:
        """Units per second over the window, minutes without data taken as idle.

        A window that reaches back before the first minute ever heard of counts as empty: the
        table had traffic before the replay begins, and is not to be taken for idle.
        """
        begins = now - WINDOW_BEGAN_S_AGO
        if self._heard_from is None or begins < self._heard_from:
            return 0.0
        ends = begins + WINDOW_S
        return sum(units for at, units in self._minutes if begins <= at < ends) / WINDOW_S

    def _proposed(self, consumed: float, provisioned: int) -> int:
        percent = 100.0 * consumed / provisioned
        units = provisioned
        if percent > UPPER_PERCENT:
            base = max(provisioned, math.ceil(consumed))
            units = base + math.ceil(base * STEP)
        elif 0.0 < percent < LOWER_PERCENT:
            units = provisioned - int(provisioned * STEP)
        return self._bounds.clamp(units)
