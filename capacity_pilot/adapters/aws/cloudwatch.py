"""What CloudWatch counted of tables and indexes, minute by minute, through GetMetricData."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws.clients import open_service
from capacity_pilot.adapters.aws.refusals import CALL_ERRORS, translate_read
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import (
    ConsumedMinute,
    ConsumptionQuery,
    Dimension,
    Resource,
    ScalableTarget,
)
from capacity_pilot.core.ports import Clock

QUERIES_PER_CALL: Final = 500
"""GetMetricData takes no more, and answers at most 100,800 points (API reference)."""

OPERATION: Final = "GetMetricData"

_MINUTE_S: Final = 60
_ATTEMPTS: Final = 2
_CONNECT_TIMEOUT_S: Final = 2.0
_READ_TIMEOUT_S: Final = 10.0
_UNITS: Final = {
    Dimension.READ: "ConsumedReadCapacityUnits",
    Dimension.WRITE: "ConsumedWriteCapacityUnits",
}
_PROVISIONED: Final = {
    Dimension.READ: "ProvisionedReadCapacityUnits",
    Dimension.WRITE: "ProvisionedWriteCapacityUnits",
}
"""Published every five minutes, whether or not there are requests."""

_THROTTLES: Final = {
    Dimension.READ: "ReadThrottleEvents",
    Dimension.WRITE: "WriteThrottleEvents",
}


@dataclass(frozen=True, slots=True)
class _Metric:
    """One metric of one target; CloudWatch is paid by how many of these are asked for."""

    target: ScalableTarget
    name: str

    def query(self, identifier: str) -> dict[str, object]:
        return {
            "Id": identifier,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/DynamoDB",
                    "MetricName": self.name,
                    "Dimensions": _dimensions(self.target.resource),
                },
                "Period": _MINUTE_S,
                "Stat": "Sum",
            },
        }


Sums = dict[_Metric, dict[int, float]]
"""By metric and Unix minute."""


class CloudWatchReader:
    """Consumed minutes through one CloudWatch client; see ``ConsumptionSource`` for the port."""

    def __init__(self, client: Any, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.metrics_asked = 0

    async def read_minutes(
        self, queries: Sequence[ConsumptionQuery], *, since: int, until: int
    ) -> tuple[ConsumedMinute, ...]:
        """Ask for all queries, 500 metrics to a call; what a call left out stays unknown.

        Raises ``GatewayError`` when CloudWatch cannot be asked, refuses, or answers nothing.
        """
        metrics = list(_metrics_of(queries))
        sums: Sums = {}
        for first in range(0, len(metrics), QUERIES_PER_CALL):
            part = metrics[first : first + QUERIES_PER_CALL]
            self.metrics_asked += len(part)
            sums |= await self._call(part, since=since, until=until)
        return tuple(_minutes_of(queries, sums))

    async def _call(self, metrics: Sequence[_Metric], *, since: int, until: int) -> Sums:
        by_identifier = {f"m{number}": metric for number, metric in enumerate(metrics)}
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[metric.query(i) for i, metric in by_identifier.items()],
            StartTime=datetime.fromtimestamp(since * _MINUTE_S, UTC),
            EndTime=datetime.fromtimestamp(until * _MINUTE_S, UTC),
            ScanBy="TimestampAscending",
        )
        sums: Sums = {}
        failures: list[str] = []
        try:
            async for page in pages:
                for result in page.get("MetricDataResults", ()):
                    metric = by_identifier.get(result.get("Id", ""))
                    if metric is None:
                        continue
                    # PartialData is true as far as it goes; the rest comes with the next page.
                    if result.get("StatusCode") in ("InternalError", "Forbidden"):
                        failures.append(f"{metric.name} of {metric.target}: {_text(result)}")
                    else:
                        sums.setdefault(metric, {}).update(_points(result))
        except CALL_ERRORS as error:
            raise translate_read(error, now=self._clock.now()) from error
        if failures and not sums:
            raise GatewayError(f"GetMetricData answered {len(failures)} errors: {failures[0]}")
        return sums


@asynccontextmanager
async def open_cloudwatch(
    *,
    region: str,
    clock: Clock,
    endpoint_url: str | None = None,
    session: AioSession | None = None,
) -> AsyncIterator[CloudWatchReader]:
    """Open a reader of the Region's CloudWatch, or of ``endpoint_url``.

    Who still fails after the client's own attempts is asked again in some minutes.
    """
    async with open_client(region=region, endpoint_url=endpoint_url, session=session) as client:
        yield CloudWatchReader(client, clock=clock)


def open_client(
    *, region: str, endpoint_url: str | None, session: AioSession | None
) -> AbstractAsyncContextManager[Any]:
    """A client of CloudWatch: two heartbeats are as good as one."""
    return open_service(
        "cloudwatch",
        region=region,
        endpoint_url=endpoint_url,
        session=session,
        connect_timeout_s=_CONNECT_TIMEOUT_S,
        read_timeout_s=_READ_TIMEOUT_S,
        attempts=_ATTEMPTS,
    )


def _metrics_of(queries: Iterable[ConsumptionQuery]) -> Iterator[_Metric]:
    for query in queries:
        yield _Metric(query.target, _UNITS[query.target.dimension])
        if query.with_throttles:
            yield _Metric(query.target, _THROTTLES[query.target.dimension])
        if query.with_provisioned:
            yield _Metric(query.target, _PROVISIONED[query.target.dimension])


def _minutes_of(queries: Iterable[ConsumptionQuery], sums: Sums) -> Iterator[ConsumedMinute]:
    for query in queries:
        target = query.target
        consumed = _Metric(target, _UNITS[target.dimension])
        throttled = _Metric(target, _THROTTLES[target.dimension])
        units, throttles = sums.get(consumed, {}), sums.get(throttled, {})
        provisioned = sums.get(_Metric(target, _PROVISIONED[target.dimension]), {})
        if not {consumed, throttled} <= sums.keys():
            provisioned = {}  # who was not answered on everything cannot tell what there was not
        for minute in sorted(units.keys() | throttles.keys() | provisioned.keys()):
            yield ConsumedMinute(
                target=target,
                minute=minute,
                units=units.get(minute),
                throttle_events=throttles.get(minute),
                has_provisioned=minute in provisioned,
            )


def _points(result: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    for at, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=True):
        yield int(at.timestamp()) // _MINUTE_S, float(value)


def _dimensions(resource: Resource) -> list[dict[str, str]]:
    """A table's own metrics leave its indexes out: each is a resource with both dimensions."""
    named = [{"Name": "TableName", "Value": resource.table}]
    if resource.index:
        named.append({"Name": "GlobalSecondaryIndexName", "Value": resource.index})
    return named


def _text(result: Mapping[str, Any]) -> str:
    messages = [m.get("Value", "") for m in result.get("Messages", ())]
    return "; ".join([str(result.get("StatusCode")), *filter(None, messages)])
