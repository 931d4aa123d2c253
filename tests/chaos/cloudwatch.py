"""CloudWatch as a pilot's client meets it: the minutes the physics counts, and what it is told.

Minutes are out a minute after their end. Nothing is published of a minute without requests, but of
every resource, each five minutes, what is provisioned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from capacity_pilot.adapters.aws.heartbeat import METRIC
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.simulator.physics.meter import PublishedMinute
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.world import World
from tests.chaos.faults import BadCloudWatch
from tests.chaos.mishaps import Mishap, refuse
from tests.chaos.schedule import Schedule

_MINUTE_S: Final = 60
_MINUTES_KEPT: Final = 100
_PROVISIONED_EVERY: Final = 5
_SLOW_DOWN: Final = refuse("Throttling", "Rate exceeded", 400)

Metrics = Mapping[str, Any]


class CloudWatch:
    """``OPERATIONS`` on one account's metrics; ``beats`` are when a pilot gave a sign of life."""

    def __init__(self, schedule: Schedule, world: World) -> None:
        self.beats: list[float] = []
        self.operations: Mapping[str, Callable[[Metrics, float], dict[str, Any]]] = {
            "GetMetricData": self._get,
            "PutMetricData": self._put,
        }
        self._faults = [f for f in schedule.faults if isinstance(f, BadCloudWatch)]
        self._is_read = schedule.has_cloudwatch
        self._began_at = schedule.began_at
        self._world = world
        self._published: deque[PublishedMinute] = deque(maxlen=_MINUTES_KEPT)

    def advance(self, now: float) -> None:
        """Call it every few seconds: what is out by now is kept."""
        if not self._is_read:
            return
        newest = self._world.meter.published(now)
        if newest is not None and newest.starts_at > (
            self._published[-1].starts_at if self._published else -inf
        ):
            self._published.append(newest)

    def mishap(self, elapsed_s: float) -> Mishap | None:
        """What becomes of a reading at that time; an answer that says nothing is none."""
        is_refused = any(elapsed_s in f.during and not f.is_empty for f in self._faults)
        return _SLOW_DOWN if is_refused else None

    def _put(self, asked: Metrics, now: float) -> dict[str, Any]:
        self.beats += [now for datum in asked["MetricData"] if datum["MetricName"] == METRIC]
        return {}

    def _get(self, asked: Metrics, now: float) -> dict[str, Any]:
        is_empty = any(now - self._began_at in f.during and f.is_empty for f in self._faults)
        minutes = () if is_empty else self._published
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            told = [
                (starts_at, value)
                for minute in minutes
                for starts_at, value in _tell(self._world, metric, minute)
                if asked["StartTime"].timestamp() <= starts_at < asked["EndTime"].timestamp()
            ]
            results.append(
                {
                    "Id": query["Id"],
                    "StatusCode": "Complete",
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in told],
                    "Values": [value for _, value in told],
                }
            )
        return {"MetricDataResults": results}


def _tell(
    world: World, metric: Mapping[str, Any], minute: PublishedMinute
) -> Iterator[tuple[float, float]]:
    """A minute's beginning and its value, where there is one."""
    named = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    resource = Resource(named["TableName"], named.get("GlobalSecondaryIndexName", ""))
    name: str = metric["MetricName"]
    dimension = Dimension.READ if "Read" in name else Dimension.WRITE
    try:
        slot = world.slot(ScalableTarget(resource, dimension))
        table = world.table(resource.table)
    except (KeyError, RefusedError):
        return
    at = minute.starts_at
    if name.startswith("Provisioned"):
        if int(at) // _MINUTE_S % _PROVISIONED_EVERY == 0 and table.created_at <= at:
            yield at, float(table.resources[resource.index].units[dimension])
        return
    counted = minute.throttle_events if name.endswith("ThrottleEvents") else minute.consumed
    if slot < len(counted) and counted[slot] > 0 and table.created_at <= at:
        yield at, float(counted[slot])
