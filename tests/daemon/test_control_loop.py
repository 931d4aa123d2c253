"""The daemon's loop told as stories in virtual time, over real HTTP to the physics server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.otlp.estimate import Shape
from capacity_pilot.core.model import BillingMode, Dimension, Direction, OutcomeKind, Resource
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.daemon.status import find_fault
from capacity_pilot.simulator.physics.faults import Fault, Manner
from capacity_pilot.simulator.physics.tables import KeySchema, TableSpec, Units
from tests.daemon.stage import (
    APPLY_TIME_S,
    BY_DAY,
    DESCRIBE_S,
    FEED,
    Stage,
    policies,
    set_stage,
    table,
)

READ, WRITE = Dimension.READ, Dimension.WRITE
Events = Sequence[MutableMapping[str, Any]]

CONTROL_PLANE_BUSY = Fault(
    operation="UpdateTable", code="ThrottlingException", message="Rate exceeded"
)


@pytest.fixture
async def stage(aws_session: AioSession) -> AsyncIterator[Stage]:
    """The table ``feed`` with an index, 100 units each way."""
    async with set_stage(aws_session, table("feed", "by-day")) as opened:
        yield opened


def named(events: Events, event: str) -> list[MutableMapping[str, Any]]:
    return [e for e in events if e["event"] == event]


async def test_a_surge_is_decided_requested_and_seen_in_force(stage: Stage) -> None:
    with capture_logs() as events:
        stage.demand = {(FEED, WRITE): 50.0, (BY_DAY, WRITE): 50.0}
        await stage.pass_seconds(60)
        assert named(events, "decision") == []

        stage.demand = {(FEED, WRITE): 300.0, (BY_DAY, WRITE): 50.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=25)
        await stage.pass_seconds(2)

    decision, actuation, applied = (
        named(events, name)[0] for name in ("decision", "actuation", "capacity_applied")
    )
    assert (decision["table"], decision["direction"]) == ("feed", "out")
    assert "rising_demand" in decision["reasons"]
    units = {change["resource"]: change["write"] for change in decision["changes"]}
    assert units["feed"] > 100
    told = next(t for t in decision["targets"] if t["dimension"] == "write" and not t["index"])
    assert told["provisioned"] == 100.0
    assert told["action"] == "scale_out"
    assert actuation["outcome"] == "requested"
    assert actuation["sent"] == decision["changes"]
    assert actuation["message"] is None
    assert APPLY_TIME_S <= applied["apply_time_s"] <= APPLY_TIME_S + 1
    assert applied["changes"] == decision["changes"]


async def test_reads_are_left_alone_by_a_surge_of_writes(stage: Stage) -> None:
    stage.demand = {(FEED, WRITE): 50.0, (FEED, READ): 70.0}
    await stage.pass_seconds(30)
    stage.demand = {(FEED, WRITE): 400.0, (FEED, READ): 70.0}
    await stage.until(lambda: stage.provisioned(FEED)[1] >= 400, within=25)
    assert stage.provisioned(FEED)[0] == 100
    assert stage.provisioned(BY_DAY) == (100, 100)


async def test_a_table_at_rest_is_read_twice_a_minute_and_a_changing_one_every_second(
    stage: Stage,
) -> None:
    begun = stage.now
    await stage.pass_seconds(90)
    assert stage.witness.reads_of("feed", since=begun) == [DESCRIBE_S, 2 * DESCRIBE_S, 90.0]

    stage.demand = {(FEED, WRITE): 90.0}
    await stage.until(lambda: bool(stage.witness.actuated), within=30)
    requested_at = stage.now
    await stage.pass_seconds(20)
    reads = stage.witness.reads_of("feed", since=requested_at)
    in_force = range(1, int(APPLY_TIME_S) + 1)
    assert reads == [float(s) for s in in_force], "seen in force, it is at rest again"


async def test_tables_are_read_on_when_the_clock_was_put_back(stage: Stage) -> None:
    stage.clock.pass_seconds(600)  # ahead of its time, when the tables are read
    await stage.loop.describe_due()
    stage.clock._now -= 600
    before = len(stage.witness.described_at["feed"])
    await stage.loop.describe_due()
    assert len(stage.witness.described_at["feed"]) == before + 1


async def test_item_sizes_reach_whoever_estimates_what_calls_consume(
    aws_session: AioSession,
) -> None:
    async with set_stage(aws_session, table("feed")) as stage:
        stage.item_sizes.note_item_bytes("feed", "", 1.0)
        await put_item(aws_session, stage, {"id": {"S": "x"}, "text": {"S": "a" * 2500}})
        await stage.pass_seconds(int(DESCRIBE_S))
        shape = Shape("feed", "", "PutItem", WRITE)
        parts = stage.item_sizes.estimate(shape, is_consistent=False, is_transactional=False)
        assert parts == (("", 3.0),), "2.5 kB are three units"


async def put_item(session: AioSession, stage: Stage, item: dict[str, Any]) -> None:
    async with session.create_client(
        "dynamodb", region_name="us-east-1", endpoint_url=stage.server.url
    ) as client:
        await client.put_item(TableName="feed", Item=item)


async def test_a_call_the_control_plane_refuses_is_made_again_every_second(
    stage: Stage,
) -> None:
    stage.server.faults.order(CONTROL_PLANE_BUSY, count=3)
    stage.demand = {(FEED, WRITE): 300.0}
    with capture_logs() as events:
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=40)
    tries = [plan.decided_at for plan in stage.witness.actuated]
    assert [b - a for a, b in pairwise(tries)][:3] == [1.0, 1.0, 1.0]
    outcomes = [e["outcome"] for e in named(events, "actuation")]
    assert outcomes[:4] == ["control_plane"] * 3 + ["requested"]
    assert stage.loop.counts["outcome_control_plane"] == 3


async def test_the_same_decision_tried_again_is_announced_once(stage: Stage) -> None:
    stage.server.faults.order(CONTROL_PLANE_BUSY, count=3)
    stage.world.table("feed").resources[""].units = Units(read=100, write=5)  # below the floor
    with capture_logs() as events:
        await stage.pass_seconds(40)
    assert len(named(events, "actuation")) == 4
    changes = [d["changes"] for d in named(events, "decision")]
    assert changes == [[{"resource": "feed", "read": 100, "write": 10}]]


async def test_increases_are_as_far_apart_as_the_policy_has_it(aws_session: AioSession) -> None:
    """Both rises are there within half a minute; the second is met five minutes later."""
    said = policies(scale_out={"cooldown": "5m"})
    async with set_stage(aws_session, table("feed"), policy_set=said) as stage:
        stage.demand = {(FEED, WRITE): 300.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        raised_at = stage.witness.actuated[-1].decided_at
        stage.demand = {(FEED, WRITE): 3000.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 3000, within=400)
        assert stage.witness.actuated[-1].decided_at - raised_at >= 300.0


async def test_what_is_reserved_is_not_given_back(aws_session: AioSession) -> None:
    """160 of 200 write units are paid for anyway: only 40 are worth a decrease."""
    said = policies().model_dump(mode="json") | {"reserved": {"read": 0, "write": 160}}
    demand = {(FEED, WRITE): 20.0, (BY_DAY, WRITE): 20.0, (FEED, READ): 90.0, (BY_DAY, READ): 90.0}
    async with set_stage(
        aws_session, table("feed", "by-day"), policy_set=PolicySet.model_validate(said)
    ) as stage:
        stage.demand = demand
        await stage.until(lambda: bool(stage.witness.actuated), within=400)
        await stage.pass_seconds(400)
        assert stage.provisioned(FEED)[1] + stage.provisioned(BY_DAY)[1] == 160


async def test_a_refused_decrease_never_delays_an_increase(stage: Stage) -> None:
    stage.witness.refusing["in"] = OutcomeKind.DENIED
    stage.demand = {(FEED, WRITE): 20.0, (BY_DAY, WRITE): 90.0, (FEED, READ): 90.0}
    await stage.until(lambda: len(stage.witness.actuated) >= 3, within=400)
    assert {p.direction for p in stage.witness.actuated} >= {Direction.IN}
    ins = [p for p in stage.witness.actuated if p.direction is Direction.IN]
    while len(ins) < 2:
        await stage.pass_seconds(1)
        ins = [p for p in stage.witness.actuated if p.direction is Direction.IN]
    assert ins[1].decided_at - ins[0].decided_at >= 30.0, "a denied decrease waits"

    stage.demand = {(FEED, WRITE): 2000.0, (BY_DAY, WRITE): 90.0, (FEED, READ): 90.0}
    surged_at = stage.now
    await stage.until(
        lambda: (
            stage.witness.actuated[-1].direction is Direction.OUT
            and stage.witness.actuated[-1].decided_at > surged_at
        ),
        within=5,
    )


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_call_without_an_answer_is_cleared_up_by_reading_the_table(
    stage: Stage, *, takes_effect: bool
) -> None:
    lost = Fault(operation="UpdateTable", manner=Manner.DISCONNECT, takes_effect=takes_effect)
    stage.server.faults.order(lost)
    stage.demand = {(FEED, WRITE): 300.0}
    with capture_logs() as events:
        await stage.until(lambda: bool(stage.witness.actuated), within=30)
        asked_at = stage.now
        await stage.pass_seconds(1)
        assert stage.witness.reads_of("feed", since=asked_at) == [1.0]
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=30)
        await stage.pass_seconds(1)
    outcomes = [e["outcome"] for e in named(events, "actuation")]
    assert outcomes[0] == "unknown"
    if takes_effect:
        first = stage.witness.actuated[0].changes[0]
        applied = named(events, "capacity_applied")[0]
        assert applied["changes"] == [
            {"resource": "feed", "read": first.read, "write": first.write}
        ]
    else:
        assert outcomes[1] == "requested"


async def test_a_table_that_cannot_be_read_fails_alone(aws_session: AioSession) -> None:
    async with set_stage(aws_session, table("feed"), table("feed-2")) as stage:
        stage.witness.unreadable = {"feed-2"}
        stage.demand = {(FEED, WRITE): 300.0}
        with capture_logs() as events:
            await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
            await stage.pass_seconds(int(DESCRIBE_S))
        failed = named(events, "table_not_described")
        assert {e["table"] for e in failed} == {"feed-2"}
        assert "no answer" in failed[0]["error"]
        assert set(stage.loop.pilot.descriptions) == {"feed", "feed-2"}, "last reading stands"


async def test_tables_that_are_slow_to_read_do_not_hold_up_an_update(
    aws_session: AioSession,
) -> None:
    slow = [f"feed-{number}" for number in range(20)]
    async with set_stage(aws_session, table("feed"), *map(table, slow)) as stage:
        stage.demand = {(FEED, WRITE): 90.0}
        stage.clock.pass_seconds(DESCRIBE_S)
        stage.witness.hanging = set(slow)
        reading = asyncio.create_task(stage.loop.describe_due())
        for _ in range(25):
            stage.clock.pass_seconds(1.0)
            stage.tell()
            await stage.loop.tick()
            await asyncio.wait_for(asyncio.gather(*stage.spawned), timeout=5)
        assert not reading.done()
        assert [plan.table for plan in stage.witness.actuated] == ["feed"]
        stage.witness.released.set()
        await reading


async def test_a_plan_that_could_not_be_sent_is_made_again(stage: Stage) -> None:
    stage.witness.unsendable = {"feed"}
    stage.demand = {(FEED, WRITE): 300.0}
    with capture_logs() as events:
        await stage.until(lambda: len(stage.witness.actuated) == 2, within=30)
        stage.witness.unsendable = set()
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=30)
    assert {e["table"] for e in named(events, "update_not_sent")} == {"feed"}


async def test_when_tables_cannot_be_listed_those_known_stay(stage: Stage) -> None:
    stage.witness.is_listing = False
    with capture_logs() as events:
        await stage.loop.discover()
    assert named(events, "tables_not_listed")[0]["error"] == "ListTables: no answer"
    assert set(stage.loop.pilot.descriptions) == {"feed"}


async def test_a_table_that_is_deleted_and_made_again_starts_afresh(stage: Stage) -> None:
    stage.demand = {(FEED, WRITE): 50.0}
    await stage.pass_seconds(30)
    stage.server.database.world.delete_table("feed")
    with capture_logs() as events:
        await stage.until(lambda: not stage.loop.pilot.descriptions, within=int(DESCRIBE_S))
        await stage.pass_seconds(2)
    assert [e["table"] for e in named(events, "table_gone")] == ["feed"]
    assert len(stage.loop.pilot.fleet) == 0
    unmanaged = stage.loop.counts["unmanaged_samples"]
    assert unmanaged > 0, "spans of a table that is gone are counted"

    stage.world.create_table(table("feed", write=20), stage.now)
    await stage.loop.discover()
    await stage.until(lambda: stage.provisioned(FEED)[1] >= 50, within=40)


async def test_a_deleted_table_is_missed_by_the_listing_too(stage: Stage) -> None:
    stage.world.delete_table("feed")
    with capture_logs() as events:
        await stage.loop.discover()
        await stage.loop.discover()
    assert [e["table"] for e in named(events, "table_gone")] == ["feed"]


async def test_a_refusal_is_forgotten_with_its_table(stage: Stage) -> None:
    stage.witness.refusing["out"] = OutcomeKind.NOT_FOUND
    stage.demand = {(FEED, WRITE): 300.0}
    await stage.until(lambda: bool(stage.witness.actuated), within=30)
    stage.world.delete_table("feed")
    await stage.loop.discover()
    stage.witness.refusing.clear()
    stage.world.create_table(table("feed"), stage.now)
    await stage.loop.discover()
    tried = len(stage.witness.actuated)
    await stage.until(lambda: len(stage.witness.actuated) > tried, within=15)


async def test_an_index_added_while_running_is_driven_and_the_table_keeps_its_past(
    aws_session: AioSession,
) -> None:
    async with set_stage(aws_session, table("feed")) as stage:
        stage.demand = {(FEED, WRITE): 80.0}
        await stage.pass_seconds(40)
        with_index = stage.world.table("feed")
        # The model has no online index creation: the table is exchanged for one that has it.
        stage.world.delete_table("feed")
        units = with_index.resources[""].units
        spec = table("feed", "by-day", read=units.read, write=units.write)
        stage.world.create_table(spec, stage.now)
        await stage.until(lambda: len(stage.loop.pilot.fleet) == 4, within=int(DESCRIBE_S))
        assert stage.loop.last_step is not None
        assert stage.loop.last_step.decisions.demand[1] == pytest.approx(80.0)

        stage.demand = {(FEED, WRITE): 80.0, (BY_DAY, WRITE): 500.0}
        await stage.until(lambda: stage.provisioned(BY_DAY)[1] >= 500, within=40)


async def test_on_demand_tables_and_those_without_a_policy_are_never_touched(
    aws_session: AioSession,
) -> None:
    on_demand = TableSpec(
        name="feed-odd",
        key=KeySchema("id"),
        units=Units(read=0, write=0),
        billing_mode=BillingMode.PAY_PER_REQUEST,
    )
    async with set_stage(aws_session, on_demand, table("users")) as stage:
        assert stage.witness.described_at.keys() == {"feed-odd"}
        stage.demand = {
            (FEED, WRITE): 10.0,
            (Resource("feed-odd"), WRITE): 900.0,
            (Resource("users"), READ): 900.0,
        }
        await stage.pass_seconds(30)
        assert stage.witness.actuated == []
        assert stage.loop.counts["unmanaged_samples"] == 3 * 30
        assert stage.loop.counts["ticks"] == 30


async def test_silence_is_told_once_holds_capacity_and_its_end_is_told(stage: Stage) -> None:
    stage.demand = {(FEED, WRITE): 80.0, (BY_DAY, WRITE): 80.0}
    await stage.pass_seconds(120)
    stage.is_telling = False
    before = stage.provisioned(FEED)
    with capture_logs() as events:
        await stage.pass_seconds(300)
        assert [e["event"] for e in events if "telemetry" in e["event"]] == ["telemetry_lost"]
        assert named(events, "telemetry_lost")[0]["silent_s"] == pytest.approx(16.0)
        assert stage.provisioned(FEED) == before
        stage.is_telling = True
        await stage.pass_seconds(2)
    assert len(named(events, "telemetry_resumed")) == 1


async def test_before_the_first_span_nothing_is_lost_and_nothing_is_lowered(stage: Stage) -> None:
    with capture_logs() as events:
        await stage.pass_seconds(200)
    assert events == []
    assert stage.witness.actuated == []


@pytest.mark.parametrize("steady_units", [40.0, 90.0])
async def test_shadow_mode_decides_what_active_mode_decides_and_sends_nothing(
    aws_session: AioSession, *, steady_units: float
) -> None:
    stories = []
    for is_shadow in (False, True):
        untouched = Fault(operation="UpdateTable", code="AccessDeniedException", message="shadow")
        async with set_stage(aws_session, table("feed", "by-day"), is_shadow=is_shadow) as stage:
            if is_shadow:
                stage.server.faults.order(untouched)
            with capture_logs() as events:
                for units, lasts_s in ((steady_units, 90), (6 * steady_units, 60), (15.0, 1500)):
                    stage.demand = {(FEED, WRITE): units, (FEED, READ): units / 2}
                    await stage.pass_seconds(lasts_s)
            stories.append(events)
            if is_shadow:
                assert len(stage.server.faults) == 1, "an UpdateTable call was made"
                assert stage.provisioned(FEED) == (100, 100)
                assert stage.provisioned(BY_DAY) == (100, 100)
    active, shadow = stories
    directions = {e["direction"] for e in named(active, "actuation")}
    assert directions == {"out", "in"}, "the story must have both for the law to say something"
    assert shadow == active


async def test_a_loop_that_no_longer_ticks_is_a_fault(stage: Stage) -> None:
    assert find_fault(stage.loop, tick_s=1.0, now=stage.now) is None, "still starting"
    await stage.pass_seconds(1)
    assert find_fault(stage.loop, tick_s=1.0, now=stage.now + 10) is None
    fault = find_fault(stage.loop, tick_s=1.0, now=stage.now + 10.5)
    assert fault == "no tick for 10.5 s, one is due every 1 s"


async def test_the_policy_of_an_index_binds_it_apart_from_its_table(
    aws_session: AioSession,
) -> None:
    capped = policies(indexes={"by-day": {"write": {"min": 10, "max": 150}}})
    async with set_stage(aws_session, table("feed", "by-day"), policy_set=capped) as stage:
        stage.demand = {(FEED, WRITE): 400.0, (BY_DAY, WRITE): 400.0}
        with capture_logs() as events:
            await stage.until(lambda: stage.provisioned(FEED)[1] >= 400, within=40)
        assert stage.provisioned(BY_DAY) == (100, 150)
        assert "ceiling" in named(events, "decision")[0]["reasons"]


async def test_no_more_tables_are_changed_in_a_minute_than_the_policy_allows(
    aws_session: AioSession,
) -> None:
    """The one that would throttle first is raised first, in steps; the other a minute later."""
    names = ("feed-a", "feed-b")
    policy_set = PolicySet.model_validate(
        policies().model_dump(exclude_unset=True)
        | {"limits": {"tables_changed_per_minute": 1, "largest_step": 4}}
    )
    async with set_stage(aws_session, *map(table, names), policy_set=policy_set) as stage:
        slow, fast = (Resource(name) for name in names)
        stage.demand = {(slow, WRITE): 60.0, (fast, WRITE): 60.0}
        await stage.pass_seconds(30)
        began = stage.now
        stage.demand = {(slow, WRITE): 300.0, (fast, WRITE): 900.0}
        await stage.until(lambda: stage.provisioned(slow)[1] > 300, within=180)
        raised = [
            (p.table, p.changes[0].write, p.decided_at - began) for p in stage.witness.actuated
        ]
        assert raised[0][:2] == ("feed-b", 400)
        slow_at = min(at for name, _, at in raised if name == "feed-a")
        fast_at = [at for name, _, at in raised if name == "feed-b" and at < slow_at]
        assert slow_at - max(fast_at) >= 60
        assert stage.provisioned(fast)[1] > 900


async def test_of_all_that_is_due_what_changes_is_read_first(aws_session: AioSession) -> None:
    names = [f"feed-{n:02}" for n in range(20)]
    async with set_stage(aws_session, *map(table, names)) as stage:
        last = Resource(names[-1])
        await stage.pass_seconds(int(DESCRIBE_S) - 5)
        stage.demand = {(last, Dimension.WRITE): 400.0}
        await stage.until(lambda: stage.loop.pilot.is_in_motion(names[-1]), within=10)
        stage.witness.described.clear()
        while len(set(stage.witness.described)) < len(names):
            stage.witness.described.clear()
            await stage.pass_seconds(1)
        assert stage.loop.pilot.is_in_motion(names[-1])
        assert stage.witness.described[0] == names[-1]
