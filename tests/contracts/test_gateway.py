"""What every capacity gateway must do, whichever world stands behind it.

moto is DynamoDB at its most lenient: changes are in force at once, nothing is counted. What only
a faithful world does (time to apply, decrease quotas) is asked of the others alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiobotocore.session import AioSession, get_session

from capacity_pilot.adapters.aws import ShadowGateway, open_gateway
from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    ResourceDescription,
    Switch,
    TableDescription,
)
from capacity_pilot.core.ports import CapacityGateway
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.server import serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import IndexSpec, KeySchema, TableSpec, Units
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.replay.world_gateway import WorldGateway
from tests.moto_server import serve_moto

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

REGION = "us-east-1"
NOON = datetime(2026, 10, 9, 12, tzinfo=UTC).timestamp()
APPLY_TIME_S = 30.0
ON_DEMAND, PROVISIONED = BillingMode.PAY_PER_REQUEST, BillingMode.PROVISIONED
SWITCHED_S = 200.0
TABLE = Resource("feed")
INDEX = Resource("feed", "by-day")


@dataclass
class HandClock:
    """A clock that moves when told to."""

    at: float = NOON

    def now(self) -> float:
        return self.at


@dataclass(kw_only=True)
class Subject:
    """A gateway, and the time of the world behind it."""

    gateway: CapacityGateway
    clock: HandClock

    def settle(self) -> None:
        self.clock.at += 2 * APPLY_TIME_S

    async def described(self) -> TableDescription:
        table = await self.gateway.describe("feed")
        assert table is not None
        return table

    async def resource(self, of: Resource) -> ResourceDescription:
        return next(r for r in (await self.described()).resources if r.resource == of)

    async def units(self, of: Resource) -> tuple[int, int]:
        resource = await self.resource(of)
        return resource.read, resource.write

    def plan(self, direction: Direction, *changes: tuple[Resource, int, int]) -> Plan:
        return Plan(
            table=changes[0][0].table,
            direction=direction,
            changes=tuple(CapacityChange(resource=r, read=rd, write=w) for r, rd, w in changes),
            decided_at=self.clock.at,
            expires_at=self.clock.at + 5.0,
        )

    async def switch(self, to: BillingMode, *changes: tuple[Resource, int, int]) -> Outcome:
        direction = Direction.OUT if to is BillingMode.PAY_PER_REQUEST else Direction.IN
        plan = replace(
            self.plan(direction, (TABLE, 1, 1), *changes),
            changes=tuple(CapacityChange(resource=r, read=rd, write=w) for r, rd, w in changes),
            switch=Switch(to=to, on_demand_usd=1.0, provisioned_usd=1.0),
        )
        return await self.gateway.actuate(plan)

    async def actuate(
        self, direction: Direction, *changes: tuple[Resource, int, int]
    ) -> OutcomeKind:
        return (await self.gateway.actuate(self.plan(direction, *changes))).kind


async def create_tables(client: DynamoDBClient) -> None:
    """Create a provisioned table with an index, and an on-demand one."""
    await client.create_table(
        TableName="feed",
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "day", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        ProvisionedThroughput={"ReadCapacityUnits": 100, "WriteCapacityUnits": 200},
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-day",
                "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": {"ReadCapacityUnits": 30, "WriteCapacityUnits": 200},
            }
        ],
    )
    await client.create_table(
        TableName="likes",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


@cache
def one_session() -> AioSession:
    """Give the same session to all, since each one parses DynamoDB's service model anew."""
    session = get_session()
    session.set_credentials("test", "test")
    return session


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    with serve_moto() as url:
        yield url


LENIENT = ["moto"]
FAITHFUL = ["physics", "shadow over physics", "shadow over moto", "replay"]


def a_physical_world() -> World:
    """Build a world in which every change takes the same time."""
    apply_times = ApplyTimes(median_seconds=APPLY_TIME_S, sigma=0.0, warm_is_fast=False)
    return World(WorldSettings(region=REGION, apply_times=apply_times))


@dataclass
class WorldClock(HandClock):
    """Takes its world along, as a replay does."""

    world: World = field(default_factory=a_physical_world)

    def now(self) -> float:
        self.world.advance(self.at)
        return self.at


