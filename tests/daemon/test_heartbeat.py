"""The dead man's switch as a story: heartbeats in CloudWatch, as moto keeps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.aws.heartbeat import open_pulse
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.daemon.heartbeat import Heartbeat
from tests.daemon.stage import set_stage, table
from tests.moto_server import serve_moto


@pytest.fixture
def moto() -> Iterator[str]:
    with serve_moto() as url:
        # moto's servers of one process share what they know.
        urlopen(Request(f"{url}/moto-api/reset", method="POST")).close()  # noqa: S310
        yield url


async def count_beats(session: AioSession, url: str) -> float:
    async with session.create_client(
        "cloudwatch", region_name="us-east-1", endpoint_url=url
    ) as client:
        now = datetime.now(UTC)
        told = await client.get_metric_statistics(
            Namespace="CapacityPilot",
            MetricName="Heartbeat",
            Dimensions=[{"Name": "Pilot", "Value": "prod"}],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=60,
            Statistics=["SampleCount"],
        )
    return float(sum(point["SampleCount"] for point in told["Datapoints"]))


async def test_it_beats_while_capacity_is_looked_after_and_only_then(
    aws_session: AioSession, moto: str
) -> None:
    async with (
        set_stage(aws_session, table("feed")) as stage,
        open_pulse(
            region="us-east-1",
            name="prod",
            clock=stage.clock,
            endpoint_url=moto,
            session=aws_session,
        ) as pulse,
    ):
        is_held, counts = [True], Counter[str]()
        heartbeat = Heartbeat(
            pulse,
            clock=stage.clock,
            counts=counts,
            may_send=lambda: is_held[0],
            decided_at=lambda: stage.loop.last_tick_at,
            read_at=lambda: stage.loop.pilot.described_at,
        )

        async def beats() -> bool:
            before = await count_beats(aws_session, moto)
            await heartbeat.beat()
            return await count_beats(aws_session, moto) == before + 1

        assert not await beats()
        assert heartbeat.fault == "no tick for 15 s"
        await stage.pass_seconds(60)
        assert await beats()
        assert heartbeat.report() == {"heartbeat": {"fault": None}}

        is_held[0] = False
        assert not await beats()
        assert heartbeat.fault == "capacity is not this pilot's to change"
        is_held[0] = True

        stage.witness.unreadable.add("feed")
        await stage.pass_seconds(200)
        assert not await beats()
        assert heartbeat.fault == "no table was read for 180 s"
        stage.witness.unreadable.clear()
        await stage.pass_seconds(60)
        assert await beats()

        stage.clock.pass_seconds(20)
        assert not await beats()
        assert counts["heartbeats"] == 2


async def test_what_cloudwatch_does_not_take_is_told_and_tried_again(
    aws_session: AioSession,
) -> None:
    class Unreachable:
        async def beat(self) -> None:
            raise GatewayError("no route")

    async with set_stage(aws_session, table("feed")) as stage:
        heartbeat = Heartbeat(
            Unreachable(),
            clock=stage.clock,
            counts=Counter(),
            may_send=lambda: True,
            decided_at=stage.clock.now,
            read_at=stage.clock.now,
        )
        await heartbeat.beat()
        assert heartbeat.fault == "no route"
