import json

import pytest

from capacity_pilot.demo.closing import list_remarks
from capacity_pilot.demo.recording import Recording
from capacity_pilot.demo.summary import summarize
from capacity_pilot.demo.tables import FEED, TWIN
from capacity_pilot.demo.timeline import Timeline
from tests.demo.recorded import (
    actuation,
    decision,
    export,
    make_recording,
    pilot_line,
    reading,
    snapshot,
    tally,
)

TIMELINE = Timeline(warm_up_s=10, rise_s=2, hold_s=20, decay_s=2)
TABLE_READ = f"{FEED}:read"


def _tell_surge(*, measured: float = 330.0) -> Recording:
    """50 units/s, then 300; raised from 100 to 400 at 16 s; the twin throttles to the end."""
    recording = make_recording()
    for second in range(35):
        attempted = 50.0 * min(second, 10) + 300.0 * max(second - 10, 0)
        recording.snapshots.append(
            snapshot(
                second,
                attempted=attempted,
                provisioned=400 if second >= 16 else 100,
                refusals=2.0 * min(max(second - 12, 0), 4),
                twin_refusals=2.0 * max(second - 12, 0),
            )
        )
        recording.readings.append(reading(second, demand=50.0 if second < 12 else measured))
    recording.hear_feed(FEED, export(sent_s=10.5, newest_end_s=10.4))
    recording.hear_pilot(decision(12.9, units=400, reasons=["rising_demand", "surge"]))
    recording.hear_pilot(actuation(13.0))
    recording.hear_pilot(pilot_line(16.1, "capacity_applied", apply_time_s=3.1, changes=[]))
    recording.hear_feed(FEED, tally(requests=900, throttled=9, event="finished"))
    recording.hear_feed(TWIN, tally(requests=900, throttled=300, event="finished"))
    return recording


def test_both_sides_of_one_surge() -> None:
    summary = summarize(_tell_surge(), TIMELINE)
    assert summary.push_to_update_s == pytest.approx(3.0)
    assert summary.surge_to_update_s == pytest.approx(2.5)
    assert (summary.throttled_with_pilot, summary.throttled_without_pilot) == (9, 300)
    assert summary.throttled_seconds_with_pilot == pytest.approx(4.0)
    assert summary.throttled_seconds_without_pilot == pytest.approx(22.0)
    assert summary.apply_times_s == [3.1]
    [told] = summary.decisions
    assert (told["at_s"], told["after_push_s"]) == (pytest.approx(12.9), pytest.approx(2.9))
    assert told["reasons"] == ["rising_demand", "surge"]


def test_sizing_is_held_against_what_was_really_attempted() -> None:
    target = summarize(_tell_surge(measured=330.0), TIMELINE).targets[TABLE_READ]
    assert (target.capacity_before, target.capacity_after) == (100, 400)
    assert target.peak_demand == 300.0
    assert (target.true_demand, target.measured_demand) == (300.0, 330.0)
    assert target.sizing_error == pytest.approx(0.1)


def test_the_file_has_what_is_promised() -> None:
    rendered = json.loads(json.dumps(summarize(_tell_surge(), TIMELINE).render()))
    assert rendered.keys() >= {
        "surge_to_update_s",
        "throttled_with_pilot",
        "throttled_without_pilot",
        "requests",
        "decisions",
    }


def test_without_an_update_there_is_no_figure_and_the_summary_says_so() -> None:
    recording = _tell_surge()
    recording.events.clear()
    summary = summarize(recording, TIMELINE)
    assert summary.surge_to_update_s is None
    assert list_remarks(summary)[0] == "No UpdateTable followed the push."


def test_losing_telemetry_is_told_with_the_capacity_that_was_held() -> None:
    recording = _tell_surge()
    loss = summarize(recording, TIMELINE, lost_at=recording.start_at + 20).telemetry_loss
    assert loss is not None
    assert not loss.was_lowered
    assert loss.capacity_at_loss[TABLE_READ] == loss.capacity_at_end[TABLE_READ] == 400


def test_a_scale_in_after_the_loss_would_not_go_unseen() -> None:
    recording = _tell_surge()
    recording.snapshots.append(snapshot(35, attempted=9_000, provisioned=50))
    summary = summarize(recording, TIMELINE, lost_at=recording.start_at + 20)
    assert summary.telemetry_loss is not None
    assert summary.telemetry_loss.was_lowered
    assert any("CAPACITY WAS LOWERED" in remark for remark in list_remarks(summary))


def test_failures_that_are_no_throttles_are_told() -> None:
    recording = _tell_surge()
    recording.hear_feed(TWIN, tally(requests=900, throttled=300, failed=2, event="finished"))
    summary = summarize(recording, TIMELINE)
    assert (summary.failed_requests, summary.last_failure) == (2, "no route")
    assert any("2 requests failed" in remark for remark in list_remarks(summary))
