"""CloudWatch in a replay: the minutes the pilot asks for, as they are out by then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from capacity_pilot.core.model import ConsumedMinute, ConsumptionQuery
from capacity_pilot.simulator.physics.meter import MINUTE_SECONDS, PublishedMinute
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.replay.scenario import CloudWatchGap, Scenario

_MINUTES_BACK = 5
"""More than the pilot lets pass between two readings of a target; nothing is revised here."""

_SILENT_MINUTES = 15
"""The same of one that nobody asks anything of."""

_PROVISIONED_EVERY = 5


class CloudWatch:
    """Answers from the world's meter, but for what the scenario keeps from being published.

    DynamoDB publishes no zeros: nothing is known of a minute without requests, but every five
    minutes what is provisioned.
    """

    def __init__(self, world: World, *, scenario: Scenario, began_at: float) -> None:
        self._world = world
        self._scenario = scenario
        self._began_at = began_at

    def read_minutes(
        self, queries: Sequence[ConsumptionQuery], now: float
    ) -> tuple[ConsumedMinute, ...]:
        """What is out at ``now``."""
        if not queries:
            return ()
        slots = [self._world.slot(query.target) for query in queries]
        told: list[ConsumedMinute] = []
        further = any(query.with_provisioned for query in queries)
        for back, published in self._published(now, _SILENT_MINUTES if further else _MINUTES_BACK):
            consumed = published.consumed[slots].tolist()
            events = published.throttle_events[slots].tolist()
            minute = int(published.starts_at) // MINUTE_SECONDS
            is_fifth = minute % _PROVISIONED_EVERY == 0
            told.extend(
                ConsumedMinute(
                    target=query.target,
                    minute=minute,
                    units=units or None,
                    throttle_events=(refused or None) if query.with_throttles else None,
                    has_provisioned=query.with_provisioned and is_fifth,
                )
                for query, units, refused in zip(queries, consumed, events, strict=True)
                if (units or refused or (query.with_provisioned and is_fifth))
                and (query.with_provisioned or back < _MINUTES_BACK)
            )
        return tuple(told)

    def _published(self, now: float, minutes: int) -> Iterator[tuple[int, PublishedMinute]]:
        for back in range(minutes):
            published = self._world.meter.published(now, minutes_back=back)
            if published is None or published.starts_at < self._began_at:
                return
            ended_at = published.starts_at + MINUTE_SECONDS - self._began_at
            if not any(self._scenario.of(CloudWatchGap, ended_at)):
                yield back, published
