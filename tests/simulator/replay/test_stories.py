"""Replays told as stories: what the pilot and AWS auto scaling do with the same push."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.replay.cast import PILOT
from capacity_pilot.simulator.replay.settings import TABLE_LIMIT, ReplaySettings
from tests.simulator.replay.stage import (
    HOUR,
    MINUTE,
    constant,
    noisy,
    play,
    policies,
    with_push,
    workload,
)

AWS = "aws-auto-scaling-70"
NO_BURST = ReplaySettings(burst_availability=0.0)


def test_steady_demand_is_served_by_all_and_nothing_is_changed_without_need() -> None:
    played = play(workload(constant(70.0, HOUR)), rivals=AWS)
    assert played.throttled() == played.throttled(AWS) == 0.0
    assert not played.changes(AWS)  # 70 of 100 units is exactly its target
    assert played.unit_hours(AWS) == pytest.approx(100.0)


def test_a_push_is_met_by_the_pilot_minutes_before_aws() -> None:
    begins = 20 * MINUTE
    demand = with_push(constant(200, 2 * begins), at=begins, times=6, lasts=20 * MINUTE)
    played = play(workload(demand), rivals=AWS, settings=NO_BURST)
    ours, theirs = (
        next(c for c in played.changes(strategy) if c.at_s > begins) for strategy in (PILOT, AWS)
    )
    assert "rising_demand" in ours.reasons
    assert begins < ours.at_s < begins + 20
    # Two bad minutes, each told of a minute after its end.
    assert begins + 3 * MINUTE <= theirs.at_s <= begins + 4 * MINUTE
    assert played.throttled() < played.throttled(AWS) / 3


def test_a_bucket_that_is_not_there_is_not_counted_on_twice() -> None:
    """Calls of 250 units, two a second on average: seconds are bursts. Throttled once, a table is
    not lowered to where it is throttled again.
    """
    demand = 250.0 * noisy(2.0, HOUR)
    played = play(workload(demand), settings=NO_BURST)
    throttled = played.passage.ledger.throttled[:, played.column()]
    assert throttled[:3].sum() > 0
    assert throttled[3:].sum() < 0.001 * demand.sum()
    assert min(c.after for c in played.changes() if c.at_s > 3 * MINUTE) > 5 * 250


def first_raise(settings: ReplaySettings, strategy: str) -> float:
    """When a jump at the end of the tenth minute is answered."""
    demand = np.concatenate((constant(70.0, 10 * MINUTE), constant(300.0, 10 * MINUTE)))
    played = play(workload(demand), rivals=AWS, settings=settings)
    return played.changes(strategy)[0].at_s


def test_capacity_is_there_before_a_job_that_comes_by_the_clock() -> None:
    hours, begins, lasts = 5, 30 * MINUTE, 5 * MINUTE
    demand = noisy(60.0, hours * HOUR)
    for hour in range(hours):
        job = slice(hour * HOUR + begins, hour * HOUR + begins + lasts)
        demand[job] += noisy(840.0, lasts, seed=hour)
    played = play(workload(demand))
    early = [c for c in played.changes() if c.at_s % HOUR < begins and c.at_s > HOUR]
    assert [int(c.at_s // HOUR) for c in early] == [3, 4], "once three have come an hour apart"
    for change in early:
        assert "recurring" in change.reasons
        assert change.at_s % HOUR > begins - 2 * MINUTE
        assert change.after > 2 * change.before
    later = played.passage.ledger.throttled[HOUR // MINUTE :, played.column()]
    assert not later.any()


def test_news_reaches_each_as_late_as_the_settings_say() -> None:
    usual = ReplaySettings()
    late = ReplaySettings(telemetry_lag_s=26.0, cloudwatch_lag_s=180.0)
    assert first_raise(late, PILOT) >= first_raise(usual, PILOT) + 20
    # Minutes 10 and 11, the later of them ended at 12:00.
    assert (first_raise(usual, AWS), first_raise(late, AWS)) == (13 * MINUTE, 15 * MINUTE)


def test_strategies_of_one_replay_start_alike() -> None:
    played = play(workload(constant(140.0, 2 * MINUTE)), rivals=f"{AWS},dynamic-dynamodb")
    first = played.passage.ledger.provisioned[0]
    assert first.tolist() == [200.0] * 3  # 140 used to 70 %


def test_reads_are_replayed_as_reads() -> None:
    reading = ReplaySettings(dimension=Dimension.READ)
    both = policies(read={"min": 5, "max": 900})
    played = play(workload(constant(70.0, MINUTE)), rivals=AWS, settings=reading, under=both)
    assert played.consumed() == played.consumed(AWS) == pytest.approx(70.0 * MINUTE)


def test_a_dimension_the_policy_does_not_name_cannot_be_replayed() -> None:
    reading = ReplaySettings(dimension=Dimension.READ)
    with pytest.raises(InputError, match=r"policy 'all' fits feed but gives no read bounds"):
        play(workload(constant(70.0, HOUR)), settings=reading)


def test_a_table_no_policy_names_borrows_the_first_ones_temper_but_not_its_bounds() -> None:
    narrow = policies(match={"tables": ["orders"]}, write={"min": 1, "max": 10})
    played = play(workload(constant(700.0, 5 * MINUTE), "feed"), rivals=AWS, under=narrow)
    assert played.throttled() == 0.0
    assert played.passage.ledger.provisioned.max() <= TABLE_LIMIT


def test_a_policys_bounds_bind_everyone() -> None:
    demand = with_push(noisy(200, HOUR // 2), at=HOUR // 4, times=6, lasts=10 * MINUTE)
    played = play(
        workload(demand),
        rivals=f"{AWS},static-peak",
        settings=NO_BURST,
        under=policies(write={"min": 150, "max": 400}),
    )
    assert played.passage.ledger.provisioned.min() >= 150
    assert played.passage.ledger.provisioned.max() <= 400


def test_a_name_like_a_pattern_is_a_name() -> None:
    played = play(workload(constant(70.0, MINUTE), "feed[1]*"), rivals=AWS)
    assert played.consumed(PILOT, "feed[1]*") == pytest.approx(70.0 * MINUTE)


def test_two_files_of_one_name_are_one_table_too_many() -> None:
    with pytest.raises(InputError, match="two demand files are named feed"):
        play(workload(constant(1.0, HOUR)), workload(constant(2.0, HOUR)))


def test_what_was_not_recorded_is_demand_but_nobody_tells_of_it() -> None:
    """Ten minutes in which the world asks for more than ever and no span says so."""
    gap = slice(20 * MINUTE, 30 * MINUTE)
    demand, recorded = constant(100.0, 40 * MINUTE), np.ones(40 * MINUTE)
    demand[gap], recorded[gap] = 2000.0, 0
    told = play(workload(demand), settings=NO_BURST)
    untold = play(
        workload(demand, recorded=recorded), settings=replace(NO_BURST, reads_cloudwatch=False)
    )
    counted = play(workload(demand, recorded=recorded), settings=NO_BURST)
    assert untold.throttled() > 5 * told.throttled() > 0
    assert all(c.at_s < 20 * MINUTE for c in untold.changes())  # silence moves nothing
    assert told.throttled() < counted.throttled() < untold.throttled()  # late minutes do


def test_idle_minutes_are_not_published_so_aws_does_not_scale_in_on_them() -> None:
    demand = constant(100.0, HOUR)
    demand[HOUR // 2 :] = 0.0
    assert not play(workload(demand), rivals=AWS).changes(AWS)
