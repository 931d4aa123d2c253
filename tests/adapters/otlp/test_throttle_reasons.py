"""Which limit refused a call, as far as spans tell, and what becomes of it as demand."""

from __future__ import annotations

import json

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from capacity_pilot.adapters.otlp.harvest import Harvest
from capacity_pilot.adapters.otlp.intake import MAX_PENDING_INCIDENTS, Intake
from capacity_pilot.adapters.otlp.route_join import MOST_TRACES
from capacity_pilot.adapters.otlp.throttle_reasons import find_causes
from capacity_pilot.core.model import Dimension, Sample
from capacity_pilot.core.throttling import Cause, Incident, ThrottleLimit

from .traces import NOW, SECOND, botocore, decode, exception, make_decoder, request, span, split

SERVER = Span.SPAN_KIND_SERVER
REFUSED = "botocore.errorfactory.ProvisionedThroughputExceededException"
ORDERS = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
BY_G = f"{ORDERS}/index/by_g"
LEARNED = span(botocore("PutItem", capacity=[split(2.0, by_g=1.0)]), ended_at=SECOND - 9.5)


def refused(*reasons: str, kind: str = REFUSED) -> Span:
    """As an application's hook writes them: each reason with its resource's ARN."""
    values = botocore("PutItem") | {"aws.dynamodb.throttling_reasons": list(reasons)}
    return span(values, error="", events=[exception(kind)])


def told(reason: str, arn: str = ORDERS) -> str:
    return json.dumps({"reason": reason, "resource": arn})


def at_the_end(harvest: Harvest) -> dict[str, Sample]:
    """By index, in the second in which calls are refused."""
    return {
        index: sample
        for (_, index, _, second), sample in harvest.samples.items()
        if second == SECOND
    }


EVERY = [
    (f"{kind}{dimension.label.capitalize()}{limit}", kind == "Index", dimension, limit)
    for kind in ("Table", "Index")
    for dimension in Dimension
    for limit in ThrottleLimit
]


@pytest.mark.parametrize(("reason", "is_index", "dimension", "limit"), EVERY)
def test_all_sixteen_reasons_are_read_with_their_resources(
    reason: str,
    is_index: bool,  # noqa: FBT001 - a case
    dimension: Dimension,
    limit: ThrottleLimit,
) -> None:
    cause = Cause(
        limit=limit,
        is_index=is_index,
        dimension=dimension,
        table="orders",
        index="by_g" if is_index else "",
    )
    arn = BY_G if is_index else ORDERS
    assert find_causes([told(reason, arn)]) == (cause,)
    assert find_causes([f"[{{'resource': '{arn}', 'reason': '{reason}'}}]"]) == (cause,)


@pytest.mark.parametrize(
    ("text", "limit", "is_index"),
    [
        (
            (
                "The level of configured provisioned throughput for one or more global secondary"
                " indexes of the table was exceeded. Consider increasing your provisioning level"
                " for the under-provisioned global secondary indexes with the UpdateTable API"
            ),
            ThrottleLimit.PROVISIONED,
            True,
        ),
        (
            "Throughput exceeds the current throughput limit for your account.",
            ThrottleLimit.ACCOUNT,
            False,
        ),
        (
            "An error occurred (RequestLimitExceeded) when calling the PutItem operation",
            ThrottleLimit.ACCOUNT,
            False,
        ),
        (
            "Throughput exceeds the maximum OnDemandThroughput configured on table or index",
            ThrottleLimit.ON_DEMAND_MAXIMUM,
            False,
        ),
    ],
)
def test_some_limits_are_known_by_their_wording(
    text: str,
    limit: ThrottleLimit,
    is_index: bool,  # noqa: FBT001 - a case
) -> None:
    assert find_causes([text]) == (Cause(limit=limit, is_index=is_index),)
    event = exception("ThrottlingException", text)
    harvest = decode(span(botocore("PutItem"), error="", events=[event]))
    assert (harvest.counts.throttled, harvest.counts.throttled_unexplained) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        (
            "The level of configured provisioned throughput for the table was exceeded. Consider"
            " increasing your provisioning level with the UpdateTable API."
        ),
        (
            "Throughput exceeds the current capacity of your table or index. DynamoDB is"
            " automatically scaling your table or index so please try again shortly."
        ),
        "Rate exceeded",
    ],
)
def test_most_messages_are_the_same_whatever_refused_and_count_as_ever(text: str) -> None:
    assert find_causes([text]) == ()
    refusal = span(botocore("PutItem"), error="", events=[exception(REFUSED, text)])
    harvest = decode(LEARNED, refusal)
    assert {i: s.throttled for i, s in at_the_end(harvest).items()} == {"": 2.0, "by_g": 1.0}
    assert (harvest.counts.throttled, harvest.counts.throttled_unexplained) == (1, 1)
    assert not harvest.incidents


