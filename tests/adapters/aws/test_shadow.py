"""Shadow mode: the same answers as active mode, and not one call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.adapters.aws import ShadowGateway
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    CapacityChange,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    ResourceDescription,
    ResourceStatus,
    Switch,
    TableDescription,
)

NOON = datetime(2026, 10, 9, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0
APPLY_TIME_S = 30.0
TABLE = Resource("feed")
INDEX = Resource("feed", "by-day")


@dataclass
class RealWorld:
    """A clock, and one table that nothing here may change but the test itself."""

    at: float = NOON
    tables: dict[str, TableDescription] = field(default_factory=dict)

    def now(self) -> float:
        return self.at

    async def list_tables(self) -> tuple[str, ...]:
        return tuple(self.tables)

    async def describe(self, table: str) -> TableDescription | None:
        await asyncio.sleep(0)
        real = self.tables.get(table)
        return replace(real, described_at=self.at) if real else None

    async def limits(self) -> AccountLimits:
        return AccountLimits(table_read=50_000)

    async def actuate(self, plan: Plan) -> Outcome:
        raise AssertionError(f"shadow mode touched {plan.table}")


def resource(of: Resource, read: int, write: int) -> ResourceDescription:
    return ResourceDescription(resource=of, status=ResourceStatus.ACTIVE, read=read, write=write)


def a_world() -> tuple[RealWorld, ShadowGateway]:
    world = RealWorld()
    world.tables["feed"] = TableDescription(
        table="feed",
        billing_mode=BillingMode.PROVISIONED,
        resources=(resource(TABLE, 1000, 1000), resource(INDEX, 1000, 1000)),
        described_at=NOON,
    )
    return world, ShadowGateway(world, apply_time_s=APPLY_TIME_S, clock=world)


def plan(world: RealWorld, direction: Direction, *changes: tuple[Resource, int, int]) -> Plan:
    return Plan(
        table="feed",
        direction=direction,
        changes=tuple(CapacityChange(resource=r, read=rd, write=w) for r, rd, w in changes),
        decided_at=world.at,
        expires_at=world.at + 5.0,
    )


async def seen(shadow: ShadowGateway, of: Resource = TABLE) -> ResourceDescription:
    table = await shadow.describe("feed")
    assert table is not None
    return next(r for r in table.resources if r.resource == of)


async def test_a_raise_is_updating_until_the_apply_time_is_over() -> None:
    world, shadow = a_world()
    outcome = await shadow.actuate(plan(world, Direction.OUT, (TABLE, 1500, 900)))
    assert outcome.kind is OutcomeKind.REQUESTED
    assert outcome.sent == (CapacityChange(resource=TABLE, read=1500, write=1000),)

    world.at += APPLY_TIME_S - 1.0
    during = await seen(shadow)
    assert (during.status, during.read) == (ResourceStatus.UPDATING, 1000)
    assert (await seen(shadow, INDEX)).status is ResourceStatus.ACTIVE
    again = await shadow.actuate(plan(world, Direction.OUT, (INDEX, 2000, 2000)))
    assert again.kind is OutcomeKind.BUSY

    world.at += 1.0
    after = await seen(shadow)
    assert (after.status, after.read, after.write) == (ResourceStatus.ACTIVE, 1500, 1000)
    assert after.last_increase_at == NOON
    assert (after.decreases_today, after.last_decrease_at) == (0, None)
    assert world.tables["feed"].resources[0].read == 1000


async def test_two_plans_at_once_for_one_table_are_one_too_many() -> None:
    world, shadow = a_world()
    outcomes = await asyncio.gather(
        shadow.actuate(plan(world, Direction.OUT, (TABLE, 1500, 1500))),
        shadow.actuate(plan(world, Direction.OUT, (TABLE, 1600, 1600))),
    )
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.REQUESTED, OutcomeKind.BUSY]


async def lower(world: RealWorld, shadow: ShadowGateway, to: int) -> Outcome:
    outcome = await shadow.actuate(plan(world, Direction.IN, (TABLE, to, to)))
    world.at += APPLY_TIME_S
    return outcome


async def test_decreases_are_spent_as_aws_counts_them() -> None:
    world, shadow = a_world()
    for to in (900, 800, 700, 600):
        assert (await lower(world, shadow, to)).kind is OutcomeKind.REQUESTED
    last_at = (await seen(shadow)).last_decrease_at
    assert last_at == NOON + 3 * APPLY_TIME_S

    fifth = await lower(world, shadow, 500)
    assert fifth.kind is OutcomeKind.DECREASE_QUOTA
    assert fifth.retry_at == last_at + HOUR
    assert (await seen(shadow)).read == 600

    world.at = last_at + HOUR
    assert (await lower(world, shadow, 500)).kind is OutcomeKind.REQUESTED
    assert (await seen(shadow)).decreases_today == 5


async def test_midnight_utc_gives_four_new_decreases_and_keeps_the_date_of_the_last() -> None:
    world, shadow = a_world()
    world.at = NOON + 12 * HOUR - 200.0
    for to in (900, 800, 700, 600):
        await lower(world, shadow, to)
    refused = await lower(world, shadow, 500)
    assert refused.retry_at == NOON + 12 * HOUR

    world.at = NOON + 12 * HOUR
    fresh = await seen(shadow)
    assert fresh.decreases_today == 0
    assert fresh.last_decrease_at == NOON + 12 * HOUR - 200.0 + 3 * APPLY_TIME_S
    assert (await lower(world, shadow, 500)).kind is OutcomeKind.REQUESTED
    assert (await seen(shadow)).decreases_today == 1


async def test_real_decreases_of_the_day_count_before_the_first_imagined_one() -> None:
    world, shadow = a_world()
    spent = replace(
        resource(TABLE, 1000, 1000), decreases_today=4, last_decrease_at=NOON - HOUR + 60.0
    )
    world.tables["feed"] = replace(world.tables["feed"], resources=(spent,))
    refused = await lower(world, shadow, 500)
    assert (refused.kind, refused.retry_at) == (OutcomeKind.DECREASE_QUOTA, NOON + 60.0)


async def test_one_exhausted_index_refuses_the_table_in_the_same_call() -> None:
    world, shadow = a_world()
    table, index = world.tables["feed"].resources
    spent = replace(index, decreases_today=4, last_decrease_at=NOON - 1.0)
    world.tables["feed"] = replace(world.tables["feed"], resources=(table, spent))
    both = plan(world, Direction.IN, (TABLE, 500, 500), (INDEX, 500, 500))
    assert (await shadow.actuate(both)).kind is OutcomeKind.DECREASE_QUOTA
    assert (await seen(shadow)).read == 1000


async def test_warm_throughput_is_the_high_water_mark_of_imagined_capacity_too() -> None:
    world, shadow = a_world()
    table = replace(world.tables["feed"].resources[0], warm_read=1200, warm_write=None)
    world.tables["feed"] = replace(world.tables["feed"], resources=(table,))
    await shadow.actuate(plan(world, Direction.OUT, (TABLE, 1500, 1500)))
    world.at += APPLY_TIME_S
    await lower(world, shadow, 100)
    after = await seen(shadow)
    assert (after.read, after.warm_read, after.warm_write) == (100, 1500, None)


async def test_what_disappears_is_forgotten_and_comes_back_as_it_really_is() -> None:
    world, shadow = a_world()
    real = world.tables["feed"]
    await shadow.actuate(plan(world, Direction.OUT, (TABLE, 1500, 1500), (INDEX, 1500, 1500)))
    world.at += APPLY_TIME_S

    world.tables["feed"] = replace(real, resources=real.resources[:1])
    await shadow.describe("feed")
    world.tables["feed"] = real
    assert (await seen(shadow, INDEX)).read == 1000
    assert (await seen(shadow)).read == 1500

    del world.tables["feed"]
    assert await shadow.describe("feed") is None
    world.tables["feed"] = real
    assert (await seen(shadow)).read == 1000


@pytest.mark.parametrize(
    "change", [{"is_global": True}, {"billing_mode": BillingMode.PAY_PER_REQUEST}]
)
async def test_a_table_that_stops_being_ours_to_scale_is_shown_as_it_is(
    change: dict[str, object],
) -> None:
    world, shadow = a_world()
    await shadow.actuate(plan(world, Direction.OUT, (TABLE, 1500, 1500)))
    world.tables["feed"] = replace(world.tables["feed"], **change)  # type: ignore[arg-type]
    assert (await seen(shadow)).read == 1000
    outcome = await shadow.actuate(plan(world, Direction.OUT, (TABLE, 2000, 2000)))
    assert outcome.kind is OutcomeKind.UNSUPPORTED


async def test_a_real_change_in_progress_is_not_painted_over() -> None:
    world, shadow = a_world()
    await shadow.actuate(plan(world, Direction.OUT, (TABLE, 1500, 1500)))
    deleting = replace(world.tables["feed"].resources[0], status=ResourceStatus.DELETING)
    world.tables["feed"] = replace(world.tables["feed"], resources=(deleting,))
    assert (await seen(shadow)).status is ResourceStatus.DELETING


async def test_tables_and_limits_are_the_real_ones() -> None:
    _, shadow = a_world()
    assert await shadow.list_tables() == ("feed",)
    assert await shadow.limits() == AccountLimits(table_read=50_000)


def test_an_apply_time_below_zero_is_refused() -> None:
    world = RealWorld()
    with pytest.raises(ValueError, match=r"apply_time_s is -1.0, must be at least 0"):
        ShadowGateway(world, apply_time_s=-1.0, clock=world)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(Direction), st.integers(1, 2000), st.floats(0, 3 * HOUR)),
        max_size=40,
    )
)
async def test_no_day_ever_sees_more_decreases_than_aws_would_take(
    steps: list[tuple[Direction, int, float]],
) -> None:
    world, shadow = a_world()
    accepted: list[float] = []
    for direction, units, pause_s in steps:
        world.at += pause_s
        outcome = await shadow.actuate(plan(world, direction, (TABLE, units, units)))
        if direction is Direction.IN and outcome.kind is OutcomeKind.REQUESTED:
            accepted.append(outcome.ended_at)
        if outcome.kind is OutcomeKind.DECREASE_QUOTA:
            assert outcome.retry_at is not None
            assert outcome.retry_at > world.at
    by_day: dict[float, list[float]] = {}
    for at in accepted:
        by_day.setdefault(at // 86_400.0, []).append(at)
    for day in by_day.values():
        assert all(later - earlier >= HOUR for earlier, later in pairwise(day[3:]))


async def test_a_table_that_really_is_on_demand_comes_back_in_thought_alone() -> None:
    real = RealWorld()
    real.tables["feed"] = on_demand = TableDescription(
        table="feed",
        billing_mode=BillingMode.PAY_PER_REQUEST,
        resources=(resource(TABLE, 0, 0), resource(INDEX, 0, 0)),
        described_at=real.at,
    )
    shadow = ShadowGateway(real, apply_time_s=APPLY_TIME_S, clock=real)
    assert await shadow.describe("feed") == replace(on_demand, described_at=real.at)
    changes = tuple(
        CapacityChange(resource=r.resource, read=5, write=70) for r in on_demand.resources
    )
    switch = Switch(to=BillingMode.PROVISIONED, on_demand_usd=1.0, provisioned_usd=1.0)
    back = Plan(
        table="feed",
        direction=Direction.IN,
        changes=changes,
        decided_at=real.at,
        expires_at=real.at + 5.0,
        switch=switch,
    )
    assert (await shadow.actuate(back)).kind is OutcomeKind.REQUESTED
    real.at += 60.0
    seen = await shadow.describe("feed")
    assert seen is not None
    assert (seen.billing_mode, seen.is_settled) == (BillingMode.PAY_PER_REQUEST, False)
    real.at += 60.0
    seen = await shadow.describe("feed")
    assert seen is not None
    assert (seen.billing_mode, seen.is_settled) == (BillingMode.PROVISIONED, True)
    assert [(r.read, r.write) for r in seen.resources] == [(5, 70)] * len(changes)
