"""What nobody uses is told of with its price, once, and where people look."""

from __future__ import annotations

from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.cli.explain import draw_explanation
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.model import ConsumedMinute, Dimension, ScalableTarget
from capacity_pilot.core.notices import Occasion, read_event
from capacity_pilot.daemon.idle_watch import IdleWatch
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.api import ask, serve
from tests.daemon.stage import FEED, Stage, policies, set_stage, table

WRITES = ScalableTarget(FEED, Dimension.WRITE)
READS = ScalableTarget(FEED, Dimension.READ)


def witness(stage: Stage, *targets: ScalableTarget) -> None:
    """CloudWatch has what the targets have provisioned, and nothing of any use."""
    minute = int(stage.now) // 60 - 3
    stage.loop.pilot.note_consumed(
        ConsumedMinute(target=each, minute=minute, units=None, has_provisioned=True)
        for each in targets
    )


async def test_an_idle_table_is_told_of_once_with_its_price_and_shown(
    aws_session: AioSession,
) -> None:
    ruled = policies(idle={"after": "1h"})
    async with set_stage(
        aws_session, table("feed"), policy_set=ruled, cloudwatch_usd_per_month=10.0
    ) as stage:
        watch = IdleWatch(stage.loop.pilot)
        with capture_logs() as told:
            for _ in range(8):
                witness(stage, WRITES, READS)
                await stage.pass_seconds(1)
                stage.clock.pass_seconds(599)
                await watch.look()
        idle = [event for event in told if event["event"] == "idle"]
        assert {event["target"] for event in idle} == {"feed:read", "feed:write"}
        assert len(idle) == 2
        (writes,) = (event for event in idle if event["target"] == "feed:write")
        assert writes["usd_per_month"] == 47.45  # 100 units, 0.00065 dollars, 730 hours
        notice = read_event(writes, stage.now)
        assert notice is not None
        assert notice.occasion is Occasion.IDLE
        assert "capacity_pilot_idle_targets{} 2.0" in render_metrics(watch.measure())
        async with serve(stage) as url:
            _, status = await ask("GET", f"{url}/status")
            _, explained = await ask("GET", f"{url}/explain/feed")
        (line,) = (x for x in draw_status(status, Size(400, None)) if "idle, $56.94" in x)
        assert "feed:write (delete it, or make it on-demand" in line
        drawn = draw_explanation(explained, Size(200, None), now=stage.now)
        assert any("nobody has asked anything of it" in line for line in drawn)
        with capture_logs() as told:
            stage.demand = {(FEED, Dimension.WRITE): 5.0}
            await stage.pass_seconds(2)
            await watch.look()
        assert [e["target"] for e in told if e["event"] == "idle_over"] == ["feed:write"]
