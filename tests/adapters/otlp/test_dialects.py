"""Spans of SDKs that were not captured, built after the sources of their instrumentations."""

from __future__ import annotations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .traces import (
    READ,
    SECOND,
    WRITE,
    Value,
    botocore,
    decode,
    exception,
    sole,
    span,
    split,
    total,
    units,
)

# instrumentation/aws-sdk/aws-sdk-2.2 of opentelemetry-java-instrumentation
JAVA: dict[str, Value] = {
    "rpc.system": "aws-api",
    "rpc.service": "DynamoDb",
    "rpc.method": "PutItem",
    "db.system": "dynamodb",
    "db.operation": "PutItem",
    "aws.dynamodb.table_names": ["orders"],
    "aws.dynamodb.consumed_capacity": ['{"CapacityUnits":2.0,"TableName":"orders"}'],
    "http.response.status_code": 200,
}
JAVA_OPT_IN: dict[str, Value] = {
    "rpc.service": "DynamoDb",
    "rpc.method": "BatchWriteItem",
    "db.system.name": "aws.dynamodb",
    "db.operation.name": "BATCH PutItem",
    "db.collection.name": "orders",
}
# otelaws of opentelemetry-go-contrib
GO: dict[str, Value] = {
    "rpc.system.name": "aws-api",
    "rpc.method": "DynamoDB/Query",
    "db.system.name": "aws.dynamodb",
    "aws.dynamodb.table_names": ["orders"],
    "aws.dynamodb.index_name": "by-author",
    "aws.dynamodb.consistent_read": False,
    "http.response.status_code": 200,
}
# Instrumentation.AWS of opentelemetry-dotnet-contrib
DOTNET_OLD: dict[str, Value] = {
    "rpc.system": "aws-api",
    "rpc.service": "DynamoDB",
    "rpc.method": "GetItem",
    "db.system": "dynamodb",
    "aws.table_name": "orders",
}
DOTNET_NEW: dict[str, Value] = {
    "rpc.system.name": "aws-api",
    "rpc.method": "DynamoDB/GetItem",
    "db.system": "dynamodb",
    "aws.dynamodb.table_names": ["orders"],
}
# AwsSdk of opentelemetry-php-contrib
PHP: dict[str, Value] = {
    "rpc.system": "aws-api",
    "rpc.service": "dynamodb",
    "rpc.method": "GetItem",
    "http.response.status_code": 200,
}
# instrumentation-aws-sdk of opentelemetry-js-contrib before 0.75
NODE_OLD: dict[str, Value] = {
    "rpc.service": "DynamoDB",
    "rpc.method": "Scan",
    "db.system": "dynamodb",
    "db.name": "orders",
    "db.operation": "Scan",
    "http.status_code": 200,
}
# The Collector's awsxray receiver
XRAY: dict[str, Value] = {
    "rpc.system": "aws-api",
    "aws.operation": "GetItem",
    "aws.table_name": "orders",
    "aws.xray.retries": 1,
}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("DynamoDb.PutItem", JAVA, {("orders", "", WRITE): 2.0}),
        ("DynamoDb.BatchWriteItem", JAVA_OPT_IN, {("orders", "", WRITE): 1.0}),
        ("DynamoDB.Query", GO, {("orders", "by-author", READ): 0.5}),
        ("DynamoDB.GetItem", DOTNET_OLD, {("orders", "", READ): 0.5}),
        ("DynamoDB.GetItem", DOTNET_NEW, {("orders", "", READ): 0.5}),
        ("DynamoDB.Scan", NODE_OLD, {("orders", "", READ): 0.5}),
        ("DynamoDB", XRAY, {("orders", "", READ): 0.5}),
    ],
    ids=["java", "java opt-in", "go", "dotnet old", "dotnet new", "node old", "x-ray"],
)
def test_dialects_name_the_same_things_differently(
    name: str, values: dict[str, Value], expected: dict[tuple[str, str, int], float]
) -> None:
    harvest = decode(span(values, name=name))
    assert units(harvest) == expected
    assert harvest.counts.dynamodb_spans == 1


@pytest.mark.parametrize("name", ["dynamodb.GetItem", "dynamodb"])
def test_php_tells_no_table_and_is_counted_by_caller(name: str) -> None:
    harvest = decode(span(PHP, name=name), service="legacy-shop")
    assert not harvest.samples
    assert harvest.counts.without_table == 1
    assert harvest.counts.without_table_by == {"legacy-shop:GetItem": 1}
    assert harvest.signals == {("", "legacy-shop calls GetItem", SECOND): 1.0}


