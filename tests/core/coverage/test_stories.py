"""Coverage told in time: what the pilot makes of callers it does not see."""

from __future__ import annotations

import math

import pytest

from capacity_pilot.core.reasons import Reason
from tests.core.coverage.watched import Watched

NO_DOUBT = Reason.STEADY


def test_where_spans_tell_everything_nothing_is_corrected() -> None:
    watched = Watched().until("30m")
    assert watched.factor == 1.0
    assert watched.coverage == pytest.approx(1.0, abs=1e-9)
    assert watched.doubts == NO_DOUBT
    assert watched.seen == pytest.approx(500, rel=0.05)


def test_callers_without_tracing_are_added_once_two_minutes_say_so() -> None:
    watched = Watched(share=0.4).until("2m")
    assert watched.factor == 1.0
    assert watched.doubts == Reason.COVERAGE_UNKNOWN
    watched.until("4m")
    assert watched.factor == pytest.approx(2.5, rel=0.1)
    assert watched.doubts & Reason.COVERAGE_UNKNOWN
    watched.until("20m")
    assert watched.doubts == NO_DOUBT
    assert watched.coverage == pytest.approx(0.4, rel=0.02)
    assert watched.seen == pytest.approx(500, rel=0.05)


def test_a_sampler_that_says_what_it_keeps_needs_no_correction() -> None:
    watched = Watched(share=0.1, weight=10.0).until("20m")
    assert watched.coverage == pytest.approx(1.0, abs=0.03)
    assert watched.factor == 1.0


def test_one_that_does_not_say_so_is_found_out_on_sparse_traffic_as_well() -> None:
    watched = Watched(demand=10.0, size=3.0, share=0.1, provisioned=100).until("30m")
    assert watched.coverage == pytest.approx(0.1, rel=0.25)
    assert watched.seen == pytest.approx(30, rel=0.5)


def test_noise_of_sampling_alone_is_no_doubt_but_callers_that_come_and_go_are() -> None:
    sampled = Watched(demand=0.5, size=200.0, share=0.2, weight=5.0).until("30m")
    assert sampled.pilot.coverage.spread[sampled.slot] > 0.3
    assert not sampled.doubts & Reason.LOW_COVERAGE
    fitful = Watched(share=0.5)
    for minute in range(1, 31):
        fitful.share = 0.2 if minute % 2 else 0.6
        fitful.until(f"{minute}m")
    assert fitful.doubts & Reason.LOW_COVERAGE


def test_a_deployment_without_tracing_is_noticed_and_named_within_five_minutes() -> None:
    watched = Watched().until("20m")
    watched.share = 0.5
    watched.until("25m")
    assert 20 * 60 < watched.changed_at <= 25 * 60
    assert watched.doubts & Reason.COVERAGE_CHANGED
    assert watched.pilot.coverage.ratio_before[watched.slot] == pytest.approx(1.0, abs=0.01)
    assert watched.until("30m").seen == pytest.approx(500, rel=0.05)
    watched.share = 1.0
    watched.until("37m")
    assert 30 * 60 < watched.changed_at <= 35 * 60
    assert watched.factor == 1.0
    assert watched.until("55m").doubts == NO_DOUBT


def test_capacity_is_not_lowered_before_coverage_is_known() -> None:
    blind = Watched(is_counted=False).until("40m")
    assert blind.doubts == Reason.COVERAGE_UNKNOWN
    decisions = blind.step.decisions
    assert decisions.action[blind.slot] == 0
    assert decisions.reasons[blind.slot] & Reason.COVERAGE_UNKNOWN
    blind.is_counted = True
    blind.until("45m")
    assert blind.step.decisions.action[blind.slot] == -1


