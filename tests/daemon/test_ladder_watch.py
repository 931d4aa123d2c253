"""What is told of the ladder as spans stop and come back, in a loop in virtual time."""

from __future__ import annotations

from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.cli.explain import draw_explanation
from capacity_pilot.cli.screen import Size
from capacity_pilot.cli.status import draw_status
from capacity_pilot.core.model import Dimension
from capacity_pilot.daemon.ladder_watch import LadderWatch
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.api import ask, serve
from tests.daemon.stage import FEED, policies, set_stage, table

WRITES = (FEED, Dimension.WRITE)


async def test_each_change_is_told_once_and_shown_where_people_look(
    aws_session: AioSession,
) -> None:
    policy_set = policies(read=None, hand_back_after="1m")
    async with set_stage(aws_session, table("feed"), policy_set=policy_set) as stage:
        watch = LadderWatch(stage.loop.pilot)
        told: list[tuple[str, str]] = []

        async def pass_seconds(seconds: int) -> None:
            for _ in range(seconds):
                await stage.pass_seconds(1)
                with capture_logs() as events:
                    await watch.look()
                told.extend((e["event"], e["rung"]) for e in events)

        stage.demand = {WRITES: 60.0}
        await pass_seconds(60)
        assert told == [("rung_changed", "full"), ("rung_of_all_changed", "full")]
        told.clear()
        stage.demand = {}
        await pass_seconds(90)
        assert told == [
            ("rung_changed", "hold"),
            ("rung_of_all_changed", "hold"),
            ("rung_changed", "hand_back"),
            ("rung_of_all_changed", "hand_back"),
        ]
        assert 'capacity_pilot_rung{table="feed",index="",dimension="write"} 4.0' in (
            render_metrics(watch.measure())
        )
        async with serve(stage) as url:
            _, status = await ask("GET", f"{url}/status")
            _, explained = await ask("GET", f"{url}/explain/feed")
        assert status["ladder"]["below"] == [{"target": "feed:write", "rung": "hand_back"}]
        wording = "nothing known for the policy's hand_back_after: handed back"
        assert f"! hand back: {wording} (1 hand back)" in draw_status(status, Size(200, None))
        drawn = draw_explanation(explained, Size(200, None), now=stage.now)
        assert any("heard" in line and wording in line for line in drawn)
        told.clear()
        stage.demand = {WRITES: 60.0}
        await pass_seconds(45)
        assert told == [("rung_changed", "full"), ("rung_of_all_changed", "full")]
