"""What is recorded when, and what is sent while it cannot be."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.journal.sqlite import SqliteJournal, open_sqlite_journal
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.record import Record, RecordKind, Verdict
from capacity_pilot.simulator.physics.faults import Fault, Manner
from tests.daemon.stage import FEED, Stage, set_stage, table

CALL, ANSWER = RecordKind.CALL, RecordKind.ANSWER


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_sqlite_journal(tmp_path / "journal.db") as opened:
        yield opened


@pytest.fixture
async def stage(aws_session: AioSession, journal: SqliteJournal) -> AsyncIterator[Stage]:
    """The table ``feed`` with 100 units each way, and a journal in a file."""
    async with set_stage(aws_session, table("feed"), journal=journal) as opened:
        yield opened


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else can write to the database meanwhile."""
    outsider = sqlite3.connect(path, isolation_level=None)
    outsider.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        outsider.execute("ROLLBACK")
        outsider.close()


async def recorded(stage: Stage, *kinds: RecordKind) -> list[Record]:
    assert stage.book.journal is not None
    await stage.book.flush(within_s=5.0)
    return [r for r in await stage.book.journal.read(since=0.0) if r.kind in kinds]


async def surge(stage: Stage) -> None:
    """Demand that 100 units do not bear, until the pilot has asked for more."""
    stage.demand = {(FEED, Dimension.WRITE): 300.0}
    await stage.until(lambda: bool(stage.witness.actuated), within=25)


async def test_a_change_leaves_its_decision_its_call_its_answer_and_its_coming_true(
    stage: Stage,
) -> None:
    await surge(stage)
    await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=15)
    await stage.pass_seconds(2)
    decided, call, answer, applied = (
        await recorded(stage, RecordKind.DECIDED, CALL, ANSWER, RecordKind.APPLIED)
    )[:4]
    kinds = [decided.kind, call.kind, answer.kind, applied.kind]
    assert kinds == [RecordKind.DECIDED, CALL, ANSWER, RecordKind.APPLIED]
    assert "rising_demand" in decided.body["reasons"]
    assert any(t["demand"] == 300.0 for t in decided.body["targets"])
    (change,) = call.body["changes"]
    assert change["from"] == [100, 100]
    assert change["to"][1] == stage.provisioned(FEED)[1]
    assert (answer.call, answer.body) == (call.id, {"outcome": "requested"})
    assert applied.body["apply_time_s"] == pytest.approx(10.0, abs=1.0)
    assert stage.book.report()["journal"] == {
        "state": "ok",
        "fault": None,
        "waiting_records": 0,
        "calls_without_answer": 0,
    }


async def test_a_standby_decides_and_sends_and_records_nothing(stage: Stage) -> None:
    stage.is_active = False
    stage.demand = {(FEED, Dimension.WRITE): 300.0}
    await stage.pass_seconds(25)
    step = stage.loop.last_step
    assert step is not None
    assert step.plans
    assert stage.witness.actuated == []
    assert await recorded(stage, RecordKind.DECIDED, CALL) == []


async def test_an_increase_that_cannot_be_recorded_goes_out_and_is_recorded_later(
    stage: Stage, journal: SqliteJournal, tmp_path: Path
) -> None:
    await journal.append([])  # the file is there
    with locked(tmp_path / "journal.db"):
        await surge(stage)
        assert stage.world.table("feed").resources[""].pending is not None
        report = stage.book.report()["journal"]
        assert isinstance(report, dict)
        assert report["waiting_records"] > 0
        fault = await stage.book.note(RecordKind.STOPPED)
        assert str(fault).endswith("database is locked")
        assert stage.book.fault == str(fault)
    call, answer = (await eventually(stage, CALL, ANSWER))[:2]
    assert (answer.call, answer.body["outcome"]) == (call.id, "requested")
    assert stage.book.fault is None


async def test_a_decrease_that_cannot_be_recorded_is_not_sent(
    stage: Stage, journal: SqliteJournal, tmp_path: Path
) -> None:
    await journal.append([])
    stage.demand = {(FEED, Dimension.WRITE): 20.0}
    with locked(tmp_path / "journal.db"):
        await stage.until(lambda: bool(stage.witness.actuated), within=400)
        assert stage.witness.actuated[0].direction.value == "in"
        await stage.pass_seconds(1)
        assert stage.provisioned(FEED) == (100, 100)
        assert stage.world.table("feed").resources[""].pending is None
    call, answer = (await eventually(stage, CALL, ANSWER))[:2]
    assert (answer.call, answer.body["outcome"]) == (call.id, "not_sent")
    await stage.until(lambda: stage.provisioned(FEED)[1] < 100, within=60)


async def test_a_call_without_an_answer_stays_open_until_its_table_tells(stage: Stage) -> None:
    lost = Fault(operation="UpdateTable", manner=Manner.DISCONNECT, takes_effect=True)
    stage.server.faults.order(lost)
    await surge(stage)
    (call,) = await recorded(stage, CALL, ANSWER)
    assert stage.book.journal is not None
    assert await stage.book.journal.unanswered() == (call,)
    await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=15)
    await stage.pass_seconds(2)
    answer = (await recorded(stage, ANSWER))[0]
    assert (answer.call, answer.body["outcome"]) == (call.id, Verdict.IN_FORCE)
    assert await stage.book.journal.unanswered() == ()


async def test_nothing_is_lowered_before_it_is_known_what_earlier_calls_came_to(
    stage: Stage,
) -> None:
    stage.book.is_reconciled = False
    stage.demand = {(FEED, Dimension.WRITE): 20.0}
    await stage.until(lambda: bool(stage.witness.actuated), within=400)
    await stage.pass_seconds(2)
    assert stage.provisioned(FEED) == (100, 100)
    stage.book.is_reconciled = True
    await stage.until(lambda: stage.provisioned(FEED)[1] < 100, within=60)


async def eventually(stage: Stage, *kinds: RecordKind) -> list[Record]:
    """Once the journal can be written again, which is tried every second."""
    async with asyncio.timeout(10):
        while await stage.book.note(RecordKind.STOPPED) is not None:
            pass
    return await recorded(stage, *kinds)
