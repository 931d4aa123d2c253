"""On a few minutes and whole units, the plan is as cheap as the cheapest of all."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Bools, Floats, Ints
from capacity_pilot.simulator.clairvoyant import DecreaseRules, find_clairvoyant
from capacity_pilot.simulator.clairvoyant.bound import cheapest
from capacity_pilot.simulator.clairvoyant.bound_moves import Problem
from capacity_pilot.simulator.clairvoyant.grid import make_grid
from capacity_pilot.simulator.clairvoyant.minute_table import optimistic_table, safe_table
from capacity_pilot.simulator.clairvoyant.physics_check import first_throttled_second
from capacity_pilot.simulator.clairvoyant.plan import Task, cheapest_plan
from capacity_pilot.simulator.clairvoyant.planning import space_decreases

MINUTES = 7
HIGHEST = 4
ALL_PLANS = np.array(list(itertools.product(range(1, HIGHEST + 1), repeat=MINUTES)))
RULES = DecreaseRules(free=1, wait_s=120.0, day_s=300.0)

# By minute: its level and how far its first seconds stand out.
MINUTE = st.tuples(st.integers(0, HIGHEST), st.integers(0, 400))


def throttles_nothing(demand: Floats, availability: float) -> Bools:
    """For each of all plans; written as the physics are, not as the search is."""
    cap = availability * 300.0 * ALL_PLANS[:, 0]
    burst = cap.copy()
    is_good = np.ones(len(ALL_PLANS), dtype=np.bool_)
    for second, asked in enumerate(demand):
        capacity = ALL_PLANS[:, second // 60]
        cap = availability * 300.0 * capacity
        burst = np.minimum(burst, cap)
        is_good &= asked <= capacity + burst
        burst = np.minimum(burst + capacity - asked, cap)
    return is_good


def is_allowed(start_at: float, rules: DecreaseRules) -> Bools:
    """For each of all plans: whether the rules allow its decreases."""
    is_good = np.ones(len(ALL_PLANS), dtype=np.bool_)
    count = np.zeros(len(ALL_PLANS))
    last = np.full(len(ALL_PLANS), -math.inf)
    for minute in range(1, MINUTES):
        now = start_at + 60.0 * minute
        if now // rules.day_s != (now - 60.0) // rules.day_s:
            count[:] = 0
        is_lower = ALL_PLANS[:, minute] < ALL_PLANS[:, minute - 1]
        is_good &= ~is_lower | (count < rules.free) | (now - last >= rules.wait_s)
        count[is_lower] += 1
        last[is_lower] = now
    return is_good


def cheapest_of_all(demand: Floats, availability: float, start_at: float) -> tuple[float, Ints]:
    possible = ALL_PLANS[throttles_nothing(demand, availability) & is_allowed(start_at, RULES)]
    cost = possible.sum(axis=1) * 60.0
    return float(cost.min(initial=math.inf)), possible


def seconds_of(minutes: list[tuple[int, int]]) -> Floats:
    """Each minute at its level, its first second with a spike on top."""
    demand = np.repeat([float(level) for level, _ in minutes], 60)
    demand[::60] += [spike for _, spike in minutes]
    return demand


@pytest.mark.timeout(300)  # every plan there is, second by second
@settings(max_examples=60)
@given(
    minutes=st.lists(MINUTE, min_size=MINUTES, max_size=MINUTES),
    availability=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    into_day=st.sampled_from([0.0, 60.0, 180.0, 210.0]),
)
def test_no_plan_is_cheaper(
    minutes: list[tuple[int, int]], availability: float, into_day: float
) -> None:
    demand = seconds_of(minutes)
    best, possible = cheapest_of_all(demand, availability, into_day)
    found = find_clairvoyant(demand, start_at=into_day, availability=availability, rules=RULES)
    assert found.bound_unit_seconds <= best
    assert found.unit_seconds <= best
    if found.units.max() <= HIGHEST:
        assert found.unit_seconds == best
        assert (possible == found.units).all(axis=1).any()


# unit, fineness, notch: rows several units apart, octaves of few rows, coarse and fine buckets.
COARSE = [(1, 1, 1), (1, 2, 1), (2, 1, 1), (2, 2, 3), (3, 1, 2), (3, 4, 8), (1, 4, 20)]


@settings(max_examples=80)
@given(
    minutes=st.lists(MINUTE, min_size=MINUTES, max_size=MINUTES),
    availability=st.sampled_from([0.0, 0.02, 0.2, 1.0]),
    coarse=st.sampled_from(COARSE),
    tops=st.lists(st.integers(1, 9), min_size=MINUTES, max_size=MINUTES),
    most=st.integers(2, 8),
    group=st.integers(1, 3),
)
def test_a_bound_from_a_coarse_grid_is_one_and_its_plan_holds(
    *,
    minutes: list[tuple[int, int]],
    availability: float,
    coarse: tuple[int, int, int],
    tops: list[int],
    most: int,
    group: int,
) -> None:
    demand = seconds_of(minutes)
    best, _ = cheapest_of_all(demand, availability, 0.0)
    burst_seconds = 300.0 * availability
    grid = make_grid(*coarse, 1, most, burst_seconds)
    cost, decreases = cheapest(
        Problem(
            grid=grid,
            table=optimistic_table(demand.reshape(-1, 60), grid, burst_seconds),
            is_new_day=np.arange(MINUTES) == 5,
            tops=np.minimum(tops, len(grid.units)),
            free=RULES.free,
            wait=2,
            group=group,
        )
    )
    assert cost * 60.0 <= best
    day_of = (np.arange(MINUTES) >= 5).astype(np.int64)
    decreases = space_decreases(decreases, spacing=1, rules=RULES, day_of=day_of)
    may_lower = np.isin(np.arange(MINUTES), decreases)
    table = safe_table(demand.reshape(-1, 60), grid, burst_seconds, margin_steps=0.0)
    all_rows = np.zeros(MINUTES, dtype=np.int64), np.full(MINUTES, len(grid.units) - 1)
    may_raise = np.ones(MINUTES, dtype=np.bool_)
    units = cheapest_plan(Task(grid, table, may_lower, may_raise, *all_rows))
    if units is not None:
        assert first_throttled_second(demand, units, availability) is None
        assert units.sum() * 60.0 >= best or units.max() > HIGHEST


def test_whole_units_leave_no_gap() -> None:
    demand = seconds_of([(1, 0), (4, 0), (1, 0), (4, 0), (1, 0), (4, 0), (1, 0)])
    best, _ = cheapest_of_all(demand, 0.0, 0.0)
    found = find_clairvoyant(demand, start_at=0.0, availability=0.0, rules=RULES)
    assert found.unit_seconds == best == found.bound_unit_seconds
    assert found.gap == pytest.approx(0.0)
