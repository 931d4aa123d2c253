"""How many capacity decreases a table or index has left, as AWS counts them.

Each table, and each global secondary index on its own, has 4 decreases in a UTC day, then one
per 3600 s counted from the last *accepted* one; the count restarts at 00:00 UTC (AWS developer
guide, ServiceQuotas; the exact instants measured against AWS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FREE_DECREASES_PER_DAY: Final = 4
SECONDS_BETWEEN_LATER_DECREASES: Final = 3600.0
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class DecreaseQuota:
    """The decreases one resource made: ``count`` on UTC day ``day`` (days since the epoch).

    ``last_decrease_at`` outlives midnight; ``None`` until the first decrease.
    """

    day: int = 0
    count: int = 0
    last_decrease_at: float | None = None

    def decreases_today(self, now: float) -> int:
        """NumberOfDecreasesToday at ``now``."""
        return self.count if _utc_day(now) == self.day else 0

    def next_decrease_at(self, now: float) -> float:
        """The earliest time from ``now`` on at which a decrease is accepted."""
        if self.last_decrease_at is None or self.decreases_today(now) < FREE_DECREASES_PER_DAY:
            return now
        midnight = float((_utc_day(now) + 1) * _DAY_SECONDS)
        return max(now, min(self.last_decrease_at + SECONDS_BETWEEN_LATER_DECREASES, midnight))

    def permits_decrease(self, now: float) -> bool:
        return self.next_decrease_at(now) <= now

    def spend(self, now: float) -> DecreaseQuota:
        """The quota after a decrease accepted at ``now``."""
        return DecreaseQuota(
            day=_utc_day(now), count=self.decreases_today(now) + 1, last_decrease_at=now
        )


def _utc_day(at: float) -> int:
    return int(at // _DAY_SECONDS)
