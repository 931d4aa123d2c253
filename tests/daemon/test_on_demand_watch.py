"""On-demand tables that a policy names: watched, advised on, never touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.model import BillingMode, Dimension, Sample
from capacity_pilot.daemon.on_demand_watch import OnDemandWatch
from capacity_pilot.simulator.physics.tables import TableSpec, Units
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.api import ask, serve
from tests.daemon.stage import BY_DAY, DESCRIBE_S, FEED, Stage, set_stage, table

WRITE = Dimension.WRITE
WIDE = Size(200, None)


def on_demand(*indexes: str) -> TableSpec:
    spec = table("feed", *indexes, read=0, write=0)
    unset = tuple(replace(index, units=Units(read=0, write=0)) for index in spec.indexes)
    return replace(spec, indexes=unset, billing_mode=BillingMode.PAY_PER_REQUEST)


async def show(stage: Stage) -> list[str]:
    async with serve(stage) as url:
        _, status = await ask("GET", f"{url}/status")
    lines = draw_status({**status, **stage.loop.on_demand.report()}, WIDE)
    return [line for line in lines if "on demand" in line]


async def pass_hours(stage: Stage, watch: OnDemandWatch, hours: int, *, writes: float) -> None:
    """One minute of each hour is asked for ``writes`` a second, as if told of at once."""
    for _ in range(hours):
        stage.clock.pass_seconds(3000.0)
        second = int(stage.now) - 1
        watch.take_in({("feed", "", int(WRITE), second): Sample(units=writes * 60, requests=1)})
        stage.clock.pass_seconds(600.0)
        await watch.advise()


async def test_its_demand_is_shown_and_nothing_is_sent(aws_session: AioSession) -> None:
    async with set_stage(aws_session, on_demand("by-day"), table("feed-2")) as stage:
        stage.demand = {(FEED, WRITE): 5000.0, (BY_DAY, WRITE): 20.0}
        await stage.pass_seconds(121)
        assert await show(stage) == [
            "  on demand, only watched: feed (feed:write 5,000, feed/index/by-day:write 20)"
        ]
        assert not stage.witness.actuated
        metrics = render_metrics(stage.loop.on_demand.measure()).splitlines()
    assert (
        'capacity_pilot_on_demand_units_per_second{table="feed",index="by-day",dimension="write"}'
        " 20.0"
    ) in metrics


async def test_after_a_day_what_provisioned_capacity_would_have_cost_is_told_once(
    aws_session: AioSession,
) -> None:
    async with set_stage(aws_session, on_demand()) as stage:
        watch = stage.loop.on_demand
        with capture_logs() as logs:
            await pass_hours(stage, watch, 24, writes=600.0)
            assert (await show(stage))[0].endswith("(no demand told of)")
            await pass_hours(stage, watch, 4, writes=600.0)
        (event,) = (log for log in logs if log["event"] == "on_demand_advice")
        # A minute of 600 a second in each hour, to an index of nothing: 36,000 units at 0.625 $ a
        # million, against 750 units at 0.00065 $ an hour.
        assert event["over_hours"] == 24
        assert event["on_demand_usd_per_hour"] == 0.0225
        assert event["provisioned_usd_per_hour"] == 0.4875
        assert event["advised"] == "PAY_PER_REQUEST"
        assert (await show(stage))[0].endswith(
            "; $0.0225/h over 27 h, provisioned would have been $0.4875/h"
        )


async def test_a_day_known_is_not_lost_with_the_process(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with (
        open_sqlite_journal(tmp_path / "journal.db") as journal,
        set_stage(aws_session, on_demand()) as stage,
    ):
        await pass_hours(stage, stage.loop.on_demand, 26, writes=600.0)
        await stage.loop.on_demand.save(journal)
        successor = OnDemandWatch(stage.clock)
        await successor.restore(journal)
        description = await stage.witness.describe("feed")
        assert description is not None
        successor.see(description)
        await successor.advise()
        assert successor.report() == stage.loop.on_demand.report()
        assert "None" not in str(successor.report()["on_demand"]).partition("advice")[2]


async def test_hours_that_cannot_be_read_are_left_aside(
    aws_session: AioSession, tmp_path: Path
) -> None:
    async with (
        open_sqlite_journal(tmp_path / "journal.db") as journal,
        set_stage(aws_session, on_demand()) as stage,
    ):
        await journal.save("on-demand", b"[[1]]")
        with capture_logs() as logs:
            await stage.loop.on_demand.restore(journal)
        assert [log["event"] for log in logs] == ["on_demand_hours_left_aside"]


async def test_a_table_that_is_provisioned_by_now_is_the_pilots(aws_session: AioSession) -> None:
    async with set_stage(aws_session, on_demand()) as stage:
        stage.demand = {(FEED, WRITE): 20.0}
        await stage.pass_seconds(2)
        stage.world.delete_table("feed")
        await stage.pass_seconds(120)
        stage.world.create_table(table("feed"), stage.now)
        await stage.loop.discover()
        await stage.pass_seconds(int(DESCRIBE_S) + 5)
        assert not await show(stage)
        assert "feed" in stage.loop.pilot.descriptions


async def test_a_table_that_somebody_switches_is_watched_and_taken_up_again_when_it_is_back(
    aws_session: AioSession,
) -> None:
    async with set_stage(aws_session, table("feed")) as stage:
        stage.demand = {(FEED, WRITE): 80.0}
        await stage.pass_seconds(60)
        stage.world.switch_billing("feed", BillingMode.PAY_PER_REQUEST, {}, stage.now)
        stage.demand = {(FEED, WRITE): 900.0}
        await stage.pass_seconds(240)
        assert "feed" not in stage.loop.pilot.descriptions
        assert (await show(stage))[0].endswith("feed (feed:write 900)")
        sent = len(stage.witness.actuated)
        await stage.pass_seconds(30)
        assert len(stage.witness.actuated) == sent

        back = {"": Units(read=100, write=100)}
        stage.world.switch_billing("feed", BillingMode.PROVISIONED, back, stage.now)
        await stage.pass_seconds(180)
        assert not await show(stage)
        assert stage.provisioned(FEED)[1] >= 900
