"""What people told and what was learned, in the next process: same journal, everything else new."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.cli.explain import draw_explanation
from capacity_pilot.cli.screen import Size
from capacity_pilot.core.events.declared import Announcement, Caller
from capacity_pilot.core.model import Dimension
from capacity_pilot.daemon.explanation import explain_with_past
from capacity_pilot.daemon.snapshots import Snapshots
from tests.daemon.stage import FEED, NOON, Stage, set_stage, table

PUSH = Announcement.model_validate(
    {
        "name": "push",
        "tables": ["feed*"],
        "at": (datetime.fromtimestamp(NOON, UTC) + timedelta(hours=1)).isoformat(),
        "lasts": "2m",
        "audience": 1000,
        "write": {"at_least": 900},
    }
)


@asynccontextmanager
async def process(session: AioSession, folder: Path) -> AsyncIterator[tuple[Stage, Snapshots]]:
    """A stage over the folder's journal; each begins at noon."""
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(open_sqlite_journal(folder / "journal.db"))
        stage = await stack.enter_async_context(set_stage(session, table("feed"), journal=journal))
        yield stage, Snapshots(stage.loop.pilot, journal, clock=stage.clock)


async def test_announcements_are_there_in_the_next_process_and_those_called_off_are_not(
    aws_session: AioSession, tmp_path: Path
) -> None:
    other = PUSH.model_copy(update={"name": "other"})
    async with process(aws_session, tmp_path) as (stage, _):
        told, _ = await stage.desk.announce(PUSH)
        await stage.desk.announce(other)
        await stage.desk.cancel(str(told["id"]), Caller(by="kim"))
        assert told["warnings"] == []
    async with process(aws_session, tmp_path) as (stage, _):
        await stage.keeping.restore()
        (restored,) = stage.desk.show_all()
        assert (restored["name"], restored["audience"]) == ("other", 1000)
        assert restored["write"] == {"at_least": 900}
        assert restored["lasts"] == 120.0


async def test_announcements_recorded_after_the_document_was_kept_are_taken_up_as_well(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with process(aws_session, tmp_path) as (stage, _):
        await stage.keeping.save()
        empty = await stage.book.journal.load("announcements") if stage.book.journal else None
        assert empty is not None
        await stage.desk.announce(PUSH)
        assert stage.book.journal is not None
        await stage.book.journal.save("announcements", empty)
    async with process(aws_session, tmp_path) as (stage, _):
        await stage.keeping.restore()
        assert [told["name"] for told in stage.desk.show_all()] == ["push"]


async def test_what_was_learned_is_taken_up_and_its_age_told(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with process(aws_session, tmp_path) as (stage, snapshots):
        stage.demand = {(FEED, Dimension.WRITE): 300.0}
        await stage.pass_seconds(60)
        learned = stage.loop.pilot.remember(stage.now).apply_times.learned_from.max()
        assert learned > 0
        await snapshots.save()
        assert snapshots.report()["snapshot"] == {"saved_at": stage.now, "fault": None}
        saved_at = stage.now
    async with process(aws_session, tmp_path) as (stage, snapshots):
        stage.clock.pass_seconds(saved_at - NOON + 30)
        with capture_logs() as events:
            await snapshots.restore()
        (restored,) = [e for e in events if e["event"] == "snapshot_restored"]
        assert (restored["age_s"], restored["targets"]) == (30.0, 2)
        assert stage.loop.pilot.remember(stage.now).apply_times.learned_from.max() == learned


async def test_a_damaged_snapshot_is_named_and_left_aside(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with process(aws_session, tmp_path) as (stage, snapshots):
        assert stage.book.journal is not None
        await stage.book.journal.save("pilot", b"PK\x03\x04 damaged")
        with capture_logs() as events:
            await snapshots.restore()
        (named,) = [e for e in events if e["event"] == "snapshot_left_aside"]
        assert "the snapshot is damaged" in named["error"]
        await stage.pass_seconds(2)
        assert stage.loop.last_step is not None


async def test_what_an_earlier_process_changed_is_explained_by_the_next(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async def explain(stage: Stage, at: float) -> dict[str, Any]:
        pilot, journal = stage.loop.pilot, stage.book.journal
        told = await explain_with_past(pilot, stage.loop.last_step, "feed", at, journal=journal)
        assert told is not None
        return told

    async with process(aws_session, tmp_path) as (stage, _):
        stage.demand = {(FEED, Dimension.WRITE): 300.0}
        await stage.until(lambda: stage.provisioned(FEED)[1] >= 300, within=60)
        await stage.pass_seconds(2)
        await stage.book.flush(within_s=5.0)
        own = (await explain(stage, stage.now))["changes"]
    assert own
    assert own[-1]["outcome"] == "requested"
    assert own[-1]["in_force_after_s"] is not None
    async with process(aws_session, tmp_path) as (stage, _):
        await stage.pass_seconds(1)
        assert not stage.loop.pilot.deeds.of("feed")
        told = await explain(stage, own[0]["s_ago"] + NOON + 3600)
        taken = [{**change, "s_ago": 0} for change in told["changes"]]
        assert taken == [{**change, "s_ago": 0, "tries": 1} for change in own]
        lines = draw_explanation(told, Size(200, None), now=NOON + 3600)
        assert any("in force after" in line for line in lines)
