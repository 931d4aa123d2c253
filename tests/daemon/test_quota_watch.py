"""Near AWS's quotas: increases go as far as they may, and it is told before they are held."""

from __future__ import annotations

from dataclasses import replace

from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.model import AccountLimits, Dimension, Direction, OutcomeKind
from capacity_pilot.core.reasons import Reason
from capacity_pilot.daemon.quota_watch import QuotaWatch
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.api import ask, serve
from tests.daemon.stage import FEED, Stage, set_stage, table

WRITE = Dimension.WRITE
LIMITS = AccountLimits(account_read=1000, account_write=500)


def watch(stage: Stage) -> QuotaWatch:
    return QuotaWatch(stage.loop.pilot, gateway=stage.witness, clock=stage.clock)


def raises(stage: Stage) -> list[int]:
    """Writes that increases of ``feed`` asked for."""
    plans = [plan for plan in stage.witness.actuated if plan.direction is Direction.OUT]
    return [change.write for plan in plans for change in plan.changes]


async def test_an_increase_goes_as_far_as_the_account_may_have(aws_session: AioSession) -> None:
    async with set_stage(aws_session, table("feed"), table("feed-2"), limits=LIMITS) as stage:
        stage.demand = {(FEED, WRITE): 900.0}
        await stage.pass_seconds(60)
        assert stage.provisioned(FEED) == (100, 400)
        assert raises(stage) == [400], "AWS would have refused more, and nothing else is tried"
        slot = stage.loop.pilot.fleet.slot(FEED, WRITE)
        assert stage.loop.last_step is not None
        assert stage.loop.last_step.decisions.reasons[slot] & Reason.ACCOUNT_QUOTA.value


async def test_a_refusal_tells_what_tables_of_others_have(aws_session: AioSession) -> None:
    foreign = table("accounting", write=150)
    async with set_stage(aws_session, table("feed"), foreign, limits=LIMITS) as stage:
        stage.demand = {(FEED, WRITE): 900.0}
        await stage.pass_seconds(30)
        deeds = stage.loop.pilot.deeds.of("feed")
        assert OutcomeKind.LIMIT in {d.outcome.kind for d in deeds if d.outcome}
        assert stage.provisioned(FEED) == (100, 350)
        report = watch(stage).report()["account"]
        assert isinstance(report, dict)
        assert report["write"] == {
            "managed": 350.0,
            "elsewhere": 150.0,
            "quota": 500,
            "share": 1.0,
            "is_near": True,
        }


async def test_coming_near_is_told_once_and_shown(aws_session: AioSession) -> None:
    limits = replace(LIMITS, table_write=420)
    async with set_stage(aws_session, table("feed", write=390), limits=limits) as stage:
        quotas = watch(stage)
        await stage.pass_seconds(1)
        with capture_logs() as logs:
            await quotas.look()
            await quotas.look()
            stage.loop.pilot.obey(replace(limits, account_write=480))
            stage.loop.pilot.fit(stage.now)
            await quotas.look()
            await quotas.look()
        assert [(log["of"], log["share"]) for log in logs if log["event"] == "quota_near"] == [
            ("feed:write", 0.929),
            ("account write", 0.812),
        ]
        async with serve(stage) as url:
            _, status = await ask("GET", f"{url}/status")
        lines = draw_status({**status, **quotas.report()}, Size(200, None))
        assert "! 81% of the account's quota of 480 write units is provisioned" in lines
        assert "! feed:write has 390 of 420 it may have" in lines
        metrics = render_metrics(quotas.measure()).splitlines()
        assert 'capacity_pilot_account_quota_share{dimension="write"} 0.8125' in metrics
        assert 'capacity_pilot_account_quota_units{dimension="write"} 480.0' in metrics


async def test_a_quota_that_aws_has_raised_is_heard_of(aws_session: AioSession) -> None:
    async with set_stage(aws_session, table("feed"), limits=LIMITS) as stage:
        stage.demand = {(FEED, WRITE): 900.0}
        await stage.pass_seconds(40)
        assert stage.provisioned(FEED)[1] == 500
        world = stage.world
        world.settings = replace(world.settings, limits=AccountLimits())
        with capture_logs() as logs:
            await watch(stage).ask()
        assert [log["event"] for log in logs] == ["limits_changed"]
        await stage.pass_seconds(40)
        assert stage.provisioned(FEED)[1] >= 900
