"""Tables' tags, as moto and the physics server tell them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws import open_gateway
from capacity_pilot.adapters.aws.dynamodb import DynamoDbGateway
from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.simulator.physics.server import serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World
from tests.moto_server import serve_moto

REGION = "us-east-1"
TAGGED = {"tagged-feed": {"team": "social", "env": "prod"}, "tagged-orders": {}}


@pytest.fixture(params=["moto", "physics"])
async def gateway(
    request: pytest.FixtureRequest, aws_session: AioSession
) -> AsyncIterator[DynamoDbGateway]:
    async with AsyncExitStack() as stack:
        if request.param == "moto":
            url = stack.enter_context(serve_moto())
        else:
            clock = SystemClock()
            server = await stack.enter_async_context(
                serve_physics(World(WorldSettings()), clock=clock)
            )
            url = server.url
        client: Any = await stack.enter_async_context(
            aws_session.create_client("dynamodb", region_name=REGION, endpoint_url=url)
        )
        for name, tags in TAGGED.items():
            await client.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        stack.push_async_callback(_delete_tables, client)  # moto's servers share what they know
        yield await stack.enter_async_context(
            open_gateway(region=REGION, clock=SystemClock(), endpoint_url=url, session=aws_session)
        )


async def _delete_tables(client: Any) -> None:
    for name in TAGGED:
        await client.delete_table(TableName=name)


async def test_each_table_has_its_own_tags(gateway: DynamoDbGateway) -> None:
    assert {name: await gateway.tags(name) for name in TAGGED} == TAGGED


async def test_a_table_that_is_not_there_has_none(gateway: DynamoDbGateway) -> None:
    """Asked for first, and by the ARN of one that is there."""
    assert await gateway.tags("tagged-nowhere") is None
    await gateway.tags("tagged-feed")
    assert await gateway.tags("tagged-nowhere") is None
