"""The gateway on the physics server: its real refusals, lost answers, and shadow mode beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import pytest
from aiobotocore.session import AioSession, get_session
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capacity_pilot.adapters.aws import DynamoDbGateway, ShadowGateway, open_gateway
from capacity_pilot.core.model import (
    CapacityChange,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
)
from capacity_pilot.core.ports import CapacityGateway
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.faults import Fault, Manner
from capacity_pilot.simulator.physics.server import PhysicsServer, serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.tables import IndexSpec, KeySchema, TableSpec, Units
from capacity_pilot.simulator.physics.world import World

NOON = datetime(2026, 10, 9, 12, tzinfo=UTC).timestamp()
APPLY_TIME_S = 30.0
TABLE = Resource("feed")
INDEX = Resource("feed", "by-day")
Step = tuple[Direction, Resource, int, int, float]


@dataclass
class HandClock:
    """A clock that moves when told to."""

    at: float = NOON

    def now(self) -> float:
        return self.at


@dataclass(frozen=True)
class Stage:
    """A physics server with one table, and a gateway to it."""

    server: PhysicsServer
    gateway: DynamoDbGateway
    clock: HandClock

    def plan(self, direction: Direction, of: Resource, read: int, write: int) -> Plan:
        return Plan(
            table=of.table,
            direction=direction,
            changes=(CapacityChange(resource=of, read=read, write=write),),
            decided_at=self.clock.at,
            expires_at=self.clock.at + 5.0,
        )


@cache
def one_session() -> AioSession:
    """Give the same session to all, since each one parses DynamoDB's service model anew."""
    session = get_session()
    session.set_credentials("test", "test")
    return session


@asynccontextmanager
async def set_stage() -> AsyncIterator[Stage]:
    clock = HandClock()
    # Every change takes the same time, as in shadow mode.
    apply_times = ApplyTimes(median_seconds=APPLY_TIME_S, sigma=0.0, warm_is_fast=False)
    world = World(WorldSettings(apply_times=apply_times))
    async with (
        serve_physics(world, clock=clock) as server,
        open_gateway(
            region="us-east-1", clock=clock, endpoint_url=server.url, session=one_session()
        ) as gateway,
    ):
        index = IndexSpec(
            name="by-day",
            key=KeySchema("day"),
            projection="ALL",
            projected=None,
            units=Units(read=500, write=500),
        )
        spec = TableSpec(
            name="feed", key=KeySchema("id"), units=Units(read=1000, write=1000), indexes=(index,)
        )
        world.create_table(spec, clock.at)
        yield Stage(server, gateway, clock)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with set_stage() as opened:
        yield opened


async def test_more_than_a_table_may_have_is_a_limit(stage: Stage) -> None:
    outcome = await stage.gateway.actuate(stage.plan(Direction.OUT, TABLE, 40_001, 1))
    assert outcome.kind is OutcomeKind.LIMIT
    assert "40001" in outcome.message


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_whether_a_call_without_an_answer_took_effect_is_for_the_next_read_to_tell(
    stage: Stage, *, takes_effect: bool
) -> None:
    fault = Fault(operation="UpdateTable", manner=Manner.DISCONNECT, takes_effect=takes_effect)
    stage.server.faults.order(fault)
    outcome = await stage.gateway.actuate(stage.plan(Direction.OUT, TABLE, 2000, 2000))
    assert outcome.kind is OutcomeKind.UNKNOWN
    after = await stage.gateway.describe("feed")
    assert after is not None
    assert after.is_settled is not takes_effect


async def test_another_writer_between_our_read_and_our_write_makes_us_wait(stage: Stage) -> None:
    busy = Fault(
        operation="UpdateTable",
        code="ResourceInUseException",
        message="Attempt to change a resource which is still in use: Table IOPS are currently "
        "being updated. Table: feed",
    )
    stage.server.faults.order(busy)
    outcome = await stage.gateway.actuate(stage.plan(Direction.OUT, TABLE, 2000, 2000))
    assert (outcome.kind, outcome.sent != ()) == (OutcomeKind.BUSY, True)
    again = await stage.gateway.actuate(stage.plan(Direction.OUT, TABLE, 2000, 2000))
    assert again.kind is OutcomeKind.REQUESTED


def facts(outcome: Outcome) -> tuple[object, ...]:
    """Give what an outcome says, its wording apart."""
    return outcome.kind, outcome.sent, outcome.ended_at, outcome.retry_at


async def play(stage: Stage, gateway: CapacityGateway, steps: Sequence[Step]) -> list[object]:
    """Carry out the steps, and give what was answered and what was seen after each."""
    story: list[object] = []
    for direction, of, read, write, pause_s in steps:
        story.append(facts(await gateway.actuate(stage.plan(direction, of, read, write))))
        stage.clock.at += pause_s
        described = await gateway.describe("feed")
        assert described is not None
        story.append(described)
    return story


SPENT_BETWEEN_SECONDS: list[Step] = [
    (Direction.IN, TABLE, 900, 900, 30.0),
    (Direction.IN, TABLE, 800, 800, 30.0),
    (Direction.IN, TABLE, 700, 700, 29.5),
    (Direction.OUT, TABLE, 1, 1, 30.0),
    (Direction.IN, TABLE, 600, 600, 30.0),
    (Direction.IN, TABLE, 500, 500, 0.0),
]
"""The fourth decrease is made half a second past a whole one, and the fifth refused."""


@settings(max_examples=15)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(Direction),
            st.sampled_from([TABLE, INDEX]),
            st.integers(1, 1500),
            st.integers(1, 1500),
            st.sampled_from([0.0, 10.0, 29.5, 30.0, 45.0, 600.0, 3540.0, 3600.0, 43_200.0]),
        ),
        min_size=5,
        max_size=25,
    )
)
@example(steps=SPENT_BETWEEN_SECONDS)
async def test_shadow_mode_answers_as_active_mode_would_and_leaves_the_table_alone(
    steps: list[Step],
) -> None:
    async with set_stage() as stage:
        in_earnest = await play(stage, stage.gateway, steps)
    async with set_stage() as stage:
        shadow = ShadowGateway(stage.gateway, apply_time_s=APPLY_TIME_S, clock=stage.clock)
        assert await play(stage, shadow, steps) == in_earnest
        real = await stage.gateway.describe("feed")
        assert real is not None
        assert [(r.read, r.write) for r in real.resources] == [(1000, 1000), (500, 500)]