def test_calls_that_tell_no_table_count_as_signals_by_caller_and_second() -> None:
    """What they cost which table is found out from CloudWatch's minutes."""
    harvest = decode(
        span(PHP, name="dynamodb.GetItem"),
        span(PHP, name="dynamodb.GetItem", trace_state="ot=th:8"),
        span(PHP, name="dynamodb.GetItem", ended_at=SECOND - 3),
        span(PHP, name="dynamodb.GetItem", ended_at=SECOND - 9000),
        service="shop",
    )
    assert harvest.signals == {
        ("", "shop calls GetItem", SECOND): 3.0,
        ("", "shop calls GetItem", SECOND - 3): 1.0,
    }


@pytest.mark.parametrize("service", ["DYNAMODB", "DynamoDB", "dynamodb"])
def test_the_service_is_known_in_any_case(service: str) -> None:
    values: dict[str, Value] = {
        "rpc.service": service,
        "rpc.method": "PutItem",
        "aws.table.name": "orders",
    }
    assert units(decode(span(values, name="x"))) == {("orders", "", WRITE): 1.0}


def test_a_call_in_capitals_is_found_beside_one_that_is_not() -> None:
    shouted = dict(DOTNET_OLD, **{"rpc.service": "DYNAMODB", "db.system": "DYNAMODB"})
    harvest = decode(span(JAVA), span(shouted, name="DYNAMODB.GETITEM"))
    assert harvest.counts.dynamodb_spans == 2


def test_only_client_spans_are_calls() -> None:
    kinds = [k for k in Span.SpanKind.values() if k != Span.SPAN_KIND_CLIENT]
    harvest = decode(*(span(JAVA, kind=kind) for kind in kinds))
    assert not harvest.samples
    assert harvest.counts.dynamodb_spans == 0
    assert harvest.counts.spans == len(kinds)


def test_the_http_attempts_below_a_call_are_not_calls() -> None:
    attempt = span(
        {
            "http.request.method": "POST",
            "server.address": "dynamodb.eu-central-1.amazonaws.com",
            "http.response.status_code": 400,
        },
        name="POST",
    )
    harvest = decode(span(JAVA), attempt, attempt)
    assert sum(sample.requests for sample in harvest.samples.values()) == 1.0
    assert harvest.counts.dynamodb_spans == 1


def test_a_span_that_lost_its_first_attributes_is_known_by_its_name() -> None:
    # Python's composite sampler does this: what remains was set after the call.
    left: dict[str, Value] = {"aws.dynamodb.consumed_capacity": [split(3.0)]}
    assert units(decode(span(left, name="DynamoDB.PutItem"))) == {("orders", "", WRITE): 3.0}
    assert not decode(span(left, name="cache.PutItem")).samples


@pytest.mark.parametrize(
    ("named", "table", "index"),
    [
        ("arn:aws:dynamodb:eu-central-1:123456789012:table/orders", "orders", ""),
        ("arn:aws-cn:dynamodb:cn-north-1:123456789012:table/orders", "orders", ""),
        ("arn:aws:dynamodb:eu-central-1:123456789012:table/orders/index/by-g", "orders", "by-g"),
    ],
)
def test_tables_may_be_named_by_arn(named: str, table: str, index: str) -> None:
    harvest = decode(span(botocore("Query", named)))
    assert units(harvest) == {(table, index, READ): 0.5}


def test_an_arn_in_the_capacity_is_the_table_too() -> None:
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"
    values = botocore("PutItem", arn, capacity=[split(2.0, table=arn, by_g=1.0)])
    assert units(decode(span(values))) == {("orders", "", WRITE): 2.0, ("orders", "by_g", WRITE): 1}


@pytest.mark.parametrize("name", ["or ders", "o" * 256, "orders/../x", "arn:aws:s3:::bucket"])
def test_names_dynamodb_would_not_take_are_counted_not_kept(name: str) -> None:
    harvest = decode(span(botocore("GetItem", name)))
    assert not harvest.samples
    assert harvest.counts.invalid_names == 1


def test_control_plane_calls_consume_nothing() -> None:
    harvest = decode(span(botocore("DescribeTable")), span(botocore("UpdateTable")))
    assert not harvest.samples
    assert harvest.counts.control_plane == 2


def test_local_indexes_are_billed_to_the_table() -> None:
    text = (
        '{"TableName":"orders","CapacityUnits":4,"Table":{"CapacityUnits":1},'
        '"LocalSecondaryIndexes":{"by_l":{"CapacityUnits":2}},'
        '"GlobalSecondaryIndexes":{"by_g":{"CapacityUnits":1}}}'
    )
    harvest = decode(span(botocore("PutItem", capacity=[text])))
    assert units(harvest) == {("orders", "", WRITE): 3.0, ("orders", "by_g", WRITE): 1.0}


