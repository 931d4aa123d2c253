"""A second opinion: whole requests by OpenTelemetry's messages, walked plainly.

Knows only what spans state, estimates nothing and shares no code with the decoder.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Key = tuple[str, str, int, int]

READS = ("GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems")


def read_stated_units(request: ExportTraceServiceRequest) -> dict[Key, float]:
    sums: dict[Key, float] = defaultdict(float)
    has_local_indexes = b"LocalSecondaryIndexes" in request.SerializeToString()
    for span in iterate_spans(request):
        values = {a.key: plain_value(a.value) for a in span.attributes}
        if not is_dynamodb(span, values):
            continue
        operation = values.get("rpc.method") or span.name.partition(".")[2]
        for text in values.get("aws.dynamodb.consumed_capacity", ()):
            # What a local index serves is the table's, also where only a total is stated.
            if has_local_indexes:
                values.pop("aws.dynamodb.index_name", None)
            add_capacity(sums, json.loads(text), span, values, operation)
    return {key: units for key, units in sums.items() if units}


def count_calls(request: ExportTraceServiceRequest) -> int:
    """Spans of DynamoDB calls, whatever they tell."""
    return sum(
        is_dynamodb(span, {a.key: plain_value(a.value) for a in span.attributes})
        for span in iterate_spans(request)
    )


def add_capacity(
    sums: dict[Key, float], stated: dict[str, Any], span: Span, values: Any, operation: str
) -> None:
    second = int(span.end_time_unix_nano // 10**9)
    weight = calls_of(span)
    dimension = 0 if operation in READS else 1
    indexes = stated.get("GlobalSecondaryIndexes", {})
    is_total = "Table" not in stated and not indexes
    own = "" if not is_total or dimension else values.get("aws.dynamodb.index_name", "")
    of_indexes = sum(part["CapacityUnits"] for part in indexes.values())
    rest = stated["CapacityUnits"] - of_indexes
    sums[stated["TableName"], own, dimension, second] += weight * rest
    for index, part in indexes.items():
        sums[stated["TableName"], index, dimension, second] += weight * part["CapacityUnits"]


def is_dynamodb(span: Span, values: dict[str, Any]) -> bool:
    if span.kind != Span.SPAN_KIND_CLIENT:
        return False
    return (
        values.get("db.system") == "dynamodb"
        or values.get("db.system.name") in ("dynamodb", "aws.dynamodb")
        # Python's composite sampler drops the attributes set at the start.
        or (span.name.startswith("DynamoDB.") and "aws.dynamodb.consumed_capacity" in values)
    )


def calls_of(span: Span) -> float:
    if "th:" not in span.trace_state:
        return 1.0
    digits = span.trace_state.partition("th:")[2]
    return 1 / (1 - int(digits, 16) / float(16 ** len(digits)))


def iterate_spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            yield from scope_spans.spans


def plain_value(value: Any) -> Any:
    if value.HasField("array_value"):
        return [plain_value(item) for item in value.array_value.values]
    return getattr(value, value.WhichOneof("value") or "string_value")
