"""A table watched minute by minute, for stories about rivals."""

from __future__ import annotations

from capacity_pilot.simulator.physics.quota import DecreaseQuota
from capacity_pilot.simulator.rivals import Minute, Rival, Sight

MIDNIGHT = 20_000 * 86_400.0
LAG_S = 60.0  # CloudWatch publishes a minute this long after it ended


class Watched:
    """One scalable target under a rival. Changes are in force before the next minute is seen."""

    def __init__(self, rival: Rival, *, provisioned: int, at: float = MIDNIGHT) -> None:
        self.rival = rival
        self.provisioned = provisioned
        self.now = at
        self.quota = DecreaseQuota()
        self.is_updating = False
        self.refusals = 0

    def minute(self, rate: float | None, *, throttled: float = 0.0) -> int | None:
        """Publishes a minute of ``rate`` units/s (``None``: none is published) and asks."""
        self.now += 60.0
        began = self.now - LAG_S - 60.0
        news = [] if rate is None else [published(began, rate, throttled)]
        decided = self.rival.decide(self._sight(news))
        if decided is None or self.is_updating:
            return decided
        if decided < self.provisioned and not self.quota.permits_decrease(self.now):
            self.refusals += 1
            return decided
        if decided < self.provisioned:
            self.quota = self.quota.spend(self.now)
        self.provisioned = decided
        return decided

    def minutes(self, *rates: float | None) -> list[int | None]:
        return [self.minute(rate) for rate in rates]

    def serve(self, demand: float) -> int | None:
        """A minute in which ``demand`` units/s met what is provisioned, without burst."""
        consumed = min(demand, float(self.provisioned))
        return self.minute(consumed, throttled=demand - consumed)

    def _sight(self, news: list[Minute]) -> Sight:
        return Sight(
            now=self.now,
            news=news,
            provisioned=self.provisioned,
            is_changeable=not self.is_updating,
        )


def published(began: float, rate: float, throttled: float = 0.0) -> Minute:
    return Minute(starts_at=began, consumed=rate * 60.0, throttle_events=throttled * 60.0)