@asynccontextmanager
async def serve(world: str, clock: HandClock, *, moto_url: str) -> AsyncIterator[str]:
    if world.endswith("physics"):
        async with serve_physics(a_physical_world(), clock=clock) as server:
            yield server.url
    else:
        # moto keeps its tables in the process, not in the server.
        async with aiohttp.request("POST", f"{moto_url}/moto-api/reset") as answer:
            answer.raise_for_status()
        yield moto_url


def in_replay() -> Subject:
    """The same tables in a world without a server."""
    clock = WorldClock()
    key = KeySchema("id")
    by_day = IndexSpec(
        name="by-day",
        key=KeySchema("day"),
        projection="ALL",
        projected=None,
        units=Units(30, 200),
    )
    feed = TableSpec(name="feed", key=key, units=Units(100, 200), indexes=(by_day,))
    on_demand = BillingMode.PAY_PER_REQUEST
    likes = TableSpec(name="likes", key=key, units=Units(0, 0), billing_mode=on_demand)
    for spec in (feed, likes):
        clock.world.create_table(spec, clock.at)
    gateway = WorldGateway(clock.world, clock=clock, obstruct=lambda _table, _now: None)
    return Subject(gateway=gateway, clock=clock)


@pytest.fixture(params=LENIENT + FAITHFUL)
async def subject(request: pytest.FixtureRequest, moto_url: str) -> AsyncIterator[Subject]:
    world, clock = request.param, HandClock()
    if world == "replay":
        yield in_replay()
        return
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve(world, clock, moto_url=moto_url))
        client = await stack.enter_async_context(
            one_session().create_client("dynamodb", region_name=REGION, endpoint_url=url)
        )
        await create_tables(client)
        gateway: CapacityGateway = await stack.enter_async_context(
            open_gateway(region=REGION, clock=clock, endpoint_url=url, session=one_session())
        )
        if world.startswith("shadow"):
            gateway = ShadowGateway(gateway, apply_time_s=APPLY_TIME_S, clock=clock)
        yield Subject(gateway=gateway, clock=clock)


only_faithful = pytest.mark.parametrize("subject", FAITHFUL, indirect=True)


async def test_tables_are_listed_and_limits_known(subject: Subject) -> None:
    assert set(await subject.gateway.list_tables()) == {"feed", "likes"}
    limits = await subject.gateway.limits()
    assert limits.account_read >= limits.table_read > 0
    assert limits.account_write >= limits.table_write > 0


async def test_a_table_is_described_with_its_index(subject: Subject) -> None:
    table = await subject.described()
    assert table.billing_mode is BillingMode.PROVISIONED
    assert table.is_settled
    assert not table.is_global
    assert table.described_at == subject.clock.at
    assert [r.resource for r in table.resources] == [TABLE, INDEX]
    assert [(r.read, r.write) for r in table.resources] == [(100, 200), (30, 200)]
    assert [(r.decreases_today, r.last_decrease_at) for r in table.resources] == [(0, None)] * 2


async def test_a_table_that_is_not_there_is_none_and_not_an_error(subject: Subject) -> None:
    assert await subject.gateway.describe("nowhere") is None


async def test_a_scale_out_of_table_and_index_is_one_call_and_soon_in_force(
    subject: Subject,
) -> None:
    plan = subject.plan(Direction.OUT, (TABLE, 150, 400), (INDEX, 30, 400))
    outcome = await subject.gateway.actuate(plan)
    assert outcome.kind is OutcomeKind.REQUESTED
    assert outcome.sent == plan.changes
    assert outcome.ended_at == subject.clock.at
    subject.settle()
    assert (await subject.described()).is_settled
    assert await subject.units(TABLE) == (150, 400)
    assert await subject.units(INDEX) == (30, 400)


async def test_a_scale_in_of_table_and_index_is_one_call_and_soon_in_force(
    subject: Subject,
) -> None:
    kind = await subject.actuate(Direction.IN, (TABLE, 50, 100), (INDEX, 10, 100))
    assert kind is OutcomeKind.REQUESTED
    subject.settle()
    assert await subject.units(TABLE) == (50, 100)
    assert await subject.units(INDEX) == (10, 100)


async def test_a_scale_out_never_lowers_and_a_scale_in_never_raises(subject: Subject) -> None:
    assert await subject.actuate(Direction.OUT, (TABLE, 300, 1)) is OutcomeKind.REQUESTED
    subject.settle()
    assert await subject.units(TABLE) == (300, 200)
    assert await subject.actuate(Direction.IN, (TABLE, 900, 20)) is OutcomeKind.REQUESTED
    subject.settle()
    assert await subject.units(TABLE) == (300, 20)


