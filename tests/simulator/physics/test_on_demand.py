"""What throttles on-demand tables: a maximum of their own, the account's quota, and which first."""

from __future__ import annotations

from typing import Any

import pytest

from capacity_pilot.core.model import AccountLimits
from capacity_pilot.simulator.physics.database import Database
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.server import OPERATIONS
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/posts"
INDEX = {
    "IndexName": "by-author",
    "KeySchema": [{"AttributeName": "author", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}


class Service:
    """An account whose tables may be asked for 50 writes and 80 reads a second."""

    def __init__(self) -> None:
        self.database = Database(
            World(WorldSettings(limits=AccountLimits(table_read=80, table_write=50)))
        )
        self.now = 1_000_000.0

    def __call__(self, operation: str, **request: Any) -> Any:
        self.database.world.advance(self.now)
        return OPERATIONS[operation](self.database, request, self.now)

    def create(self, *, index: bool = False, mode: str = "PAY_PER_REQUEST", **members: Any) -> None:
        names = ("id", "author") if index else ("id",)
        self(
            "CreateTable",
            TableName="posts",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in names],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode=mode,
            **({"GlobalSecondaryIndexes": [INDEX]} if index else {}),
            **members,
        )

    def write(self, count: int) -> RefusedError | None:
        """Writes of a unit each; how the first one that is refused is."""
        for number in range(count):
            item = {"id": {"S": str(number)}, "author": {"S": str(number)}}
            try:
                self("PutItem", TableName="posts", Item=item)
            except RefusedError as error:
                return error
        return None


@pytest.fixture
def service() -> Service:
    return Service()


def reasons(error: RefusedError | None) -> list[tuple[str, str]]:
    assert error is not None
    (told,) = error.details.values()
    return [(reason["reason"], reason["resource"]) for reason in told]


def test_the_accounts_quota_of_a_table_holds_second_by_second(service: Service) -> None:
    service.create()
    assert service.write(50) is None
    error = service.write(1)
    assert error is not None
    assert (error.code, list(error.details)) == ("RequestLimitExceeded", ["ThrottlingReasons"])
    assert reasons(error) == [("TableWriteAccountLimitExceeded", ARN)]
    service.now += 1
    assert service.write(50) is None


def test_reads_have_a_quota_of_their_own(service: Service) -> None:
    service.create()
    assert service.write(50) is None
    for _ in range(80):
        service("GetItem", TableName="posts", Key={"id": {"S": "1"}}, ConsistentRead=True)
    with pytest.raises(RefusedError) as refused:
        service("GetItem", TableName="posts", Key={"id": {"S": "1"}}, ConsistentRead=True)
    assert reasons(refused.value) == [("TableReadAccountLimitExceeded", ARN)]


def test_a_maximum_of_its_own_comes_before_the_quota(service: Service) -> None:
    service.create(OnDemandThroughput={"MaxWriteRequestUnits": 20})
    error = service.write(21)
    assert error is not None
    assert (error.code, list(error.details)) == ("ThrottlingException", ["throttlingReasons"])
    assert reasons(error) == [("TableWriteMaxOnDemandThroughputExceeded", ARN)]
    described = service("DescribeTable", TableName="posts")["Table"]
    maximum = {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 20}
    assert described["OnDemandThroughput"] == maximum


def test_an_indexs_maximum_holds_its_tables_writes_back(service: Service) -> None:
    service.create(index=True)
    change = {"IndexName": "by-author", "OnDemandThroughput": {"MaxWriteRequestUnits": 5}}
    service("UpdateTable", TableName="posts", GlobalSecondaryIndexUpdates=[{"Update": change}])
    assert service.write(5) is None
    assert reasons(service.write(6)) == [
        ("IndexWriteMaxOnDemandThroughputExceeded", f"{ARN}/index/by-author")
    ]


def test_a_maximum_is_changed_dimension_by_dimension_and_taken_away(service: Service) -> None:
    service.create(OnDemandThroughput={"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": 20})
    taken_away = {"MaxWriteRequestUnits": -1}
    service("UpdateTable", TableName="posts", OnDemandThroughput=taken_away)
    assert service.write(50) is None
    described = service("DescribeTable", TableName="posts")["Table"]
    maximum = {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": -1}
    assert described["OnDemandThroughput"] == maximum


def test_a_batch_comes_back_with_what_was_refused(service: Service) -> None:
    service.create(OnDemandThroughput={"MaxWriteRequestUnits": 3})
    puts = [{"PutRequest": {"Item": {"id": {"S": str(n)}}}} for n in range(5)]
    told = service("BatchWriteItem", RequestItems={"posts": puts})
    assert len(told["UnprocessedItems"]["posts"]) == 2


def test_it_is_dropped_where_the_table_is_switched(service: Service) -> None:
    service.create(OnDemandThroughput={"MaxWriteRequestUnits": 3})
    units = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}
    service(
        "UpdateTable", TableName="posts", BillingMode="PROVISIONED", ProvisionedThroughput=units
    )
    service.now += 120
    assert "OnDemandThroughput" not in service("DescribeTable", TableName="posts")["Table"]


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        ({"MaxWriteRequestUnits": 0}, "ValidationException", "Value '0' at 'onDemandThroughput"),
        ({"MaxUnits": 3}, "ValidationException", "MaxUnits of OnDemandThroughput is not modelled"),
        ({}, "InternalServerError", "Internal server error"),
    ],
)
def test_what_no_maximum_is(
    service: Service, asked: dict[str, int], code: str, message: str
) -> None:
    service.create()
    with pytest.raises(RefusedError) as refused:
        service("UpdateTable", TableName="posts", OnDemandThroughput=asked)
    assert refused.value.code == code
    assert message in refused.value.message


def test_a_provisioned_table_takes_none(service: Service) -> None:
    units = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10}
    service.create(mode="PROVISIONED", ProvisionedThroughput=units)
    with pytest.raises(RefusedError, match="PAY_PER_REQUEST"):
        service("UpdateTable", TableName="posts", OnDemandThroughput={"MaxReadRequestUnits": 5})
