"""What on-demand tables are asked for, by the hour, and which way to pay is the cheaper one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.model import BillingMode, Dimension, Resource, ScalableTarget
from capacity_pilot.core.on_demand import LEAST_HOURS, Hour, RequestLedger, weigh

WRITES = ScalableTarget(Resource("feed"), Dimension.WRITE)
INDEX = ScalableTarget(Resource("feed", "by-day"), Dimension.WRITE)
NOON = 1_000_000 * 3600.0


def steady(rate: float, hours: int = LEAST_HOURS) -> dict[int, Hour]:
    return {number: Hour(units=rate * 3600, peak=rate) for number in range(hours)}


def test_steady_traffic_is_a_third_of_the_price_with_capacity_a_quarter_above_it() -> None:
    weighed = weigh({WRITES: steady(100)})
    assert weighed is not None
    assert weighed.hours == LEAST_HOURS
    # 360,000 units an hour at 0.625 $ a million; 125 units at 0.00065 $ an hour.
    assert weighed.on_demand_usd == pytest.approx(0.225)
    assert weighed.provisioned_usd == pytest.approx(0.08125)
    assert weighed.advised is BillingMode.PROVISIONED


def test_rare_bursts_are_better_left_on_demand() -> None:
    hours = {n: Hour(units=6_000, peak=100.0) for n in range(LEAST_HOURS)}
    weighed = weigh({WRITES: hours})
    assert weighed is not None
    assert weighed.provisioned_usd > 10 * weighed.on_demand_usd
    assert weighed.advised is BillingMode.PAY_PER_REQUEST


def test_nothing_is_said_before_a_day_is_known() -> None:
    assert weigh({}) is None
    assert weigh({WRITES: steady(100, LEAST_HOURS - 1)}) is None


def test_indexes_cost_as_well_and_hold_the_least_where_nothing_was_told_of_them() -> None:
    alone = weigh({WRITES: steady(100)})
    both = weigh({WRITES: steady(100), INDEX: {3: Hour(units=360_000, peak=100.0)}})
    assert alone is not None
    assert both is not None
    more = (125 + LEAST_HOURS - 1) * 0.00065 / LEAST_HOURS
    assert both.provisioned_usd - alone.provisioned_usd == pytest.approx(more)
    assert both.on_demand_usd - alone.on_demand_usd == pytest.approx(0.225 / LEAST_HOURS)


def tell(ledger: RequestLedger, since: float, rates: list[float]) -> float:
    """A rate for each minute, told of second by second; the time by which all was told."""
    for minute, rate in enumerate(rates):
        for second in range(60):
            ledger.add(WRITES, int(since) + 60 * minute + second, rate)
        ledger.settle(since + 60 * (minute + 1))
    return since + 60 * len(rates)


def test_minutes_become_hours_with_their_highest_minute() -> None:
    ledger = RequestLedger()
    now = tell(ledger, NOON, [10.0] * 59 + [70.0] + [1.0] * 10)
    assert ledger.demand(WRITES, now) == 1.0
    assert ledger.demand(INDEX, now) is None
    hours = ledger.hours([WRITES, INDEX])
    assert hours == {WRITES: {1_000_000: Hour(units=59 * 600 + 70 * 60, peak=70.0)}}


def test_what_is_told_late_counts_in_its_own_minute() -> None:
    ledger = RequestLedger()
    for second in range(60):
        ledger.add(WRITES, int(NOON) + second, 5.0)
    ledger.settle(NOON + 180)
    ledger.add(WRITES, int(NOON) + 59, 300.0)
    ledger.settle(NOON + 240)
    tell(ledger, NOON + 3600, [1.0] * 5)
    assert ledger.hours([WRITES])[WRITES][1_000_000] == Hour(units=600.0, peak=10.0)


def test_a_week_is_kept() -> None:
    ledger = RequestLedger()
    tell(ledger, NOON, [10.0] * 5)
    tell(ledger, NOON + 8 * 86_400, [10.0] * 5)
    tell(ledger, NOON + 8 * 86_400 + 3600, [10.0] * 5)
    assert list(ledger.hours([WRITES])[WRITES]) == [1_000_000 + 8 * 24]


def test_a_table_that_is_forgotten_begins_anew_and_what_was_remembered_is_taken_up() -> None:
    ledger = RequestLedger()
    tell(ledger, NOON, [10.0] * 65)
    remembered = ledger.remember()
    ledger.forget([WRITES])
    assert ledger.hours([WRITES]) == {}
    tell(ledger, NOON + 3600, [20.0] * 65)
    ledger.recall(remembered)
    hours = ledger.hours([WRITES])[WRITES]
    assert [hour.peak for hour in hours.values()] == [10.0, 20.0]


@given(
    st.dictionaries(
        st.integers(0, 100),
        st.builds(Hour, units=st.floats(0, 1e9), peak=st.floats(0, 1e6)),
        min_size=LEAST_HOURS,
    )
)
def test_more_demand_never_costs_less(hours: dict[int, Hour]) -> None:
    more = {n: Hour(units=hour.units + 60, peak=hour.peak + 1) for n, hour in hours.items()}
    before, after = weigh({WRITES: hours}), weigh({WRITES: more})
    assert before is not None
    assert after is not None
    assert after.on_demand_usd > before.on_demand_usd > -1
    assert after.provisioned_usd >= before.provisioned_usd > 0
