"""Figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.replay.ledger import Ledger, note_second
from capacity_pilot.simulator.replay.scoring import (
    compare_costs,
    score_on_demand,
    score_passage,
    score_plan,
)
from capacity_pilot.simulator.replay.settings import ReplaySettings
from tests.simulator.replay.stage import HOUR, constant, play, workload


def note(ledger: Ledger, *, provisioned: float, consumed: float, throttled: float) -> None:
    note_second(ledger.tally, 0, provisioned, provisioned * 30, consumed, throttled)
    ledger.pass_seconds(1)


def test_a_ledger_sums_minutes_and_finds_the_longest_throttle_across_them() -> None:
    ledger = Ledger(seconds=150, slots=1)
    for second in range(150):
        is_throttled = 55 <= second < 68 or second == 100
        note(ledger, provisioned=10.0, consumed=9.0, throttled=2.0 if is_throttled else 0.0)
    account = ledger.close()
    assert ledger.throttled[:, 0].tolist() == [10.0, 18.0, 0.0]
    assert ledger.provisioned[:, 0].tolist() == [10.0, 10.0, 10.0]
    assert ledger.burst[:, 0].tolist() == [30.0, 30.0, 30.0]
    assert ledger.unit_seconds.tolist() == [1500.0]
    assert account.consumed.tolist() == [1350.0]
    assert account.throttled.tolist() == [28.0]
    assert account.seconds_throttled.tolist() == [14.0]
    assert account.longest_throttle_s.tolist() == [13.0]


def test_a_throttle_that_lasts_to_the_end_counts() -> None:
    ledger = Ledger(seconds=61, slots=1)
    for second in range(61):
        note(ledger, provisioned=1.0, consumed=1.0, throttled=float(second >= 58))
    assert ledger.close().longest_throttle_s.tolist() == [3.0]


def test_a_strategy_that_never_changes_costs_its_units_by_the_hour() -> None:
    played = play(workload(constant(100.0, HOUR)), rivals="static-peak")
    column = played.column("static-peak")
    score = score_passage(played.passage, column, dimension=Dimension.WRITE).score
    assert score.unit_hours == pytest.approx(100.0)
    assert score.usd == score.usd_by_hourly_maximum == pytest.approx(100 * 0.00065)
    assert score.utilization == pytest.approx(1.0)
    assert (score.throttled_ppm, score.increases, score.decreases) == (0.0, 0, 0)
    reading = score_passage(played.passage, column, dimension=Dimension.READ).score
    assert reading.usd == pytest.approx(100 * 0.00013)


def test_half_a_demand_throttled_is_half_a_million_ppm() -> None:
    world = ReplaySettings(burst_availability=0.0)
    demand = constant(100.0, HOUR)
    demand[: HOUR // 2] = 0.0
    played = play(workload(demand), rivals="static-percentile-50", settings=world)
    score = score_passage(
        played.passage, played.column("static-percentile-50"), dimension=Dimension.WRITE
    ).score
    # Bounds keep it at 5 units, of 100 asked in each of the 1800 seconds.
    assert score.throttled_units == 95.0 * 1800
    assert score.throttled_ppm == pytest.approx(950_000.0)
    assert (score.seconds_throttled, score.longest_throttle_s) == (1800, 1800)


def test_a_plan_costs_by_the_minute_or_by_each_hours_highest() -> None:
    units = np.r_[np.full(60, 100.0), np.full(30, 40.0), np.full(30, 60.0)]
    course = score_plan(constant(30.0, 2 * HOUR), units, dimension=Dimension.WRITE)
    assert course.score.unit_hours == pytest.approx(100 + 20 + 30)
    assert course.score.usd_by_hourly_maximum == pytest.approx((100 + 60) * 0.00065)
    assert (course.score.increases, course.score.decreases) == (1, 1)
    assert [(c.at_s, c.before, c.after) for c in course.changes] == [
        (3600.0, 100, 40),
        (5400.0, 40, 60),
    ]


def test_on_demand_pays_for_what_it_serves() -> None:
    """A new table serves 4,000 write units a second; 5,000 are asked for ten seconds long."""
    demand = np.r_[constant(1000.0, 50), constant(5000.0, 10)]
    score = score_on_demand(demand, dimension=Dimension.WRITE).score
    assert score.throttled_units == 10_000.0
    assert score.usd == pytest.approx((50_000 + 40_000) / 1e6 * 0.625)
    assert (score.seconds_throttled, score.longest_throttle_s) == (10, 10)
    assert score.unit_hours is None


def test_costs_are_compared_with_the_clairvoyant_where_there_is_one() -> None:
    demand = constant(30.0, HOUR)
    least = score_plan(demand, np.full(60, 30.0), dimension=Dimension.WRITE)
    twice = score_plan(demand, np.full(60, 60.0), dimension=Dimension.WRITE)
    compared = compare_costs({"pilot": twice, "clairvoyant": least})
    assert compared["pilot"].score.cost_vs_clairvoyant == pytest.approx(2.0)
    assert compared["clairvoyant"].score.cost_vs_clairvoyant == 1.0
    assert compare_costs({"pilot": twice})["pilot"].score.cost_vs_clairvoyant is None
