"""The last day's demand in the journal, from ticks to what is replayed of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from aiobotocore.session import AioSession

from capacity_pilot.adapters.demand_record import (
    HOUR_S,
    TAGS,
    HourOfDemand,
    decode_hour,
    decode_tags,
    encode_hour,
)
from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal, read_documents
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.core.spread import spread
from capacity_pilot.daemon.demand_keeping import DemandKeeping
from capacity_pilot.simulator.recorded_demand import read_recording
from tests.daemon.stage import BY_DAY, FEED, NOON, Stage, set_stage, table

WRITES, READS = ScalableTarget(FEED, Dimension.WRITE), ScalableTarget(FEED, Dimension.READ)


async def live(stage: Stage, keeping: DemandKeeping, seconds: int, units: float) -> None:
    """Demand of ``units`` more with every second, told of for so long."""
    for number in range(seconds):
        stage.demand = {(FEED, Dimension.WRITE): units + number, (BY_DAY, Dimension.WRITE): 5.0}
        await stage.pass_seconds(1)
        if number % 15 == 0:
            await keeping.note()


async def test_demand_is_kept_by_the_second_over_a_restart(
    aws_session: AioSession, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    async with open_sqlite_journal(path) as journal:
        async with set_stage(aws_session, table("feed", "by-day"), journal=journal) as stage:
            keeping = DemandKeeping(stage.loop.pilot, journal, clock=stage.clock)
            await live(stage, keeping, 300, 100.0)
            await keeping.save()
            (hour,) = map(decode_hour, read_documents(path).values())
            # The next process, a minute later by the same clock.
            stage.clock.pass_seconds(60.0)
            again = DemandKeeping(stage.loop.pilot, journal, clock=stage.clock)
            await live(stage, again, 200, 1000.0)
            await again.save()
        (merged,) = map(decode_hour, read_documents(path).values())
    known = hour.units[WRITES]
    assert hour.start == NOON
    assert set(hour.units) == {WRITES, ScalableTarget(BY_DAY, Dimension.WRITE)}
    assert np.isnan(known[220:]).all()
    np.testing.assert_allclose(known[:195], 100.0 + np.arange(195), rtol=1e-3)
    after = merged.units[WRITES]
    np.testing.assert_allclose(after[:195], known[:195])
    np.testing.assert_allclose(after[362:450], 1000.0 + np.arange(2, 90), rtol=1e-3)
    recording = read_recording([merged], last_s=HOUR_S)
    assert recording.start == NOON
    workload, of_index = recording.workloads[Dimension.WRITE]
    assert (workload.name, recording.workloads[Dimension.READ]) == ("feed", [])
    assert (of_index.name, of_index.resource) == ("feed/index/by-day", BY_DAY)
    gap = ~workload.is_recorded
    assert gap[300:355].all()
    assert (np.diff(workload.demand[300:355]) > 0).all()


async def test_the_tags_that_were_read_are_kept_once_and_when_they_change(
    aws_session: AioSession, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    async with (
        open_sqlite_journal(path) as journal,
        set_stage(aws_session, table("feed"), journal=journal) as stage,
    ):
        pilot = stage.loop.pilot
        keeping = DemandKeeping(pilot, journal, clock=stage.clock)
        await keeping.save()
        assert TAGS not in read_documents(path)
        for team in ("social", "news"):
            tags = {"feed": {"team": team}}
            pilot.adopt(spread(pilot.policies.knowing(tags), pilot.fleet, pilot.limits), NOON)
            await keeping.save()
            assert decode_tags(read_documents(path)[TAGS]) == tags
        await journal.save(TAGS, b"{}")
        await keeping.save()
        assert decode_tags(read_documents(path)[TAGS]) == {}
    with pytest.raises(InputError, match="no tags of tables"):
        decode_tags(b"[1]")


def test_an_hour_survives_encoding_to_three_digits() -> None:
    draw = np.random.default_rng(1)
    units = {}
    for number, mean in enumerate((0.5, 50.0, 40_000.0, 3e6)):
        row = draw.poisson(mean, HOUR_S).astype(np.float32)
        row[draw.random(HOUR_S) < 0.1] = np.nan
        units[ScalableTarget(Resource(f"t{number}"), Dimension.READ)] = row
    before = HourOfDemand(int(NOON), units)
    content = encode_hour(before)
    after = decode_hour(content)
    assert after.start == before.start
    for target, row in units.items():
        np.testing.assert_allclose(after.units[target], row, rtol=1e-3, atol=1e-3)
    assert len(content) < 8_000 * len(units)
    nobody = decode_hour(encode_hour(HourOfDemand(int(NOON), {})))
    assert nobody.units == {}


@pytest.mark.parametrize("content", [b"", b"PK", b"{}", encode_hour(HourOfDemand(0, {}))[:-30]])
def test_what_is_no_hour_of_demand_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="no hour of demand"):
        decode_hour(content)


def test_hours_are_put_together_and_cut_to_the_last() -> None:
    def hour(number: int, units: float) -> HourOfDemand:
        return HourOfDemand(
            int(NOON) + number * HOUR_S, {READS: np.full(HOUR_S, units, dtype=np.float32)}
        )

    hours = [hour(2, 30.0), hour(0, 10.0), hour(1, 20.0)]
    (workload,) = read_recording(hours, last_s=2 * HOUR_S).workloads[Dimension.READ]
    assert workload.demand.tolist() == [20.0] * HOUR_S + [30.0] * HOUR_S
    with pytest.raises(InputError, match="the journal holds no demand"):
        read_recording([], last_s=HOUR_S)
    short = np.full(HOUR_S, np.nan, dtype=np.float32)
    short[:30] = 1.0
    with pytest.raises(InputError, match="less than 60 s of any table's demand"):
        read_recording([HourOfDemand(0, {READS: short})], last_s=HOUR_S)
