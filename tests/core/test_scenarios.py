"""What the core does, told in time. The clock starts at nine in the morning UTC."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.model import Dimension, Direction, Resource
from capacity_pilot.core.reasons import Reason
from tests.core.scenario import BY_AUTHOR, FEED, HOLD, IN, MIDNIGHT, OUT, USERS, Story

READ, WRITE = Dimension.READ, Dimension.WRITE
DAY = 86_400


def test_steady_demand_holds() -> None:
    story = Story(provisioned=100.0, demand=50.0, noise=0.1, stabilization="1h")
    story.until("20m").expect_only(HOLD)


def test_slow_rise_scales_out_before_provisioned_is_passed() -> None:
    """With no trust in the bucket, capacity is ahead of demand in every single second."""
    story = Story(provisioned=100.0, demand=50.0)
    story.policy.burst_reliance[:] = 0.0
    story.until("5m").ramp("20m", to=400.0)
    provisioned = story.series(lambda d: d.provisioned)
    assert (provisioned >= np.linspace(50.0, 400.0, len(provisioned))).all()
    assert provisioned[-1] > 400


@pytest.mark.parametrize("lag", [1, 6])
def test_notification_with_an_empty_bucket_scales_out_within_3_s_of_its_spans(lag: int) -> None:
    """Demand times six in 10 s: the raise is sent three seconds after the first spans tell."""
    story = Story(provisioned=100.0, demand=95.0, lag=lag, noise=0.02, bucket=0.0).until("5m")
    story.policy.burst_reliance[:] = 0.0
    begins = story.now
    story.ramp("5m10s", to=600.0)
    first = next(
        now for now, d in story.told[story._since :] if d.action[story.slot] > 0 and now > begins
    )
    assert first - (begins + lag) <= 3
    story.until("7m")
    assert story.provisioned >= 600


def test_surge_the_bucket_can_carry_is_left_to_it() -> None:
    """30 000 units in the bucket against 20 units of excess for a minute: nothing to buy."""
    story = Story(provisioned=100.0, demand=85.0, bucket=30_000.0).until("5m")
    story.at("5m1s", demand=120.0).until("6m").expect_only(HOLD)
    story.expect(HOLD, Reason.BURST_COVERS)


def test_telemetry_that_stops_mid_surge_holds_for_ever() -> None:
    story = Story(provisioned=100.0, demand=90.0).until("5m")
    story.at("5m1s", demand=500.0).until("5m20s")
    raised = story.provisioned
    assert raised >= 500
    story.at("5m21s", telemetry=False).until("40m")
    assert story.count(IN) == 0
    assert story.provisioned >= raised


def test_idle_target_beside_a_reporting_one_is_silence_not_zero() -> None:
    story = Story(resources=(FEED, USERS), provisioned=100.0, demand=90.0)
    story.at("1s", other=(USERS, WRITE, 90.0)).until("5m")
    story.at("5m1s", demand=None).until("25m")
    assert not story.series(lambda decided: decided.units - decided.provisioned).any()
    story.expect(HOLD, of=(USERS, WRITE))


def test_seconds_seen_and_empty_are_zero_and_scale_in_after_stabilization() -> None:
    story = Story(provisioned=100.0, demand=90.0).until("15m")
    story.at("15m1s", demand=0.0).until("24m").expect_only(HOLD)
    story.expect_within(20 * 60, IN, Reason.TROUGH).until("50m")
    assert story.provisioned < 20.0


def test_trough_takes_exactly_one_decrease() -> None:
    story = Story(provisioned=1_000.0, demand=900.0, noise=0.05).until("15m")
    story.at("15m1s", demand=200.0).until("40m")
    assert story.count(IN) == 1
    assert 200 < story.provisioned <= 300


def test_reserve_then_quota_space_the_days_decreases() -> None:
    """Demand halves every 12 minutes: three free decreases, one in reserve, then by the hour."""
    story = Story(provisioned=8_000.0, demand=6_400.0, apply_s=1.0, reserve=1, stabilization="1m")
    for step in range(7):
        minute = 4 + 12 * step
        story.at(f"{minute}m", demand=6_400 / 2 ** (step + 1)).until(f"{minute}m59s")
    story.until("1h50m")
    at = [now - story.start for _, now in story.tables.decreases]
    assert len(at) == 4
    assert at[3] - at[2] == pytest.approx(3600, abs=2)
    assert any(int(d.reasons[story.slot]) & Reason.DECREASE_RESERVE for _, d in story.told)


def test_quota_returns_at_midnight() -> None:
    story = Story(
        provisioned=8_000.0, demand=7_000.0, apply_s=1.0, reserve=0, stabilization="1m",
        starts="22h50m",
    )  # fmt: skip
    for step in range(6):
        minute = 4 + 12 * step
        story.at(f"{minute}m", demand=7_000 / 2 ** (step + 1)).until(f"{minute}m59s")
    story.until("69m").expect(HOLD, Reason.DECREASE_QUOTA)
    story.until("71m")
    at = [now - MIDNIGHT for _, now in story.tables.decreases]
    assert len([t for t in at if t < DAY]) == 4
    assert at[4] == DAY


def test_throttled_target_gives_nothing_away() -> None:
    story = Story(provisioned=1_000.0, demand=200.0, refusals=5.0).until("20m")
    story.expect_only(HOLD).expect(HOLD, Reason.THROTTLING)
    story.at("20m1s", refusals=0.0).expect_within(63, IN)


def test_below_min_is_raised_at_once_and_blind() -> None:
    story = Story(provisioned=3.0, demand=None, write=(10, 100))
    story.at("0s").expect(OUT, Reason.FLOOR | Reason.NO_TELEMETRY, units=10.0)


def test_max_caps_and_says_so() -> None:
    story = Story(provisioned=100.0, demand=90.0, write=(10, 400)).until("5m")
    story.at("5m1s", demand=5_000.0).expect_within(10, OUT, Reason.CEILING)
    story.until("10m").expect(HOLD, Reason.CEILING)
    assert story.provisioned == 400


def test_late_spans_cost_as_much_time_as_they_are_late() -> None:
    """The same jump, told 6 s late instead of 1 s: decided about 5 s later, never earlier."""
    decided = {}
    for lag in (1, 6):
        story = Story(provisioned=130.0, demand=90.0, lag=lag)
        story.policy.burst_reliance[:] = 0.0
        story.until("10m").at("10m1s", demand=400.0).expect_within(30, OUT)
        decided[lag] = story.now
    assert 3 <= decided[6] - decided[1] <= 7


def test_target_whose_spans_come_later_than_the_fleets_is_still_raised() -> None:
    """One service exports through a slow collector; thirty others are a second late."""
    others = tuple(Resource(f"punctual-{n}") for n in range(30))
    story = Story(resources=(FEED, *others), provisioned=100.0, demand=90.0)
    story.at("0s", slower=(FEED, WRITE, 15))
    for other in others:
        story.at(f"{1 + story.told[-1][0] - story.start:.0f}s", other=(other, WRITE, 90.0))
    story.until("5m").at("5m1s", demand=300.0).until("8m")
    assert story.provisioned >= 300


def test_update_in_flight_holds_then_goes_on() -> None:
    story = Story(provisioned=100.0, demand=90.0, apply_s=20.0).until("5m")
    story.at("5m1s", demand=300.0).expect_within(10, OUT)
    story.at("5m14s", demand=2_000.0).until("5m18s")
    story.expect_only(HOLD).expect(HOLD, Reason.UPDATE_IN_FLIGHT)
    story.expect_within(20, OUT)
    story.until("7m")
    assert story.provisioned >= 2_000


def test_unread_capacity_holds() -> None:
    story = Story(provisioned=100.0, demand=500.0)
    story.at("0s", described=False).until("5m").expect_only(HOLD)
    story.expect(HOLD, Reason.CAPACITY_UNKNOWN)
    assert not story.plans
    story.at("5m1s", described=True).expect(OUT, Reason.RISING_DEMAND)


def test_unmanaged_dimension_is_left_alone() -> None:
    """Reads have no bounds in the policy: they are sent as they are, whatever they would need."""
    story = Story(provisioned={(FEED, READ): 70.0}, demand=90.0, write=(10, 1_000))
    story.at("0s", other=(FEED, READ, 500.0)).until("5m")
    story.expect(HOLD, Reason.UNMANAGED, of=(FEED, READ), units=70.0)
    decision = story.told[-1][1]
    assert not int(decision.reasons[0]) & (Reason.CEILING | Reason.FLOOR)
    assert story.plans
    assert {change.read for plan in story.plans for change in plan.changes} == {70}


def test_table_and_index_are_raised_in_one_call() -> None:
    story = Story(resources=(FEED, BY_AUTHOR), provisioned=100.0, demand=90.0)
    story.at("0s", other=(BY_AUTHOR, WRITE, 90.0)).until("5m")
    before = len(story.plans)
    story.at("5m1s", demand=400.0, other=(BY_AUTHOR, WRITE, 400.0)).expect_within(10, OUT)
    (plan,) = story.plans[before:]
    assert [change.resource for change in plan.changes] == [FEED, BY_AUTHOR]


def test_write_down_waits_while_read_goes_up() -> None:
    """A decrease in the same call would cost the increase, should the quota be spent."""
    story = Story(
        provisioned={(FEED, READ): 100.0, (FEED, WRITE): 1_000.0},
        demand=100.0, read=(10, 10_000), stabilization="5m",
    )  # fmt: skip
    story.policy.burst_reliance[:] = 0.0
    story.at("0s", other=(FEED, READ, 60.0)).until("4m59s").expect_only(HOLD)
    # The stabilization window ends as reads jump.
    story.at("5m", other=(FEED, READ, 500.0)).until("5m1s")
    both = [
        d for _, d in story.told if d.action[story.slot] == IN and d.action[story.slot - 1] == OUT
    ]
    assert both, "the story must come to both directions at once"
    first = story.plans[0]
    assert first.direction is Direction.OUT
    assert first.changes[0].write == 1_000
    assert first.changes[0].read > 500
    assert "trough" not in first.reasons


def test_outage_is_no_evidence_of_a_trough() -> None:
    """Twenty low seconds, an outage as long as the window, and a return just as low.

    Only seconds somebody watched count toward the window.
    """
    story = Story(provisioned=1_000.0, demand=900.0).until("30m")
    story.at("30m1s", demand=100.0).until("30m20s")
    story.at("30m21s", telemetry=False).until("50m")
    story.at("50m1s", telemetry=True).until("59m").expect_only(HOLD)
    story.expect_within(15 * 60, IN)


def test_paused_pilot_watches_a_whole_window_before_it_scales_in() -> None:
    """A suspended process knows nothing of the time it slept."""
    story = Story(provisioned=1_000.0, demand=900.0).until("30m")
    story.now += 3600
    story.at("1h30m1s", demand=100.0).until("1h39m").expect_only(HOLD)
    story.expect_within(15 * 60, IN)
