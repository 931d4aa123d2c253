"""Application Auto Scaling through its client, from moto's server and from the physics server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws.auto_scaling import (
    MOST_RESOURCES,
    AutoScalingClient,
    open_auto_scaling,
)
from capacity_pilot.adapters.aws.refusals import RefusedError
from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.errors import GatewayError, InvariantError
from capacity_pilot.core.model import Dimension, OutcomeKind, Resource, ScalableTarget
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.auto_scaling import PULL_S
from capacity_pilot.simulator.physics.clock import ManualClock
from capacity_pilot.simulator.physics.faults import Fault, Manner
from capacity_pilot.simulator.physics.server import PhysicsServer, serve_physics
from capacity_pilot.simulator.physics.settings import WorldSettings
from capacity_pilot.simulator.physics.world import World
from tests.daemon.stage import NOON, table
from tests.moto_server import serve_moto

WRITES = ScalableTarget(Resource("feed"), Dimension.WRITE)
READS = ScalableTarget(Resource("feed"), Dimension.READ)
INDEX_WRITES = ScalableTarget(Resource("feed", "by-day"), Dimension.WRITE)
NAMES = {
    READS: ("table/feed", "dynamodb:table:ReadCapacityUnits"),
    WRITES: ("table/feed", "dynamodb:table:WriteCapacityUnits"),
    INDEX_WRITES: ("table/feed/index/by-day", "dynamodb:index:WriteCapacityUnits"),
}


@dataclass
class Region:
    """A Region's Application Auto Scaling: our client, and the operator's own."""

    client: AutoScalingClient
    operator: Any
    clock: ManualClock
    physics: PhysicsServer | None = None

    async def register(self, target: ScalableTarget, **members: object) -> None:
        resource, dimension = NAMES[target]
        await self.operator.register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId=resource,
            ScalableDimension=dimension,
            **{"MinCapacity": 20, "MaxCapacity": 500, **members},
        )

    async def put_policy(self, target: ScalableTarget) -> None:
        resource, dimension = NAMES[target]
        await self.operator.put_scaling_policy(
            PolicyName=f"keep-{target}",
            ServiceNamespace="dynamodb",
            ResourceId=resource,
            ScalableDimension=dimension,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 70.0,
                "PredefinedMetricSpecification": {
                    "PredefinedMetricType": "DynamoDBWriteCapacityUtilization"
                },
            },
        )


@asynccontextmanager
async def open_region(
    url: str, session: AioSession, physics: PhysicsServer | None = None
) -> AsyncIterator[Region]:
    clock = ManualClock(NOON)
    async with (
        open_auto_scaling(
            region="us-east-1", clock=clock, endpoint_url=url, session=session
        ) as client,
        session.create_client(
            "application-autoscaling", region_name="us-east-1", endpoint_url=url
        ) as operator,
    ):
        yield Region(client, operator, clock, physics)


@asynccontextmanager
async def open_moto(session: AioSession) -> AsyncIterator[Region]:
    with serve_moto() as url:
        async with open_region(url, session) as region:
            yield region
        async with aiohttp.request("POST", f"{url}/moto-api/reset") as answer:
            answer.raise_for_status()


@asynccontextmanager
async def open_physics(session: AioSession) -> AsyncIterator[Region]:
    clock = ManualClock(NOON)
    world = World(WorldSettings(apply_times=ApplyTimes(median_seconds=10, sigma=0.0)))
    for name in ("feed", *(f"feed-{n}" for n in range(3))):
        world.create_table(table(name, "by-day"), clock.now())
    world.advance(clock.now())
    async with (
        serve_physics(world, clock=clock) as server,
        open_region(server.url, session, server) as region,
    ):
        region.clock = clock
        yield region


@pytest.fixture(params=[open_moto, open_physics], ids=["moto", "physics"])
async def region(request: pytest.FixtureRequest, aws_session: AioSession) -> AsyncIterator[Region]:
    opened: Callable[[AioSession], Any] = request.param
    async with opened(aws_session) as region:
        yield region


@pytest.fixture
async def physics(aws_session: AioSession) -> AsyncIterator[Region]:
    async with open_physics(aws_session) as region:
        yield region


FEED = (Resource("feed"), Resource("feed", "by-day"))


async def test_targets_are_read_for_the_resources_named_and_for_no_others(region: Region) -> None:
    await region.register(WRITES)
    await region.register(
        INDEX_WRITES, MinCapacity=30, SuspendedState={"DynamicScalingOutSuspended": True}
    )
    assert await region.client.read([Resource("feed")]) == (
        Registration(target=WRITES, minimum=20, maximum=500),
    )
    found = {r.target: r for r in await region.client.read(FEED)}
    assert found.keys() == {WRITES, INDEX_WRITES}
    assert found[INDEX_WRITES].minimum == 30
    assert found[INDEX_WRITES].suspension == Suspension(scale_out=True)
    assert await region.client.read([Resource("users")]) == ()
    assert await region.client.read([]) == ()


async def test_what_is_registered_anew_changes_and_the_rest_stays(region: Region) -> None:
    await region.register(WRITES)
    (before,) = await region.client.read([Resource("feed")])
    await region.client.register(WRITES, minimum=200)
    raised = replace(before, minimum=200)
    assert await region.client.read([Resource("feed")]) == (raised,)
    suspended = Suspension(scale_in=True)
    await region.client.register(WRITES, suspension=suspended)
    assert await region.client.read([Resource("feed")]) == (replace(raised, suspension=suspended),)
    await region.client.register(WRITES, suspension=Suspension())
    assert await region.client.read([Resource("feed")]) == (raised,)


async def test_policies_are_told_by_target(region: Region) -> None:
    await region.register(READS)
    await region.register(WRITES)
    assert await region.client.read_policies(Resource("feed")) == frozenset()
    await region.put_policy(WRITES)
    assert await region.client.read_policies(Resource("feed")) == {WRITES}


async def test_more_resources_than_fit_an_answer_are_not_asked_for_at_once(region: Region) -> None:
    with pytest.raises(ValueError, match="26 resources at once"):
        await region.client.read([Resource(f"t{n}") for n in range(MOST_RESOURCES + 1)])


async def test_a_target_that_is_gone_is_not_made_again(physics: Region) -> None:
    with pytest.raises(RefusedError) as refused:
        await physics.client.register(WRITES, minimum=200)
    assert refused.value.refusal.kind is OutcomeKind.INVALID
    assert await physics.client.read([Resource("feed")]) == ()


async def test_an_update_that_is_not_through_yet_is_no_fault(physics: Region) -> None:
    assert physics.physics is not None
    await physics.register(WRITES)
    pending = Fault(operation="RegisterScalableTarget", code="ConcurrentUpdateException")
    physics.physics.faults.order(pending)
    with pytest.raises(RefusedError) as refused:
        await physics.client.register(WRITES, minimum=200)
    assert refused.value.refusal.kind is OutcomeKind.BUSY


async def test_a_call_without_an_answer_is_made_once(physics: Region) -> None:
    assert physics.physics is not None
    await physics.register(WRITES)
    lost = Fault(operation="RegisterScalableTarget", manner=Manner.DISCONNECT, takes_effect=True)
    physics.physics.faults.order(lost, count=2)
    with pytest.raises(GatewayError) as unanswered:
        await physics.client.register(WRITES, minimum=200)
    assert not isinstance(unanswered.value, RefusedError), "it may have taken effect"
    assert len(physics.physics.faults) == 1
    (registered,) = await physics.client.read([Resource("feed")])
    assert registered.minimum == 200


async def test_only_listed_parameters_are_ever_sent(physics: Region) -> None:
    with pytest.raises(InvariantError, match="MaxCapacity"):
        await physics.client._client.register_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/feed",
            ScalableDimension="dynamodb:table:WriteCapacityUnits",
            MaxCapacity=9,
        )
    with pytest.raises(InvariantError, match="DeregisterScalableTarget is not among"):
        await physics.client._client.deregister_scalable_target(
            ServiceNamespace="dynamodb",
            ResourceId="table/feed",
            ScalableDimension="dynamodb:table:WriteCapacityUnits",
        )


async def test_physics_pulls_capacity_into_the_bounds_as_aws_does(physics: Region) -> None:
    """Seconds after the call, and whatever it changed; lowering a minimum moves nothing."""
    assert physics.physics is not None
    world, scaling = physics.physics.database.world, physics.physics.scaling

    def pass_seconds(seconds: float) -> None:
        physics.clock.pass_seconds(seconds)
        world.advance(physics.clock.now())
        scaling.advance(physics.clock.now())

    def written() -> int:
        return world.table("feed").resources[""].units.write

    await physics.register(WRITES)
    await physics.client.register(WRITES, minimum=200)
    pass_seconds(PULL_S)
    assert world.table("feed").resources[""].status == "UPDATING"
    pass_seconds(10)
    assert written() == 200
    await physics.client.register(WRITES, minimum=20)
    pass_seconds(60)
    assert written() == 200
    await physics.register(WRITES, MaxCapacity=150)
    pass_seconds(PULL_S)
    pass_seconds(10)
    assert written() == 150