def test_no_doubt_delays_an_increase() -> None:
    doubtful = Watched(is_counted=False, provisioned=600).until("15m")
    certain = Watched(usd_per_month=0.0, provisioned=600).until("15m")
    for watched in (doubtful, certain):
        watched.demand = 6000.0
    assert doubtful.doubts == Reason.COVERAGE_UNKNOWN
    for second in range(1, 120):
        time = f"{15 + second // 60}m{second % 60}s"
        ticks = [watched.until(time).step.decisions for watched in (doubtful, certain)]
        raised = [int(d.action[doubtful.slot]) == 1 for d in ticks]
        assert raised[0] == raised[1]
    assert raised[0]


def test_whoever_does_not_read_cloudwatch_is_held_up_by_nothing() -> None:
    watched = Watched(usd_per_month=0.0).until("20m")
    assert watched.step.decisions.action[watched.slot] == -1
    assert not watched.step.decisions.reasons[watched.slot] & Reason.COVERAGE_UNKNOWN
    assert not watched.readings
    assert math.isnan(watched.coverage)


def test_what_was_known_is_doubted_when_cloudwatch_falls_silent() -> None:
    watched = Watched(share=0.5).until("20m")
    watched.is_counted = False
    assert watched.until("26m").doubts == NO_DOUBT
    assert watched.until("34m").doubts == Reason.COVERAGE_UNKNOWN
    assert watched.seen == pytest.approx(500, rel=0.05)  # and still corrected
    watched.is_counted = True
    assert watched.until("37m").doubts == NO_DOUBT


def test_sums_published_in_part_and_revised_teach_nothing_wrong() -> None:
    watched = Watched(revised=0.6)
    for minute in range(1, 31):
        watched.until(f"{minute}m")
        assert watched.factor == 1.0
        assert math.isnan(watched.changed_at)


def test_a_hole_in_telemetry_is_no_loss_of_coverage() -> None:
    watched = Watched().until("10m10s")
    watched.is_told = False
    watched.until("11m")
    watched.is_told = True
    for minute in range(12, 25):
        watched.until(f"{minute}m")
        assert watched.factor == 1.0
        assert math.isnan(watched.changed_at)


def test_a_restart_within_a_minute_compares_whole_minutes_only() -> None:
    watched = Watched(starts="9h30s").until("5m")
    watched.restart()
    for minute in range(7, 20):
        watched.until(f"{minute}m")
        assert watched.factor == 1.0
    assert watched.doubts == NO_DOUBT


def test_tracing_lost_altogether_is_told_apart_from_an_idle_table() -> None:
    watched = Watched().until("20m")
    watched.is_told = False
    watched.until("26m")
    assert watched.doubts & Reason.LOW_COVERAGE
    assert watched.coverage == 0.0
    watched.is_told = True
    assert watched.until("32m").coverage == pytest.approx(1.0, abs=1e-3)
    idle = Watched().until("20m")
    idle.demand = 0.0
    assert not idle.until("28m").doubts & Reason.LOW_COVERAGE


def test_spans_of_refused_calls_are_not_held_against_what_was_served() -> None:
    """CloudWatch counts what it served; spans tell of every try."""
    watched = Watched(share=0.5, throttled=0.4).until("20m")
    assert watched.coverage == pytest.approx(0.5, rel=0.02)
    assert watched.seen == pytest.approx(500, rel=0.05)


def test_throttles_nobody_traced_hold_decreases_as_well() -> None:
    watched = Watched(share=0.5, throttled=0.01, is_throttle_told=False).until("30m")
    assert watched.step.decisions.action[watched.slot] == 0
    told_at = watched.pilot.coverage.throttles_told_at[watched.slot]
    assert watched.now - told_at <= 60


def test_spans_that_tell_too_much_are_scaled_down_after_ten_minutes_only() -> None:
    """A call traced by two instrumentations is told of twice."""
    watched = Watched(weight=2.0).until("10m")
    assert watched.factor == 1.0
    watched.until("20m")
    assert watched.factor == pytest.approx(0.5, rel=0.02)


def test_next_to_nothing_traced_is_corrected_and_doubted() -> None:
    watched = Watched(demand=3000.0, share=0.004, provisioned=9000).until("30m")
    assert watched.doubts & Reason.LOW_COVERAGE
    assert watched.factor == pytest.approx(200.0)
