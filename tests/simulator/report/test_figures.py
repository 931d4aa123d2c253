"""What the charts are told to draw."""

from __future__ import annotations

import importlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from capacity_pilot.simulator.report.course_figure import (
    BINS,
    SIGNALS,
    STEPS,
    draw_courses,
    list_drawn,
    list_signals,
)
from capacity_pilot.simulator.report.decisions import (
    choose_changes,
    describe_change,
    find_provisioned,
)
from capacity_pilot.simulator.report.figure import Figure
from capacity_pilot.simulator.report.frontier_figure import draw_frontier
from capacity_pilot.simulator.result import Change, Course, Minutes, TraceResult
from tests.simulator.report.results import RISKS, make_result, make_trace

DAY = 1440


def _with_minutes(trace: TraceResult, name: str, minutes: Minutes) -> TraceResult:
    course = replace(trace.courses[name], minutes=minutes)
    return replace(trace, courses={**trace.courses, name: course})


def _lines(figure: Figure, **wanted: str) -> list[dict[str, object]]:
    return [line for line in figure.data if wanted.items() <= line.items()]


@pytest.mark.parametrize("days", [0.02, 1, 7])
def test_plotly_accepts_every_figure(days: float) -> None:
    graph_objects = importlib.import_module("plotly.graph_objects")
    result = make_result(names=["one"], days=days, signals=["push_sent"])
    for figure in (draw_courses(result.traces[0]), draw_frontier(result.fleet, of="all")):
        graph_objects.Figure(**json.loads(figure.to_json()))


def test_demand_keeps_its_lowest_minute_and_highest_second() -> None:
    trace = make_trace("week", days=7)
    low, high, _ = _lines(draw_courses(trace), legendgroup="demand")
    assert len(low["y"]) <= BINS  # type: ignore[arg-type]
    assert min(low["y"]) == pytest.approx(trace.demand.min(), abs=0.1)  # type: ignore[call-overload]
    assert max(high["y"]) == pytest.approx(trace.demand_peak.max(), abs=0.1)  # type: ignore[call-overload]


def test_a_line_that_moves_every_minute_is_bounded_and_still_reaches_its_peak() -> None:
    trace = make_trace("week", days=7)
    restless = 500 + 100 * np.random.default_rng(1).random(7 * DAY)
    minutes = Minutes(
        provisioned=restless, throttled=np.zeros(7 * DAY), burst=np.full(7 * DAY, 300.0)
    )
    figure = draw_courses(_with_minutes(trace, "pilot", minutes))
    line = _lines(figure, legendgroup="s0", meta="provisioned")[0]
    assert len(line["x"]) <= STEPS + 2  # type: ignore[arg-type]
    assert max(line["y"]) == pytest.approx(restless.max(), abs=0.1)  # type: ignore[call-overload]


def test_every_throttled_unit_is_in_a_stem_and_a_lane_without_any_says_so() -> None:
    trace = make_trace("day", strategies=("pilot", "static-peak"))
    throttled = np.zeros(DAY)
    throttled[[10, 700]] = 3.0, 1234.0
    minutes = Minutes(
        provisioned=np.full(DAY, 500.0), throttled=throttled, burst=np.full(DAY, 300.0)
    )
    figure = draw_courses(_with_minutes(trace, "pilot", minutes))
    pilot, static = _lines(figure, legendgroup="throttles")
    assert pilot["customdata"] == ["3", "3", None, "1,234", "1,234", None]
    assert static["x"] == []
    labels = [note["text"] for note in figure.layout["annotations"]]
    assert "static peak: nothing" in labels


def test_signals_have_scales_of_their_own_and_wait_to_be_chosen() -> None:
    pushes = np.full(DAY, np.nan)
    pushes[[60, 61]] = 0.0, 5000.0
    signals = {"push_sent": pushes, "<route>": np.full(DAY, 3.0), "idle": np.zeros(DAY)}
    trace = replace(make_trace("day"), signals=signals)
    figure = draw_courses(trace)
    lines = _lines(figure, meta="signal")
    assert [line["name"] for line in lines] == ["push_sent", "&lt;route&gt;"]  # nothing was idle's
    assert [line["yaxis"] for line in lines] == ["y4", "y5"]
    assert not any(line["visible"] for line in lines)
    assert lines[0]["y"] == [None] * 60 + [0, 5000] + [None] * (DAY - 62)
    assert figure.layout["yaxis4"]["overlaying"] == figure.layout["yaxis5"]["overlaying"] == "y"
    assert len(list_signals(replace(trace, signals=dict.fromkeys("abcdefgh", pushes)))) == SIGNALS


def test_on_demand_provisions_nothing_and_so_has_no_line() -> None:
    trace = make_trace("day")
    assert "on-demand" not in list_drawn(trace)
    assert np.isnan(find_provisioned(trace.courses["on-demand"], DAY)).all()


