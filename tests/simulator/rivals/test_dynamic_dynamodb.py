"""dynamic-dynamodb's defaults against cases worked by hand from its configuration and rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.simulator.rivals import Bounds
from capacity_pilot.simulator.rivals.dynamic_dynamodb import DynamicDynamodb
from tests.simulator.rivals.watched import Watched

WIDE = Bounds(least=1, most=100_000)


def watched(*, provisioned: int = 100, bounds: Bounds = WIDE) -> Watched:
    return Watched(DynamicDynamodb(bounds=bounds), provisioned=provisioned)


def decided(table: Watched, rate: float | None, minutes: int = 60) -> list[tuple[int, int]]:
    """(minute, units) of each decision while minutes of ``rate`` are published."""
    asked = table.minutes(*[rate] * minutes)
    return [(number, units) for number, units in enumerate(asked, start=1) if units is not None]


def test_a_load_is_met_by_half_more_after_a_quarter_of_an_hour() -> None:
    """Checks fall on minutes 1, 6, 11 and 16; the last is the first whose window is whole.

    140 units a second on 100, out of burst, are taken as 140 and half of that is added.
    """
    assert decided(watched(), 140, 30) == [(16, 210)]


def test_above_ninety_percent_half_of_what_is_provisioned_is_added() -> None:
    assert decided(watched(provisioned=101), 91, 30) == [(16, 152)]


def test_exactly_ninety_and_thirty_percent_hold() -> None:
    assert decided(watched(), 90) == []
    assert decided(watched(), 30) == []


def test_below_thirty_percent_half_is_taken_away_at_each_check() -> None:
    assert decided(watched(provisioned=101), 10) == [(16, 51), (21, 26)]


def test_another_load_is_seen_once_the_window_has_reached_it() -> None:
    """Load of minute 21 on enters the window of minutes 18 to 22, checked at minute 31."""
    table = watched()
    table.minutes(*[60] * 20)
    assert decided(table, 240) == [(11, 198), (16, 360)]


def test_no_consumption_is_no_reason_to_scale_in() -> None:
    assert decided(watched(), 0.0, 300) == []
    assert decided(watched(), None, 300) == []


def test_missing_minutes_are_taken_as_idle() -> None:
    """A real weakness of it: two of five minutes at 60 % look like 24 %."""
    asked = watched().minutes(*[60, 60, None, None, None] * 4)
    assert asked[:16] == [None] * 15 + [50]


def test_throttles_alone_raise_nothing() -> None:
    """Their thresholds are off by default: 85 % consumed with ten times that refused holds."""
    table = watched()
    for _ in range(60):
        assert table.minute(85, throttled=850) is None


def test_a_refused_decrease_is_proposed_at_the_next_check() -> None:
    table = watched(provisioned=6400)
    asked = [units for _, units in decided(table, 1, 60)]
    assert asked[:4] == [3200, 1600, 800, 400]
    assert set(asked[4:]) == {200}
    assert table.provisioned == 400


def test_an_updating_table_is_left_until_the_next_check() -> None:
    table = watched()
    table.is_updating = True
    assert table.minutes(*[140] * 16) == [None] * 16
    table.is_updating = False
    assert decided(table, 140, 5) == [(5, 210)]


def test_bounds_are_met_at_the_first_check() -> None:
    assert watched(bounds=Bounds(least=250, most=500)).minute(None) == 250
    assert watched(bounds=Bounds(least=5, most=50)).minute(None) == 50


def test_more_consumed_than_the_most_leaves_the_table_as_it_is() -> None:
    """The most is 120: at 110 units a second it is proposed, at 130 it is under what burst gave."""
    narrow = Bounds(least=1, most=120)
    assert decided(watched(bounds=narrow), 110) == [(16, 120)]
    assert decided(watched(bounds=narrow), 130) == []


@given(
    rates=st.lists(st.one_of(st.none(), st.sampled_from([0, 1, 28, 31, 92, 150])), max_size=80),
    least=st.integers(1, 150),
    room=st.integers(0, 300),
)
def test_decisions_stay_within_bounds_and_change_something(
    rates: list[float | None], least: int, room: int
) -> None:
    table = watched(bounds=Bounds(least=least, most=least + room))
    for rate in rates:
        before = table.provisioned
        units = table.minute(rate)
        assert units is None or least <= units <= least + room
        assert units != before


@given(
    provisioned=st.integers(1, 200),
    rates=st.lists(st.floats(1, 200), min_size=16, max_size=16),
    more=st.floats(0, 200),
)
def test_more_consumption_never_yields_less_capacity(
    provisioned: int, rates: list[float], more: float
) -> None:
    """Short of none at all and of the policy's most, where it has rules of its own."""
    calm, busy = watched(provisioned=provisioned), watched(provisioned=provisioned)
    calm.minutes(*rates)
    busy.minutes(*[rate + more for rate in rates])
    assert calm.provisioned <= busy.provisioned
