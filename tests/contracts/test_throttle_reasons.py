"""The README's hook in a real boto3 application: the reasons a server gives reach the pilot."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
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

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.physics.clock import ManualClock
from capacity_pilot.simulator.physics.server import PhysicsServer, serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import Units
from capacity_pilot.simulator.physics.world import World
from tests.daemon.stage import table

ITEM = {"id": {"S": "1"}, "by-day": {"S": "monday"}, "text": {"S": "x" * 4000}}


def add_throttling_reasons(parsed: dict[str, Any], **_: Any) -> None:
    if reasons := parsed.get("ThrottlingReasons") or parsed.get("throttlingReasons"):
        told = [f"{reason['reason']} {reason['resource']}" for reason in reasons]
        trace.get_current_span().set_attribute("aws.dynamodb.throttling_reasons", told)


def write_once(server: PhysicsServer, port: int) -> None:
    """One write that the index cannot bear, traced."""
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
        client.meta.events.register("after-call.dynamodb", add_throttling_reasons)
        with pytest.raises(ClientError):
            client.put_item(TableName="feed", Item=ITEM)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


async def test_the_reasons_reach_the_pilot() -> None:
    world = World(WorldSettings(burst_availability=0.0))
    spec = table("feed", "by-day")
    short = replace(spec.indexes[0], units=Units(read=100, write=2))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve_physics(world, clock=ManualClock(1e9)))
        world.create_table(replace(spec, indexes=(short,)), now=0.0)
        world.advance(1e9)
        intake = Intake()
        receiver = Receiver(Decoder(Estimator()), intake, SystemClock())
        http = await stack.enter_async_context(serve_http(receiver, host="127.0.0.1", port=0))
        await asyncio.to_thread(write_once, server, http.port)
    assert intake.totals.throttled == 1
    assert intake.totals.throttled_unexplained == 0
    write = int(Dimension.WRITE)
    refusals = {(t, i): s.refusals for (t, i, d, _), s in intake.drain().items() if d == write}
    assert refusals == {("feed", ""): 0.0, ("feed", "by-day"): 1.0}
