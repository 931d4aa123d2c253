"""Laws of a whole tick, over many targets and histories at once.

Each slot of a fleet is an example of its own, so that one run of the clock tries dozens.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.fleet import Fleet, Floats, Ints
from capacity_pilot.core.model import Resource
from capacity_pilot.core.plan import plan_changes
from capacity_pilot.core.tick import Capacity, Decisions, Inputs, PilotState, tick
from tests.core.scenario import MIDNIGHT, Tables, policy

START = MIDNIGHT + 9 * 3600

seeds = st.integers(0, 2**32 - 1)
histories = settings(
    max_examples=3,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a seed has nothing to shrink
)
"""For laws that run the clock for minutes: few examples, each of dozens of targets."""


def fleet_of(tables: int) -> Fleet:
    return Fleet.of(Resource(f"t{n:02}") for n in range(tables))


def described(provisioned: Floats, now: float, **changes: Any) -> Capacity:
    size = len(provisioned)
    usual = Capacity(
        provisioned=provisioned,
        is_changeable=np.ones(size, dtype=np.bool_),
        decreases_today=np.zeros(size),
        last_decrease_at=np.full(size, np.nan),
        described_at=np.full(size, now),
    )
    return replace(usual, **changes)


def told(second: int, units: Floats) -> Arrivals:
    """Everybody's units of one second."""
    slots = np.arange(len(units))
    nothing = np.zeros(len(units))
    return Arrivals(slots, np.full(len(units), second), units, nothing)


def wander(seed: int, length: int, size: int) -> Floats:
    """Histories of all kinds, (length, size): walks, cliffs, spikes, idleness, Poisson noise."""
    draw = np.random.default_rng(seed)
    walk = np.exp(np.cumsum(0.03 * draw.standard_normal((length, size)), axis=0))
    cliffs = np.exp(draw.normal(0, 1.0, (length // 90 + 1, size))).repeat(90, axis=0)[:length]
    spikes = 1 + 9 * (draw.random((length, size)) < 0.01)
    busy = np.where(draw.random(size) < 0.3, draw.random((length, size)) < 0.2, 1)
    mean = 10 ** draw.uniform(0.5, 4, size) * walk * cliffs * spikes * busy
    counted: Floats = draw.poisson(np.minimum(mean, 1e8)).astype(np.float64)
    return counted


def same(one: Any, other: Any) -> bool:
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple):
        return all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


odd_units = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([0.0, 1e300, 1e-300, -1.0, 1e15, np.nan, np.inf]),
)


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 400),
            st.lists(
                st.tuples(st.integers(0, 3), st.integers(-400, 400), odd_units, odd_units),
                max_size=8,
            ),
            st.lists(
                # A resource is read whole: both of its dimensions are known, or neither.
                st.one_of(
                    st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)),
                    st.just((np.nan, np.nan)),
                ),
                min_size=2,
                max_size=2,
            ),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_bounds_hold_whatever_comes(ticks: list[tuple[float, Any, Any]]) -> None:
    """Absurd units, seconds and capacities, and a clock that jumps both ways."""
    rules = policy(fleet_of(2), floor=20.0, ceiling=3_000.0, stabilization_s=0.0)
    state, now = PilotState.empty(4, START), START
    for step, entries, provisioned in ticks:
        now += step
        slots, seconds, units, refusals = np.array(entries, dtype=np.float64).reshape(-1, 4).T
        arrivals = Arrivals(
            slots.astype(np.int64), (int(now) + seconds).astype(np.int64), units, refusals
        )
        capacity = described(np.array(provisioned, dtype=np.float64).ravel(), now)
        state, decisions = tick(
            state, Inputs(arrivals, capacity, rules, np.full(4, 30.0), fleet_of(2).table_of), now
        )
        moving = decisions.action != 0
        assert (decisions.units[moving] >= 20).all()
        assert (decisions.units[moving] <= 3_000).all()
        still = decisions.units[~moving]
        assert np.array_equal(still, capacity.provisioned[~moving], equal_nan=True)
        plan_changes(fleet_of(2), decisions, now)