@given(st.lists(st.text(max_size=40) | st.sampled_from([ORDERS, BY_G, *(e[0] for e in EVERY)])))
def test_whatever_is_written_is_read_or_left(parts: list[str]) -> None:
    for cause in find_causes([" ".join(parts), *parts]):
        assert cause.table in {"", "orders"}
        assert cause.index in {"", "by_g"}


def test_a_hot_key_range_is_no_demand_and_no_refusal_but_is_told_of() -> None:
    harvest = decode(LEARNED, refused(told("TableWriteKeyRangeThroughputExceeded")))
    (sample,) = at_the_end(harvest).values()
    assert sample == Sample(requests=1.0)
    incident = Incident(
        limit=ThrottleLimit.KEY_RANGE,
        table="orders",
        index="",
        dimension=Dimension.WRITE,
        operation="PutItem",
        service="shop",
    )
    assert harvest.incidents == {incident: 1.0}


def test_an_account_quota_and_an_on_demand_maximum_are_no_demand_either() -> None:
    for reason in ("TableWriteAccountLimitExceeded", "TableWriteMaxOnDemandThroughputExceeded"):
        harvest = decode(LEARNED, refused(told(reason), kind="ThrottlingException"))
        (sample,) = at_the_end(harvest).values()
        assert sample == Sample(requests=1.0)
        assert len(harvest.incidents) == 1


def test_an_index_that_holds_its_table_back_is_what_was_short_and_the_table_was_not() -> None:
    by_name = refused(told("IndexWriteProvisionedThroughputExceeded", BY_G))
    samples = at_the_end(decode(LEARNED, by_name))
    assert samples[""] == Sample(units=2.0, requests=1.0, estimated=2.0)
    assert samples["by_g"] == Sample(
        units=1.0, requests=1.0, throttled=1.0, estimated=1.0, refusals=1.0
    )


def test_an_index_nothing_was_known_of_is_charged_as_its_table() -> None:
    values = botocore("PutItem", capacity=[split(3.0)])
    by_name = refused(told("IndexWriteProvisionedThroughputExceeded", BY_G))
    samples = at_the_end(decode(span(values, ended_at=SECOND - 9.5), by_name))
    assert (samples[""].units, samples[""].throttled, samples[""].refusals) == (3.0, 0.0, 0.0)
    assert (samples["by_g"].units, samples["by_g"].throttled) == (3.0, 3.0)


def test_an_index_known_by_wording_alone_is_any_of_the_tables() -> None:
    text = "The level of configured provisioned throughput for one or more global secondary indexes"
    refusal = span(botocore("PutItem"), error="", events=[exception(REFUSED, text)])
    samples = at_the_end(decode(LEARNED, refusal))
    assert {i: s.throttled for i, s in samples.items()} == {"": 0.0, "by_g": 1.0}


def test_where_capacity_is_short_too_it_is_demand_and_told_of() -> None:
    both = refused(
        told("TableWriteProvisionedThroughputExceeded"),
        told("TableWriteKeyRangeThroughputExceeded"),
    )
    harvest = decode(LEARNED, both)
    assert {i: s.throttled for i, s in at_the_end(harvest).items()} == {"": 2.0, "by_g": 0.0}
    assert len(harvest.incidents) == 1


def test_of_a_batchs_tables_only_the_one_named_was_short() -> None:
    values = botocore("BatchWriteItem") | {
        "aws.dynamodb.table_names": ["orders", "carts"],
        "aws.dynamodb.throttling_reasons": [told("TableWriteProvisionedThroughputExceeded")],
    }
    harvest = decode(span(values, error="", events=[exception(REFUSED)]))
    throttled = {table: s.throttled for (table, _, _, _), s in harvest.samples.items()}
    assert throttled == {"orders": 1.0, "carts": 0.0}


