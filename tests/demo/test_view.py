import io

import pytest
from rich.console import Console, RenderableType

from capacity_pilot.demo.closing import draw_summary
from capacity_pilot.demo.plain import PlainView
from capacity_pilot.demo.recording import Recording
from capacity_pilot.demo.summary import summarize
from capacity_pilot.demo.tables import FEED, TWIN
from capacity_pilot.demo.timeline import Timeline
from capacity_pilot.demo.view import draw_frame
from tests.demo.recorded import (
    START_AT,
    actuation,
    decision,
    make_recording,
    pilot_line,
    reading,
    snapshot,
    tally,
)

TIMELINE = Timeline(warm_up_s=10, rise_s=2, hold_s=20, decay_s=2)


def _render(drawing: RenderableType, *, width: int) -> list[str]:
    console = Console(file=io.StringIO(), record=True, width=width, height=100)
    console.print(drawing)
    return [line.rstrip() for line in console.export_text().rstrip("\n").split("\n")]


def _tell_surge(*, until_s: int) -> Recording:
    recording = make_recording()
    for second in range(until_s + 1):
        recording.snapshots.append(
            snapshot(
                second,
                attempted=50.0 * min(second, 10) + 1300.0 * max(second - 10, 0),
                requested=1400 if second > 12 else None,
                refusals=max(second - 11, 0),
                twin_refusals=3.0 * max(second - 11, 0),
            )
        )
        recording.readings.append(reading(second, demand=50.0, dry_in_s=7.2))
    recording.hear_feed(FEED, tally(requests=1200, throttled=4))
    recording.hear_feed(TWIN, tally(requests=1200, throttled=345))
    if until_s > 12:
        for _ in range(20):
            recording.hear_pilot(decision(12.9, units=1400, reasons=["rising_demand", "surge"]))
        recording.hear_pilot(actuation(12.9))
    return recording


def _frame(recording: Recording, at_s: float, *, width: int = 80, height: int = 24) -> list[str]:
    drawing = draw_frame(recording, TIMELINE, now=START_AT + at_s, width=width, height=height)
    return _render(drawing, width=width)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60)])
def test_a_frame_fits_its_terminal_and_cuts_no_number(width: int, height: int) -> None:
    lines = _frame(_tell_surge(until_s=16), 16.0, width=width, height=height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    table = "\n".join(lines[:10])
    assert "…" not in table
    assert "by-school write" in table
    assert "100→1400" in table


def test_before_the_push_the_frame_says_when_it_comes() -> None:
    lines = _frame(_tell_surge(until_s=4), 4.0)
    assert "the push notification leaves in 6 s" in lines[0]
    assert any("nothing yet, the first minute comes in" in line for line in lines)


def test_after_it_the_frame_shows_both_sides_and_why() -> None:
    lines = _frame(_tell_surge(until_s=16), 16.0)
    assert "push 6 s ago: demand holds at 6 times" in lines[0]
    assert any("4 with the pilot, 345 without, of 1200 each" in line for line in lines)
    assert any("decision: scale out, table 1400 r 1400 w: forecast" in line for line in lines)
    assert "UpdateTable taken" in lines[-1]


def test_demand_above_capacity_is_red_on_the_side_where_it_is() -> None:
    recording = _tell_surge(until_s=16)
    drawing = draw_frame(recording, TIMELINE, now=START_AT + 16, width=80, height=24)
    console = Console(file=io.StringIO(), record=True, width=80, color_system="standard")
    console.print(drawing)
    assert "\x1b[31m█" in console.export_text(styles=True)


def test_a_frame_without_any_snapshot_is_only_its_title() -> None:
    assert len(_frame(make_recording(), -0.5)) == 1


def test_the_summary_names_both_sides() -> None:
    lines = _render(draw_summary(summarize(_tell_surge(until_s=34), TIMELINE)), width=80)
    text = " ".join(" ".join(lines).split())
    assert "with the pilot" in text
    assert "4 (0.3%)" in text
    assert "345 (28.7%)" in text
    assert "The first UpdateTable was taken 2.9 s after the push." in text


def test_without_a_terminal_each_event_is_one_line_and_told_once() -> None:
    lines: list[str] = []
    view = PlainView(TIMELINE, lines.append)
    recording = make_recording()
    recording.hear_feed(FEED, tally(requests=30, throttled=0))
    recording.hear_feed(TWIN, tally(requests=30, throttled=0))
    view.show(recording, START_AT + 0.1)
    recording.hear_pilot(pilot_line(0.3, "telemetry_lost", silent_s=15.2))
    recording.hear_pilot(pilot_line(0.4, "ready"))
    view.show(recording, START_AT + 0.5)
    view.show(recording, START_AT + 0.75)
    assert len(lines) == 2
    assert lines[1].endswith("telemetry lost for 15 s: capacity is held, silence is not zero")