async def test_the_same_plan_again_changes_nothing(subject: Subject) -> None:
    assert await subject.actuate(Direction.OUT, (TABLE, 300, 300)) is OutcomeKind.REQUESTED
    subject.settle()
    assert await subject.actuate(Direction.OUT, (TABLE, 300, 300)) is OutcomeKind.UNCHANGED
    assert await subject.actuate(Direction.IN, (TABLE, 300, 300)) is OutcomeKind.UNCHANGED


async def test_a_plan_naming_an_index_that_is_gone_is_not_carried_out_in_part(
    subject: Subject,
) -> None:
    gone = Resource("feed", "by-month")
    kind = await subject.actuate(Direction.OUT, (TABLE, 300, 300), (gone, 300, 300))
    assert kind is OutcomeKind.NOT_FOUND
    subject.settle()
    assert await subject.units(TABLE) == (100, 200)


async def test_a_plan_for_a_table_that_is_gone_finds_nothing(subject: Subject) -> None:
    assert (
        await subject.actuate(Direction.OUT, (Resource("nowhere"), 5, 5)) is OutcomeKind.NOT_FOUND
    )


async def test_an_on_demand_table_is_left_alone(subject: Subject) -> None:
    assert (
        await subject.actuate(Direction.OUT, (Resource("likes"), 5, 5)) is OutcomeKind.UNSUPPORTED
    )


async def test_a_plan_past_its_time_is_not_carried_out(subject: Subject) -> None:
    plan = subject.plan(Direction.OUT, (TABLE, 300, 300))
    outcome = await subject.gateway.actuate(replace(plan, expires_at=subject.clock.at))
    assert outcome.kind is OutcomeKind.EXPIRED
    assert await subject.units(TABLE) == (100, 200)


async def test_no_units_at_all_are_invalid(subject: Subject) -> None:
    assert await subject.actuate(Direction.IN, (TABLE, 0, 5)) is OutcomeKind.INVALID
    assert await subject.units(TABLE) == (100, 200)


@only_faithful
async def test_until_a_change_is_in_force_the_table_is_busy_at_its_old_units(
    subject: Subject,
) -> None:
    assert await subject.actuate(Direction.OUT, (TABLE, 150, 400)) is OutcomeKind.REQUESTED
    assert not (await subject.described()).is_settled
    assert await subject.units(TABLE) == (100, 200)
    assert await subject.actuate(Direction.OUT, (TABLE, 500, 500)) is OutcomeKind.BUSY
    subject.settle()
    assert await subject.actuate(Direction.OUT, (TABLE, 500, 500)) is OutcomeKind.REQUESTED


@only_faithful
async def test_the_fifth_decrease_of_a_day_waits_an_hour_after_the_fourth(
    subject: Subject,
) -> None:
    for units in (90, 80, 70, 60):
        last_at = subject.clock.at
        assert await subject.actuate(Direction.IN, (TABLE, units, units)) is OutcomeKind.REQUESTED
        subject.settle()
    spent = await subject.resource(TABLE)
    assert (spent.decreases_today, spent.last_decrease_at) == (4, last_at)
    assert (await subject.resource(INDEX)).decreases_today == 0

    both = subject.plan(Direction.IN, (TABLE, 50, 50), (INDEX, 20, 20))
    refused = await subject.gateway.actuate(both)
    assert refused.kind is OutcomeKind.DECREASE_QUOTA
    assert refused.retry_at == last_at + 3600.0
    # The index's own quota is untouched, and so are increases.
    assert await subject.actuate(Direction.IN, (INDEX, 20, 20)) is OutcomeKind.REQUESTED
    subject.settle()
    assert await subject.actuate(Direction.OUT, (TABLE, 70, 70)) is OutcomeKind.REQUESTED

    subject.clock.at = last_at + 3600.0
    assert await subject.actuate(Direction.IN, (TABLE, 50, 50)) is OutcomeKind.REQUESTED


@only_faithful
async def test_midnight_utc_gives_the_decreases_back(subject: Subject) -> None:
    midnight_at = NOON + 12 * 3600.0
    subject.clock.at = midnight_at - 300.0
    for units in (90, 80, 70, 60):
        assert await subject.actuate(Direction.IN, (TABLE, units, units)) is OutcomeKind.REQUESTED
        subject.settle()
    assert await subject.actuate(Direction.IN, (TABLE, 50, 50)) is OutcomeKind.DECREASE_QUOTA
    subject.clock.at = midnight_at
    assert (await subject.resource(TABLE)).decreases_today == 0
    assert await subject.actuate(Direction.IN, (TABLE, 50, 50)) is OutcomeKind.REQUESTED


