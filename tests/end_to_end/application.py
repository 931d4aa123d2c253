"""A traced application, as its owner would write it: boto3 and OpenTelemetry, nothing of ours.

Runs as a process of its own: ``application.py ENDPOINT EXPORTER [--sample 0.5]``. One JSON line on
standard input sets what it does from then on, as calls per second::

    {"puts": 20, "queries": 10, "gets": 5, "item_bytes": 900, "capacity": "INDEXES"}

End of input flushes the spans and ends it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpExporter,
)
from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace._sampling_experimental import (
    composable_traceid_ratio_based,
    composite_sampler,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

THREADS = 6
AUTHOR = "ada"


def choose_sampler(sample: float) -> Sampler:
    """The consistent sampler of SDK 1.45 drops the attributes a span is created with: its spans
    name their table only in the capacity they state.
    """
    return ALWAYS_ON if sample == 1 else composite_sampler(composable_traceid_ratio_based(sample))


def trace(exporter: str, sample: float) -> TracerProvider:
    protocol, _, endpoint = exporter.partition("=")
    exporting: SpanExporter = (
        GrpcExporter(endpoint=endpoint, insecure=True)
        if protocol == "grpc"
        else HttpExporter(endpoint=endpoint)
    )
    provider = TracerProvider(
        resource=Resource.create({"service.name": "feed-api"}), sampler=choose_sampler(sample)
    )
    provider.add_span_processor(BatchSpanProcessor(exporting))
    BotocoreInstrumentor().instrument(tracer_provider=provider)  # type: ignore[no-untyped-call]
    return provider


class Application:
    """Puts, gets and queries of one table, each at its own pace."""

    def __init__(self, endpoint: str, table: str) -> None:
        self._client = boto3.client(
            "dynamodb",
            endpoint_url=endpoint,
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=THREADS),
        )
        self._table = table
        self.orders: dict[str, Any] = {}
        self.ended: Counter[str] = Counter()

    def put(self, **asked: str) -> None:
        text = "x" * int(self.orders.get("item_bytes", 900))
        item = {"id": {"S": uuid.uuid4().hex}, "author": {"S": AUTHOR}, "text": {"S": text}}
        self._client.put_item(TableName=self._table, Item=item, **asked)

    def get(self, **asked: str) -> None:
        self._client.get_item(TableName=self._table, Key={"id": {"S": "first"}}, **asked)

    def query(self, **asked: str) -> None:
        self._client.query(
            TableName=self._table,
            IndexName="author",
            KeyConditionExpression="author = :a",
            ExpressionAttributeValues={":a": {"S": AUTHOR}},
            Limit=5,
            **asked,
        )

    def carry_out(self, name: str) -> None:
        detail = self.orders.get("capacity")
        operation = {"puts": self.put, "gets": self.get, "queries": self.query}[name]
        try:
            operation(**({"ReturnConsumedCapacity": detail} if detail else {}))
            self.ended[name] += 1
        except ClientError as error:
            self.ended[f"{name} {error.response['Error']['Code']}"] += 1

    def run(self, stop: Event) -> None:
        """Starts every call at its own slot; a slot that is missed by a second is left out."""
        due: dict[str, float] = {}
        with ThreadPoolExecutor(THREADS) as threads:
            while not stop.wait(0.004):
                now = time.monotonic()
                for name in ("puts", "gets", "queries"):
                    rate = float(self.orders.get(name, 0))
                    at = max(due.get(name, now), now - 1)
                    while rate and at <= now:
                        threads.submit(self.carry_out, name)
                        at += 1 / rate
                    due[name] = at


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("exporter")
    parser.add_argument("--table", default="feed")
    parser.add_argument("--sample", type=float, default=1.0)
    options = parser.parse_args()
    provider = trace(options.exporter, options.sample)
    application = Application(options.endpoint, options.table)
    stop = Event()
    running = Thread(target=application.run, args=(stop,))
    running.start()
    for line in sys.stdin:
        application.orders = json.loads(line)
    stop.set()
    running.join()
    provider.shutdown()
    sys.stderr.write(f"{dict(application.ended)}\n")


if __name__ == "__main__":
    main()
