"""A whole run: passes and processes put together, ratios and totals worked out by hand."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError, RetryableError
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.replay.run import Order, order_replay, run_replay, sum_up
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.scoring import score_fleet, score_on_demand, score_plan
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.result import Course, ReplayResult, TraceResult
from capacity_pilot.simulator.result_json import render_json
from capacity_pilot.simulator.rivals.registry import Kind, parse_strategies
from capacity_pilot.simulator.workload import Workload
from tests.simulator.replay.stage import (
    HOUR,
    MINUTE,
    constant,
    noisy,
    policies,
    with_push,
    workload,
)

AWS = "aws-auto-scaling-70"
DAY = 24 * HOUR


def order(
    *workloads: Workload,
    rivals: str = "static-peak",
    settings: ReplaySettings | None = None,
    scenario: Scenario | None = None,
) -> Order:
    return order_replay(
        workloads,
        policies=policies(),
        strategies=parse_strategies(rivals),
        settings=settings or ReplaySettings(),
        scenario=scenario or Scenario(),
    )


def run(ordered: Order, *, processes: int = 1) -> ReplayResult:
    return run_replay(ordered, told={}, processes=processes)


def three() -> list[Workload]:
    """Two of one length and a shorter one between them."""
    push = with_push(noisy(300, 12 * MINUTE), at=4 * MINUTE, times=5, lasts=6 * MINUTE)
    return [
        workload(push, "pushed"),
        workload(noisy(80, 7 * MINUTE + 13), "short"),
        workload(noisy(150, 12 * MINUTE, seed=8), "steady"),
    ]


@pytest.mark.process
def test_two_processes_find_what_one_finds_and_tell_of_all_the_work() -> None:
    """Seventeen small ones go side by side in one process, nine and eight in two."""
    small = [workload(noisy(30 + n, 2 * MINUTE, seed=n), f"small-{n}") for n in range(17)]
    ordered = order(*three(), *small, rivals=f"{AWS},static-peak,on-demand,clairvoyant")
    told: dict[int, list[int]] = {1: [], 2: []}
    alone, shared = (
        run_replay(ordered, told={"seed": 0}, processes=n, on_progress=told[n].append) for n in told
    )
    assert render_json(alone) == render_json(shared)
    assert sum(told[1]) == sum(told[2]) == ordered.work_s
    assert ordered.work_s == 2 * (2 * 12 * MINUTE + 7 * MINUTE + 13 + 17 * 2 * MINUTE)
    for one, other in zip(alone.traces, shared.traces, strict=True):
        assert one.courses.keys() == other.courses.keys()
        for name in one.courses:
            assert one.courses[name].changes == other.courses[name].changes
            check_same_minutes(one.courses[name], other.courses[name])


def check_same_minutes(one: Course, other: Course) -> None:
    if one.minutes is None or other.minutes is None:
        assert one.minutes is other.minutes
        return
    for name in ("provisioned", "throttled", "burst"):
        np.testing.assert_array_equal(getattr(one.minutes, name), getattr(other.minutes, name))


def test_workloads_of_any_length_come_out_in_their_order_each_with_everyone() -> None:
    ordered = order(*three(), rivals=f"{AWS},static-peak")
    told: list[int] = []
    result = run_replay(ordered, told={}, on_progress=told.append)
    assert [trace.name for trace in result.traces] == ["pushed", "short", "steady"]
    assert [len(trace.demand) for trace in result.traces] == [12, 8, 12]
    for trace, given in zip(result.traces, three(), strict=True):
        assert list(trace.courses) == ["pilot", AWS, "static-peak"]
        assert trace.demand_units == given.demand.sum()
        for course in trace.courses.values():
            assert course.minutes is not None
            assert len(course.minutes.provisioned) == len(trace.demand)
    assert sum(told) == ordered.work_s == 2 * 12 * MINUTE + 7 * MINUTE + 13  # nobody plans


def test_a_minute_begun_counts_by_the_seconds_it_has() -> None:
    demand = np.concatenate((constant(10.0, 2 * MINUTE), [70.0, 80.0]))
    signals = {"push_sent": np.arange(122, dtype=np.float64)}
    [trace] = run(order(replace(workload(demand), signals=signals))).traces
    assert trace.demand.tolist() == [10.0, 10.0, 75.0]
    assert trace.demand_peak.tolist() == [10.0, 10.0, 80.0]
    assert trace.signals["push_sent"].tolist() == [29.5, 89.5, 120.5]
    static = trace.courses["static-peak"].score
    assert static.unit_hours == pytest.approx(80 * 122 / HOUR)


def test_costs_are_told_against_the_clairvoyants_plan_and_its_bound_beside() -> None:
    """Without burst it buys what is asked for: half an hour of 600 units, then of 300."""
    demand = np.repeat([600.0, 300.0], HOUR // 2)
    [trace] = run(
        order(
            workload(demand),
            rivals="static-peak,on-demand,clairvoyant",
            settings=ReplaySettings(burst_availability=0.0),
        )
    ).traces
    clairvoyant = trace.courses["clairvoyant"].score
    assert clairvoyant.cost_vs_clairvoyant == 1.0
    assert clairvoyant.throttled_units == 0.0
    for course in trace.courses.values():
        assert course.score.cost_vs_clairvoyant == course.score.usd / clairvoyant.usd
    assert trace.clairvoyant_bound is not None
    assert clairvoyant.unit_hours is not None
    assert clairvoyant.unit_hours == pytest.approx(450.0, rel=0.005)
    assert 445.0 < trace.clairvoyant_bound <= clairvoyant.unit_hours
    static = trace.courses["static-peak"].score
    assert static.cost_vs_clairvoyant == pytest.approx(600 / 450, rel=0.005)
    # 1.62 million units at 0.625 a million, over 450 unit-hours at 0.00065.
    on_demand = trace.courses["on-demand"].score
    assert on_demand.cost_vs_clairvoyant == pytest.approx(1.0125 / 0.2925, rel=0.005)


def test_without_a_clairvoyant_nothing_is_told_against_it() -> None:
    [trace] = run(order(workload(constant(60.0, MINUTE)))).traces
    assert trace.clairvoyant_bound is None
    assert {course.score.cost_vs_clairvoyant for course in trace.courses.values()} == {None}


def test_aws_auto_scaling_in_a_run_costs_what_its_rules_say() -> None:
    """70 units/s on 100 units, then 105: out to 150 once two minutes above are both published.

    Minutes 10 and 11 are above; the later ends at 12:00 and is out at 13:00.
    """
    demand = np.concatenate((constant(70.0, 10 * MINUTE), constant(105.0, 20 * MINUTE)))
    [trace] = run(order(workload(demand), rivals=AWS)).traces
    course = trace.courses[AWS]
    assert [(c.at_s, c.before, c.after) for c in course.changes] == [(13 * MINUTE, 100, 150)]
    assert course.minutes is not None
    provisioned = course.minutes.provisioned
    assert provisioned[:13].tolist() == [100.0] * 13
    applied_in = int(np.argmax(provisioned == 150.0))
    assert provisioned[applied_in:].tolist() == [150.0] * (30 - applied_in)
    assert course.score.unit_hours == pytest.approx(provisioned.sum() / 60, rel=1e-6)
    # 5 units/s above 100 come out of a bucket that had 30 units/s of 10 minutes: never dry.
    assert course.score.throttled_units == 0.0


def test_on_demand_stands_beside_the_others_and_provisions_nothing() -> None:
    demand = constant(5000.0, 2 * MINUTE)
    [trace] = run(order(workload(demand), rivals="on-demand")).traces
    course = trace.courses["on-demand"]
    assert course == score_on_demand(demand, dimension=Dimension.WRITE)
    assert course.score.throttled_units == 1000.0 * 2 * MINUTE
    assert (course.minutes, course.changes, course.score.utilization) == (None, (), None)


def test_what_was_not_recorded_is_counted() -> None:
    recorded = np.ones(3 * MINUTE)
    recorded[70:95] = 0
    [trace] = run(order(workload(constant(9.0, 3 * MINUTE), recorded=recorded))).traces
    assert trace.missing_seconds == 25


def test_less_than_a_minute_is_refused_before_anything_is_replayed() -> None:
    with pytest.raises(InputError, match="feed has 59 s; a replay takes 60 or more"):
        order(workload(constant(9.0, 59)))


def unserved() -> Workload:
    """Passes for a workload until the world is asked for less than nothing."""
    demand = constant(40.0, 2 * MINUTE)
    demand[90] = -1.0
    return workload(demand, "broken")


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.process)])
def test_an_error_anywhere_ends_the_run_with_it_and_leaves_nobody_behind(processes: int) -> None:
    long = workload(constant(50.0, 30 * DAY), "long")  # far beyond a test's patience
    waiting = [workload(noisy(50, 2 * MINUTE + n), f"next-{n}") for n in range(1, 9)]
    listed = (long, unserved(), *waiting) if processes == 2 else (unserved(), *waiting)
    with pytest.raises(InputError, match=r"demand of second 90 is -1\.0 units; it must be .* >= 0"):
        run(order(*listed), processes=processes)
    assert multiprocessing.active_children() == []


@dataclass(frozen=True)
class Deadly:
    """A strategy whoever unpickles does not survive: a process that the system ends."""

    kind: Kind = Kind.ON_DEMAND

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (9,)


@pytest.mark.process
def test_a_process_that_is_ended_from_outside_ends_the_run_too() -> None:
    ordered = replace(order(*three()), strategies=(Deadly(),))  # type: ignore[arg-type]
    with pytest.raises(RetryableError, match=r"ended from outside.*fewer processes need less"):
        run(ordered, processes=2)
    assert multiprocessing.active_children() == []


def trace(name: str, *, days: float, units: float, **plans: Course) -> TraceResult:
    return TraceResult(
        name=name,
        days=days,
        demand_units=units,
        mean=1.0,
        factor=1.0,
        bin_s=1,
        is_seconds_real=True,
        missing_seconds=0,
        policy="all",
        is_policy_own=True,
        risk_ppm=10.0,
        least=1,
        most=40_000,
        clairvoyant_bound=None,
        demand=constant(1.0, 1),
        demand_peak=constant(1.0, 1),
        signals={},
        courses={name.replace("_", "-"): course for name, course in plans.items()},
    )


def plan(units: Sequence[float], *, throttled: float = 0.0, of: float = 1.0) -> Course:
    """An hour at each of ``units``, and some of the units asked for throttled."""
    by_minute = np.repeat(np.array(units, dtype=np.float64), 60)
    course = score_plan(
        constant(1.0, by_minute.size * MINUTE), by_minute, dimension=Dimension.WRITE
    )
    score = replace(course.score, throttled_units=throttled, throttled_ppm=throttled / of * 1e6)
    return replace(course, score=score)


def test_a_fleet_is_geometric_means_and_totals() -> None:
    """Costs 2 and 8 times the clairvoyant's are 4 times together; 1/2 and 2 times AWS's are 1."""
    traces = (
        trace(
            "a",
            days=1.0,
            units=1e6,
            pilot=plan([200.0], throttled=10.0, of=1e6),
            aws_auto_scaling_70=plan([400.0]),
            clairvoyant=plan([100.0]),
        ),
        trace(
            "b",
            days=0.5,
            units=3e6,
            pilot=plan([80.0, 80.0], throttled=90.0, of=3e6),
            aws_auto_scaling_70=plan([40.0, 40.0]),
            clairvoyant=plan([10.0, 10.0]),
        ),
    )
    pilot = score_fleet(traces)["pilot"]
    assert pilot.cost_vs_clairvoyant == pytest.approx(4.0)
    assert pilot.cost_vs_aws_auto_scaling_70 == pytest.approx(1.0)
    assert pilot.throttled_units == 100.0
    assert pilot.throttled_ppm == pytest.approx(25.0)  # of four million
    assert pilot.worst_throttled_ppm == pytest.approx(30.0)
    assert pilot.unit_hours == pytest.approx(200 + 160)
    assert pilot.usd == pilot.usd_by_hourly_maximum == pytest.approx(360 * 0.00065)
    assert score_fleet(traces)["clairvoyant"].cost_vs_clairvoyant == pytest.approx(1.0)


def test_a_ratio_to_someone_who_was_not_there_is_none_and_so_are_on_demands_units() -> None:
    on_demand = score_on_demand(constant(1.0, HOUR), dimension=Dimension.WRITE)
    fleet = score_fleet(
        [trace("a", days=1.0, units=3600.0, pilot=plan([2.0]), on_demand=on_demand)]
    )
    assert fleet["pilot"].cost_vs_clairvoyant is None
    assert fleet["pilot"].cost_vs_aws_auto_scaling_70 is None
    assert fleet["on-demand"].unit_hours is None
    assert score_fleet([]) == {}


def test_throttles_of_callers_that_come_back_are_a_share_of_all_they_asked_for() -> None:
    """A fleet of one workload has that workload's figure, retries or none."""
    demand = with_push(noisy(200, 6 * MINUTE), at=2 * MINUTE, times=8, lasts=3 * MINUTE)
    stormy = run(
        order(
            workload(demand),
            settings=ReplaySettings(burst_availability=0.0),
            scenario=Scenario(retries="legacy"),
        )
    )
    [trace] = stormy.traces
    alone = trace.courses["pilot"].score
    assert alone.throttled_units > demand.sum() / 10
    assert stormy.fleet["pilot"].throttled_ppm == pytest.approx(alone.throttled_ppm)


def test_a_recording_of_23_hours_counts_among_days_and_a_shorter_one_does_not() -> None:
    result = sum_up(
        [
            trace("day", days=23 / 24, units=10.0, pilot=plan([3.0])),
            trace("less", days=22.99 / 24, units=10.0, pilot=plan([4.0])),
        ],
        told={"seed": 5},
    )
    assert result.fleet["pilot"].unit_hours == pytest.approx(7.0)
    assert result.fleet_of_days["pilot"].unit_hours == pytest.approx(3.0)
    assert [t.name for t in result.traces] == ["day", "less"]
    assert result.settings == {"seed": 5}
