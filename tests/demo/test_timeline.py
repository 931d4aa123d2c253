from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.demo.timeline import Phase, Timeline, draw_visits

SCALES = st.floats(min_value=0.2, max_value=3.0)
SEEDS = st.integers(min_value=0, max_value=2**32)


def test_the_push_multiplies_demand_within_ten_seconds() -> None:
    timeline = Timeline()
    before, after = timeline.rate(timeline.push_s), timeline.rate(timeline.push_s + 10)
    assert after / before == timeline.factor == 6.0


def test_phases_follow_each_other() -> None:
    timeline = Timeline(warm_up_s=10, rise_s=2, hold_s=5, decay_s=3)
    seen = [timeline.phase(at_s) for at_s in (0, 9.9, 10, 11.9, 12, 17, 19.9, 20)]
    assert seen == [
        Phase.WARM_UP,
        Phase.WARM_UP,
        Phase.RISE,
        Phase.RISE,
        Phase.HOLD,
        Phase.DECAY,
        Phase.DECAY,
        Phase.OVER,
    ]


def test_demand_is_back_where_it_was_when_the_crowd_has_left() -> None:
    timeline = Timeline()
    assert timeline.rate(timeline.duration_s) == timeline.rate(0) == timeline.base_rate


@given(scale=SCALES)
def test_stretching_leaves_the_push_as_sudden_as_it_is(scale: float) -> None:
    timeline, stretched = Timeline(), Timeline().stretched(scale)
    assert stretched.rise_s == timeline.rise_s
    assert stretched.push_s == timeline.push_s * scale


@settings(max_examples=20)
@given(seed=SEEDS, scale=SCALES)
def test_visits_are_in_order_within_the_timeline_and_told_by_the_seed(
    seed: int, scale: float
) -> None:
    timeline = Timeline().stretched(scale)
    visits = draw_visits(timeline, seed)
    times = [visit.at_s for visit in visits]
    assert times == sorted(times)
    assert all(0 <= at_s < timeline.duration_s for at_s in times)
    assert draw_visits(timeline, seed) == visits


@given(seed=SEEDS)
@settings(max_examples=20)
def test_as_many_visits_come_as_the_rate_promises(seed: int) -> None:
    timeline = Timeline(warm_up_s=100, hold_s=100)
    visits = draw_visits(timeline, seed)
    quiet = sum(visit.at_s < timeline.push_s for visit in visits)
    busy = sum(timeline.hold_from_s <= visit.at_s < timeline.hold_until_s for visit in visits)
    # Seven standard deviations of a Poisson count.
    assert abs(quiet - 1000) < 7 * 1000**0.5
    assert abs(busy - 6000) < 7 * 6000**0.5