def test_the_clairvoyants_changes_tell_what_it_provisioned() -> None:
    score = make_trace("day").courses["clairvoyant"].score
    changes = (
        Change(at_s=120.0, before=10, after=30),
        Change(at_s=240.0, before=30, after=20),
    )
    course = Course(score=score, minutes=None, changes=changes)
    assert find_provisioned(course, 6).tolist() == [10, 10, 30, 30, 20, 20]
    steady = Course(score=replace(score, unit_hours=7.0), minutes=None, changes=())
    assert find_provisioned(steady, 60).tolist() == [7.0] * 60


def test_too_many_decisions_leave_the_largest_in_order_of_time() -> None:
    steps = [5, 400, 1, 90, 300]
    changes = [
        Change(at_s=float(at), before=1000, after=1000 - step) for at, step in enumerate(steps)
    ]
    assert [change.at_s for change in choose_changes(changes, at_most=2)] == [1.0, 4.0]
    assert choose_changes(changes, at_most=5) == changes


def test_a_decision_says_when_what_and_why() -> None:
    change = Change(at_s=28_890.0, before=500, after=1200, reasons=("surge", "since it rained"))
    assert describe_change(change) == [
        "day 1 08:01:30",
        "500 → 1,200 units/s",
        "demand has left its recent past behind",
        "since it rained",
    ]


def test_zero_has_its_own_place_below_the_lowest_decade() -> None:
    result = make_result()
    figure = draw_frontier(result.fleet, of="all")
    zero, lowest, *_ = figure.layout["yaxis"]["tickvals"]
    assert figure.layout["yaxis"]["ticktext"][0] == "0"
    assert zero < lowest
    ppms = [score.throttled_ppm for score in result.fleet.values() if score.throttled_ppm > 0]
    assert lowest <= math.log10(min(ppms))
    [static] = _lines(figure, name="static peak")
    assert static["y"] == [zero]


def test_the_frontier_joins_the_targets_in_their_order() -> None:
    result = make_result()
    joined = _lines(draw_frontier(result.fleet, of="all"), name="AWS auto scaling")[0]
    assert joined["text"] == ["50 %", "70 %", "90 %"]
    costs = [
        result.fleet[f"aws-auto-scaling-{target}"].cost_vs_clairvoyant for target in (50, 70, 90)
    ]
    assert joined["x"] == pytest.approx(costs, abs=1e-3)


def test_our_frontier_joins_the_risks_in_their_order_the_policys_own_among_them() -> None:
    result = make_result()
    figure = draw_frontier(result.fleet, of="all", risk_ppm=10.0)
    [joined] = _lines(figure, name="Capacity Pilot by risk")
    names = ["pilot-at-1ppm", "pilot", *RISKS[1:]]
    costs = [result.fleet[name].cost_vs_clairvoyant for name in names]
    assert joined["x"] == pytest.approx(costs, abs=1e-3)
    assert joined["text"] == ["1 ppm", "", "", "", "10,000 ppm"]
    told = [str(each).split("<br>") for each in joined["customdata"]]  # type: ignore[attr-defined]
    assert [each[0] for each in told[1:3]] == ["Capacity Pilot", "Capacity Pilot at 100 ppm"]
    assert told[1][-1] == "risk 10 ppm"
    [star] = _lines(figure, name="Capacity Pilot")
    assert (star["x"], star["y"]) == (joined["x"][1:2], joined["y"][1:2])  # type: ignore[index]


def test_a_pilot_at_as_many_risks_as_traces_is_no_point_of_the_line() -> None:
    figure = draw_frontier(make_result().fleet, of="all", risk_ppm=None)
    [joined] = _lines(figure, name="Capacity Pilot by risk")
    assert len(joined["x"]) == len(RISKS)  # type: ignore[arg-type]
    assert len(_lines(figure, name="Capacity Pilot")) == 1


def test_without_other_risks_there_is_no_line_of_ours() -> None:
    figure = draw_frontier(make_result(strategies=("pilot",)).fleet, of="all", risk_ppm=10.0)
    assert not _lines(figure, name="Capacity Pilot by risk")


def test_other_risks_are_not_drawn_over_the_pilots_course() -> None:
    assert not set(list_drawn(make_trace("day"))) & set(RISKS)


def test_without_a_clairvoyant_cost_is_in_unit_hours() -> None:
    result = make_result(strategies=("pilot", "aws-auto-scaling-70"))
    figure = draw_frontier(result.fleet, of="all")
    [pilot] = _lines(figure, name="Capacity Pilot")
    assert pilot["x"] == pytest.approx([result.fleet["pilot"].unit_hours], abs=1)
    assert figure.layout["xaxis"]["title"]["text"] == "cost, unit-hours"


def test_a_run_that_throttled_nothing_anywhere_still_has_a_frontier() -> None:
    result = make_result(strategies=("pilot", "static-peak", "clairvoyant"))
    calm = {name: replace(score, throttled_ppm=0.0) for name, score in result.fleet.items()}
    figure = draw_frontier(calm, of="all")
    assert {line["y"][0] for line in figure.data if line["y"]} == {
        figure.layout["yaxis"]["tickvals"][0]
    }
