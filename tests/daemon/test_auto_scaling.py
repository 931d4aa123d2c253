"""Floor mode and suspended scale-in as stories: what is registered, and what is left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.aws import open_auto_scaling
from capacity_pilot.adapters.aws.registrations import STALE_S, Registrations
from capacity_pilot.adapters.journal.sqlite import SqliteJournal, open_sqlite_journal
from capacity_pilot.adapters.policy_source import load_policies
from capacity_pilot.adapters.scaling_holds import KeptHolds
from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.model import Dimension, Direction, Resource, ScalableTarget
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.reasons import name_reasons
from capacity_pilot.core.record import RecordKind
from capacity_pilot.simulator.physics.faults import Fault, Manner
from tests.daemon.stage import BY_DAY, FEED, Stage, policies, registered, set_stage, table

READ, WRITE = Dimension.READ, Dimension.WRITE
WRITES = ScalableTarget(FEED, WRITE)
INDEX_WRITES = ScalableTarget(BY_DAY, WRITE)
EXAMPLES = Path(__file__).parents[2] / "policies"
OURS_TO_CALL = Fault(operation="UpdateTable", code="AccessDeniedException", message="not ours")
UNREACHABLE = Fault(operation="DescribeScalableTargets", manner=Manner.DISCONNECT)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_sqlite_journal(tmp_path / "pilot.db") as opened:
        yield opened


def set_floor(
    session: AioSession, journal: SqliteJournal, *, maximum: int = 500
) -> AbstractAsyncContextManager[Stage]:
    """Writes of ``feed`` and its index between 20 and 500, driven by their minimums."""
    return set_stage(
        session,
        table("feed", "by-day"),
        policy_set=policies(mode="floor", read=None),
        journal=journal,
        registered=[registered(WRITES, maximum=maximum), registered(INDEX_WRITES)],
    )


async def found(stage: Stage, target: ScalableTarget = WRITES) -> Registration:
    """What is registered of a target, as anybody may read it."""
    client = registrations_of(stage)._scaling
    (there,) = [r for r in await client.read([target.resource]) if r.target == target]
    return there


def registrations_of(stage: Stage) -> Registrations:
    return stage.scaling._registrations


def named(events: Sequence[MutableMapping[str, Any]], event: str) -> list[MutableMapping[str, Any]]:
    return [e for e in events if e["event"] == event]


def reasons_of(stage: Stage, target: ScalableTarget = WRITES) -> set[str]:
    if stage.loop.last_step is None:
        return set()
    slot = stage.loop.last_step.fleet.slot(target.resource, target.dimension)
    assert slot is not None
    return set(name_reasons(int(stage.loop.last_step.decisions.reasons[slot])))


@pytest.mark.timeout(300)
async def test_a_push_is_met_by_a_minimum_that_comes_back_down_to_what_was_there(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal) as stage:
        stage.server.faults.order(OURS_TO_CALL)
        stage.demand = {(FEED, WRITE): 50.0, (BY_DAY, WRITE): 20.0}
        await stage.pass_seconds(60)
        assert await found(stage) == Registration(target=WRITES, minimum=20, maximum=500)

        stage.demand = {(FEED, WRITE): 300.0, (BY_DAY, WRITE): 20.0}
        with capture_logs() as events:
            await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=40)
        raised = await found(stage)
        assert raised.minimum == stage.provisioned(FEED)[1]
        assert raised.maximum == 500
        assert (await found(stage, INDEX_WRITES)).minimum == 20
        assert {e["outcome"] for e in named(events, "actuation")} == {"requested"}

        stage.demand = {(FEED, WRITE): 5.0, (BY_DAY, WRITE): 5.0}
        await stage.until(lambda: stage.witness.actuated[-1].direction is Direction.IN, within=1500)
        await stage.pass_seconds(1)
        lowered = (await found(stage)).minimum
        assert 20 <= lowered < raised.minimum
        await stage.scaling.hand_back()
        assert (await found(stage)).minimum == 20
        assert len(stage.server.faults) == 1, "an UpdateTable call was made"


async def test_the_policys_maximum_and_the_registered_one_both_hold(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal, maximum=200) as stage:
        stage.demand = {(FEED, WRITE): 400.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] == 200, within=60)
        await stage.pass_seconds(60)
        assert (await found(stage)).minimum == 200


async def test_after_a_crash_the_minimum_given_back_is_the_operators_not_ours(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal) as stage:
        stage.demand = {(FEED, WRITE): 300.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        # Here the process ends without a word. Another one comes, with the same journal.
        async with open_auto_scaling(
            region="us-east-1",
            clock=stage.clock,
            endpoint_url=stage.server.url,
            session=aws_session,
        ) as client:
            later = Registrations(client, holds=KeptHolds(journal), clock=stage.clock)
            await later.holds.load()
            await later.read([FEED, BY_DAY])
            (known,) = [r for r in later.known if r.target == WRITES]
            assert known.minimum >= 300
            assert known.found_minimum == 20
            await later.give_back([WRITES])
            assert not later.holds.all
        assert (await found(stage)).minimum == 20
        again = KeptHolds(journal)
        await again.load()
        assert not again.all


async def test_what_is_there_is_kept_before_anything_is_changed(
    aws_session: AioSession, journal: SqliteJournal, tmp_path: Path
) -> None:
    nowhere = SqliteJournal(tmp_path / "missing" / "pilot.db")
    async with set_floor(aws_session, nowhere) as stage:
        stage.demand = {(FEED, WRITE): 300.0}
        with capture_logs() as events:
            await stage.until(lambda: bool(stage.witness.actuated), within=60)
            await stage.pass_seconds(5)
        assert named(events, "update_not_sent")
        assert (await found(stage)).minimum == 20
    await nowhere.close()


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_registration_without_an_answer_is_read_before_it_is_made_again(
    aws_session: AioSession, journal: SqliteJournal, *, takes_effect: bool
) -> None:
    async with set_floor(aws_session, journal) as stage:
        lost = Fault(
            operation="RegisterScalableTarget",
            manner=Manner.DISCONNECT,
            takes_effect=takes_effect,
        )
        stage.server.faults.order(lost)
        stage.demand = {(FEED, WRITE): 300.0}
        with capture_logs() as events:
            await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        outcomes = [e["outcome"] for e in named(events, "actuation")]
        assert outcomes[0] == ("requested" if takes_effect else "unknown")
        assert not named(events, "registration_changed_by_others")
        await stage.scaling.hand_back()
        assert (await found(stage)).minimum == 20


async def test_what_somebody_else_registers_is_noticed_and_is_what_they_get_back(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal) as stage:
        stage.demand = {(FEED, WRITE): 300.0, (BY_DAY, WRITE): 20.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        ours = (await found(stage)).minimum
        stage.server.scaling.register(registered(WRITES, minimum=60), stage.now)
        with capture_logs() as events:
            await stage.pass_seconds(65)
        (noticed,) = named(events, "registration_changed_by_others")
        assert noticed["target"] == "feed:write"
        assert (noticed["before"]["minimum"], noticed["after"]["minimum"]) == (ours, 60)
        stage.demand = {(FEED, WRITE): 450.0, (BY_DAY, WRITE): 20.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 450, within=60)
        await stage.scaling.hand_back()
        assert (await found(stage)).minimum == 60


async def test_a_target_that_is_deregistered_is_left_alone(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal) as stage:
        stage.demand = {(FEED, WRITE): 50.0}
        await stage.pass_seconds(10)
        stage.server.scaling.deregister(registered(WRITES), stage.now)
        stage.demand = {(FEED, WRITE): 300.0}
        await stage.pass_seconds(90)
        assert stage.provisioned(FEED) == (100, 100)
        assert "no_minimum" in reasons_of(stage)
        registrations = await registrations_of(stage)._scaling.read([FEED])
        assert registrations == ()


async def test_a_table_that_is_scaled_already_is_held_until_it_no_longer_is(
    aws_session: AioSession,
) -> None:
    async with set_stage(aws_session, table("feed"), registered=[registered(WRITES)]) as stage:
        stage.demand = {(FEED, WRITE): 300.0}
        await stage.pass_seconds(20)
        assert stage.witness.actuated == []
        assert "contested" in reasons_of(stage)
        stage.server.scaling.deregister(registered(WRITES), stage.now)
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=90)


async def test_scale_in_is_suspended_first_and_afterwards_is_what_it_was(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    scheduled = {"ScheduledScalingSuspended": True}
    scale_in = {"DynamicScalingInSuspended": True}
    async with set_stage(
        aws_session,
        table("feed", "by-day"),
        policy_set=policies(auto_scaling="suspend"),
        journal=journal,
        registered=[
            registered(WRITES, SuspendedState=scheduled),
            registered(INDEX_WRITES, SuspendedState=scale_in),
        ],
    ) as stage:
        assert (await found(stage)).suspension == Suspension(scale_in=True, scheduled=True)
        assert (await found(stage, INDEX_WRITES)).suspension == Suspension(scale_in=True)
        stage.demand = {(FEED, WRITE): 20.0, (BY_DAY, WRITE): 20.0, (FEED, READ): 90.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] < 50, within=1500)
        stage.demand = {(FEED, WRITE): 300.0, (BY_DAY, WRITE): 20.0, (FEED, READ): 90.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=40)
        await stage.scaling.hand_back()
        assert (await found(stage)).suspension == Suspension(scheduled=True)
        assert (await found(stage, INDEX_WRITES)).suspension == Suspension(scale_in=True)


async def test_nothing_is_lowered_where_scale_in_could_not_be_suspended(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_stage(
        aws_session,
        table("feed"),
        policy_set=policies(auto_scaling="suspend"),
        journal=journal,
        registered=[registered(WRITES)],
    ) as stage:
        resumed = {"DynamicScalingInSuspended": False}
        stage.server.scaling.register(registered(WRITES, SuspendedState=resumed), stage.now)
        denied = Fault(operation="RegisterScalableTarget", code="AccessDeniedException")
        stage.server.faults.order(denied, count=100)
        stage.demand = {(FEED, WRITE): 20.0}
        await stage.until(lambda: "not_suspended" in reasons_of(stage), within=900)
        await stage.pass_seconds(5)
        assert stage.provisioned(FEED)[1] == 100
        stage.demand = {(FEED, WRITE): 900.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=100)


async def test_who_cannot_ask_raises_and_does_not_lower(aws_session: AioSession) -> None:
    async with set_stage(aws_session, table("feed"), registered=[]) as stage:
        stage.server.faults.order(UNREACHABLE, count=1000)
        stage.clock.pass_seconds(STALE_S)
        stage.demand = {(FEED, WRITE): 20.0}
        with capture_logs() as events:
            await stage.pass_seconds(1)
            await stage.until(lambda: "auto_scaling_unknown" in reasons_of(stage), within=900)
            await stage.pass_seconds(5)
        asked = named(events, "auto_scaling_failed")
        assert [e["again_in_s"] for e in asked[:4]] == [10, 20, 40, 80]
        assert stage.provisioned(FEED)[1] == 100
        told = stage.scaling.report()["auto_scaling"]
        assert isinstance(told, dict)
        assert told["fault"]
        stage.demand = {(FEED, WRITE): 900.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=100)


async def test_a_table_in_shadow_beside_an_active_one_is_not_written_to(
    aws_session: AioSession,
) -> None:
    usual = policies().policies[0].model_dump(exclude_unset=True)
    both = [
        {**usual, "name": "shadow", "match": {"tables": ["feed-2"]}, "mode": "shadow"},
        {**usual, "name": "active"},
    ]
    mixed = PolicySet.model_validate({"version": 1, "policies": both})
    shadowed = table("feed-2")
    async with set_stage(aws_session, table("feed"), shadowed, policy_set=mixed) as stage:
        other = ScalableTarget(Resource("feed-2"), WRITE)
        stage.demand = {(FEED, WRITE): 300.0, (other.resource, WRITE): 300.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=40)
        assert {plan.table for plan in stage.witness.actuated} == {"feed", "feed-2"}
        assert stage.provisioned(other.resource) == (100, 100)
        imagined = stage.loop.pilot.descriptions["feed-2"].resources[0]
        assert imagined.write >= 300


async def test_shadow_decides_what_floor_mode_would_and_registers_nothing(
    aws_session: AioSession,
) -> None:
    async with set_stage(
        aws_session,
        table("feed"),
        policy_set=policies(mode="floor", read=None),
        is_shadow=True,
        registered=[registered(WRITES)],
    ) as stage:
        stage.demand = {(FEED, WRITE): 300.0}
        await stage.until(
            lambda: stage.loop.pilot.descriptions["feed"].resources[0].write >= 300, within=60
        )
        stage.demand = {(FEED, WRITE): 5.0}
        await stage.until(lambda: stage.witness.actuated[-1].direction is Direction.IN, within=1500)
        assert stage.provisioned(FEED) == (100, 100)
        assert await found(stage) == Registration(target=WRITES, minimum=20, maximum=500)


@pytest.mark.timeout(300)
async def test_what_nothing_is_known_of_for_long_is_auto_scalings_until_it_is_heard_again(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_stage(
        aws_session,
        table("feed"),
        policy_set=policies(auto_scaling="suspend", read=None, hand_back_after="2m"),
        journal=journal,
        registered=[registered(WRITES)],
    ) as stage:
        stage.demand = {(FEED, WRITE): 60.0}
        await stage.pass_seconds(60)
        assert (await found(stage)).suspension == Suspension(scale_in=True)
        stage.demand = {}
        await stage.pass_seconds(110)
        assert (await found(stage)).suspension == Suspension(scale_in=True)
        await stage.pass_seconds(40)
        assert stage.loop.pilot.is_handed_back(WRITES)
        assert (await found(stage)).suspension == Suspension()
        stage.demand = {(FEED, WRITE): 60.0}
        await stage.pass_seconds(120)
        assert (await found(stage)).suspension == Suspension(scale_in=True)


async def recorded(stage: Stage, journal: SqliteJournal) -> list[tuple[str, dict[str, Any]]]:
    await stage.book.flush(within_s=5.0)
    kinds = (RecordKind.REGISTERING, RecordKind.REGISTERED)
    return [(r.kind, dict(r.body)) for r in await journal.read(since=0.0) if r.kind in kinds]


async def test_each_call_to_application_auto_scaling_is_recorded_before_and_after(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal) as stage:
        stage.demand = {(FEED, WRITE): 300.0, (BY_DAY, WRITE): 300.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        records = await recorded(stage, journal)
        asked = [body for kind, body in records if kind is RecordKind.REGISTERING]
        assert {body["target"] for body in asked} == {str(WRITES), str(INDEX_WRITES)}
        assert asked[0]["from"]["minimum"] == 20
        assert asked[0]["to"]["minimum"] >= 300
        ended = [body for kind, body in records if kind is RecordKind.REGISTERED]
        assert [body["outcome"] for body in ended] == ["requested"] * len(asked)
        await stage.scaling.hand_back()
        given_back = (await recorded(stage, journal))[len(records) :]
        assert [body["to"]["minimum"] for kind, body in given_back if kind == "registering"] == [
            20,
            20,
        ]


async def test_a_call_whose_answer_is_lost_is_recorded_as_such(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    async with set_floor(aws_session, journal) as stage:
        lost = Fault(
            operation="RegisterScalableTarget", manner=Manner.DISCONNECT, takes_effect=True
        )
        stage.server.faults.order(lost)
        stage.demand = {(FEED, WRITE): 300.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        ended = [body for kind, body in await recorded(stage, journal) if kind == "registered"]
        assert ended[0]["outcome"] == "unknown"
        assert ended[0]["message"]


async def test_the_example_of_floor_mode_does_what_its_comment_says(
    aws_session: AioSession, journal: SqliteJournal
) -> None:
    """Capacity comes by the minimum alone, and what was registered is there again in the end."""
    catalog = Resource("prod-catalog-de")
    writes = ScalableTarget(catalog, WRITE)
    async with set_stage(
        aws_session,
        table("prod-catalog-de"),
        policy_set=load_policies(EXAMPLES / "with-auto-scaling.yaml"),
        journal=journal,
        registered=[registered(writes, minimum=30, maximum=900)],
    ) as stage:
        stage.server.faults.order(OURS_TO_CALL)
        stage.demand = {(catalog, WRITE): 50.0}
        await stage.pass_seconds(60)
        stage.demand = {(catalog, WRITE): 600.0}
        await stage.until(lambda: stage.provisioned(catalog)[1] >= 600, within=60)
        assert (await found(stage, writes)).minimum == stage.provisioned(catalog)[1]
        stage.demand = {(catalog, WRITE): 2000.0}
        await stage.until(lambda: stage.provisioned(catalog)[1] == 900, within=60)
        await stage.scaling.hand_back()
        assert await found(stage, writes) == Registration(target=writes, minimum=30, maximum=900)
        assert len(stage.server.faults) == 1, "an UpdateTable call was made"
