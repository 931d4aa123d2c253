"""Unmodified clients against a live server whose time is moved by hand."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import boto3
import pytest
from aiobotocore.session import get_session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.physics.clock import ManualClock
from capacity_pilot.simulator.physics.faults import Fault, Faults, Manner
from capacity_pilot.simulator.physics.server import PhysicsServer, serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World

MIDNIGHT = datetime(2026, 10, 9, tzinfo=UTC).timestamp()
CREDENTIALS: dict[str, Any] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "any",
    "aws_secret_access_key": "any",
}
ONCE: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "read_timeout": 5}
FEED: dict[str, Any] = {
    "TableName": "feed",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "author", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-author",
            "KeySchema": [{"AttributeName": "author", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
            "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 4},
        }
    ],
    "Tags": [{"Key": "team", "Value": "social"}],
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MIDNIGHT)


@pytest.fixture
async def server(clock: ManualClock) -> AsyncIterator[PhysicsServer]:
    world = World(WorldSettings(initial_burst_seconds=0))
    async with serve_physics(world, clock=clock) as listening:
        yield listening


@pytest.fixture
async def client(server: PhysicsServer) -> AsyncIterator[Any]:
    session = get_session()
    async with session.create_client(
        "dynamodb", endpoint_url=server.url, config=_async_config(), **CREDENTIALS
    ) as made:
        await made.create_table(**FEED)
        yield made


def _async_config() -> Any:
    from aiobotocore.config import AioConfig  # noqa: PLC0415 - only aiobotocore's own class will do

    return AioConfig(**ONCE)


@contextmanager
def refused(code: str) -> Iterator[dict[str, Any]]:
    response: dict[str, Any] = {}
    with pytest.raises(ClientError) as caught:
        yield response
    assert caught.value.response["Error"]["Code"] == code
    response.update(caught.value.response)


def units(read: int, write: int) -> dict[str, Any]:
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


async def test_an_update_echoes_the_old_units_and_is_in_force_seconds_later(
    client: Any, clock: ManualClock
) -> None:
    echo = (
        await client.update_table(
            TableName="feed",
            **units(5, 10),
            GlobalSecondaryIndexUpdates=[
                {"Update": {"IndexName": "by-author", **units(9, 4)}},
            ],
        )
    )["TableDescription"]
    assert echo["TableStatus"] == "UPDATING"
    assert echo["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 10,
        "WriteCapacityUnits": 10,
        "NumberOfDecreasesToday": 0,
    }
    assert echo["GlobalSecondaryIndexes"][0]["IndexStatus"] == "UPDATING"

    clock.pass_seconds(6)
    table = (await client.describe_table(TableName="feed"))["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 5,
        "WriteCapacityUnits": 10,
        "NumberOfDecreasesToday": 1,
        "LastDecreaseDateTime": datetime(2026, 10, 9, tzinfo=UTC),
    }
    assert "BillingModeSummary" not in table
    assert table["WarmThroughput"]["ReadUnitsPerSecond"] == 10
    index = table["GlobalSecondaryIndexes"][0]
    assert index["IndexStatus"] == "ACTIVE"
    assert index["ProvisionedThroughput"]["ReadCapacityUnits"] == 9
    assert index["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 1


async def test_the_fifth_decrease_of_the_day_is_refused_over_the_wire(
    client: Any, clock: ManualClock
) -> None:
    for write in (9, 8, 7, 6):
        await client.update_table(TableName="feed", **units(10, write))
        clock.pass_seconds(10)
    with refused("LimitExceededException") as response:
        await client.update_table(TableName="feed", **units(10, 5))
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert response["Error"]["Message"].endswith(
        "Number of decreases today: 4. Last decrease at Friday, October 9, 2026 at 12:00:30 AM "
        "Coordinated Universal Time. Next decrease can be made at Friday, October 9, 2026 at "
        "1:00:30 AM Coordinated Universal Time"
    )
    clock.pass_seconds(3590)
    await client.update_table(TableName="feed", **units(10, 5))


async def test_thirty_writes_in_a_second_meet_ten_units(client: Any, clock: ManualClock) -> None:
    throttled: list[dict[str, Any]] = []

    async def write(number: int) -> str:
        try:
            await client.put_item(TableName="feed", Item={"pk": {"S": str(number)}})
        except client.exceptions.ProvisionedThroughputExceededException as error:
            throttled.append(error.response)
            return "throttled"
        return "served"

    outcomes = await asyncio.gather(*(write(number) for number in range(30)))
    assert outcomes.count("served") == 10
    assert len(throttled) == 20
    for response in throttled:
        (reason,) = response["ThrottlingReasons"]
        assert reason["reason"] == "TableWriteProvisionedThroughputExceeded"
        assert reason["resource"].endswith(":table/feed")
        assert "ConsumedCapacity" not in response
    clock.pass_seconds(1)
    assert await write(99) == "served"


async def test_state_and_faults_are_told_over_http(
    client: Any, server: PhysicsServer, clock: ManualClock
) -> None:
    for number in range(5):
        item = {"pk": {"S": str(number)}, "author": {"S": "ann"}}
        if number < 4:
            await client.put_item(TableName="feed", Item=item)
        else:
            with refused("ProvisionedThroughputExceededException") as response:
                await client.put_item(TableName="feed", Item=item)
            assert response["ThrottlingReasons"][0]["resource"].endswith("/index/by-author")
    clock.pass_seconds(1)
    await client.update_table(TableName="feed", **units(10, 100))
    async with aiohttp.ClientSession(server.url) as http:
        state = await (await http.get("/_physics/state")).json()
        by_target = {t["target"]: t for t in state["targets"]}
        table = by_target["feed:write"]
        assert table["last_second"] == {"consumed": 4.0, "throttled": 0.0}
        assert table["burst"] == {"level": 6.0, "cap": 3000.0}
        assert (table["provisioned"], table["requested"]["units"]) == (10, 100)
        assert table["cloudwatch"] is None
        index = by_target["feed/index/by-author:write"]
        assert index["throttled"] == {"units": 1.0, "requests": 1.0}

        clock.pass_seconds(119)
        state = await (await http.get("/_physics/state")).json()
        table = next(t for t in state["targets"] if t["target"] == "feed:write")
        assert table["cloudwatch"] == {
            "minute_starts_at": MIDNIGHT,
            "consumed_sum": 4.0,
            "throttle_events": 0.0,
            "requests": 4.0,
        }

        order = {"operation": "UpdateTable", "code": "ThrottlingException", "count": 2}
        answer = await http.post("/_physics/faults", json=order)
        assert await answer.json() == {"waiting": 2}
        with refused("ThrottlingException"):
            await client.update_table(TableName="feed", **units(10, 200))
        await http.delete("/_physics/faults")
        await client.update_table(TableName="feed", **units(10, 200))
        answer = await http.post("/_physics/faults", json={"operation": "X", "manner": "odd"})
        assert answer.status == 400
        assert "odd" in (await answer.json())["error"]


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_call_without_an_answer_may_or_may_not_have_taken_effect(
    client: Any,
    server: PhysicsServer,
    takes_effect: bool,  # noqa: FBT001 - parametrized
) -> None:
    fault = Fault(operation="UpdateTable", manner=Manner.DISCONNECT, takes_effect=takes_effect)
    server.faults.order(fault)
    with pytest.raises(BotoCoreError):
        await client.update_table(TableName="feed", **units(10, 100))
    table = (await client.describe_table(TableName="feed"))["Table"]
    assert table["TableStatus"] == ("UPDATING" if takes_effect else "ACTIVE")


async def test_a_hang_ends_without_an_answer(client: Any, server: PhysicsServer) -> None:
    server.faults.order(Fault(operation="DescribeTable", manner=Manner.HANG, hang_seconds=0.01))
    with pytest.raises(BotoCoreError):
        await client.describe_table(TableName="feed")


async def test_an_internal_server_error_is_a_500(client: Any, server: PhysicsServer) -> None:
    server.faults.order(Fault(operation="UpdateTable"))
    with refused("InternalServerError") as response:
        await client.update_table(TableName="feed", **units(10, 100))
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_more_faults_than_are_kept_are_refused() -> None:
    faults = Faults()
    with pytest.raises(InputError, match="1001 faults on top of 0"):
        faults.order(Fault(operation="X"), count=1001)


async def test_boto3_and_its_resource_layer_work_unmodified(server: PhysicsServer) -> None:
    def work() -> None:
        resource = boto3.resource(
            "dynamodb", endpoint_url=server.url, config=Config(**ONCE), **CREDENTIALS
        )
        table = resource.create_table(**FEED)
        table.wait_until_exists()
        with table.batch_writer() as batch:
            for number in range(4):
                batch.put_item({"pk": str(number), "author": "ann", "n": number})
        assert table.get_item(Key={"pk": "2"})["Item"]["n"] == 2
        table.reload()
        assert table.item_count == 4
        client = resource.meta.client
        assert client.list_tables()["TableNames"] == ["feed"]
        limits = client.describe_limits()
        assert limits["AccountMaxReadCapacityUnits"] == 80_000
        assert limits["TableMaxWriteCapacityUnits"] == 40_000
        tags = client.list_tags_of_resource(ResourceArn=table.table_arn)["Tags"]
        assert tags == [{"Key": "team", "Value": "social"}]
        client.tag_resource(ResourceArn=table.table_arn, Tags=[{"Key": "tier", "Value": "1"}])
        client.untag_resource(ResourceArn=table.table_arn, TagKeys=["team"])
        tags = client.list_tags_of_resource(ResourceArn=table.table_arn)["Tags"]
        assert tags == [{"Key": "tier", "Value": "1"}]
        table.delete()
        with refused("ResourceNotFoundException") as response:
            client.describe_table(TableName="feed")
        assert response["Error"]["Message"] == (
            "Requested resource not found: Table: feed not found"
        )

    await asyncio.to_thread(work)


async def test_on_demand_tables_serve_everything_and_report_no_capacity(client: Any) -> None:
    await client.create_table(
        TableName="spiky",
        AttributeDefinitions=FEED["AttributeDefinitions"][:1],
        KeySchema=FEED["KeySchema"],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(50):
        await client.put_item(TableName="spiky", Item={"pk": {"S": str(number)}})
    table = (await client.describe_table(TableName="spiky"))["Table"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    with refused("ValidationException"):
        await client.update_table(TableName="spiky", **units(5, 5))


async def test_a_switch_of_billing_modes_is_asked_for_with_every_indexs_units(
    client: Any, clock: ManualClock
) -> None:
    async def mode() -> str:
        table = (await client.describe_table(TableName="feed"))["Table"]
        assert table["TableStatus"] == "ACTIVE"
        return str(table.get("BillingModeSummary", {}).get("BillingMode"))

    assert await mode() == "None"
    await client.update_table(TableName="feed", BillingMode="PAY_PER_REQUEST")
    clock.pass_seconds(200)
    assert await mode() == "PAY_PER_REQUEST"
    with refused("ValidationException") as response:
        await client.update_table(TableName="feed", BillingMode="PROVISIONED", **units(5, 5))
    assert "must be specified for index: by-author" in response["Error"]["Message"]
    index = {"IndexName": "by-author", **units(6, 6)}
    await client.update_table(
        TableName="feed",
        BillingMode="PROVISIONED",
        GlobalSecondaryIndexUpdates=[{"Update": index}],
        **units(5, 5),
    )
    clock.pass_seconds(120)
    assert await mode() == "PROVISIONED"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]}, "Invalid KeySchema"),
        ({"AttributeDefinitions": FEED["AttributeDefinitions"][:1]}, "AttributeDefinitions must"),
        ({"BillingMode": "PAY_PER_REQUEST"}, "Neither ReadCapacityUnits nor"),
        ({"StreamSpecification": {"StreamEnabled": False}}, "StreamSpecification of CreateTable"),
        ({"TableName": "no spaces"}, "no spaces"),
        ({**units(0, 1)}, "greater than or equal to 1"),
        ({"GlobalSecondaryIndexes": FEED["GlobalSecondaryIndexes"] * 2}, "different names"),
    ],
)
async def test_tables_that_cannot_be_are_refused(
    client: Any, changes: dict[str, Any], said: str
) -> None:
    bad = FEED | {"TableName": "other"} | changes
    session = get_session()
    async with session.create_client(
        "dynamodb",
        endpoint_url=client.meta.endpoint_url,
        config=_async_config().merge(Config(parameter_validation=False)),
        **CREDENTIALS,
    ) as careless:
        with refused("ValidationException") as response:
            await careless.create_table(**bad)
    assert said in response["Error"]["Message"]
    assert (await client.list_tables())["TableNames"] == ["feed"]


async def test_the_wire_carries_type_request_id_and_checksum(server: PhysicsServer) -> None:
    async def send(target: str, body: bytes) -> tuple[int, str, bytes]:
        async with (
            aiohttp.ClientSession() as http,
            http.post(server.url, data=body, headers={"X-Amz-Target": target}) as answer,
        ):
            content = await answer.read()
            assert answer.headers["Content-Type"] == "application/x-amz-json-1.0"
            assert answer.headers["x-amz-crc32"] == str(zlib.crc32(content))
            assert answer.headers["x-amzn-RequestId"]
            return answer.status, json.loads(content)["__type"], content

    prefix = "DynamoDB_20120810."
    assert (await send(prefix + "Frobnicate", b"{}"))[:2] == (
        400,
        "com.amazon.coral.service#UnknownOperationException",
    )
    assert (await send(prefix + "GetItem", b"{"))[1].endswith("#SerializationException")
    assert (await send(prefix + "GetItem", b"[]"))[1].endswith("#SerializationException")
    assert (await send(prefix + "GetItem", b"{}"))[1] == (
        "com.amazon.coral.validate#ValidationException"
    )
    assert (await send(prefix + "DescribeTable", b'{"TableName": "nope"}'))[1] == (
        "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
    )


@pytest.mark.process
@pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not installed")
async def test_the_aws_cli_works_unmodified(client: Any, server: PhysicsServer) -> None:
    async def aws(*arguments: str) -> tuple[int, str, str]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }
        process = await asyncio.create_subprocess_exec(
            "aws",
            "--endpoint-url",
            server.url,
            "dynamodb",
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()

    code, out, err = await aws("describe-table", "--table-name", "feed")
    assert (code, err) == (0, "")
    assert json.loads(out)["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"] == 10
    throughput = "ReadCapacityUnits=10,WriteCapacityUnits=10"
    code, _, err = await aws(
        "update-table", "--table-name", "feed", "--provisioned-throughput", throughput
    )
    assert code != 0
    assert "(ValidationException)" in err
    assert "The provisioned throughput for the table will not change" in err
