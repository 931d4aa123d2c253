"""After a death: what nobody scales is raised to what its policy calls safe, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiobotocore.session import AioSession

from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.adapters.policy_sources.texts import FixedText
from capacity_pilot.core.brakes import Brakes, FreezeInForce
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.daemon.policy_versions import PolicyReader, keep, read_first
from capacity_pilot.daemon.safe_levels import keep_mode, load_policies_in_force, raise_to_safe
from tests.daemon.stage import BY_DAY, FEED, NOON, Stage, policies, registered, set_stage, table

WRITES = ScalableTarget(FEED, Dimension.WRITE)
INDEX_WRITES = ScalableTarget(BY_DAY, Dimension.WRITE)
SAFE = {"min": 10, "max": 1000, "safe": 400}


@asynccontextmanager
async def died(session: AioSession, **changes: object) -> AsyncIterator[Stage]:
    """Nobody tells of anything, and Application Auto Scaling has the index's writes."""
    limits = {"limits": changes.pop("limits", {})}
    async with set_stage(
        session,
        table("feed", "by-day"),
        table("feed-users", write=700),
        policy_set=policies(write=SAFE, auto_scaling="suspend", **limits),
        registered=[registered(INDEX_WRITES)],
    ) as stage:
        await stage.pass_seconds(5)
        yield stage


async def hand_over(stage: Stage) -> tuple[ScalableTarget, ...]:
    return await raise_to_safe(stage.loop, clock=stage.clock, pause=lambda: stage.pass_seconds(1))


async def test_what_nobody_scales_is_raised_and_nothing_is_lowered(
    aws_session: AioSession,
) -> None:
    async with died(aws_session) as stage:
        assert await hand_over(stage) == (WRITES,)
        await stage.pass_seconds(20)
        assert stage.provisioned(FEED) == (100, 400)
        assert stage.provisioned(BY_DAY) == (100, 100), "is Application Auto Scaling's"
        assert stage.provisioned(Resource("feed-users")) == (100, 700), "has more already"
        (plan,) = stage.witness.actuated
        assert "safe_level" in plan.reasons


async def test_what_people_have_frozen_stays_so(aws_session: AioSession) -> None:
    async with died(aws_session) as stage:
        freeze = {"id": "f1", "by": "kim", "why": "a test", "since": NOON, "until": None}
        brakes = Brakes(freezes=(FreezeInForce.model_validate({**freeze, "direction": "out"}),))
        stage.loop.pilot.heed(brakes)
        before = stage.now
        assert await hand_over(stage) == ()
        assert stage.now - before < 10, "there is nothing to wait for"
        assert not stage.witness.actuated


async def test_a_largest_step_is_kept_to_and_taken_again(aws_session: AioSession) -> None:
    async with died(aws_session, limits={"largest_step": "2x"}) as stage:
        assert await hand_over(stage) == (WRITES,)
        asked = [change.write for plan in stage.witness.actuated for change in plan.changes]
        assert asked == [200, 400]


TEXT = """
version: 1
policies:
  - name: feeds
    match: {tables: ["feed*"]}
    write: {min: 10, max: 1000, safe: 400}
"""


async def test_the_policies_are_the_last_ones_that_an_active_process_had(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "journal.db") as journal:
        assert await load_policies_in_force(journal) is None
        source, reader = FixedText(TEXT, address="text"), PolicyReader(lambda _: None)
        await keep(await read_first(source, reader, journal=journal, now=NOON), journal)
        assert await load_policies_in_force(journal) is None, "nobody changed anything yet"
        await keep_mode(journal, "shadow")
        assert await load_policies_in_force(journal) is None
        await keep_mode(journal, "active")
        found = await load_policies_in_force(journal)
        assert found is not None
        assert found.policies[0].name == "feeds"
        await journal.save("policies", b"damaged")
        assert await load_policies_in_force(journal) is None
