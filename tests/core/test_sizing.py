"""Sizing: more demand never asks for less, and the bucket carries what it can."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.forecast import Forecast
from capacity_pilot.core.sizing import Bucket, Sizing, size_capacity

units = st.floats(0, 1e7)
shares = st.floats(0, 1)
NO_EXCESS = (0.0, 0.0, 0.0)
excesses = st.tuples(units, units, units)


def forecast(
    level: float,
    expected: float,
    *,
    usual: float | None = None,
    minute: float | None = None,
    excess: tuple[float, ...] = NO_EXCESS,
    newest: float | None = None,
    rise: float = 0.0,
    spike: float = 0.0,
) -> Forecast:
    def one(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([value])

    flag = np.array([False])
    return Forecast(
        level=one(level),
        grown=one(level),
        expected=one(expected),
        newest=one(level if newest is None else newest),
        usual=one(level if usual is None else usual),
        minute=one(level if minute is None else minute),
        rise=one(rise),
        spike=one(spike),
        excess=np.array(excess).reshape(-1, 1),
        is_surging=flag,
        is_panicking=flag,
        is_fresh=~flag,
    )


def size(
    ahead: Forecast,
    *,
    provisioned: float,
    bucket: float,
    reliance: float = 0.5,
    keeps_s: float = 300.0,
    caution: float = 1.0,
    apply_s: float = 24.0,
) -> Sizing:
    return size_capacity(
        ahead,
        provisioned=np.array([provisioned]),
        bucket=Bucket(np.array([bucket]), np.array([keeps_s]), np.array([reliance])),
        caution=np.array([caution]),
        apply_time_s=np.array([apply_s]),
        unsettled_s=4.0,
    )


settings = st.fixed_dictionaries(
    {
        "provisioned": units,
        "bucket": st.floats(0, 1e9),
        "reliance": shares,
        "keeps_s": st.floats(0, 300),
        "caution": st.floats(0, 2),
        "apply_s": st.floats(0.5, 900),
    }
)
forecasts = st.builds(
    lambda level, rise, usual, minute, excess: forecast(
        level, level + rise, usual=usual, minute=minute, excess=excess
    ),
    units, units, units, units, excesses,
)  # fmt: skip
ABOUT = 1e-6  # sums of numbers of different sizes are not exact


@given(settings, units, units, excesses, st.floats(1, 100))
def test_more_demand_never_asks_for_less(
    setting: dict[str, float],
    level: float,
    rise: float,
    excess: tuple[float, ...],
    factor: float,
) -> None:
    """With what is usual the same: a burst is not made smaller by being higher."""
    low = size(forecast(level, level + rise, usual=level, excess=excess), **setting)
    more = forecast(level * factor, (level + rise) * factor, usual=level, excess=excess)
    high = size(more, **setting)
    assert high.least >= low.least * (1 - ABOUT)
    assert high.sustained >= low.sustained
    assert high.resting >= low.resting * (1 - ABOUT)
    assert high.seconds_to_throttle <= low.seconds_to_throttle


@given(settings, forecasts)
def test_a_fuller_bucket_never_asks_for_more(setting: dict[str, float], ahead: Forecast) -> None:
    full = size(ahead, **(setting | {"bucket": setting["bucket"] * 2 + 1}))
    now = size(ahead, **setting)
    assert full.least <= now.least * (1 + ABOUT) + ABOUT
    assert full.resting <= now.resting * (1 + ABOUT) + ABOUT


@given(settings, forecasts, st.floats(0, 2))
def test_more_caution_never_asks_for_less(
    setting: dict[str, float], ahead: Forecast, more: float
) -> None:
    """The operator's knob moves every size in one direction."""
    careful = size(ahead, **(setting | {"caution": setting["caution"] + more}))
    now = size(ahead, **setting)
    assert careful.least >= now.least * (1 - ABOUT) - ABOUT
    assert careful.sustained >= now.sustained * (1 - ABOUT)
    assert careful.resting >= now.resting * (1 - ABOUT) - ABOUT


@given(settings, forecasts)
def test_a_raise_is_a_raise(setting: dict[str, float], ahead: Forecast) -> None:
    """Nothing between what is there and a fiftieth more is asked for."""
    least = size(ahead, **setting).least[0]
    assert least <= setting["provisioned"] or least >= 1.02 * setting["provisioned"] * (1 - ABOUT)


