"""Item operations and what they cost, worked by hand, without a network."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.simulator.physics.database import Database
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.server import OPERATIONS
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World

NOW = 1_000_000.0


class Service:
    """A database at a time of its own; calls are written as ``service("GetItem", ...)``."""

    def __init__(self, *, initial_burst_seconds: float = 300.0) -> None:
        self.world = World(WorldSettings(initial_burst_seconds=initial_burst_seconds))
        self.database = Database(self.world)
        self.now = NOW

    def __call__(self, operation: str, **request: Any) -> Any:
        self.world.advance(self.now)
        request.setdefault("TableName", "posts")
        if operation.startswith("Batch"):
            del request["TableName"]
        return OPERATIONS[operation](self.database, request, self.now)

    def refuse(self, operation: str, **request: Any) -> RefusedError:
        with pytest.raises(RefusedError) as refused:
            self(operation, **request)
        return refused.value

    def cost(self, operation: str, **request: Any) -> Any:
        response = self(operation, ReturnConsumedCapacity="INDEXES", **request)
        reported = response["ConsumedCapacity"]
        indexes = reported.get("GlobalSecondaryIndexes", {})
        units = {name: index["CapacityUnits"] for name, index in indexes.items()}
        assert reported["CapacityUnits"] == reported["Table"]["CapacityUnits"] + sum(units.values())
        return reported["Table"]["CapacityUnits"], units


def service(
    *, read: int = 1000, write: int = 1000, index_write: int = 1000, burst: float = 300.0
) -> Service:
    """``posts`` by (pk, sk), with ``by-author`` (all attributes) and ``titles`` (title only)."""
    made = Service(initial_burst_seconds=burst)
    throughput = {"ReadCapacityUnits": read, "WriteCapacityUnits": index_write}
    made(
        "CreateTable",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("pk", "S"), ("sk", "N"), ("author", "S"))
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        ProvisionedThroughput={"ReadCapacityUnits": read, "WriteCapacityUnits": write},
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": [{"AttributeName": "author", "KeyType": "HASH"}],
                "Projection": projection,
                "ProvisionedThroughput": throughput,
            }
            for name, projection in (
                ("by-author", {"ProjectionType": "ALL"}),
                ("titles", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]}),
            )
        ],
    )
    return made


def key(number: int = 1, *, pk: str = "p") -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(number)}}


def item(number: int = 1, *, pk: str = "p", **attributes: str) -> dict[str, Any]:
    return key(number, pk=pk) | {name: {"S": value} for name, value in attributes.items()}


# Reads


def test_a_read_costs_its_size_and_a_missing_item_as_much_as_a_small_one() -> None:
    posts = service()
    posts("PutItem", Item=item(body="x" * 5000))
    assert posts.cost("GetItem", Key=key()) == (1.0, {})
    assert posts.cost("GetItem", Key=key(), ConsistentRead=True) == (2.0, {})
    assert posts.cost("GetItem", Key=key(2)) == (0.5, {})
    assert posts.cost("GetItem", Key=key(2), ConsistentRead=True) == (1.0, {})
    assert "Item" not in posts("GetItem", Key=key(2))


def test_a_projection_returns_less_and_costs_the_same() -> None:
    posts = service()
    nested = {"m": {"M": {"a": {"S": "1"}, "b": {"L": [{"S": "2"}, {"S": "3"}]}}}}
    posts("PutItem", Item=item(body="x" * 5000) | nested)
    request = {
        "Key": key(),
        "ProjectionExpression": "#m.b[1], sk, m.nope",
        "ExpressionAttributeNames": {"#m": "m"},
    }
    assert posts("GetItem", **request)["Item"] == {
        "sk": {"N": "1"},
        "m": {"M": {"b": {"L": [{"S": "3"}]}}},
    }
    assert posts.cost("GetItem", **request) == (1.0, {})


def test_a_query_sums_bytes_and_rounds_once() -> None:
    posts = service()
    for number in range(10):
        posts("PutItem", Item=item(number, body="x" * 990))  # 1004 or 1005 bytes each
    request = {
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "p"}},
    }
    assert posts.cost("Query", **request, ConsistentRead=True) == (3.0, {})
    assert posts.cost("Query", **request) == (1.5, {})
    response = posts(
        "Query",
        KeyConditionExpression="pk = :p",
        FilterExpression="sk < :two",
        ExpressionAttributeValues={":p": {"S": "p"}, ":two": {"N": "2"}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert (response["Count"], response["ScannedCount"]) == (2, 10)
    assert response["ConsumedCapacity"] == {"TableName": "posts", "CapacityUnits": 1.5}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("sk = :a", [20]),
        ("sk < :a", [-5, 3]),
        ("sk <= :a", [-5, 3, 20]),
        ("sk > :a", [100]),
        ("sk >= :a", [20, 100]),
        ("sk BETWEEN :b AND :a", [3, 20]),
    ],
)
def test_sort_keys_are_compared_as_numbers(condition: str, found: list[int]) -> None:
    posts = service()
    for number in (100, 20, 3, -5):
        posts("PutItem", Item=item(number))
    values = {":p": {"S": "p"}, ":a": {"N": "20.0"}}
    if ":b" in condition:
        values[":b"] = {"N": "0"}
    response = posts(
        "Query",
        KeyConditionExpression=f"pk = :p AND {condition}",
        ExpressionAttributeValues=values,
    )
    assert [int(i["sk"]["N"]) for i in response["Items"]] == found
    response = posts(
        "Query",
        KeyConditionExpression=f"pk = :p AND {condition}",
        ExpressionAttributeValues=values,
        ScanIndexForward=False,
    )
    assert [int(i["sk"]["N"]) for i in response["Items"]] == found[::-1]


@given(
    numbers=st.sets(st.integers(-50, 50), max_size=25),
    limit=st.integers(1, 7),
    is_forward=st.booleans(),
    index=st.sampled_from([None, "by-author"]),
)
def test_pages_cover_a_partition_once_and_in_order(
    numbers: set[int],
    limit: int,
    is_forward: bool,  # noqa: FBT001 - drawn
    index: str | None,
) -> None:
    posts = service()
    for number in numbers:
        posts("PutItem", Item=item(number, author="p"))
    seen: list[int] = []
    start: dict[str, Any] = {}
    while True:
        page = posts(
            "Query",
            KeyConditionExpression="author = :p" if index else "pk = :p",
            ExpressionAttributeValues={":p": {"S": "p"}},
            Limit=limit,
            ScanIndexForward=is_forward,
            **({"IndexName": index} if index else {}),
            **start,
        )
        seen += [int(i["sk"]["N"]) for i in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert seen == sorted(numbers, reverse=not is_forward)


def test_an_index_is_read_at_its_own_cost_and_only_with_what_it_projects() -> None:
    posts = service()
    posts("PutItem", Item=item(author="ann", title="t", body="x" * 9000))
    posts("PutItem", Item=item(2, title="no author, not indexed"))
    for index, units, names in (
        ("by-author", 1.5, {"pk", "sk", "author", "title", "body"}),
        ("titles", 0.5, {"pk", "sk", "author", "title"}),
    ):
        response = posts(
            "Query",
            IndexName=index,
            KeyConditionExpression="author = :a",
            ExpressionAttributeValues={":a": {"S": "ann"}},
            ReturnConsumedCapacity="INDEXES",
        )
        assert [set(i) for i in response["Items"]] == [names]
        assert response["ConsumedCapacity"] == {
            "TableName": "posts",
            "CapacityUnits": units,
            "Table": {"CapacityUnits": 0.0},
            "GlobalSecondaryIndexes": {index: {"CapacityUnits": units}},
        }


# Writes


def test_a_write_costs_the_larger_of_before_and_after() -> None:
    posts = service()
    assert posts.cost("PutItem", Item=item(body="x" * 3000)) == (3.0, {})
    assert posts.cost("PutItem", Item=item(body="x")) == (3.0, {})
    assert posts.cost("PutItem", Item=item(body="x")) == (1.0, {})
    posts("PutItem", Item=item(body="x" * 2000))
    assert posts.cost("DeleteItem", Key=key()) == (2.0, {})
    assert posts.cost("DeleteItem", Key=key()) == (1.0, {})


def test_indexes_are_written_by_what_changes_in_them() -> None:
    posts = service()
    put = item(author="ann", title="t", body="x" * 2500)
    assert posts.cost("PutItem", Item=put) == (3.0, {"by-author": 3.0, "titles": 1.0})
    assert posts.cost("PutItem", Item=put) == (3.0, {})  # nothing changed in either
    changed = put | {"body": {"S": "y" * 2500}}
    assert posts.cost("PutItem", Item=changed) == (3.0, {"by-author": 3.0})
    moved = changed | {"author": {"S": "bob"}}
    assert posts.cost("PutItem", Item=moved) == (3.0, {"by-author": 6.0, "titles": 2.0})
    assert posts.cost("DeleteItem", Key=key()) == (3.0, {"by-author": 3.0, "titles": 1.0})


def test_an_update_is_a_write_of_the_whole_item() -> None:
    posts = service()
    update = {
        "Key": key(),
        "UpdateExpression": "SET #t = :t ADD likes :one",
        "ExpressionAttributeNames": {"#t": "title"},
        "ExpressionAttributeValues": {":t": {"S": "hello"}, ":one": {"N": "1"}},
    }
    assert posts.cost("UpdateItem", **update) == (1.0, {})
    response = posts("UpdateItem", **update, ReturnValues="UPDATED_NEW")
    assert response["Attributes"] == {"likes": {"N": "2"}}
    response = posts("UpdateItem", **update, ReturnValues="ALL_OLD")
    assert response["Attributes"] == key() | {"title": {"S": "hello"}, "likes": {"N": "2"}}
    assert posts("GetItem", Key=key())["Item"]["likes"] == {"N": "3"}


@pytest.mark.parametrize(
    ("expression", "left"),
    [("ADD tags :s", ["a", "b", "c"]), ("DELETE tags :s", ["a"])],
)
def test_a_change_of_a_set_is_a_change_of_its_index_entry(expression: str, left: list[str]) -> None:
    posts = service()
    posts("PutItem", Item=item(author="ann") | {"tags": {"SS": ["a", "b"]}})
    update = {
        "Key": key(),
        "UpdateExpression": expression,
        "ExpressionAttributeValues": {":s": {"SS": ["b", "c"]}},
    }
    assert posts.cost("UpdateItem", **update) == (1.0, {"by-author": 1.0})
    assert posts("GetItem", Key=key())["Item"]["tags"] == {"SS": left}


def test_a_refused_update_leaves_the_item_as_it_was() -> None:
    posts = service(write=1, burst=0)
    posts("PutItem", Item=item() | {"tags": {"SS": ["a"]}})
    refused = posts.refuse(
        "UpdateItem",
        Key=key(),
        UpdateExpression="ADD tags :s",
        ExpressionAttributeValues={":s": {"SS": ["b"]}},
    )
    assert refused.code == "ProvisionedThroughputExceededException"
    assert posts("GetItem", Key=key())["Item"]["tags"] == {"SS": ["a"]}


@pytest.mark.parametrize("start", [{"pk": {"S": "p"}}, {"pk": {"S": "p"}, "sk": {"S": "1"}}])
def test_a_page_cannot_start_at_what_is_not_a_key(start: dict[str, Any]) -> None:
    posts = service()
    posts("PutItem", Item=item())
    refused = posts.refuse(
        "Query",
        KeyConditionExpression="pk = :p",
        ExpressionAttributeValues={":p": {"S": "p"}},
        ExclusiveStartKey=start,
    )
    assert refused.message == "The provided starting key is invalid"


def test_a_failed_condition_costs_the_existing_item_and_changes_nothing() -> None:
    posts = service()
    posts("PutItem", Item=item(body="x" * 3000))
    slot = posts.world.slot(ScalableTarget(Resource("posts"), Dimension.WRITE))
    before = posts.world.meter.totals().consumed[slot]
    refused = posts.refuse(
        "PutItem",
        Item=item(body="new"),
        ConditionExpression="attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert refused.code == "ConditionalCheckFailedException"
    assert refused.details["Item"]["body"] == {"S": "x" * 3000}
    assert posts.world.meter.totals().consumed[slot] - before == 3.0
    assert posts("GetItem", Key=key())["Item"]["body"] == {"S": "x" * 3000}
    refused = posts.refuse("DeleteItem", Key=key(9), ConditionExpression="size(body) > sk")
    assert refused.code == "ConditionalCheckFailedException"


@pytest.mark.parametrize(
    ("operation", "request_", "said"),
    [
        ("PutItem", {"Item": {"pk": {"S": "p"}}}, "Missing the key sk in the item"),
        ("PutItem", {"Item": {"pk": {"N": "1"}, "sk": {"N": "1"}}}, "expected: S actual: N"),
        ("PutItem", {"Item": item() | {"author": {"N": "1"}}}, "IndexName: by-author"),
        ("PutItem", {"Item": key(pk="")}, "empty string value. Key: pk"),
        ("PutItem", {"Item": item(body="x" * 410_000)}, "maximum allowed size"),
        ("GetItem", {"Key": {"pk": {"S": "p"}}}, "does not match the schema"),
        ("GetItem", {"Key": key() | {"more": {"S": "x"}}}, "does not match the schema"),
        ("GetItem", {"Key": {"pk": "p", "sk": {"N": "1"}}}, "does not match the schema"),
        ("GetItem", {"Key": key(), "AttributesToGet": ["a"]}, "AttributesToGet of GetItem"),
        ("UpdateItem", {"Key": key(), "UpdateExpression": "SET pk = sk"}, "part of the key"),
        ("UpdateItem", {"Key": key(), "UpdateExpression": "SET a ="}, "Syntax error"),
        ("UpdateItem", {"Key": key(), "UpdateExpression": "SET a = :no"}, "not defined"),
        ("DeleteItem", {"Key": key(), "ConditionExpression": "a ="}, "Syntax error"),
        ("DeleteItem", {"Key": key(), "ConditionExpression": "a = :no"}, "not defined: :no"),
        ("DeleteItem", {"Key": key(), "ReturnValues": "ALL_NEW"}, "Return values"),
        ("GetItem", {"Key": key(), "ReturnConsumedCapacity": "ALL"}, "Value 'ALL'"),
        ("Query", {"KeyConditionExpression": "sk = sk"}, "not supported|missed key|Multiple"),
        ("Query", {"KeyConditionExpression": "pk = :p", "IndexName": "no"}, "specified index: no"),
        (
            "Query",
            {
                "KeyConditionExpression": "author = :p",
                "IndexName": "titles",
                "ConsistentRead": True,
            },
            "not supported on global secondary indexes",
        ),
    ],
)
def test_bad_requests_are_refused_and_consume_nothing(
    operation: str, request_: dict[str, Any], said: str
) -> None:
    posts = service()
    with pytest.raises(RefusedError, match=said) as refused:
        posts(operation, **request_)
    assert refused.value.code == "ValidationException"
    totals = posts.world.meter.totals()
    assert totals.consumed.sum() == totals.throttled.sum() == 0.0


# Throttling


def test_ten_units_and_no_burst_serve_ten_of_thirty_writes() -> None:
    posts = service(write=10, burst=0)
    refusals = []
    for number in range(30):
        try:
            posts("PutItem", Item=item(number))
        except RefusedError as refusal:
            refusals.append(refusal)
    assert len(refusals) == 20
    assert refusals[0].code == "ProvisionedThroughputExceededException"
    assert refusals[0].details["ThrottlingReasons"] == [
        {
            "reason": "TableWriteProvisionedThroughputExceeded",
            "resource": "arn:aws:dynamodb:us-east-1:000000000000:table/posts",
        }
    ]
    posts.now += 1
    posts("PutItem", Item=item(99))


def test_an_index_short_of_write_capacity_holds_back_its_table() -> None:
    posts = service(write=1000, index_write=2, burst=0)
    for number in range(2):
        posts("PutItem", Item=item(number, author="ann"))
    refused = posts.refuse("PutItem", Item=item(3, author="ann"))
    arn = "arn:aws:dynamodb:us-east-1:000000000000:table/posts/index"
    assert refused.details["ThrottlingReasons"] == [
        {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{arn}/{name}"}
        for name in ("by-author", "titles")
    ]
    posts("PutItem", Item=item(4))  # not indexed: nothing holds it back
    slot = posts.world.slot(ScalableTarget(Resource("posts"), Dimension.WRITE))
    totals = posts.world.meter.totals()
    assert (totals.consumed[slot], totals.throttled[slot]) == (3.0, 0.0)
    assert totals.throttled.sum() == 2.0
    assert "Item" not in posts("GetItem", Key=key(3))


def test_reads_of_an_index_do_not_touch_the_table() -> None:
    posts = service(read=2, burst=0)
    request = {
        "IndexName": "titles",
        "KeyConditionExpression": "author = :a",
        "ExpressionAttributeValues": {":a": {"S": "ann"}},
    }
    for _ in range(4):
        posts("Query", **request)
    refused = posts.refuse("Query", **request)
    assert refused.details["ThrottlingReasons"][0]["reason"] == (
        "IndexReadProvisionedThroughputExceeded"
    )
    posts("GetItem", Key=key(), ConsistentRead=True)


def test_a_batch_leaves_over_what_is_throttled_and_fails_only_when_all_is() -> None:
    posts = service(write=3, read=1, burst=0)
    members = [{"PutRequest": {"Item": item(n)}} for n in range(5)]
    response = posts(
        "BatchWriteItem", RequestItems={"posts": members}, ReturnConsumedCapacity="TOTAL"
    )
    assert response["UnprocessedItems"] == {"posts": members[3:]}
    assert response["ConsumedCapacity"] == [{"TableName": "posts", "CapacityUnits": 3.0}]
    refused = posts.refuse("BatchWriteItem", RequestItems=response["UnprocessedItems"])
    assert refused.code == "ProvisionedThroughputExceededException"

    keys = {"Keys": [key(n) for n in range(4)], "ProjectionExpression": "sk"}
    response = posts("BatchGetItem", RequestItems={"posts": keys})
    assert response["Responses"] == {"posts": [{"sk": {"N": "0"}}, {"sk": {"N": "1"}}]}
    assert response["UnprocessedKeys"] == {
        "posts": {"Keys": [key(2), key(3)], "ProjectionExpression": "sk"}
    }
    refused = posts.refuse("BatchGetItem", RequestItems=response["UnprocessedKeys"])
    assert refused.code == "ProvisionedThroughputExceededException"


def test_batches_round_each_member_on_its_own() -> None:
    posts = service()
    posts("PutItem", Item=item(1, body="x" * 100))
    response = posts(
        "BatchGetItem",
        RequestItems={"posts": {"Keys": [key(1), key(2), key(3)]}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert response["ConsumedCapacity"] == [{"TableName": "posts", "CapacityUnits": 1.5}]
    response = posts(
        "BatchWriteItem",
        RequestItems={"posts": [{"DeleteRequest": {"Key": key(n)}} for n in (1, 2)]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert response["ConsumedCapacity"] == [{"TableName": "posts", "CapacityUnits": 2.0}]


def test_a_batch_with_one_bad_member_writes_nothing() -> None:
    posts = service()
    good, bad = {"PutRequest": {"Item": item()}}, {"PutRequest": {"Item": {"pk": {"S": "p"}}}}
    batches: tuple[list[dict[str, Any]], ...] = ([good, bad], [good, good], [{}], [good] * 26, [])
    for members in batches:
        refused = posts.refuse("BatchWriteItem", RequestItems={"posts": members})
        assert refused.code == "ValidationException"
    assert "Item" not in posts("GetItem", Key=key())


OPERATION = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 3), st.sampled_from(["ann", "bob", None])),
    st.tuples(st.just("delete"), st.integers(0, 3), st.none()),
)


@given(st.lists(OPERATION, max_size=30))
def test_table_and_indexes_agree_after_any_history(
    history: list[tuple[str, int, str | None]],
) -> None:
    posts = service()
    expected: dict[int, str | None] = {}
    for what, number, author in history:
        if what == "put":
            posts("PutItem", Item=item(number, **({"author": author} if author else {})))
            expected[number] = author
        else:
            posts("DeleteItem", Key=key(number))
            expected.pop(number, None)
    table = posts("DescribeTable")["Table"]
    assert table["ItemCount"] == len(expected)
    assert (table["TableSizeBytes"] == 0) == (not expected)
    indexed = sum(author is not None for author in expected.values())
    assert [i["ItemCount"] for i in table["GlobalSecondaryIndexes"]] == [indexed, indexed]
    for author in ("ann", "bob"):
        found = posts(
            "Query",
            IndexName="by-author",
            KeyConditionExpression="author = :a",
            ExpressionAttributeValues={":a": {"S": author}},
        )["Items"]
        assert [int(i["sk"]["N"]) for i in found] == sorted(
            n for n, a in expected.items() if a == author
        )


# Key ranges


def test_a_hot_partition_is_refused_however_much_the_table_has() -> None:
    posts = service(write=5000, index_write=5000, burst=0)
    for number in range(1000):
        posts("PutItem", Item=item(number))
    refusal = posts.refuse("PutItem", Item=item(1000))
    assert refusal.code == "ProvisionedThroughputExceededException"
    (reason,) = refusal.details["ThrottlingReasons"]
    assert reason["reason"] == "TableWriteKeyRangeThroughputExceeded"
    assert reason["resource"].endswith(":table/posts")
    posts("PutItem", Item=item(0, pk="another"))
    posts.now += 1
    posts("PutItem", Item=item(1000))


def test_a_hot_key_of_an_index_holds_its_table_back() -> None:
    posts = service(write=5000, index_write=5000, burst=0)
    for number in range(1000):
        posts("PutItem", Item=item(0, pk=str(number), author="a"))
    refusal = posts.refuse("PutItem", Item=item(0, pk="1000", author="a"))
    assert [reason["reason"] for reason in refusal.details["ThrottlingReasons"]] == [
        "IndexWriteKeyRangeThroughputExceeded"
    ] * 2
    posts("PutItem", Item=item(0, pk="1000", author="b"))


def test_reads_of_one_key_are_bounded_on_demand_as_well() -> None:
    posts = service()
    posts(
        "CreateTable",
        TableName="spiky",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    posts.now += 60
    read = {"TableName": "spiky", "Key": {"pk": {"S": "p"}}, "ConsistentRead": True}
    for _ in range(3000):
        posts("GetItem", **read)
    refusal = posts.refuse("GetItem", **read)
    assert refusal.code == "ThrottlingException"
    (reason,) = refusal.details["throttlingReasons"]
    assert reason["reason"] == "TableReadKeyRangeThroughputExceeded"