def test_a_transaction_without_tables_is_charged_by_its_capacity() -> None:
    texts = [
        '{"TableName":"orders","CapacityUnits":4,"WriteCapacityUnits":4}',
        '{"TableName":"carts","CapacityUnits":2.0,"ReadCapacityUnits":2.0}',
    ]
    harvest = decode(span(botocore("TransactWriteItems", None, capacity=texts)))
    assert units(harvest) == {("orders", "", WRITE): 4.0, ("carts", "", READ): 2.0}


def test_partiql_is_read_or_write_by_its_statement_or_not_at_all() -> None:
    stated = [total(2.0)]
    unsaid = botocore("ExecuteStatement", capacity=stated)
    assert decode(span(unsaid)).counts.without_dimension == 1
    select = unsaid | {"db.statement": 'SELECT * FROM "orders" WHERE pk = ?'}
    assert units(decode(span(select))) == {("orders", "", READ): 2.0}
    insert = unsaid | {"db.query.text": "insert into orders value {'pk': 1}"}
    assert units(decode(span(insert))) == {("orders", "", WRITE): 2.0}


THROTTLES = {
    "botocore": exception("botocore.errorfactory.ProvisionedThroughputExceededException"),
    "node": exception("ThrottlingException"),
    "java": exception(
        "software.amazon.awssdk.services.dynamodb.model.ProvisionedThroughputExceededException"
    ),
    "dotnet": exception("Amazon.DynamoDBv2.Model.ProvisionedThroughputExceededException", ""),
    "php": exception(
        "Aws\\DynamoDb\\Exception\\DynamoDbException",
        'AWS HTTP error: 400 {"__type":"com.amazonaws.dynamodb.v20120810'
        '#ProvisionedThroughputExceededException"}',
    ),
    "botocore generic": exception(
        "botocore.exceptions.ClientError",
        "An error occurred (ThrottlingException) when calling the GetItem operation",
    ),
    "cancelled by throttling": exception(
        "TransactionCanceledException",
        "Transaction cancelled, please refer cancellation reasons for specific reasons"
        " [ThrottlingError, None]",
    ),
}


@pytest.mark.parametrize("event", THROTTLES.values(), ids=THROTTLES.keys())
def test_throttles_are_known_in_every_dialect(event: Span.Event) -> None:
    harvest = decode(span(botocore("GetItem"), error="", events=[event]))
    _, sample = sole(harvest)
    assert (sample.units, sample.throttled, sample.estimated) == (0.5, 0.5, 0.5)
    assert (sample.refusals, sample.requests) == (1.0, 1.0)
    assert harvest.counts.throttled == 1


def test_go_names_the_error_by_attribute_and_in_the_status() -> None:
    by_type = GO | {"error.type": "*types.ProvisionedThroughputExceededException"}
    by_status = "operation error DynamoDB: Query, ThrottlingException: Rate exceeded"
    for harvest in (decode(span(by_type)), decode(span(GO, error=by_status))):
        _, sample = sole(harvest)
        assert (sample.units, sample.throttled) == (0.5, 0.5)


@pytest.mark.parametrize(
    "kind", ["ValidationException", "ResourceNotFoundException", "AccessDeniedException", "Timeout"]
)
def test_errors_that_consume_nothing_are_requests_of_no_units(kind: str) -> None:
    values = botocore("PutItem", retries=2, status=400)
    harvest = decode(span(values, error=kind, events=[exception(kind)]))
    _, sample = sole(harvest)
    assert (sample.units, sample.requests, sample.refusals) == (0.0, 1.0, 0.0)
    assert harvest.counts.failed_unconsuming == 1


@pytest.mark.parametrize(
    "kind", ["ConditionalCheckFailedException", "TransactionCanceledException"]
)
def test_failed_conditions_consume_what_the_write_would_have(kind: str) -> None:
    learned = span(botocore("PutItem", capacity=[split(7.0)]))
    failed = span(botocore("PutItem", status=400), error="", events=[exception(kind)])
    _, sample = sole(decode(learned, failed))
    assert (sample.units, sample.estimated, sample.throttled) == (14.0, 7.0, 0.0)


def test_an_exception_recorded_on_a_call_that_succeeded_changes_nothing() -> None:
    event = THROTTLES["botocore"]
    values = botocore("PutItem", capacity=[split(2.0)], status=200)
    _, sample = sole(decode(span(values, events=[event])))
    assert (sample.units, sample.throttled, sample.refusals) == (2.0, 0.0, 0.0)
