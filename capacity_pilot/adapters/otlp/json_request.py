"""OTLP's JSON encoding, brought into the wire form that the span reader takes.

It is protobuf's JSON mapping with differences (OTLP specification, "JSON Protobuf Encoding"):
names in lowerCamelCase, 64-bit integers as strings, enums as numbers, trace and span ids in
hex, unknown fields ignored. Enum names are taken too, since some senders write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from capacity_pilot.adapters.otlp.body import OversizedError
from capacity_pilot.adapters.otlp.wire import (
    AnyValue,
    ArrayValue,
    Event,
    KeyValue,
    Resource,
    Span,
    Status,
)
from capacity_pilot.core.errors import TelemetryError

_KINDS = {
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
_STATUS_CODES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_MAX_NESTING = 32

# Besides our own checks, protobuf's setters and float() complain in these ways.
_DEFECTS = (ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class JsonGroup:
    """Spans of one resource in wire form, and how many more could not be encoded."""

    resource: bytes
    spans: list[bytes]
    malformed_spans: int


def read_json_request(body: bytes, *, max_spans: int) -> list[JsonGroup]:
    """The request's spans by resource.

    Raises ``TelemetryError`` if the text is not JSON or its outer structure is not a trace
    request's, and its ``OversizedError`` if it holds more than ``max_spans``. A span that is
    not one costs itself alone.
    """
    try:
        request = json.loads(body)
        return list(_read_groups(request, max_spans))
    except _DEFECTS as error:
        msg = f"{len(body)} bytes are no ExportTraceServiceRequest in JSON: {error}"
        raise TelemetryError(msg) from error


def _read_groups(request: Any, max_spans: int) -> Iterator[JsonGroup]:
    seen = 0
    for resource_spans in _members(_object(request, "request"), "resourceSpans"):
        outer = _object(resource_spans, "resourceSpans[]")
        resource = _encode_resource(outer.get("resource"))
        for scope_spans in _members(outer, "scopeSpans"):
            spans = _members(_object(scope_spans, "scopeSpans[]"), "spans")
            seen += len(spans)
            if seen > max_spans:
                msg = f"request holds more than {max_spans} spans"
                raise OversizedError(msg)
            encoded = [_encode_span_or_none(span) for span in spans]
            good = [span for span in encoded if span is not None]
            yield JsonGroup(resource, good, len(encoded) - len(good))


def _encode_resource(resource: Any) -> bytes:
    attributes = _members(_object(resource or {}, "resource"), "attributes")
    return Resource(attributes=[_key_value(item) for item in attributes]).SerializeToString()


def _encode_span_or_none(span: Any) -> bytes | None:
    try:
        return _encode_span(_object(span, "span"))
    except _DEFECTS:
        return None


def _encode_span(span: dict[str, Any]) -> bytes:
    # Only what the reader looks at; links and names of scopes say nothing here.
    kind = _enum(span.get("kind"), _KINDS)
    if kind not in _KINDS.values():
        return b""  # not to be read, only to be counted
    return (
        _encode_trace_id(span.get("traceId"))
        + Span(
            trace_state=_text(span.get("traceState")),
            name=_text(span.get("name")),
            kind=kind,
            start_time_unix_nano=_whole(span.get("startTimeUnixNano")),
            end_time_unix_nano=_whole(span.get("endTimeUnixNano")),
            attributes=[
                _key_value(item).SerializeToString() for item in _members(span, "attributes")
            ],
            dropped_attributes_count=_whole(span.get("droppedAttributesCount")),
            events=[_encode_event(event) for event in _members(span, "events")],
            status=_encode_status(span.get("status")),
        ).SerializeToString()
    )


def _encode_trace_id(trace_id: Any) -> bytes:
    """The first field of a span, 16 bytes; what is none is left out, since nothing hangs on it."""
    try:
        encoded = bytes.fromhex(trace_id)
    except (TypeError, ValueError):
        return b""
    return b"\n\x10" + encoded if len(encoded) == 16 else b""


def _encode_event(event: Any) -> bytes:
    event = _object(event, "event")
    attributes = [_key_value(item) for item in _members(event, "attributes")]
    return Event(name=_text(event.get("name")), attributes=attributes).SerializeToString()


def _encode_status(status: Any) -> bytes:
    status = _object(status or {}, "status")
    code = _enum(status.get("code"), _STATUS_CODES)
    return Status(message=_text(status.get("message")), code=code).SerializeToString()


def _key_value(item: Any) -> KeyValue:
    item = _object(item, "attribute")
    value = _any_value(_object(item.get("value") or {}, "value"), depth=0)
    return KeyValue(key=_text(item.get("key")), value=value)


def _any_value(value: dict[str, Any], *, depth: int) -> AnyValue:
    """Values the reader has no use for (objects, bytes) become empty ones."""
    if depth > _MAX_NESTING:
        msg = f"attribute values are nested more than {_MAX_NESTING} deep"
        raise ValueError(msg)
    if (text := value.get("stringValue")) is not None:
        return AnyValue(string_value=_text(text))
    if (flag := value.get("boolValue")) is not None:
        return AnyValue(bool_value=flag)
    if (whole := value.get("intValue")) is not None:
        return AnyValue(int_value=_whole(whole))
    if (number := value.get("doubleValue")) is not None:
        return AnyValue(double_value=float(number))
    if (array := value.get("arrayValue")) is not None:
        items = _members(_object(array, "arrayValue"), "values")
        values = [_any_value(_object(item, "value"), depth=depth + 1) for item in items]
        return AnyValue(array_value=ArrayValue(values=values))
    return AnyValue()


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        msg = f"{place} must be an object, not {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - every defect of the text is a ValueError
    return value


def _members(value: dict[str, Any], name: str) -> list[Any]:
    members = value.get(name)
    if members is None:
        return []
    if not isinstance(members, list):
        msg = f"{name} must be an array, not {type(members).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - every defect of the text is a ValueError
    return members


def _text(value: Any) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str):
        msg = f"expected a string, got {value!r:.40}"
        raise ValueError(msg)  # noqa: TRY004 - every defect of the text is a ValueError
    return value.encode()


def _whole(value: Any) -> int:
    """64-bit integers travel as strings, but numbers are taken too."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > 20:
        msg = f"expected an integer, got {value!r:.40}"
        raise ValueError(msg)
    return int(value)


def _enum(value: Any, names: dict[str, int]) -> int:
    if isinstance(value, str) and not value.isdigit():
        return names.get(value, 0)
    return _whole(value)
