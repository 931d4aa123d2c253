"""Refusals that no capacity ends: told of, and never scaled for. Real spans, virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiobotocore.session import AioSession
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from structlog.testing import capture_logs

from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.model import Dimension
from capacity_pilot.daemon.throttle_watch import LASTS_S, LOOK_S, ThrottleWatch
from capacity_pilot.web.metrics import render_metrics
from tests.adapters.otlp.traces import botocore, exception, request, span, split
from tests.daemon.api import ask, serve
from tests.daemon.stage import BY_DAY, FEED, Stage, set_stage, table

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/feed"
HOT = f"TableWriteKeyRangeThroughputExceeded {ARN}"
SHORT = f"TableWriteProvisionedThroughputExceeded {ARN}"
SHORT_INDEX = f"IndexWriteProvisionedThroughputExceeded {ARN}/index/by-day"


@pytest.fixture
async def stage(aws_session: AioSession) -> AsyncIterator[Stage]:
    """The table ``feed`` with an index, 100 units each way, asked for 60 writes a second."""
    async with set_stage(aws_session, table("feed", "by-day")) as opened:
        yield opened


class Spans:
    """Spans of each second, told in the next: 60 writes served, and some refused for a reason."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._decoder = Decoder(stage.item_sizes)
        self.watch = ThrottleWatch(stage.intake, clock=stage.clock)

    async def pass_seconds(self, seconds: int, *, refused: int, reason: str) -> None:
        for _ in range(seconds):
            at = self._stage.now + 0.5
            served = span(
                botocore("PutItem", "feed", capacity=[split(1.0, "feed", **{"by-day": 1.0})]),
                ended_at=at,
            )
            spans = [served] * 60 + [_refuse(reason, at)] * refused
            server = span(
                {"http.request.method": "POST", "http.route": "/posts"},
                kind=Span.SPAN_KIND_SERVER,
                ended_at=at,
            )
            await self._stage.pass_seconds(1)
            body = request(*spans, server, service="api").SerializeToString()
            harvest = self._decoder.decode_protobuf(body, self._stage.now)
            self._stage.intake.offer(harvest, self._stage.now)
            if self._stage.now % LOOK_S == 0:
                await self.watch.look()


def _refuse(reason: str, at: float) -> Span:
    values = botocore("PutItem", "feed") | {"aws.dynamodb.throttling_reasons": [reason]}
    event = exception("botocore.errorfactory.ProvisionedThroughputExceededException")
    return span(values, ended_at=at, error="", events=[event])


async def test_a_hot_key_is_never_scaled_for_and_told_of_once(stage: Stage) -> None:
    spans = Spans(stage)
    with capture_logs() as logs:
        await spans.pass_seconds(90, refused=200, reason=HOT)
    assert stage.provisioned(FEED) == (100, 100)
    assert stage.provisioned(BY_DAY) == (100, 100)
    assert not [plan for plan in stage.witness.actuated if plan.direction.value == "out"]
    slot = stage.loop.pilot.fleet.slot(FEED, Dimension.WRITE)
    assert stage.loop.last_step is not None
    assert stage.loop.last_step.decisions.demand[slot] == pytest.approx(60, rel=0.05)
    demand = stage.loop.pilot.state.demand
    assert not demand.last_refused[slot] > 0  # NaN: nothing of it was a refusal
    (event,) = (log for log in logs if log["event"] == "key_range_throttled")
    assert (event["table"], event["dimension"], event["operation"]) == ("feed", "write", "PutItem")
    assert event["service"] == "api"
    assert list(event["routes"]) == ["api POST /posts"]


async def test_the_same_refusals_for_want_of_capacity_are_met(stage: Stage) -> None:
    spans = Spans(stage)
    await spans.pass_seconds(90, refused=200, reason=SHORT)
    assert stage.provisioned(FEED)[1] >= 250
    assert spans.watch.report() == {"refused_by_other_limits": []}


async def test_an_index_that_holds_its_table_back_is_the_one_that_was_refused(stage: Stage) -> None:
    spans = Spans(stage)
    await spans.pass_seconds(30, refused=5, reason=SHORT_INDEX)
    refused_at = stage.loop.pilot.state.demand.last_refused
    fleet = stage.loop.pilot.fleet
    assert refused_at[fleet.slot(BY_DAY, Dimension.WRITE)] > 0
    assert not refused_at[fleet.slot(FEED, Dimension.WRITE)] > 0


async def test_it_is_shown_while_it_lasts_and_told_anew_when_it_comes_again(stage: Stage) -> None:
    spans = Spans(stage)
    await spans.pass_seconds(10, refused=2, reason=HOT)
    lines = draw_status(await _status(stage, spans.watch), Size(200, None))
    (line,) = (line for line in lines if "hot keys" in line)
    assert line == (
        "! feed throttled by hot keys, which capacity does not cool: 20 PutItem of api POST /posts,"
        " last 0.0 s ago"
    )
    text = render_metrics(spans.watch.measure())
    assert (
        'capacity_pilot_calls_refused_by_other_limits_total{limit="KeyRangeThroughputExceeded",'
        'table="feed",index="",dimension="write",operation="PutItem",service="api"} 20.0'
    ) in text.splitlines()

    stage.clock.pass_seconds(LASTS_S + 1)
    lines = draw_status(await _status(stage, spans.watch), Size(200, None))
    assert not [line for line in lines if "hot keys" in line]
    with capture_logs() as logs:
        await spans.pass_seconds(20, refused=2, reason=HOT)
    assert [log["event"] for log in logs].count("key_range_throttled") == 1


async def _status(stage: Stage, watch: ThrottleWatch) -> Mapping[str, Any]:
    async with serve(stage) as url:
        _, status = await ask("GET", f"{url}/status")
    return {**status, **watch.report()}