@given(st.floats(0, 95_000))
def test_in_a_surge_the_bucket_puts_a_raise_off_but_makes_it_no_smaller(bucket: float) -> None:
    """It is spent on the way; what is raised to is what earlier rises came to, at least."""
    calm = forecast(500.0, 500.0, usual=300.0, excess=(2000.0, 2000.0, 2000.0))
    surging = calm._replace(is_surging=np.array([True]))
    least, in_calm = (size(f, provisioned=300.0, bucket=bucket).least[0] for f in (surging, calm))
    risen_to = 300 + 0.8 * 2000
    assert least >= risen_to
    assert least >= in_calm


def test_nothing_known_asks_for_nothing() -> None:
    sizing = size(forecast(np.nan, np.nan), provisioned=100.0, bucket=500.0)
    assert np.isnan([sizing.least, sizing.sustained, sizing.resting]).all()
    assert sizing.seconds_to_throttle == np.inf


def test_seconds_to_throttle_is_the_trusted_bucket_over_the_excess() -> None:
    sizing = size(forecast(100.0, 150.0, usual=0.0), provisioned=100.0, bucket=6_000.0)
    assert sizing.seconds_to_throttle == pytest.approx(60.0)


def test_a_burst_is_waited_out_while_the_bucket_lasts_until_a_raise_could_act() -> None:
    """500 units above 500 for 30 s (4 untold, 24 to apply, another call) are 15,000.

    Of 35,000 units half are trusted, and 2,500 of those, five seconds of capacity, are a reserve.
    """
    burst = forecast(1000.0, 1000.0, usual=0.0)
    assert size(burst, provisioned=500.0, bucket=35_000.0).least == pytest.approx(500.0)
    spent = size(burst, provisioned=500.0, bucket=34_900.0)
    assert spent.least == pytest.approx(920.0), "sized for the time until the next raise"


def test_with_a_bucket_a_raise_need_not_reach_all_the_way() -> None:
    """What is left in the bucket when it is in force lasts until the raise after it."""
    surge = forecast(3000.0, 3000.0, usual=0.0)
    dry = size(surge, provisioned=2000.0, bucket=0.0)
    assert dry.least == pytest.approx(3000.0)
    some = size(surge, provisioned=2500.0, bucket=2 * (12_500 + 14_900))
    assert some.least == pytest.approx(2760.0), "14,900 are spent before it is in force"
    rising = forecast(3000.0, 3500.0, usual=0.0)
    kept = size(rising, provisioned=2950.0, bucket=2 * (14_750 + 7_100))
    # 50 units for 30 s leave 5,600: a hundred units for the 56 s until the raise after it.
    assert kept.least == pytest.approx(3500.0 - 7_100 / 30)


def test_what_happened_once_may_happen_again() -> None:
    """Demand once was three times as high as usual within the time a change takes."""
    calm = forecast(100.0, 100.0)
    wild = forecast(100.0, 100.0, excess=(200.0, 200.0, 200.0))
    assert size(calm, provisioned=110.0, bucket=33_000.0).least <= 110.0
    assert size(wild, provisioned=110.0, bucket=33_000.0).least <= 110.0, "a full bucket bears it"
    assert size(wild, provisioned=110.0, bucket=5_000.0).least > 110.0
    assert size(wild, provisioned=110.0, bucket=0.0).least == pytest.approx(400.0)


def test_a_surge_that_needs_a_raise_is_raised_to_what_earlier_ones_came_to() -> None:
    """Its first seconds show 400; once it was 1,000 above what is usual."""
    earlier = (0.0, 0.0, 1000.0)
    slope = forecast(400.0, 400.0, usual=100.0, excess=earlier)
    onset = slope._replace(is_surging=np.array([True]))
    assert size(slope, provisioned=110.0, bucket=20_000.0).least < 600.0
    assert size(onset, provisioned=110.0, bucket=20_000.0).least == pytest.approx(900.0, rel=0.02)
    assert size(onset, provisioned=900.0, bucket=2e5).least <= 900.0, "none is made for it alone"


def test_a_spike_is_left_to_the_bucket_and_a_low_bucket_is_filled_for_it() -> None:
    """Ten times as much for two seconds, once a day: 3,000 units, not 1,000 for an hour."""
    once = forecast(100.0, 100.0, excess=(1000.0, 0.0, 0.0))
    clumps = forecast(100.0, 100.0, excess=(1000.0, 0.0, 0.0), spike=1000.0)
    assert size(once, provisioned=110.0, bucket=1_100.0).least == pytest.approx(1_600.0)
    low = size(clumps, provisioned=110.0, bucket=1_100.0).least
    assert low == pytest.approx(100.0 + 3_000.0 / 60)
    none_kept = size(clumps, provisioned=110.0, bucket=0.0, keeps_s=0.0).least
    assert none_kept == pytest.approx(1_600.0), "without a bucket capacity has to bear it"


