"""The daemon tells how true its forecasts are, while demand is steady and when it doubles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.session import AioSession

from capacity_pilot.core.model import Dimension
from capacity_pilot.daemon.forecast_report import measure_forecasts, report_forecasts
from capacity_pilot.web.metrics import render_metrics
from tests.daemon.stage import FEED, Stage, set_stage, table

WRITES = '{table="feed",index="",dimension="write"'


@pytest.fixture
async def stage(aws_session: AioSession) -> AsyncIterator[Stage]:
    async with set_stage(aws_session, table("feed")) as stage:
        yield stage


def measure(stage: Stage) -> dict[str, float]:
    pilot = stage.loop.pilot
    lines = render_metrics(measure_forecasts(pilot.fleet, pilot.quantiles)).splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def report(stage: Stage) -> list[Any]:
    pilot = stage.loop.pilot
    told = report_forecasts(pilot.fleet, pilot.quantiles)["forecasts"]
    assert isinstance(told, list)
    return told


async def test_nothing_is_told_of_targets_nobody_has_seen(stage: Stage) -> None:
    await stage.pass_seconds(30)
    assert report(stage) == []
    assert measure(stage) == {}


async def test_steady_demand_is_forecast_scored_and_told_of(stage: Stage) -> None:
    stage.demand = {(FEED, Dimension.WRITE): 50.0}
    await stage.pass_seconds(200)
    [told] = report(stage)
    assert (told["table"], told["index"], told["dimension"]) == ("feed", None, "write")
    assert told["quantiles"]["apply"]["units"]["0.5"] == pytest.approx(50.0, rel=0.05)
    assert told["scores"]["soon"]["windows"] > told["scores"]["apply"]["windows"] > 0
    assert told["scores"]["apply"]["exceeded"]["0.99"] == 0.0
    measured = measure(stage)
    windows = measured[f"capacity_pilot_forecast_windows_total{WRITES}}}"]
    assert windows == told["scores"]["apply"]["windows"]
    assert measured[f"capacity_pilot_forecast_demand_units_total{WRITES}}}"] == 50.0 * windows
    assert measured[f'capacity_pilot_forecast_units{WRITES},quantile="0.99"}}'] >= 50.0


async def test_counters_tell_of_a_doubling_that_was_not_foreseen(stage: Stage) -> None:
    stage.demand = {(FEED, Dimension.WRITE): 50.0}
    await stage.pass_seconds(200)
    before = measure(stage)
    stage.demand = {(FEED, Dimension.WRITE): 100.0}
    await stage.pass_seconds(100)
    after = measure(stage)
    exceeded = f'capacity_pilot_forecast_exceeded_total{WRITES},quantile="0.99"}}'
    loss = f'capacity_pilot_forecast_pinball_units_total{WRITES},quantile="0.99"}}'
    assert after[exceeded] > before[exceeded] == 0.0
    assert after[loss] > 3 * before[loss]
    assert after[f'capacity_pilot_forecast_units{WRITES},quantile="0.5"}}'] > 90.0
