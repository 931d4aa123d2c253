"""A traced boto3 application as users run it: real SDK, real exporters, a stubbed DynamoDB."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from capacity_pilot.adapters.otlp.grpc_server import serve_grpc
from capacity_pilot.adapters.otlp.http_server import serve_http
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.adapters.otlp.receiver import Receiver
from capacity_pilot.core.model import Sample

from .traces import READ, WRITE, make_decoder

EXPORTERS = ("grpc", "http", "http+gzip")


class SystemClock:
    """The SDK stamps spans by the real clock, so it has to be met by it."""

    def now(self) -> float:
        return time.time()


@dataclass(frozen=True, slots=True)
class Ingest:
    intake: Intake
    grpc_port: int
    http_port: int

    def exporter(self, kind: str) -> SpanExporter:
        if kind == "grpc":
            return GrpcExporter(endpoint=f"127.0.0.1:{self.grpc_port}", insecure=True)
        compression = Compression.Gzip if kind == "http+gzip" else Compression.NoCompression
        url = f"http://127.0.0.1:{self.http_port}/v1/traces"
        return HttpExporter(endpoint=url, compression=compression)


@pytest.fixture
async def ingest() -> AsyncIterator[Ingest]:
    async with AsyncExitStack() as stack:
        intake = Intake()
        receiver = Receiver(make_decoder(), intake, SystemClock())
        rpc = await stack.enter_async_context(serve_grpc(receiver, host="127.0.0.1", port=0))
        http = await stack.enter_async_context(serve_http(receiver, host="127.0.0.1", port=0))
        yield Ingest(intake, rpc.port, http.port)


@pytest.fixture
def instrumentor() -> Iterator[BotocoreInstrumentor]:
    instrumentor = BotocoreInstrumentor()  # type: ignore[no-untyped-call]
    yield instrumentor
    instrumentor.uninstrument()


def capacity(table: str, own: float, **indexes: float) -> dict[str, Any]:
    return {
        "TableName": table,
        "CapacityUnits": own + sum(indexes.values()),
        "Table": {"CapacityUnits": own},
        "GlobalSecondaryIndexes": {k: {"CapacityUnits": v} for k, v in indexes.items()},
    }


def run_shop(instrumentor: BotocoreInstrumentor, exporter: SpanExporter) -> None:
    """An order is read, written with its index, its author's orders are queried, a cart is
    refused, an order exists already, and the table is described.
    """
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor.instrument(tracer_provider=provider)
    session = botocore.session.Session()
    session.set_credentials("none", "none")
    client: Any = session.create_client("dynamodb", region_name="eu-central-1")
    key, indexed = {"id": {"S": "1"}}, {"ReturnConsumedCapacity": "INDEXES"}
    with Stubber(client) as dynamodb:
        dynamodb.add_response("get_item", {"ConsumedCapacity": capacity("orders", 2.0)})
        client.get_item(TableName="orders", Key=key, ConsistentRead=True, **indexed)
        dynamodb.add_response("put_item", {"ConsumedCapacity": capacity("orders", 3.0, by_g=1.0)})
        client.put_item(TableName="orders", Item=key, **indexed)
        dynamodb.add_response("query", {"Count": 0})
        client.query(TableName="orders", IndexName="by_g", KeyConditionExpression="id = :i")
        dynamodb.add_client_error("get_item", "ProvisionedThroughputExceededException", "", 400)
        with pytest.raises(ClientError):
            client.get_item(TableName="carts", Key=key)
        dynamodb.add_client_error("put_item", "ConditionalCheckFailedException", "", 400)
        with pytest.raises(ClientError):
            client.put_item(TableName="orders", Item=key)
        dynamodb.add_response("describe_table", {})
        client.describe_table(TableName="orders")
    client.close()
    provider.shutdown()


@pytest.mark.parametrize("kind", EXPORTERS)
async def test_what_the_application_does_is_what_arrives(
    ingest: Ingest, instrumentor: BotocoreInstrumentor, kind: str
) -> None:
    await asyncio.to_thread(run_shop, instrumentor, ingest.exporter(kind))
    samples, counts = ingest.intake.drain(), ingest.intake.totals
    sums: dict[tuple[str, str, int], Sample] = {}
    for (table, index, dimension, _), sample in samples.items():
        sums.setdefault((table, index, dimension), Sample()).add(sample)
    assert sums == {
        ("orders", "", READ): Sample(units=2.0, requests=1.0),
        # The failed condition is charged as the put before it: 3 for the table, 1 for by_g.
        ("orders", "", WRITE): Sample(units=6.0, requests=2.0, estimated=3.0),
        ("orders", "by_g", WRITE): Sample(units=2.0, requests=2.0, estimated=1.0),
        ("orders", "by_g", READ): Sample(units=0.5, requests=1.0, estimated=0.5),
        ("carts", "", READ): Sample(
            units=0.5, requests=1.0, throttled=0.5, estimated=0.5, refusals=1.0
        ),
    }
    assert (counts.dynamodb_spans, counts.control_plane, counts.malformed_spans) == (6, 1, 0)
    assert counts.requests == 6
