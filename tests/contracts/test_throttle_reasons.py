"""The README's hook in a real boto3 application: the reasons a server gives reach the pilot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from structlog.testing import capture_logs

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.core.model import AccountLimits, BillingMode, Dimension
from capacity_pilot.core.throttling import ThrottleLimit
from capacity_pilot.daemon.throttle_watch import ThrottleWatch
from capacity_pilot.simulator.physics.clock import ManualClock
from capacity_pilot.simulator.physics.server import PhysicsServer, serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import OnDemandMaximum, TableSpec, Units
from capacity_pilot.simulator.physics.world import World
from tests.daemon.stage import table

ITEM = {"id": {"S": "1"}, "by-day": {"S": "monday"}, "text": {"S": "x" * 4000}}


def add_throttling_reasons(parsed: dict[str, Any], **_: Any) -> None:
    if reasons := parsed.get("ThrottlingReasons") or parsed.get("throttlingReasons"):
        told = [f"{reason['reason']} {reason['resource']}" for reason in reasons]
        trace.get_current_span().set_attribute("aws.dynamodb.throttling_reasons", told)


def write_once(server: PhysicsServer, port: int, *, is_hooked: bool = True) -> None:
    """One write that is refused, traced."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{port}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = BotocoreInstrumentor()  # type: ignore[no-untyped-call]
    instrumentor.instrument(tracer_provider=provider)
    try:
        client = boto3.client(
            "dynamodb",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(retries={"total_max_attempts": 1}),
        )
        if is_hooked:
            client.meta.events.register("after-call.dynamodb", add_throttling_reasons)
        with pytest.raises(ClientError):
            client.put_item(TableName="feed", Item=ITEM)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


@asynccontextmanager
async def told_of(
    spec: TableSpec, *, is_hooked: bool = True, limits: AccountLimits | None = None
) -> AsyncIterator[Intake]:
    """What a pilot has heard of one write of four units, which is refused."""
    world = World(WorldSettings(burst_availability=0.0, limits=limits or AccountLimits()))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve_physics(world, clock=ManualClock(1e9)))
        world.create_table(spec, now=0.0)
        world.advance(1e9)
        intake = Intake()
        receiver = Receiver(Decoder(Estimator()), intake, SystemClock())
        http = await stack.enter_async_context(serve_http(receiver, host="127.0.0.1", port=0))
        await asyncio.to_thread(write_once, server, http.port, is_hooked=is_hooked)
        yield intake


async def test_the_reasons_reach_the_pilot() -> None:
    spec = table("feed", "by-day")
    short = replace(spec.indexes[0], units=Units(read=100, write=2))
    async with told_of(replace(spec, indexes=(short,))) as intake:
        assert intake.totals.throttled == 1
        assert intake.totals.throttled_unexplained == 0
        write = int(Dimension.WRITE)
        drained = intake.drain().items()
        refusals = {(t, i): s.refusals for (t, i, d, _), s in drained if d == write}
        assert refusals == {("feed", ""): 0.0, ("feed", "by-day"): 1.0}


@pytest.mark.parametrize("is_hooked", [True, False])
@pytest.mark.parametrize(
    ("limit", "maximum", "quota", "event"),
    [
        (ThrottleLimit.ACCOUNT, None, 3, "account_quota_throttled"),
        (ThrottleLimit.ON_DEMAND_MAXIMUM, 3, 40_000, "on_demand_maximum_throttled"),
    ],
)
async def test_limits_of_on_demand_tables_are_told_of_as_what_they_are(
    limit: ThrottleLimit, maximum: int | None, quota: int, event: str, *, is_hooked: bool
) -> None:
    spec = replace(
        table("feed"),
        units=Units(0, 0),
        billing_mode=BillingMode.PAY_PER_REQUEST,
        on_demand_maximum=OnDemandMaximum(write=maximum),
    )
    limits = AccountLimits(table_write=quota)
    async with told_of(spec, is_hooked=is_hooked, limits=limits) as intake:
        watch = ThrottleWatch(intake, clock=SystemClock())
        with capture_logs() as logs:
            await watch.look()
            await watch.look()
        assert [log["event"] for log in logs] == [event]
        report: dict[str, Any] = watch.report()
        (told,) = report["refused_by_other_limits"]
        assert told["limit"] == limit
        assert (told["table"], told["operation"], told["service"]) == ("feed", "PutItem", "shop")
        assert told["dimension"] == "write"
        assert not [s for s in intake.drain().values() if s.refusals], "no demand of the pilot's"
