"""Leaving for on-demand and coming back, against the physics: one story, and its interruptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.journal.sqlite import SqliteJournal, open_sqlite_journal
from capacity_pilot.cli.explain import draw_explanation
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.brakes import OverrideOrder
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import AccountLimits, BillingMode, Dimension, Plan
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.record import Record, RecordKind
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.snapshots import Snapshots
from capacity_pilot.daemon.succession import Estate, Succession
from capacity_pilot.simulator.physics.faults import Fault, Manner
from tests.daemon.api import ask, serve
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

WRITE = Dimension.WRITE
CALM = {(FEED, WRITE): 80.0, (BY_DAY, WRITE): 80.0}
RUSH = {(FEED, WRITE): 2500.0, (BY_DAY, WRITE): 2500.0}
POLICIES = policies(
    write={"min": 50, "max": 500},
    on_demand_escape={"after": "20s", "return_after": "5m"},
)
ON_DEMAND, PROVISIONED = BillingMode.PAY_PER_REQUEST, BillingMode.PROVISIONED
SWITCHED_WITHIN_S = 240


def mode(stage: Stage) -> BillingMode:
    return stage.world.table("feed").spec.billing_mode


async def leave(stage: Stage) -> None:
    stage.demand = CALM
    await stage.pass_seconds(60)
    stage.demand = RUSH
    await stage.until(lambda: mode(stage) is ON_DEMAND, within=SWITCHED_WITHIN_S)
    await stage.pass_seconds(2)


async def come_back(stage: Stage) -> None:
    stage.demand = CALM
    await stage.until(lambda: mode(stage) is PROVISIONED, within=900)
    await stage.pass_seconds(2)


async def calls_of(stage: Stage) -> list[Record]:
    assert stage.book.journal is not None
    await stage.book.flush(within_s=5.0)
    records = await stage.book.journal.read(since=0.0)
    return [r for r in records if r.kind is RecordKind.CALL and "billing_mode" in r.body]


@asynccontextmanager
async def opened(
    session: AioSession, folder: Path, *, is_shadow: bool = False
) -> AsyncIterator[tuple[Stage, SqliteJournal]]:
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_sqlite_journal(folder / "journal.db"))
        stage = await stack.enter_async_context(
            set_stage(
                session,
                table("feed", "by-day"),
                policy_set=POLICIES,
                journal=journal,
                is_shadow=is_shadow,
            )
        )
        yield stage, journal


async def test_a_table_leaves_and_comes_back_and_both_are_recorded_shown_and_explained(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with opened(aws_session, tmp_path) as (stage, _):
        with capture_logs() as logs:
            await leave(stage)
            async with serve(stage) as url:
                _, told = await ask("GET", f"{url}/explain/feed")
                _, status = await ask("GET", f"{url}/status")
            await come_back(stage)
        calls = await calls_of(stage)
    assert [call.body["billing_mode"] for call in calls] == ["PAY_PER_REQUEST", "PROVISIONED"]
    assert calls[0].body["had"][1] == {"index": "by-day", "units": [100, 500]}
    assert [change["index"] for change in calls[1].body["changes"]] == ["", "by-day"]
    decided = [log for log in logs if log["event"] == "decision" and "billing_mode" in log]
    assert [log["reasons"] for log in decided] == [("out_of_reach",), ("within_reach",)]
    assert decided[0]["on_demand_usd_per_hour"] > decided[0]["provisioned_usd_per_hour"] > 0
    lines = draw_explanation(told, Size(160, None), now=status["now"])
    assert any(line.startswith("! on-demand since") and "1 of 4" in line for line in lines), lines
    assert any("switch to on-demand: in force after" in line for line in lines), lines
    shown = draw_status(status, Size(160, None))
    assert any("feed:write" in line and "on demand" in line for line in shown), shown
    assert any("to on-demand, in force" in line for line in shown), shown


async def test_in_shadow_all_of_it_is_imagined(aws_session: AioSession, tmp_path: Path) -> None:
    async with opened(aws_session, tmp_path, is_shadow=True) as (stage, _):
        pilot = stage.loop.pilot
        stage.demand = RUSH
        await stage.until(lambda: pilot.has_escaped("feed"), within=SWITCHED_WITHIN_S)
        await stage.pass_seconds(200)
        assert pilot.descriptions["feed"].billing_mode is ON_DEMAND
        stage.demand = CALM
        await stage.until(lambda: not pilot.has_escaped("feed"), within=1200)
        assert mode(stage) is PROVISIONED
        assert stage.provisioned(FEED) == (100, 100)
        assert await calls_of(stage) == []


async def begin_anew(stage: Stage) -> None:
    """The process is gone; the next one knows what the journal holds."""
    await asyncio.gather(*stage.spawned)
    await stage.book.flush(within_s=5.0)
    pilot = Pilot(POLICIES, limits=AccountLimits(), apply_time_s=APPLY_TIME_S, now=stage.now)
    around = Surroundings(
        gateway=stage.witness,
        intake=stage.intake,
        item_sizes=stage.item_sizes,
        clock=stage.clock,
        book=stage.book,
        spawn=stage.spawn,
        is_active=lambda: True,
    )
    stage.loop = ControlLoop(pilot, around, describe_s=DESCRIBE_S)
    stage.book.is_reconciled = False
    await stage.loop.discover()
    estate = Estate(
        loop=stage.loop,
        book=stage.book,
        snapshots=Snapshots(pilot, stage.book.journal, clock=stage.clock),
        announcements=stage.keeping,
        brakes=stage.brakes,
    )
    succession = Succession(estate, gateway=stage.witness, clock=stage.clock)
    await succession.prepare()
    await succession.take_up()
    assert stage.book.is_reconciled


async def test_the_next_process_takes_an_escaped_table_up_and_brings_it_back(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with opened(aws_session, tmp_path) as (stage, _):
        await leave(stage)
        await begin_anew(stage)
        assert stage.loop.pilot.has_escaped("feed")
        ledger = stage.loop.pilot.switching.ledger
        assert len(ledger.counted("feed", on_demand_at=None, now=stage.now)) == 1
        await come_back(stage)
        assert [call.body["billing_mode"] for call in await calls_of(stage)] == [
            "PAY_PER_REQUEST",
            "PROVISIONED",
        ]
        assert stage.provisioned(BY_DAY)[0] == 100, "reads have no bounds for writes' sake"


async def test_one_that_has_been_on_demand_for_days_is_still_known_to_be_ours(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with opened(aws_session, tmp_path) as (stage, _):
        await leave(stage)
        await stage.book.flush(within_s=5.0)
        stage.clock.pass_seconds(3 * 86_400.0)
        await begin_anew(stage)
        escape = stage.loop.pilot.switching.escape("feed")
        assert escape is not None
        assert escape.had[BY_DAY] == (100, 500)


@pytest.mark.parametrize("takes_effect", [True, False])
async def test_a_process_that_ends_between_call_and_answer_neither_repeats_nor_loses_the_switch(
    aws_session: AioSession, tmp_path: Path, *, takes_effect: bool
) -> None:
    async with opened(aws_session, tmp_path) as (stage, journal):
        stage.demand = CALM
        await stage.pass_seconds(60)
        stage.demand = RUSH
        await stage.until(lambda: stage.provisioned(FEED)[1] == 500, within=60)
        lost = Fault(operation="UpdateTable", manner=Manner.DISCONNECT, takes_effect=takes_effect)
        stage.server.faults.order(lost)
        await stage.until(lambda: bool(sent_switches(stage)), within=60)
        assert len(await journal.unanswered()) == 1
        await begin_anew(stage)
        await stage.until(lambda: mode(stage) is ON_DEMAND, within=2 * SWITCHED_WITHIN_S)
        await stage.pass_seconds(2)
        accepted = stage.world.table("feed").on_demand_since
        assert len(accepted) == 1
        assert len(await calls_of(stage)) == (1 if takes_effect else 2)
        assert stage.loop.pilot.has_escaped("feed")
        assert await journal.unanswered() == ()
        await come_back(stage)


def sent_switches(stage: Stage) -> list[Plan]:
    return [plan for plan in stage.witness.actuated if plan.switch is not None]


async def test_a_journal_that_cannot_be_read_holds_every_switch(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with opened(aws_session, tmp_path) as (stage, _):
        stage.book.is_reconciled = False
        stage.demand = RUSH
        await stage.pass_seconds(120)
        assert sent_switches(stage)
        assert stage.provisioned(FEED)[1] == 500, "capacity is raised all the same"
        assert mode(stage) is PROVISIONED
        assert stage.world.table("feed").switching_to is None
        stage.book.is_reconciled = True
        await stage.until(lambda: mode(stage) is ON_DEMAND, within=SWITCHED_WITHIN_S)


async def test_a_standby_switches_nothing(aws_session: AioSession, tmp_path: Path) -> None:
    async with opened(aws_session, tmp_path) as (stage, _):
        stage.is_active = False
        stage.demand = RUSH
        await stage.pass_seconds(120)
        assert not stage.witness.actuated


async def test_of_a_table_that_is_on_demand_no_capacity_can_be_ordered(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with opened(aws_session, tmp_path) as (stage, _):
        await leave(stage)
        order = {"by": "kim", "why": "test", "table": "feed", "write": 300, "lasts": "5m"}
        with pytest.raises(InputError, match="'feed' is on-demand, and has no capacity to set"):
            await stage.brakes.override(OverrideOrder.model_validate(order))
