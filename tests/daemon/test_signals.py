"""A push is seen on its way before people come: the daemon's loop with upstream signals."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import numpy as np
from aiobotocore.session import AioSession
from structlog.testing import capture_logs

from capacity_pilot.adapters.otlp.harvest import Counts, Harvest
from capacity_pilot.core.model import Dimension
from capacity_pilot.daemon.signal_report import render_signals
from capacity_pilot.simulator.physics.tables import Units
from tests.daemon.stage import FEED, Stage, policies, set_stage, table

MINUTE = 60
PUSH = "push-sender sends to pushes"
LASTS_S = 40


async def live_through_a_push(stage: Stage, *, minutes: int = 7) -> None:
    """A push is sent in the first seconds; people come from 5 s on, most within two minutes."""
    response = np.where(np.arange(600) < 5, 0.0, np.exp(-np.arange(600) / 40.0))
    crowd = np.convolve(np.ones(LASTS_S), 600 * response / response.sum())
    for second in range(minutes * MINUTE):
        stage.demand = {(FEED, Dimension.WRITE): 60.0 + crowd[second]}
        if second < LASTS_S:
            key = ("", PUSH, int(stage.now))
            stage.intake.offer(Harvest(signals={key: 4000.0}, counts=Counts()), stage.now)
        await stage.pass_seconds(1)


def scale_outs(events: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [e for e in events if e["event"] == "decision" and e["direction"] == "out"]


async def test_capacity_is_there_before_the_third_crowd(aws_session: AioSession) -> None:
    """Decreases are a person's here: the pilot's own would leave none of the day's for that."""
    patient = policies(scale_in={"stabilization": "1h", "reserve_decreases": 0})
    async with set_stage(aws_session, table("feed", write=100), policy_set=patient) as stage:
        stage.demand = {(FEED, Dimension.WRITE): 60.0}
        await stage.pass_seconds(3 * MINUTE)
        with capture_logs():
            for _ in range(2):
                await live_through_a_push(stage)
                await lower_capacity(stage)
        began_at = stage.now
        with capture_logs() as events:
            await live_through_a_push(stage, minutes=1)
        first = scale_outs(events)[0]
        assert "upstream" in first["reasons"]
        # Within seconds of the first message, when demand was still what it always is.
        (target,) = (t for t in first["targets"] if t["dimension"] == "write")
        assert target["demand"] < 80
        assert target["upstream"] > 300
        asked_at = stage.witness.actuated[-len(scale_outs(events))].decided_at
        assert asked_at - began_at < 10

        told = render_signals(stage.loop.pilot)
        assert told["known"] == [PUSH]
        assert isinstance(told["leads"], list)
        (lead,) = told["leads"]
        assert lead["target"] == "feed:write"
        assert lead["is_trusted"] is True
        assert 0.05 < lead["gain"] < 0.3
        assert 15 < lead["lag_s"] < 80


async def lower_capacity(stage: Stage) -> None:
    """Somebody sets the table back by hand."""
    stage.world.update_table("feed", {"": Units(read=100, write=100)}, stage.now)
    await stage.pass_seconds(2 * MINUTE)
