"""Builds OTLP requests with OpenTelemetry's own messages, never with ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from capacity_pilot.adapters.otlp.decode import Bounds, Decoder
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.core.model import Sample, SampleKey

NOW = 1_800_000_000.0
SECOND = 1_799_999_999  # when spans end unless told otherwise

READ, WRITE = 0, 1

Value = str | bool | int | float | Sequence[str]


def any_value(value: Value) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=v) for v in value]))


def attributes(values: Mapping[str, Value]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def exception(kind: str, message: str = "") -> Span.Event:
    told: dict[str, Value] = {"exception.type": kind, "exception.message": message}
    return Span.Event(name="exception", attributes=attributes(told))


def span(
    values: Mapping[str, Value],
    *,
    name: str = "DynamoDB.GetItem",
    kind: Span.SpanKind.ValueType = Span.SPAN_KIND_CLIENT,
    ended_at: float = SECOND + 0.25,
    error: str | None = None,
    events: Iterable[Span.Event] = (),
    trace_state: str = "",
) -> Span:
    status = Status() if error is None else Status(code=Status.STATUS_CODE_ERROR, message=error)
    return Span(
        trace_id=b"t" * 16,
        span_id=b"s" * 8,
        name=name,
        kind=kind,
        start_time_unix_nano=int((ended_at - 0.01) * 1e9),
        end_time_unix_nano=int(ended_at * 1e9),
        attributes=attributes(values),
        status=status,
        events=events,
        trace_state=trace_state,
    )


def request(*spans: Span, service: str = "shop") -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    resource_spans = message.resource_spans.add()
    resource_spans.resource.attributes.extend(attributes({"service.name": service}))
    resource_spans.scope_spans.add().spans.extend(spans)
    return message


def botocore(operation: str, table: str | None = "orders", **more: Value) -> dict[str, Value]:
    """Attributes as opentelemetry-instrumentation-botocore sets them; ``_`` stands for ``.``
    only in the names below.
    """
    values: dict[str, Value] = {
        "rpc.system": "aws-api",
        "rpc.service": "DynamoDB",
        "rpc.method": operation,
        "db.system": "dynamodb",
        "db.operation": operation,
        "aws.request_id": "OZUNB6GKGYHGK3XX1HGHE2NAME3OLYRQ00MPLYPJW69VGXEGY9XN",
    }
    if table is not None:
        values["aws.dynamodb.table_names"] = [table]
    names = {
        "capacity": "aws.dynamodb.consumed_capacity",
        "index": "aws.dynamodb.index_name",
        "limit": "aws.dynamodb.limit",
        "consistent": "aws.dynamodb.consistent_read",
        "retries": "retry_attempts",
        "status": "http.status_code",
    }
    return values | {names[key]: value for key, value in more.items()}


def total(units: float, table: str = "orders") -> str:
    return json.dumps({"TableName": table, "CapacityUnits": units})


def split(table_units: float, table: str = "orders", **indexes: float) -> str:
    """ConsumedCapacity as INDEXES states it, members in an order of its own."""
    return json.dumps(
        {
            "GlobalSecondaryIndexes": {k: {"CapacityUnits": v} for k, v in indexes.items()},
            "Table": {"CapacityUnits": table_units},
            "CapacityUnits": table_units + sum(indexes.values()),
            "TableName": table,
        }
    )


def decode(
    *spans: Span,
    decoder: Decoder | None = None,
    received_at: float = NOW,
    service: str = "shop",
) -> Harvest:
    decoder = decoder or make_decoder()
    body = request(*spans, service=service).SerializeToString()
    return decoder.decode_protobuf(body, received_at)


def make_decoder(
    estimator: Estimator | None = None,
    ratios: Mapping[str, float] | None = None,
    bounds: Bounds | None = None,
) -> Decoder:
    return Decoder(estimator or Estimator(), ratios, bounds)


def sole(harvest: Harvest) -> tuple[SampleKey, Sample]:
    """The one sample there must be."""
    ((key, sample),) = harvest.samples.items()
    return key, sample


def units(harvest: Harvest) -> dict[tuple[str, str, int], float]:
    """Units by table, index and dimension, over all seconds."""
    sums: dict[tuple[str, str, int], float] = {}
    for (table, index, dimension, _), sample in harvest.samples.items():
        key = (table, index, dimension)
        sums[key] = sums.get(key, 0.0) + sample.units
    return sums
