"""The daemon reads what moto's CloudWatch was told of physics' consumption, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.aws import open_cloudwatch
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import (
    ConsumedMinute,
    ConsumptionQuery,
    Dimension,
    ScalableTarget,
)
from capacity_pilot.core.ports import ConsumptionSource
from capacity_pilot.core.reasons import Reason
from capacity_pilot.daemon.coverage_watch import CoverageWatch
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.stage import FEED, Stage, set_stage, table
from tests.moto_server import serve_moto

WRITES = ScalableTarget(FEED, Dimension.WRITE)
METRIC = {
    "MetricName": "ConsumedWriteCapacityUnits",
    "Dimensions": [{"Name": "TableName", "Value": "feed"}],
}


@dataclass
class Unreliable:
    """CloudWatch, but for when it refuses; notes when it was asked."""

    inner: ConsumptionSource
    stage: Stage
    is_refusing: bool = False
    asked_at: list[float] = field(default_factory=list)

    @property
    def metrics_asked(self) -> int:
        return self.inner.metrics_asked

    async def read_minutes(
        self, queries: Sequence[ConsumptionQuery], *, since: int, until: int
    ) -> tuple[ConsumedMinute, ...]:
        self.asked_at.append(self.stage.now)
        if self.is_refusing:
            raise GatewayError("AccessDenied: not authorized to perform cloudwatch:GetMetricData")
        return await self.inner.read_minutes(queries, since=since, until=until)


@dataclass
class Office:
    """A loop, its coverage watch, and what AWS does meanwhile: serve, count, publish."""

    stage: Stage
    watch: CoverageWatch
    source: Unreliable
    publisher: Any
    demand: float = 400.0

    async def pass_minutes(self, minutes: int) -> None:
        for _ in range(60 * minutes):
            world = self.stage.world
            asked = np.zeros(world.buckets.size)
            asked[world.slot(WRITES)] = self.demand
            world.serve(asked)
            await self.stage.pass_seconds(1)
            if int(self.stage.now) % 60 == 0:
                await self._publish()
            if int(self.stage.now) % 20 == 0:
                await self.watch.read_cloudwatch()

    async def _publish(self) -> None:
        published = self.stage.world.meter.published(self.stage.now)
        if published is None:
            return
        units = float(published.consumed[self.stage.world.slot(WRITES)])
        at = datetime.fromtimestamp(published.starts_at, UTC)
        datum = {**METRIC, "Timestamp": at, "Value": units}
        await self.publisher.put_metric_data(Namespace="AWS/DynamoDB", MetricData=[datum])

    def tell(self, units: float) -> None:
        """Spans of this many units a second."""
        self.stage.demand = {(FEED, Dimension.WRITE): units}

    def status(self) -> dict[str, Any]:
        """What ``/status`` says of the table's writes."""
        report: Any = self.watch.report()
        (entry,) = [c for c in report["coverage"] if c["target"] == str(WRITES)]
        return {**entry, **report["cloudwatch"]}

    def seen(self) -> float:
        step = self.stage.loop.last_step
        assert step is not None
        slot = step.fleet.slot(FEED, Dimension.WRITE)
        return float(step.decisions.demand[slot or 0])


@pytest.fixture
def moto() -> Iterator[str]:
    with serve_moto() as url:
        # moto's servers of one process share what they know.
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()  # noqa: S310
        yield url


@asynccontextmanager
async def open_office(session: AioSession, url: str) -> AsyncIterator[Office]:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(
            set_stage(session, table("feed", write=500), cloudwatch_usd_per_month=50.0)
        )
        reader = await stack.enter_async_context(
            open_cloudwatch(
                region="us-east-1", clock=stage.clock, endpoint_url=url, session=session
            )
        )
        publisher = await stack.enter_async_context(
            session.create_client("cloudwatch", region_name="us-east-1", endpoint_url=url)
        )
        source = Unreliable(reader, stage)
        watch = CoverageWatch(
            stage.loop.pilot, source=source, clock=stage.clock, counts=stage.loop.counts
        )
        yield Office(stage, watch, source, publisher)


async def test_callers_nobody_traces_are_found_counted_in_and_named(
    moto: str, aws_session: AioSession
) -> None:
    async with open_office(aws_session, moto) as office:
        office.tell(400.0)
        await office.pass_minutes(8)
        status = office.status()
        assert status["coverage"] == pytest.approx(1.0, abs=1e-3)
        assert status["demand_multiplied_by"] == 1.0
        assert status["doubts"] == ()
        assert status["fault"] is None
        assert office.stage.now - status["last_read_at"] <= 180
        office.tell(160.0)  # a service was deployed without its tracing
        with capture_logs() as events:
            await office.pass_minutes(6)
        (change,) = [e for e in events if e["event"] == "coverage_changed"]
        assert change["target"] == "feed:write"
        assert change["before"] == pytest.approx(1.0, abs=0.01)
        assert change["after"] == pytest.approx(0.4, abs=0.01)
        assert office.status()["doubts"] == ("coverage_changed",)
        assert office.seen() == pytest.approx(400, rel=0.05)
        assert office.stage.loop.counts["cloudwatch_targets_read"] > 0
        told = render_metrics(office.watch.measure())
        labels = 'table="feed",index="",dimension="write"'
        for name, value in (("coverage_ratio", 0.4), ("demand_correction", 2.5)):
            (line,) = [
                one for one in told.splitlines() if one.startswith(f"capacity_pilot_{name}{{")
            ]
            assert labels in line
            assert float(line.split()[-1]) == pytest.approx(value, rel=0.05)
        assert "\ncapacity_pilot_cloudwatch_metrics_asked_total{} " in told


async def test_a_table_whose_spans_ended_is_named_and_raised_when_cloudwatch_counts_on(
    moto: str, aws_session: AioSession
) -> None:
    async with open_office(aws_session, moto) as office:
        office.tell(400.0)
        await office.pass_minutes(7)
        assert office.stage.provisioned(FEED)[1] < 400 / 0.7
        office.stage.demand = {}
        with capture_logs() as events:
            await office.pass_minutes(7)
        unseen = [e["target"] for e in events if e["event"] == "consumption_unseen"]
        assert unseen == ["feed:write"]
        assert office.status()["coverage"] == 0.0
        assert office.stage.provisioned(FEED)[1] > 400 / 0.7


async def test_where_cloudwatch_refuses_it_is_asked_less_and_less_and_nothing_is_lowered(
    moto: str, aws_session: AioSession
) -> None:
    async with open_office(aws_session, moto) as office:
        office.source.is_refusing = True
        office.demand = 100.0
        office.tell(100.0)
        with capture_logs() as events:
            await office.pass_minutes(16)
        failures = [e for e in events if e["event"] == "cloudwatch_not_read"]
        assert [e["again_in_s"] for e in failures] == [60.0, 120.0, 240.0, 480.0]
        assert "cloudwatch:GetMetricData" in office.status()["fault"]
        assert office.stage.loop.counts["cloudwatch_failures"] == len(office.source.asked_at) == 4
        assert office.stage.provisioned(FEED)[1] == 500
        step = office.stage.loop.last_step
        assert step is not None
        slot = step.fleet.slot(FEED, Dimension.WRITE)
        assert step.decisions.reasons[slot or 0] & Reason.COVERAGE_UNKNOWN
        office.source.is_refusing = False
        await office.pass_minutes(5)
        assert office.status()["fault"] is None
        assert office.stage.provisioned(FEED)[1] < 200