def test_attempts_refused_by_a_hot_key_before_one_was_served_are_no_refusals() -> None:
    reason = "TableWriteKeyRangeThroughputExceeded"
    values = botocore("PutItem", capacity=[split(2.0)], retries=3, status=200)
    values["aws.dynamodb.throttling_reasons"] = [told(reason)]
    harvest = decode(span(values))
    assert at_the_end(harvest) == {"": Sample(units=2.0, requests=1.0)}
    assert harvest.incidents


def test_a_call_is_laid_to_its_own_services_route_whichever_comes_first() -> None:
    call = refused(told("TableWriteKeyRangeThroughputExceeded"))
    server = span({"http.request.method": "POST", "http.route": "/like"}, kind=SERVER)
    gateway = span({"http.request.method": "POST", "http.route": "/api/*"}, kind=SERVER)
    other = span({"http.request.method": "GET", "http.route": "/else"}, kind=SERVER)
    for each in (call, server, gateway):
        each.MergeFrom(Span(trace_id=b"a" * 16))
    decoder = make_decoder()
    together = decode(server, call, other, decoder=decoder)
    ((incident, route),) = together.routes
    assert (incident, route) == (next(iter(together.incidents)), "shop POST /like")

    assert not decode(call, other, decoder=decoder).routes
    assert not decode(gateway, decoder=decoder, service="gateway").routes
    body = json.dumps(_as_json(server)).encode()
    later = decoder.decode_json(body, NOW)
    assert later.routes == {(incident, "shop POST /like"): 1.0}
    assert not later.incidents
    assert not decode(server, decoder=decoder).routes  # told of once


def _as_json(server: Span) -> object:
    message = json_format.MessageToDict(request(server), use_integers_for_enums=True)
    (sent,) = message["resourceSpans"][0]["scopeSpans"][0]["spans"]
    sent["traceId"] = server.trace_id.hex()
    return message


def test_traces_no_server_ends_in_make_room_and_are_forgotten() -> None:
    decoder = make_decoder()

    def call(number: int, at: float) -> None:
        refusal = refused(told("TableWriteKeyRangeThroughputExceeded"))
        refusal.MergeFrom(Span(trace_id=number.to_bytes(16, "big")))
        decode(refusal, decoder=decoder, received_at=at)

    def routes_of(number: int, at: float) -> int:
        server = span({"http.route": "/like"}, kind=SERVER)
        server.MergeFrom(Span(trace_id=number.to_bytes(16, "big")))
        return len(decode(server, decoder=decoder, received_at=at).routes)

    for number in range(MOST_TRACES + 1):
        call(number, NOW)
    assert routes_of(0, NOW) == 0
    assert routes_of(1, NOW) == 1
    call(2_000_000, NOW + 70)
    assert routes_of(2, NOW + 70) == 0


def test_names_dynamodb_would_not_take_name_nothing() -> None:
    assert find_causes(["TableWriteKeyRangeThroughputExceeded arn:aws:s3:::table/x"]) == (
        Cause(limit=ThrottleLimit.KEY_RANGE, dimension=Dimension.WRITE),
    )


def test_the_intake_keeps_so_many_kinds_of_incidents_and_counts_the_rest() -> None:
    intake = Intake()
    some = next(iter(decode(refused(told("TableWriteKeyRangeThroughputExceeded"))).incidents))
    for number in range(MAX_PENDING_INCIDENTS + 5):
        incident = Incident(
            limit=some.limit,
            table=f"t{number}",
            index="",
            dimension=None,
            operation="PutItem",
            service="shop",
        )
        intake.offer(Harvest(incidents={incident: 1.0}), NOW)
        intake.offer(Harvest(incidents={incident: 1.0}, routes={(incident, "r"): 1.0}), NOW)
    incidents, routes = intake.drain_incidents()
    assert set(incidents.values()) == {2.0}
    assert len(incidents) == len(routes) == MAX_PENDING_INCIDENTS
    assert intake.totals.incidents_dropped == 10
    assert intake.drain_incidents() == ({}, {})
