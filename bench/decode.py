"""How much faster requests are decoded than by parsing everything and walking it.

Command:  python bench/decode.py [--rounds 15] [--requests 10]
Workload: requests of 512 spans (one resource each), 30 % or 5 % of them DynamoDB client spans
          in the shape botocore's instrumentation gives them (14-15 attributes, a unique request
          id, INDEXES capacity), the rest SERVER and INTERNAL spans. Three tables and a few
          capacities ("steady"), or 100 tables with 400 capacities each ("varied").
Baseline: opentelemetry-proto's ExportTraceServiceRequest, parsed whole by upb, each span's
          attributes walked into a dict, capacity read by json.loads, units summed per
          (table, index, dimension, second). It neither estimates, judges errors nor weighs.
Method:   both decode the same bytes in turn, round by round, so that the machine's drift meets
          both; the ratio is of the medians. Equal sums are asserted before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from capacity_pilot.adapters.otlp.decode import Decoder
from capacity_pilot.adapters.otlp.estimate import Estimator

Sums = dict[tuple[str, str, int, int], float]

NOW = 1_800_000_000
SPANS_PER_REQUEST = 512
WRITES = ("PutItem", "UpdateItem", "DeleteItem")


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def texts(key: str, *values: str) -> KeyValue:
    array = ArrayValue(values=[AnyValue(string_value=value) for value in values])
    return KeyValue(key=key, value=AnyValue(array_value=array))


def number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))


def make_capacity(table: str, units: float, operation: str) -> str:
    capacity = {"TableName": table, "CapacityUnits": units, "Table": {"CapacityUnits": units}}
    if operation in WRITES:
        capacity["CapacityUnits"] = units + 1.0
        capacity["GlobalSecondaryIndexes"] = {"by-author": {"CapacityUnits": 1.0}}
    return json.dumps(capacity)


def make_dynamodb_span(rng: random.Random, tables: int, capacities: int) -> Span:
    operation = rng.choice(("GetItem", "Query", *WRITES))
    table = f"prod-feed-{rng.randrange(tables)}"
    units = 0.5 * rng.randint(1, capacities)
    started_at = NOW * 1_000_000_000 - rng.randrange(5_000_000_000)
    return Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.randbytes(8),
        name=f"DynamoDB.{operation}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=started_at,
        end_time_unix_nano=started_at + rng.randrange(20_000_000),
        attributes=[
            text("rpc.system", "aws-api"),
            text("rpc.service", "DynamoDB"),
            text("rpc.method", operation),
            text("cloud.region", "eu-central-1"),
            text("server.address", "dynamodb.eu-central-1.amazonaws.com"),
            number("server.port", 443),
            text("db.system", "dynamodb"),
            text("db.operation", operation),
            text("net.peer.name", "dynamodb.eu-central-1.amazonaws.com"),
            texts("aws.dynamodb.table_names", table),
            text("aws.request_id", rng.randbytes(26).hex().upper()),
            number("retry_attempts", 0),
            number("http.status_code", 200),
            texts("aws.dynamodb.consumed_capacity", make_capacity(table, units, operation)),
        ],
    )


def make_other_span(rng: random.Random) -> Span:
    return Span(
        trace_id=rng.randbytes(16),
        span_id=rng.randbytes(8),
        parent_span_id=rng.randbytes(8),
        name=rng.choice(("GET /feed", "POST /order", "render", "authorize")),
        kind=rng.choice((Span.SPAN_KIND_SERVER, Span.SPAN_KIND_INTERNAL)),
        start_time_unix_nano=NOW * 1_000_000_000,
        end_time_unix_nano=NOW * 1_000_000_000 + rng.randrange(50_000_000),
        attributes=[
            text("http.request.method", "GET"),
            text("url.path", f"/feed/{rng.randrange(10_000)}"),
            text("url.scheme", "https"),
            text("http.route", "/feed/{id}"),
            number("http.response.status_code", 200),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
            text("client.address", f"10.0.{rng.randrange(256)}.{rng.randrange(256)}"),
            number("app.items", rng.randrange(100)),
        ],
    )


def make_request(rng: random.Random, share: float, tables: int, capacities: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.append(text("service.name", "feed"))
    scope_spans = resource_spans.scope_spans.add()
    for _ in range(SPANS_PER_REQUEST):
        is_dynamodb = rng.random() < share
        span = make_dynamodb_span(rng, tables, capacities) if is_dynamodb else make_other_span(rng)
        scope_spans.spans.append(span)
    return request.SerializeToString()


def walk(bodies: list[bytes]) -> Sums:
    """The baseline: no prefilter, no memo, no kind check before the attributes."""
    sums: Sums = defaultdict(float)
    for body in bodies:
        request = ExportTraceServiceRequest.FromString(body)
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    add_span(sums, span)
    return sums


def add_span(sums: Sums, span: Span) -> None:
    attributes: dict[str, Any] = {}
    for attribute in span.attributes:
        value = attribute.value
        kind = value.WhichOneof("value")
        if kind == "array_value":
            attributes[attribute.key] = [item.string_value for item in value.array_value.values]
        else:
            attributes[attribute.key] = getattr(value, kind or "string_value")
    if span.kind != Span.SPAN_KIND_CLIENT or attributes.get("db.system") != "dynamodb":
        return
    dimension = int(attributes["rpc.method"] in WRITES)
    second = span.end_time_unix_nano // 1_000_000_000
    for element in attributes.get("aws.dynamodb.consumed_capacity", ()):
        capacity = json.loads(element)
        table = capacity["TableName"]
        sums[table, "", dimension, second] += capacity["Table"]["CapacityUnits"]
        for index, part in capacity.get("GlobalSecondaryIndexes", {}).items():
            sums[table, index, dimension, second] += part["CapacityUnits"]


def harvest(decoder: Decoder, bodies: list[bytes]) -> Sums:
    sums: Sums = defaultdict(float)
    for body in bodies:
        for key, sample in decoder.decode_protobuf(body, NOW + 1.0).samples.items():
            sums[key] += sample.units
    return sums


def seconds(work: Callable[[], object]) -> float:
    started_at = time.perf_counter()
    work()
    return time.perf_counter() - started_at


def compare(label: str, bodies: list[bytes], rounds: int) -> None:
    decoder = Decoder(Estimator())
    assert harvest(decoder, bodies) == walk(bodies), "both must sum the same units"
    ours, baseline, cold = [], [], []
    for _ in range(rounds):
        baseline.append(seconds(lambda: walk(bodies)))
        ours.append(seconds(lambda: harvest(decoder, bodies)))
        cold.append(seconds(lambda: harvest(Decoder(Estimator()), bodies)))
    spans = SPANS_PER_REQUEST * len(bodies)
    ratio = statistics.median(baseline) / statistics.median(ours)
    cold_ratio = statistics.median(baseline) / statistics.median(cold)
    rate = spans / statistics.median(ours) / 1000
    print(
        f"{label:<12} {ratio:5.1f} x   first sight {cold_ratio:5.1f} x"
        f"   {rate:6.0f} k spans/s   {sum(map(len, bodies)) / spans:4.0f} B/span"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=10)
    arguments = parser.parse_args()
    for share in (0.30, 0.05):
        for variety, tables, capacities in (("steady", 3, 4), ("varied", 100, 400)):
            rng = random.Random(7)
            bodies = [
                make_request(rng, share, tables, capacities) for _ in range(arguments.requests)
            ]
            compare(f"{share:.0%} {variety}", bodies, arguments.rounds)


if __name__ == "__main__":
    main()
