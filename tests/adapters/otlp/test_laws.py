"""Whatever the bytes: all or nothing, and never an error of any other kind."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from capacity_pilot.adapters.otlp.body import BodyReader, OversizedError
from capacity_pilot.adapters.otlp.decode import Bounds
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.core.errors import TelemetryError

from .traces import NOW, SECOND, botocore, exception, make_decoder, request, span, split, total

SAMPLE = request(
    span(botocore("PutItem", capacity=[split(2.0, by_g=1.0)], retries=1, status=200)),
    span(botocore("Query", index="by_g", capacity=[total(0.5)], consistent=True)),
    span(botocore("GetItem"), error="", events=[exception("x.ThrottlingException")]),
    span(
        botocore("BatchGetItem", capacity=[total(1.0), total(2.0, "carts")]), trace_state="ot=th:8"
    ),
    span({"http.route": "/cart"}, kind=Span.SPAN_KIND_SERVER, name="GET /cart"),
).SerializeToString()

ENDS = st.floats(NOW - 140, NOW + 10)


@st.composite
def mutants(draw: st.DrawFn, original: bytes = SAMPLE) -> bytes:
    body = bytearray(original)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(body) - 1))
        match draw(st.sampled_from(("set", "cut", "insert"))):
            case "set":
                body[at] = draw(st.integers(0, 255))
            case "cut":
                del body[at : at + draw(st.integers(1, 20))]
            case _:
                body[at:at] = draw(st.binary(max_size=20))
        if not body:
            break
    return bytes(body)


def is_sane(harvest: Harvest) -> bool:
    counts = harvest.counts
    return counts.malformed_spans + counts.dynamodb_spans <= counts.spans and all(
        0.0 <= s.throttled <= s.units
        and 0.0 <= s.estimated <= s.units * (1 + 1e-9)
        and s.requests > 0
        for s in harvest.samples.values()
    )


@given(mutants())
@settings(max_examples=400)
def test_damage_is_a_telemetry_error_or_a_sane_harvest(body: bytes) -> None:
    with suppress(TelemetryError):
        assert is_sane(make_decoder().decode_protobuf(body, NOW))


@given(mutants())
def test_a_refused_request_teaches_nothing(body: bytes) -> None:
    estimator = Estimator()
    try:
        make_decoder(estimator).decode_protobuf(body, NOW)
    except TelemetryError:
        assert estimator.known_shapes == 0


@given(mutants())
def test_damage_leaves_the_decoder_as_good_as_new(body: bytes) -> None:
    decoder = make_decoder()
    with suppress(TelemetryError):
        decoder.decode_protobuf(body, NOW)
    # Another second and other tables, so that what was rightly learned has no say.
    clean = request(span(botocore("PutItem", "clean", capacity=[split(2.0)]))).SerializeToString()
    assert decoder.decode_protobuf(clean, NOW) == make_decoder().decode_protobuf(clean, NOW)


def test_one_damaged_span_costs_itself_alone() -> None:
    good = span(botocore("PutItem", capacity=[split(2.0)]))
    whole = request(good, good, good).SerializeToString()
    encoded = good.SerializeToString()
    at = whole.index(encoded) + encoded.index(b"rpc.service")
    damaged = whole[: at - 1] + b"\x7f" + whole[at:]  # the key claims to be longer than the span
    harvest = make_decoder().decode_protobuf(damaged, NOW)
    assert (harvest.counts.spans, harvest.counts.malformed_spans) == (3, 1)
    assert sum(sample.requests for sample in harvest.samples.values()) == 2.0


@pytest.mark.parametrize("body", [b"\x0a", b"not protobuf", SAMPLE[:-3]])
def test_what_is_no_request_is_refused_whole(body: bytes) -> None:
    with pytest.raises(TelemetryError, match=f"{len(body)} bytes are no ExportTraceServiceRequest"):
        make_decoder().decode_protobuf(body, NOW)


def test_no_spans_at_all_are_a_request_too() -> None:
    assert make_decoder().decode_protobuf(b"", NOW).counts.requests == 1
    assert make_decoder().decode_json(b"{}", NOW).counts.requests == 1


def test_more_spans_than_the_bound_are_refused_whole() -> None:
    estimator = Estimator()
    good = span(botocore("PutItem", capacity=[split(2.0)]))
    body = request(good, *[Span()] * 10).SerializeToString()
    decoder = make_decoder(estimator, bounds=Bounds(max_spans=10))
    for decode, sent in (
        (decoder.decode_protobuf, body),
        (decoder.decode_json, json.dumps(to_json(body)).encode()),
    ):
        with pytest.raises(OversizedError, match="more than 10 spans"):
            decode(sent, NOW)
    assert estimator.known_shapes == 0


def to_json(body: bytes) -> dict[str, Any]:
    """As OTLP's JSON has it: protobuf's mapping, but ids in hex and enums as numbers."""
    parsed = request()
    parsed.ParseFromString(body)
    message: dict[str, Any] = MessageToDict(parsed, use_integers_for_enums=True)
    for each in json_spans(message):
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in each:
                each[name] = base64.b64decode(each[name]).hex()
    return message


def json_spans(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        each
        for resource_spans in message.get("resourceSpans", ())
        for scope_spans in resource_spans.get("scopeSpans", ())
        for each in scope_spans.get("spans", ())
    ]


OPERATIONS = st.sampled_from(("GetItem", "PutItem", "Query", "BatchWriteItem", "TransactGetItems"))
CAPACITIES = st.sampled_from(([], [total(4.0)], [split(1.0, by_g=2.5)], ["{"]))
ERRORS = st.sampled_from((None, "ConditionalCheckFailedException", "ThrottlingException", "Other"))


@st.composite
def spans(draw: st.DrawFn) -> Span:
    operation, error = draw(OPERATIONS), draw(ERRORS)
    values = botocore(
        operation,
        draw(st.sampled_from(("orders", "carts", "no table", None))),
        consistent=draw(st.booleans()),
        retries=draw(st.integers(0, 3)),
    )
    if not error:
        values["aws.dynamodb.consumed_capacity"] = draw(CAPACITIES)
    return span(
        values,
        name=f"DynamoDB.{operation}",
        ended_at=draw(ENDS),
        error=error and "failed",
        events=[exception(error)] if error else (),
        trace_state=draw(st.sampled_from(("", "ot=th:8", "ot=th:zz"))),
    )


@given(st.lists(spans(), max_size=8))
def test_both_encodings_of_a_request_say_the_same(each: list[Span]) -> None:
    body = request(*each).SerializeToString()
    text = json.dumps(to_json(body)).encode()
    assert make_decoder().decode_json(text, NOW) == make_decoder().decode_protobuf(body, NOW)


@given(st.lists(spans(), max_size=8))
def test_requests_add_up(each: list[Span]) -> None:
    apart = [make_decoder().decode_protobuf(request(s).SerializeToString(), NOW) for s in each]
    together = make_decoder().decode_protobuf(request(*each).SerializeToString(), NOW)
    assert sum(h.counts.dynamodb_spans for h in apart) == together.counts.dynamodb_spans
    assert sum(h.counts.throttled for h in apart) == together.counts.throttled
    stated = sum(s.units - s.estimated for h in apart for s in h.samples.values())
    # Together, some totals turn into estimates of their index share, never the reverse.
    at_most = sum(s.units - s.estimated for s in together.samples.values())
    assert at_most <= stated * (1 + 1e-9)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
NONSENSE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@given(st.data())
@settings(max_examples=300)
def test_nonsense_in_a_json_span_costs_itself_alone(data: st.DataObject) -> None:
    message = to_json(SAMPLE)
    victim = data.draw(st.sampled_from(json_spans(message)))
    field = data.draw(st.sampled_from(sorted(victim)))
    victim[field] = data.draw(NONSENSE)
    harvest = make_decoder().decode_json(json.dumps(message).encode(), NOW)
    assert harvest.counts.spans == 5
    assert harvest.counts.dynamodb_spans >= 3
    assert is_sane(harvest)


ODD_VALUES: list[dict[str, Any]] = [
    {"boolValue": "yes"},
    {"boolValue": [1]},
    {"doubleValue": []},
    {"doubleValue": 10**400},
    {"intValue": 2**70},
    {"stringValue": "\ud800"},
    {"arrayValue": {"values": [{"doubleValue": {}}]}},
]


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: json.dumps(value)[:30])
def test_a_json_value_that_is_none_costs_its_span_or_if_the_resource_s_the_request(
    value: dict[str, Any],
) -> None:
    odd = {"key": "x", "value": value}
    in_span, in_resource = to_json(SAMPLE), to_json(SAMPLE)
    json_spans(in_span)[0]["attributes"].append(odd)
    harvest = make_decoder().decode_json(json.dumps(in_span).encode(), NOW)
    assert (harvest.counts.malformed_spans, harvest.counts.dynamodb_spans) == (1, 3)
    in_resource["resourceSpans"][0]["resource"]["attributes"].append(odd)
    with pytest.raises(TelemetryError, match="no ExportTraceServiceRequest in JSON"):
        make_decoder().decode_json(json.dumps(in_resource).encode(), NOW)


@given(mutants(json.dumps(to_json(SAMPLE)).encode()))
@settings(max_examples=200)
def test_damaged_json_is_a_telemetry_error_or_a_sane_harvest(body: bytes) -> None:
    with suppress(TelemetryError):
        assert is_sane(make_decoder().decode_json(body, NOW))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nul",
        "\xff",
        "[" * 100_000,
        '{"resourceSpans": 1}',
        '{"resourceSpans": [1]}',
        '{"resourceSpans": [{"scopeSpans": [{"spans": {}}]}]}',
    ],
)
def test_what_is_no_request_in_json_is_refused_whole(text: str) -> None:
    with pytest.raises(TelemetryError, match="no ExportTraceServiceRequest in JSON"):
        make_decoder().decode_json(text.encode("latin-1"), NOW)


def test_json_takes_numbers_for_strings_and_names_for_enums() -> None:
    message = to_json(request(span(botocore("PutItem", capacity=[split(2.0)]))).SerializeToString())
    (only,) = json_spans(message)
    only["kind"] = "SPAN_KIND_CLIENT"
    only["endTimeUnixNano"] = SECOND * 1_000_000_000
    only["somethingNew"] = {"ignored": True}
    harvest = make_decoder().decode_json(json.dumps(message).encode(), NOW)
    assert list(harvest.samples) == [("orders", "", 1, SECOND)]


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
}


@given(st.binary(max_size=5000), st.sampled_from(sorted(ENCODINGS)), st.integers(1, 700))
def test_a_body_comes_out_as_it_went_in_however_it_is_cut(
    data: bytes, encoding: str, step: int
) -> None:
    sent = ENCODINGS[encoding](data)
    reader = BodyReader(encoding, max_bytes=6000)
    for start in range(0, len(sent), step):
        reader.feed(sent[start : start + step])
    assert reader.finish() == data


@given(st.binary(min_size=1, max_size=300), st.integers(0, 400))
def test_a_body_is_refused_exactly_when_it_exceeds_the_bound(data: bytes, bound: int) -> None:
    sent = gzip.compress(data)
    reader = BodyReader("gzip", max_bytes=bound)
    if max(len(sent), len(data)) <= bound:
        reader.feed(sent)
        assert reader.finish() == data
    else:
        with pytest.raises(OversizedError, match=f"exceeds {bound} bytes"):
            reader.feed(sent)


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_gzip_members_in_a_row_are_one_body(members: list[bytes]) -> None:
    reader = BodyReader("gzip", max_bytes=2000)
    reader.feed(b"".join(map(gzip.compress, members)))
    assert reader.finish() == b"".join(members)


def read(encoding: str, sent: bytes) -> bytes:
    reader = BodyReader(encoding, max_bytes=100)
    reader.feed(sent)
    return reader.finish()


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("gzip", gzip.compress(b"spans", mtime=0)[:-4]),
        ("gzip", b""),
        ("gzip", b"spans"),
        ("gzip", gzip.compress(b"spans", mtime=0) + b"more"),
        ("deflate", zlib.compress(b"spans") + b"more"),
    ],
)
def test_damaged_compression_is_a_telemetry_error(encoding: str, sent: bytes) -> None:
    with pytest.raises(TelemetryError, match="compress"):
        read(encoding, sent)
