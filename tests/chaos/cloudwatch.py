"""CloudWatch's minutes of the world, where CloudWatch answers."""

from __future__ import annotations

from collections.abc import Sequence

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import ConsumedMinute, ConsumptionQuery
from capacity_pilot.simulator.physics.refusals import RefusedError
from tests.chaos.aws import Account
from tests.chaos.faults import BadCloudWatch
from tests.chaos.schedule import Schedule

_MINUTES_KEPT = 14


class Minutes:
    """``ConsumptionSource`` on what the physics counts; published a minute after its end."""

    def __init__(self, schedule: Schedule, account: Account) -> None:
        self.metrics_asked = 0
        self._faults = [f for f in schedule.faults if isinstance(f, BadCloudWatch)]
        self._account = account

    async def read_minutes(
        self, queries: Sequence[ConsumptionQuery], *, since: int, until: int
    ) -> tuple[ConsumedMinute, ...]:
        elapsed_s = self._account.now - self._account.epoch
        for fault in self._faults:
            if elapsed_s in fault.during:
                if fault.is_empty:
                    return ()
                raise GatewayError("GetMetricData: Rate exceeded")
        self.metrics_asked += len(queries)
        return tuple(
            minute for query in queries for minute in self._read(query, since=since, until=until)
        )

    def _read(self, query: ConsumptionQuery, *, since: int, until: int) -> Sequence[ConsumedMinute]:
        world = self._account.world
        try:
            slot = world.slot(query.target)
        except RefusedError:
            return ()
        found = []
        for back in range(_MINUTES_KEPT):
            published = world.meter.published(self._account.now, minutes_back=back)
            if published is None:
                break
            minute = int(published.starts_at) // 60
            units = float(published.consumed[slot])
            if since <= minute < until and units > 0:  # AWS publishes nothing of no requests
                events = float(published.throttle_events[slot]) if query.with_throttles else None
                found.append(
                    ConsumedMinute(
                        target=query.target, minute=minute, units=units, throttle_events=events
                    )
                )
        return found
