"""Consumed minutes through GetMetricData: from moto, and from a server that answers badly."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws import CloudWatchReader, open_cloudwatch
from capacity_pilot.adapters.aws.refusals import RefusedError
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import (
    ConsumedMinute,
    ConsumptionQuery,
    Dimension,
    OutcomeKind,
    Resource,
    ScalableTarget,
)
from tests.adapters.aws.scripted_aws import (
    NOW,
    Answer,
    HandClock,
    ScriptedAws,
    hang_up,
    refuse,
    reply,
    serve_scripted,
)
from tests.moto_server import serve_moto

MINUTE = int(NOW) // 60
WRITES = ScalableTarget(Resource("feed"), Dimension.WRITE)
READS = ScalableTarget(Resource("feed"), Dimension.READ)
INDEX_WRITES = ScalableTarget(Resource("feed", "by-day"), Dimension.WRITE)


def query(target: ScalableTarget, *, with_throttles: bool = False) -> ConsumptionQuery:
    return ConsumptionQuery(target=target, with_throttles=with_throttles)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with serve_moto() as url:
        yield url


def datum(name: str, minute: int, value: float, *, index: str = "") -> dict[str, Any]:
    dimensions = [{"Name": "TableName", "Value": "feed"}]
    if index:
        dimensions.append({"Name": "GlobalSecondaryIndexName", "Value": index})
    return {
        "MetricName": name,
        "Dimensions": dimensions,
        "Timestamp": datetime.fromtimestamp(minute * 60, UTC),
        "Value": value,
    }


async def test_a_table_and_its_index_are_read_apart_with_throttles_where_asked(
    moto: str, aws_session: AioSession
) -> None:
    published = [
        datum("ConsumedWriteCapacityUnits", MINUTE - 3, 600.0),
        datum("ConsumedWriteCapacityUnits", MINUTE - 2, 540.0),
        datum("WriteThrottleEvents", MINUTE - 2, 7.0),
        datum("ConsumedReadCapacityUnits", MINUTE - 2, 30.5),
        datum("ReadThrottleEvents", MINUTE - 2, 9.0),
        datum("ConsumedWriteCapacityUnits", MINUTE - 3, 60.0, index="by-day"),
        datum("ConsumedWriteCapacityUnits", MINUTE, 1.0),  # not over yet
    ]
    async with aws_session.create_client(
        "cloudwatch", region_name="us-east-1", endpoint_url=moto
    ) as client:
        await client.put_metric_data(Namespace="AWS/DynamoDB", MetricData=published)
    async with open_cloudwatch(
        region="us-east-1", clock=HandClock(), endpoint_url=moto, session=aws_session
    ) as reader:
        told = await reader.read_minutes(
            [query(WRITES, with_throttles=True), query(READS), query(INDEX_WRITES)],
            since=MINUTE - 15,
            until=MINUTE,
        )
    assert told == (
        ConsumedMinute(target=WRITES, minute=MINUTE - 3, units=600.0),
        ConsumedMinute(target=WRITES, minute=MINUTE - 2, units=540.0, throttle_events=7.0),
        ConsumedMinute(target=READS, minute=MINUTE - 2, units=30.5),
        ConsumedMinute(target=INDEX_WRITES, minute=MINUTE - 3, units=60.0),
    )
    assert reader.metrics_asked == 4


@pytest.fixture
async def aws() -> AsyncIterator[ScriptedAws]:
    scripted = ScriptedAws()
    async with serve_scripted(scripted):
        yield scripted


@pytest.fixture
async def reader(aws: ScriptedAws, aws_session: AioSession) -> AsyncIterator[CloudWatchReader]:
    async with open_cloudwatch(
        region="us-east-1", clock=HandClock(), endpoint_url=aws.url, session=aws_session
    ) as opened:
        yield opened


async def read(reader: CloudWatchReader, *queries: ConsumptionQuery) -> tuple[ConsumedMinute, ...]:
    return await reader.read_minutes(queries or [query(WRITES)], since=MINUTE - 15, until=MINUTE)


def result(identifier: str, status: str, **points: float) -> dict[str, Any]:
    """``m3=5.0``: 5 units, three minutes ago."""
    return {
        "Id": identifier,
        "StatusCode": status,
        "Timestamps": [(MINUTE - int(ago[1:])) * 60 for ago in points],
        "Values": list(points.values()),
    }


def answer(*results: dict[str, Any], **more: object) -> Answer:
    return reply({"MetricDataResults": list(results), **more})


async def test_pages_are_put_together(aws: ScriptedAws, reader: CloudWatchReader) -> None:
    aws.script(
        "GetMetricData",
        answer(result("m0", "PartialData", m3=3.0), NextToken="more"),
        answer(result("m0", "Complete", m2=2.0)),
    )
    told = await read(reader)
    assert [(m.minute - MINUTE, m.units) for m in told] == [(-3, 3.0), (-2, 2.0)]
    first, second = aws.sent("GetMetricData")
    assert first["StartTime"] == (MINUTE - 15) * 60
    assert first["EndTime"] == MINUTE * 60
    assert second["NextToken"] == "more"


async def test_no_call_asks_for_more_than_five_hundred_metrics(
    aws: ScriptedAws, reader: CloudWatchReader
) -> None:
    aws.script("GetMetricData", answer(result("m0", "Complete", m2=2.0)))
    targets = [ScalableTarget(Resource(f"t{n}"), Dimension.READ) for n in range(600)]
    told = await read(reader, *(query(t, with_throttles=True) for t in targets))
    sizes = [len(call["MetricDataQueries"]) for call in aws.sent("GetMetricData")]
    assert sizes == [500, 500, 200]
    assert reader.metrics_asked == 1200
    # The first of each call was answered: the tables' with numbers 0, 250 and 500.
    assert [m.target.resource.table for m in told] == ["t0", "t250", "t500"]


async def test_what_cloudwatch_fails_to_tell_stays_unknown(
    aws: ScriptedAws, reader: CloudWatchReader
) -> None:
    aws.script(
        "GetMetricData",
        answer(
            result("m0", "InternalError", m2=1.0),
            result("m1", "Complete", m2=2.0),
            result("m2", "Forbidden"),
            result("unasked", "Complete", m2=9.0),
        ),
    )
    told = await read(reader, query(WRITES), query(READS), query(INDEX_WRITES))
    assert [(m.target, m.units) for m in told] == [(READS, 2.0)]


@pytest.mark.parametrize(("answered", "certain"), [("Complete", [-9, -4]), ("InternalError", [])])
async def test_silence_is_certain_where_the_provisioned_units_are_known_and_all_was_answered(
    aws: ScriptedAws, reader: CloudWatchReader, answered: str, certain: list[int]
) -> None:
    aws.script(
        "GetMetricData",
        answer(
            result("m0", answered),
            result("m1", "Complete"),
            result("m2", "Complete", m9=100.0, m4=100.0),
        ),
    )
    asked = ConsumptionQuery(target=WRITES, with_throttles=True, with_provisioned=True)
    told = await read(reader, asked)
    names = [
        each["MetricStat"]["Metric"]["MetricName"]
        for each in aws.sent("GetMetricData")[0]["MetricDataQueries"]
    ]
    assert names[2] == "ProvisionedWriteCapacityUnits"
    assert [m.minute - MINUTE for m in told if m.has_provisioned] == certain
    assert all(m.units is None for m in told)


async def test_nothing_but_errors_is_an_error(aws: ScriptedAws, reader: CloudWatchReader) -> None:
    aws.script("GetMetricData", answer(result("m0", "InternalError")))
    with pytest.raises(GatewayError, match="ConsumedWriteCapacityUnits of feed:write: InternalErr"):
        await read(reader)


async def test_a_throttled_call_is_tried_again(aws: ScriptedAws, reader: CloudWatchReader) -> None:
    aws.script(
        "GetMetricData",
        refuse("ThrottlingException", "Rate exceeded"),
        answer(result("m0", "Complete", m2=2.0)),
    )
    assert [m.units for m in await read(reader)] == [2.0]
    assert len(aws.calls) == 2


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (refuse("AccessDeniedException", "is not authorized to perform"), OutcomeKind.DENIED),
        (refuse("ValidationError", "EndTime must be later"), OutcomeKind.INVALID),
    ],
)
async def test_a_refusal_is_told_with_its_text(
    aws: ScriptedAws, reader: CloudWatchReader, refusal: Answer, kind: OutcomeKind
) -> None:
    aws.script("GetMetricData", refusal)
    with pytest.raises(RefusedError) as raised:
        await read(reader)
    assert raised.value.refusal.kind is kind
    assert len(aws.calls) == 1


async def test_no_answer_is_an_error_that_may_pass(
    aws: ScriptedAws, reader: CloudWatchReader
) -> None:
    aws.script("GetMetricData", hang_up)
    with pytest.raises(GatewayError):
        await read(reader)