def test_an_absurd_second_is_got_over() -> None:
    """One span of 1e300 units must not blind a target for good."""
    state, rules = PilotState.empty(2, START), policy(fleet_of(1))
    for second in range(1, 1_500):
        now = START + second
        units = np.array([1e300 if second == 60 else 100.0, 100.0])
        state, decisions = tick(
            state,
            Inputs(
                told(int(now) - 1, units),
                described(np.full(2, 150.0), now),
                rules,
                np.ones(2),
                fleet_of(1).table_of,
            ),
            now,
        )
    assert decisions.demand[0] == pytest.approx(100.0, rel=1e-4)
    assert np.isfinite(decisions.sustained[0])


@histories
@given(seeds)
def test_same_inputs_same_decisions_and_nothing_is_written_to(seed: int) -> None:
    demand = wander(seed, 60, 6)
    rules = policy(fleet_of(3), stabilization_s=20.0)
    state = PilotState.empty(6, START)
    for second, units in enumerate(demand):
        now = START + second + 0.5
        capacity = described(np.full(6, 500.0), now)
        inputs = Inputs(
            told(int(now) - 1, units), capacity, rules, np.full(6, 5.0), fleet_of(3).table_of
        )
        before = deepcopy((state, inputs))
        once, twice = tick(state, inputs, now), tick(state, inputs, now)
        assert same(state, before[0])
        assert same(inputs, before[1])
        assert same(once[0], twice[0])
        assert same(once[1], twice[1])
        state = once[0]