async def test_a_table_is_switched_to_on_demand_and_back_with_units_for_table_and_index(
    subject: Subject,
) -> None:
    assert (await subject.switch(ON_DEMAND)).kind is OutcomeKind.REQUESTED
    subject.clock.at += SWITCHED_S
    switched = await subject.described()
    assert (switched.billing_mode, switched.is_settled) == (ON_DEMAND, True)
    back = await subject.switch(PROVISIONED, (TABLE, 700, 300), (INDEX, 40, 300))
    assert (back.kind, len(back.sent)) == (OutcomeKind.REQUESTED, 2)
    subject.clock.at += SWITCHED_S
    described = await subject.described()
    assert (described.billing_mode, described.is_settled) == (PROVISIONED, True)
    assert await subject.units(TABLE) == (700, 300)
    assert await subject.units(INDEX) == (40, 300)


async def test_a_switch_that_was_made_already_changes_nothing(subject: Subject) -> None:
    assert (await subject.switch(PROVISIONED, (TABLE, 1, 1), (INDEX, 1, 1))).kind is (
        OutcomeKind.UNCHANGED
    )
    assert await subject.units(TABLE) == (100, 200)


async def test_the_way_back_has_to_name_every_index_and_none_that_is_not_there(
    subject: Subject,
) -> None:
    await subject.switch(ON_DEMAND)
    subject.clock.at += SWITCHED_S
    forgotten = await subject.switch(PROVISIONED, (TABLE, 5, 5))
    assert (forgotten.kind, forgotten.sent) == (OutcomeKind.INVALID, ())
    assert "feed/index/by-day" in forgotten.message
    gone = Resource("feed", "by-month")
    invented = await subject.switch(PROVISIONED, (TABLE, 5, 5), (INDEX, 5, 5), (gone, 5, 5))
    assert (invented.kind, invented.sent) == (OutcomeKind.NOT_FOUND, ())
    assert (await subject.described()).billing_mode is ON_DEMAND


@only_faithful
async def test_until_a_switch_is_over_the_table_is_as_it_was_and_busy(subject: Subject) -> None:
    await subject.switch(ON_DEMAND)
    subject.clock.at += 100.0
    described = await subject.described()
    assert (described.billing_mode, described.is_settled) == (PROVISIONED, False)
    assert await subject.units(TABLE) == (100, 200)
    assert await subject.actuate(Direction.OUT, (TABLE, 500, 500)) is OutcomeKind.BUSY
    back = await subject.switch(PROVISIONED, (TABLE, 5, 5), (INDEX, 5, 5))
    assert (back.kind, back.sent) == (OutcomeKind.BUSY, ())


@only_faithful
async def test_when_it_was_last_switched_is_told_and_a_later_switch_takes_seconds(
    subject: Subject,
) -> None:
    assert (await subject.described()).on_demand_at is None
    first_at = subject.clock.at
    await subject.switch(ON_DEMAND)
    subject.clock.at += SWITCHED_S
    assert (await subject.described()).on_demand_at == first_at
    await subject.switch(PROVISIONED, (TABLE, 5, 5), (INDEX, 5, 5))
    subject.clock.at += SWITCHED_S
    assert (await subject.described()).on_demand_at == first_at
    await subject.switch(ON_DEMAND)
    subject.clock.at += 6.0
    assert (await subject.described()).billing_mode is ON_DEMAND


@only_faithful
async def test_a_fifth_switch_within_a_day_is_a_limit_and_no_pause_of_a_second(
    subject: Subject,
) -> None:
    for _ in range(4):
        assert (await subject.switch(ON_DEMAND)).kind is OutcomeKind.REQUESTED
        subject.clock.at += SWITCHED_S
        await subject.switch(PROVISIONED, (TABLE, 5, 5), (INDEX, 5, 5))
        subject.clock.at += SWITCHED_S
    refused = await subject.switch(ON_DEMAND)
    assert (refused.kind, refused.retry_at) == (OutcomeKind.LIMIT, None)
    subject.clock.at += 86_400.0 - 8 * SWITCHED_S
    assert (await subject.switch(ON_DEMAND)).kind is OutcomeKind.REQUESTED