def test_a_table_comes_down_to_its_last_minute_with_a_full_bucket() -> None:
    ahead = forecast(400.0, 400.0, minute=400.0)
    assert size(ahead, provisioned=900.0, bucket=270_000.0).resting == pytest.approx(408.0)
    assert size(ahead, provisioned=900.0, bucket=0.0).resting > 408.0


def test_a_bucket_that_is_not_there_is_not_counted_on() -> None:
    ahead = forecast(400.0, 400.0, minute=400.0, excess=(400.0, 0.0, 0.0))
    sizing = size(ahead, provisioned=2_000.0, bucket=0.0, keeps_s=0.0)
    assert sizing.resting == pytest.approx(400.0 * 2.5)


def test_without_a_bucket_a_raise_lasts_while_demand_climbs_on_until_the_next() -> None:
    """In the 26 s until a raise is in force demand is expected to climb from 1,000 to 1,400, and
    the raise after it is as long in coming.
    """
    climbing = forecast(1000.0, 1400.0)
    (with_one,), (without,) = (
        size(climbing, provisioned=1200.0, bucket=0.0, keeps_s=keeps_s).least
        for keeps_s in (300.0, 0.0)
    )
    assert 1400 <= with_one <= 1450
    assert 1800 <= without <= 1850
    assert size(climbing, provisioned=2000.0, bucket=0.0, keeps_s=0.0).least[0] < 1450


def test_a_small_raise_waits_for_what_begins_while_the_bucket_bears_it() -> None:
    """It would keep the table busy in the very seconds that show whether there is a surge."""

    def least(newest: float, bucket: float) -> float:
        ahead = forecast(347.0, 350.0, excess=(0.0, 0.0, 1500.0), newest=newest)
        return float(size(ahead, provisioned=345.0, bucket=bucket).least[0])

    assert 352 < least(347.0, 90_000.0) < 380
    assert least(900.0, 90_000.0) == 345.0
    assert least(900.0, 4_000.0) > 400, "the bucket would be empty before it is clear"
    assert 352 < least(352.0, 90_000.0) < 380, "that much is asked for anyway"


@given(settings, units, units, units, st.floats(1, 100))
def test_a_steeper_surge_never_asks_for_less_nor_for_more_than_twice(
    setting: dict[str, float], level: float, usual: float, rise: float, factor: float
) -> None:
    still = size(forecast(level, level, usual=usual), **setting)
    slow = size(forecast(level, level, usual=usual, rise=rise), **setting)
    steep = size(forecast(level, level, usual=usual, rise=rise * factor), **setting)
    assert still.least <= slow.least <= steep.least
    without_bucket = 1 - setting["keeps_s"] / 300
    seen = max(level + without_bucket * rise * factor / 2, still.sustained[0])
    assert steep.least <= max(still.least[0], seen * (1 + setting["caution"])) * (1 + ABOUT)


def test_a_surge_on_an_empty_bucket_is_met_where_it_will_be() -> None:
    """66 and 140 units/s in the last two seconds: the third will not be the last of the rise."""
    ahead = forecast(103.0, 103.0, usual=44.0, rise=48.0)
    assert size(ahead, provisioned=72.0, bucket=0.0, apply_s=3.0).least > 200.0


def test_without_a_bucket_a_cliff_is_met_from_its_newest_second() -> None:
    """330 and 1,207 units/s: the second that is over the edge tells more than the two's mean."""
    ahead = forecast(770.0, 770.0, usual=380.0, rise=870.0)
    with_one, without = (
        size(ahead, provisioned=700.0, bucket=0.0, keeps_s=keeps_s).least[0]
        for keeps_s in (300.0, 0.0)
    )
    assert with_one == pytest.approx(2 * 781.4), "the mean, and a little more than is usual"
    assert without == pytest.approx(2 * (770 + 435))


def test_a_surge_that_the_whole_bucket_bears_is_met_as_it_is() -> None:
    """Beyond what may be relied on the bucket is not certain, but neither is a further rise."""
    still = forecast(103.0, 103.0, usual=44.0)
    rising = forecast(103.0, 103.0, usual=44.0, rise=48.0)
    setting = {"provisioned": 72.0, "bucket": 300.0 * 72.0, "apply_s": 3.0}
    assert size(rising, **setting).least == size(still, **setting).least