def replay(
    demand: Floats,
    provisioned: Floats,
    tell: Callable[[int, Floats], Arrivals],
    *,
    stabilization_s: float = 60.0,
    **knobs: float,
) -> list[Decisions]:
    """Ticks once a second at a capacity nobody changes."""
    size = demand.shape[1]
    rules = policy(fleet_of(size // 2), stabilization_s=stabilization_s, **knobs)
    state, decided = PilotState.empty(size, START), []
    for second, units in enumerate(demand):
        now = START + second + 1
        inputs = Inputs(
            tell(int(now) - 1, units),
            described(provisioned, now),
            rules,
            np.full(size, 10.0),
            fleet_of(size // 2).table_of,
        )
        state, decisions = tick(state, inputs, now)
        decided.append(decisions)
    return decided


SPENT_S = 20
"""Ten seconds of ordinary silence and the lag: from then on a silent target is stale."""


@histories
@given(seeds, st.integers(30, 250))
def test_after_telemetry_stops_nothing_is_scaled_in_ever(seed: int, stops: int) -> None:
    """Whatever was seen before, and although nothing but silence follows for many windows."""
    demand = wander(seed, stops + 500, 20) + 1  # always spans: their silence is never ordinary

    def tell(second: int, units: Floats) -> Arrivals:
        return told(second, units) if second < START + stops else Arrivals.none()

    provisioned = demand.max(axis=0) * 4
    decided = replay(demand, provisioned, tell)
    assert all((d.action >= 0).all() for d in decided[stops + SPENT_S :])


@histories
@given(seeds, st.integers(100, 250), st.integers(5, 200))
def test_an_outage_never_brings_a_scale_in_that_seeing_would_not_have_brought(
    seed: int, stops: int, outage: int
) -> None:
    """Demand stays high all along; half of its seconds' reports are cut, then all, then none."""
    draw = np.random.default_rng(seed)
    demand = draw.poisson(1_000.0, (stops + outage + 200, 20)).astype(np.float64)

    def tell(second: int, units: Floats) -> Arrivals:
        passed = second - START
        return Arrivals.none() if stops <= passed < stops + outage else told(second, units)

    decided = replay(demand, np.full(20, 1_060.0), tell)
    assert all((d.action >= 0).all() for d in decided)


@histories
@given(seeds, st.integers(3, 100))
def test_half_the_spans_late_is_not_half_the_demand(seed: int, delay: int) -> None:
    """One of two senders falls behind, up to beyond what lags are told apart."""
    draw = np.random.default_rng(seed)
    demand = draw.poisson(500.0, (900, 10)).astype(np.float64)
    behind = 300

    def tell(second: int, units: Floats) -> Arrivals:
        passed = second - int(START)
        punctual = told(second, units)
        late = told(second - (delay if passed >= behind else 0), units)
        if behind <= passed < behind + delay:
            return punctual
        return Arrivals(*(np.r_[one, other] for one, other in zip(punctual, late, strict=True)))

    decided = replay(demand, np.full(10, 1_060.0), tell, stabilization_s=150.0)
    assert all((d.action >= 0).all() for d in decided)


@histories
@given(seeds, st.floats(1.5, 50))
def test_a_history_k_times_as_high_never_asks_for_less(seed: int, k: float) -> None:
    """Units before rounding, above a few units: below that, thresholds are absolute."""
    demand = wander(seed, 240, 20) + 20
    provisioned = np.full(20, 300.0)
    low, high = replay(demand, provisioned, told), replay(k * demand, provisioned, told)
    for one, other in zip(low, high, strict=True):
        seen = ~np.isnan(one.sustained)
        assert (other.sustained[seen] >= one.sustained[seen] * (1 - 1e-9)).all()
        assert (other.least[seen] >= one.least[seen] * (1 - 1e-9) - 1e-9).all()
        assert ((one.action <= 0) | (other.units >= one.units)).all()


@histories
@given(seeds)
def test_increases_are_the_same_whatever_concerns_only_decreases(seed: int) -> None:
    demand = wander(seed, 200, 20)
    provisioned = np.ceil(np.median(demand, axis=0)) + 10
    usual = replay(demand, provisioned, told)
    stubborn = replay(demand, provisioned, told, stabilization_s=3_600.0, reserve_decreases=4.0)
    for one, other in zip(usual, stubborn, strict=True):
        raised = one.action > 0
        assert np.array_equal(raised, other.action > 0)
        assert np.array_equal(one.units[raised], other.units[raised])


@settings(histories, max_examples=2)
@given(seeds, st.sampled_from([0, 1, 4]))
def test_decreases_keep_to_the_quota_for_days(seed: int, reserve: int) -> None:
    """Ticks at irregular times for a day and past midnight, the tables refusing what AWS would.

    Never while throttling, never in a panic; and no UTC day sees more than 27.
    """
    tables, draw = fleet_of(4), np.random.default_rng(seed)
    size, end = len(tables), START + 86_400
    rules = policy(tables, stabilization_s=600.0, reserve_decreases=float(reserve))
    world = Tables(tables, np.full(size, 9_000.0), apply_s=20.0)
    state, now, level = PilotState.empty(size, START), START, np.full(size, 5_000.0)
    while now < end:
        before, now = now, now + float(draw.choice([0.7, 5.0, 15.0, 28.0]))
        # Demand shrinks by fits and starts, so that there is always something to save.
        turns = draw.random(size) < 0.01
        level = np.where(turns, level * draw.uniform(0.4, 1.2, size), level)
        level = np.where(level < 50, 5_000.0, level)
        refusals = np.where(draw.random(size) < 0.0002, 3.0, 0.0)
        seconds: Ints = np.arange(int(before), int(now))
        every = len(seconds)
        arrivals = Arrivals(
            np.tile(np.arange(size), every),
            seconds.repeat(size),
            draw.poisson(level, (every, size)).astype(np.float64).ravel(),
            np.tile(refusals, every),
        )
        world.advance(now)
        inputs = Inputs(arrivals, world.describe(now), rules, np.full(size, 20.0), tables.table_of)
        state, decisions = tick(state, inputs, now)
        lowered = decisions.action < 0
        assert not (lowered & (refusals > 0)).any() or not every
        assert not (lowered & (state.forecast.panic_until > now)).any()
        for plan in plan_changes(tables, decisions, now):
            world.take(plan, now)  # fails where AWS would refuse
    assert len(world.decreases) > 20, "a story with few decreases would prove little"
    for resource in tables.resources:
        for first in (MIDNIGHT, MIDNIGHT + 86_400):
            spent = [at for r, at in world.decreases if r == resource and 0 <= at - first < 86_400]
            assert len(spent) <= 27
