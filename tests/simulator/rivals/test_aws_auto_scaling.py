"""AWS auto scaling against cases worked by hand from AWS's guides, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.rivals import Bounds
from capacity_pilot.simulator.rivals.aws_auto_scaling import AwsAutoScaling
from tests.simulator.rivals.watched import MIDNIGHT, Watched

WIDE = Bounds(least=1, most=100_000)


def watched(
    *, provisioned: int = 100, target: float = 70, bounds: Bounds = WIDE, at: float = MIDNIGHT
) -> Watched:
    return Watched(AwsAutoScaling(target=target, bounds=bounds), provisioned=provisioned, at=at)


class TestScaleOut:
    def test_the_second_minute_above_target_brings_consumption_to_target(self) -> None:
        assert watched().minutes(80, 80) == [None, 115]  # 80 / 0.7 = 114.3

    def test_at_the_target_is_not_above_it(self) -> None:
        assert watched().minutes(*[70] * 30) == [None] * 30

    def test_spikes_with_a_quiet_minute_between_them_are_never_met(self) -> None:
        assert watched().minutes(*[99, 60] * 20) == [None] * 40

    def test_the_newest_minute_counts_not_the_mean_of_both(self) -> None:
        assert watched().minutes(80, 200) == [None, 286]  # 200 / 0.7 = 285.7

    def test_the_next_step_needs_two_minutes_above_the_new_threshold(self) -> None:
        """After 115 units the alarm is at 80.5 a second; the minutes at 80 no longer count."""
        assert watched().minutes(80, 80, 90, 90) == [None, 115, None, 129]

    def test_out_is_not_limited_by_any_quota(self) -> None:
        table = watched()
        for _ in range(40):
            table.serve(1e6)
        assert (table.provisioned, table.refusals) == (100_000, 0)

    def test_throttling_hides_demand_so_a_surge_is_climbed_in_steps(self) -> None:
        """150 units a second on 100 shows 100, then 143: six minutes instead of two to 215."""
        table = watched()
        assert [table.serve(150) for _ in range(6)] == [None, 143, None, 205, None, 215]


class TestScaleIn:
    def test_fifteen_minutes_at_the_guides_fifty_units(self) -> None:
        """Knowledge centre: 100 units at 70 % come down at 50 units for 15 minutes."""
        assert watched().minutes(*[50] * 15) == [None] * 14 + [72]

    def test_a_little_more_than_that_never_comes_down(self) -> None:
        assert watched().minutes(*[51] * 120) == [None] * 120

    def test_one_busy_minute_begins_the_fifteen_anew(self) -> None:
        assert watched().minutes(*[45] * 14, 60, *[45] * 15) == [None] * 29 + [65]

    def test_the_newest_minute_counts_here_too(self) -> None:
        assert watched().minutes(*[45] * 14, 7)[-1] == 10

    def test_a_surge_holds_its_capacity_for_fifteen_minutes(self) -> None:
        table = watched(bounds=Bounds(least=100, most=1000))
        asked = table.minutes(*[10] * 30, 200, 200, *[10] * 15)
        assert asked == [None] * 31 + [286] + [None] * 14 + [100]

    def test_a_standing_alarm_at_the_least_asks_for_nothing(self) -> None:
        table = watched(bounds=Bounds(least=100, most=1000))
        assert table.minutes(*[0] * 60) == [None] * 60

    def test_a_target_of_twenty_comes_down_at_no_consumption_only(self) -> None:
        assert watched(target=20).minutes(*[0.1] * 30) == [None] * 30
        assert watched(target=20).minutes(*[0] * 15)[-1] == 1


def test_the_guides_product_catalog_stays_within_150_and_1200() -> None:
    table = watched(provisioned=150, bounds=Bounds(least=150, most=1200))
    assert table.minutes(500, 500) == [None, 715]
    assert table.minutes(2000, 2000) == [None, 1200]
    assert table.minutes(*[30] * 15)[-1] == 150


class TestRefusals:
    def test_the_fifth_decrease_of_a_day_is_asked_for_each_minute_until_an_hour_has_passed(
        self,
    ) -> None:
        table = watched(provisioned=100_000)
        for rate in (40_000, 20_000, 10_000, 5_000):
            table.minutes(*[rate] * 15)
        assert (table.provisioned, table.quota.count) == (7143, 4)
        assert table.minutes(*[2_500] * 15)[-1] == 3572
        assert table.provisioned == 7143
        asked = table.minutes(*[2_500] * 45)  # the 45th is 3,600 s after the fourth decrease
        assert asked == [3572] * 45
        assert (table.provisioned, table.refusals) == (3572, 45)

    def test_a_refused_decrease_is_forgotten_when_traffic_returns(self) -> None:
        table = watched(provisioned=100_000)
        for rate in (40_000, 20_000, 10_000, 5_000):
            table.minutes(*[rate] * 15)
        assert table.minutes(*[2_500] * 15)[-1] == 3572
        assert table.minutes(*[4_500] * 15) == [None] * 15

    def test_an_updating_table_is_waited_for_and_then_sized_by_its_newest_minute(self) -> None:
        table = watched()
        table.is_updating = True
        assert table.minutes(80, 80, 90) == [None] * 3
        table.is_updating = False
        assert table.minute(95) == 136


class TestMissingMinutes:
    def test_silence_asks_for_nothing(self) -> None:
        assert watched().minutes(*[None] * 600) == [None] * 600

    def test_a_short_gap_neither_counts_nor_begins_anew(self) -> None:
        assert watched().minutes(80, None, 80) == [None, None, 115]
        assert watched().minutes(*[45] * 10, None, *[45] * 5) == [None] * 15 + [65]

    def test_a_gap_too_long_to_bridge_begins_anew(self) -> None:
        assert watched().minutes(80, None, None, None, 80, 80) == [None] * 5 + [115]
        assert watched().minutes(*[45] * 14, *[None] * 3, *[45] * 15) == [None] * 31 + [65]

    def test_an_alarm_stands_through_a_gap_and_its_refused_decrease_is_asked_again(self) -> None:
        table = watched(provisioned=100_000)
        for rate in (40_000, 20_000, 10_000, 5_000):
            table.minutes(*[rate] * 15)
        assert table.minutes(*[2_500] * 15, None, None) == [None] * 14 + [3572] * 3


class TestRegistration:
    def test_bounds_are_enforced_at_once(self) -> None:
        assert watched(bounds=Bounds(least=150, most=1200)).minute(None) == 150
        assert watched(bounds=Bounds(least=1, most=60)).minute(None) == 60

    def test_capacity_set_by_hand_later_is_left_alone(self) -> None:
        table = watched(bounds=Bounds(least=100, most=1200))
        table.minute(60)
        table.provisioned = 50
        assert table.minutes(*[30] * 30) == [None] * 30

    @pytest.mark.parametrize("target", [19.9, 90.1, float("nan")])
    def test_targets_aws_does_not_take_are_refused(self, target: float) -> None:
        with pytest.raises(InputError, match=f"target utilization is {target:g} %.*20 to 90"):
            watched(target=target)


RATES = st.lists(
    st.one_of(st.none(), st.sampled_from([0, 1, 45, 50, 51, 69, 71, 80, 150, 400])), max_size=80
)
TARGETS = st.sampled_from([20.0, 50.0, 70.0, 90.0])


@given(rates=RATES, target=TARGETS, least=st.integers(1, 150), room=st.integers(0, 300))
def test_decisions_stay_within_bounds_and_change_something(
    rates: list[float | None], target: float, least: int, room: int
) -> None:
    table = watched(target=target, bounds=Bounds(least=least, most=least + room))
    for rate in rates:
        before = table.provisioned
        decided = table.minute(rate)
        assert decided is None or least <= decided <= least + room
        assert decided != before


@given(rates=RATES, target=TARGETS)
def test_a_decrease_has_fifteen_published_minutes_behind_it(
    rates: list[float | None], target: float
) -> None:
    table = watched(target=target)
    seen: list[float] = []
    for rate in rates:
        before = table.provisioned
        if rate is not None:
            seen.append(rate)
        decided = table.minute(rate)
        if decided is not None and decided < before:
            assert len(seen) >= 15
            assert max(seen[-15:]) <= (target - 20) / 100 * before * (1 + 1e-12)


@given(rates=RATES, target=TARGETS, data=st.data())
def test_more_consumption_never_yields_less_capacity(
    rates: list[float | None], target: float, data: st.DataObject
) -> None:
    """Two tables of the same capacity, one seen busier in every minute, and never changed."""
    calm, busy = watched(target=target), watched(target=target)
    calm.is_updating = busy.is_updating = True
    for rate in rates:
        more = data.draw(st.sampled_from([0, 1, 20, 300]))
        calm.minute(rate)
        busy.minute(None if rate is None else rate + more)
    calm.is_updating = busy.is_updating = False
    assert (calm.minute(None) or 100) <= (busy.minute(None) or 100)
