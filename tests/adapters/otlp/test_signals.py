"""Spans that may precede demand: which count for what, in which second, and how many are kept."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from capacity_pilot.adapters.otlp.decode import Bounds
from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.adapters.otlp.intake import MAX_PENDING_SIGNALS, Intake

from .traces import NOW, SECOND, Value, botocore, decode, make_decoder, request, span, units

SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER
FEED: dict[str, Value] = {"http.request.method": "GET", "http.route": "/feed/{user}"}


def entering(route: str = "/feed/{user}", **more: object) -> Span:
    return span({"http.request.method": "GET", "http.route": route}, kind=SERVER, **more)  # type: ignore[arg-type]


def counted(harvest: Harvest) -> dict[str, float]:
    """By name, over all seconds."""
    sums: dict[str, float] = {}
    for (table, name, _), count in harvest.signals.items():
        assert table == ""  # it may lead any table's demand
        sums[name] = sums.get(name, 0.0) + count
    return sums


@pytest.mark.parametrize(
    ("kind", "values", "name", "messages"),
    [
        (SERVER, FEED, "shop GET /feed/{user}", 1),
        (SERVER, {"http.method": "POST", "http.route": "/like"}, "shop POST /like", 1),
        (SERVER, {"http.route": "/like"}, "shop /like", 1),
        (CONSUMER, {"messaging.destination.name": "likes"}, "shop takes from likes", 1),
        (
            PRODUCER,
            {"messaging.destination.name": "pushes", "messaging.batch.message_count": 500},
            "shop sends to pushes",
            500,
        ),
        (
            CLIENT,
            {"messaging.destination.name": "pushes", "messaging.operation.type": "send"},
            "shop sends to pushes",
            1,
        ),
        (PRODUCER, {"messaging.destination": "pushes"}, "shop sends to pushes", 1),
        (
            CLIENT,
            {"server.address": "fcm.googleapis.com"},
            "shop pushes through fcm.googleapis.com",
            1,
        ),
        (
            CLIENT,
            {"net.peer.name": "api.push.apple.com"},
            "shop pushes through api.push.apple.com",
            1,
        ),
    ],
)
def test_what_comes_before_demand_is_counted_by_name(
    kind: Span.SpanKind.ValueType, values: dict[str, Value], name: str, messages: int
) -> None:
    harvest = decode(span(values, kind=kind), span(values, kind=kind))
    assert counted(harvest) == {name: 2 * messages}
    assert harvest.counts.upstream == 2
    assert not harvest.samples


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CLIENT, FEED),  # asks another service, and is that one's to tell
        (SERVER, {"url.path": "/http.route"}),
        (CLIENT, {"messaging.destination.name": "likes", "messaging.operation.type": "receive"}),
        (CLIENT, {"server.address": "example.com", "peer": "push.apple.com"}),
        (Span.SPAN_KIND_INTERNAL, FEED),
        (PRODUCER, {"messaging.batch.message_count": 5}),
        (PRODUCER, {"messaging.destination.name": "x", "messaging.batch.message_count": -5}),
        (SERVER, {"http.route": 7}),
    ],
)
def test_what_is_no_signal_is_not_counted(
    kind: Span.SpanKind.ValueType, values: dict[str, Value]
) -> None:
    harvest = decode(span(values, kind=kind))
    assert not harvest.signals
    assert harvest.counts.upstream == 0
    assert harvest.counts.malformed_spans == 0


def test_a_request_counts_in_the_second_in_which_it_began() -> None:
    slow = entering(ended_at=SECOND + 0.9)
    slow.start_time_unix_nano = int((SECOND - 2.5) * 1e9)
    (((_, _, second), count),) = decode(slow).signals.items()
    assert (second, count) == (SECOND - 3, 1.0)


def test_what_began_long_ago_or_in_the_future_is_not_believed() -> None:
    stream = entering()
    stream.start_time_unix_nano = int((NOW - 3600) * 1e9)
    assert not decode(stream, entering(ended_at=NOW + 60)).signals


def test_signals_are_weighted_by_what_their_spans_stand_for() -> None:
    sampled = entering(trace_state="ot=th:c")
    assert counted(decode(sampled)) == {"shop GET /feed/{user}": 4.0}
    decoder = make_decoder(ratios={"shop": 0.1})
    assert counted(decode(entering(), decoder=decoder)) == {"shop GET /feed/{user}": 10.0}


def test_demand_is_read_beside_signals() -> None:
    put = span(botocore("PutItem", "orders"), name="DynamoDB.PutItem")
    alone, beside = decode(put), decode(entering(), put, entering("/dynamodb"))
    assert units(alone) == units(beside)
    assert set(counted(beside)) == {"shop GET /feed/{user}", "shop GET /dynamodb"}


def test_json_tells_the_same() -> None:
    sent = span(
        {"messaging.destination.name": "pushes", "messaging.batch.message_count": 500},
        kind=PRODUCER,
    )
    body = json_format.MessageToJson(request(entering(), sent)).encode()
    assert counted(make_decoder().decode_json(body, NOW)) == {
        "shop GET /feed/{user}": 1.0,
        "shop sends to pushes": 500.0,
    }


def test_invented_routes_do_not_fill_the_memory() -> None:
    decoder = make_decoder(bounds=Bounds(max_signals=3))
    harvest = decode(*(entering(f"/user/{n}") for n in range(10)), decoder=decoder)
    assert len(harvest.signals) == 3
    assert harvest.counts.signals_over_bound == 7
    # An hour later others may come up.
    later = NOW + 3601
    again = decode(entering("/user/9", ended_at=later - 1), decoder=decoder, received_at=later)
    assert counted(again) == {"shop GET /user/9": 1.0}


def test_the_intake_adds_up_and_hands_over_once() -> None:
    intake = Intake()
    for _ in range(3):
        intake.offer(decode(entering()), NOW)
    assert intake.drain_signals() == {("", "shop GET /feed/{user}", SECOND): 3.0}
    assert intake.drain_signals() == {}
    assert intake.totals.upstream == 3


def test_signals_never_keep_demand_out() -> None:
    intake = Intake()
    many = {("", f"signal {n}", SECOND): 1.0 for n in range(MAX_PENDING_SIGNALS)}
    intake.offer(Harvest(signals=many), NOW)
    put = decode(span(botocore("PutItem", "orders"), name="DynamoDB.PutItem"), entering())
    intake.offer(put, NOW)
    assert len(intake.drain_signals()) == MAX_PENDING_SIGNALS
    assert intake.totals == Counts(
        requests=1,
        spans=2,
        dynamodb_spans=1,
        without_capacity=1,
        upstream=1,
        signals_dropped=1,
    )
    assert len(intake.drain()) == 1


@given(st.binary(max_size=200), st.sampled_from([b"http.route", b"messaging.", b"push.apple.com"]))
def test_bytes_that_only_look_like_a_signal_cost_nothing(noise: bytes, mark: bytes) -> None:
    body = request(entering()).SerializeToString()
    harvest = make_decoder().decode_protobuf(body + _as_request(noise + mark + noise), NOW)
    assert counted(harvest)["shop GET /feed/{user}"] == 1.0
    assert harvest.counts.spans == 2


def _as_request(span_bytes: bytes) -> bytes:
    """A request of one span, whatever bytes it is made of."""

    def nest(field: int, content: bytes) -> bytes:
        length, prefix = len(content), b""
        while length >= 0x80:
            prefix += bytes([length & 0x7F | 0x80])
            length >>= 7
        return bytes([field << 3 | 2]) + prefix + bytes([length]) + content

    return nest(1, nest(2, nest(2, span_bytes)))
