"""Laws of what is announced: it only raises, is bounded by its course, and survives a new fleet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Fleet, Floats, carry_over
from capacity_pilot.core.forecast.upstream import (
    NO_SIGNALS,
    SignalArrivals,
    UpstreamState,
    list_leads,
    size_announced,
)
from capacity_pilot.core.forecast.upstream.announcing import INSTANTS_S
from capacity_pilot.core.forecast.upstream.pairs import PLACES, PairState, clear_place
from capacity_pilot.core.forecast.upstream.state import make_room
from capacity_pilot.core.model import Resource
from capacity_pilot.core.tick import Inputs, PilotState, tick
from tests.core.forecast.upstream.stage import CALM, START, brought_by, bursts, noisy, watch
from tests.core.scenario import Tables, arrivals, policy

NONE = np.zeros(0, dtype=np.int64)

units = st.floats(0, 1e6)
courses = st.lists(units, min_size=len(INSTANTS_S), max_size=len(INSTANTS_S)).map(np.array)


def need(course: Floats, *, provisioned: float, bucket: float, in_force_s: float = 36.0) -> float:
    needed = size_announced(
        np.array([0]),
        course[:, None],
        START,
        np.array([provisioned, 10.0]),
        np.array([bucket, 0.0]),
        np.full(2, in_force_s),
        START + 7.0,
    )
    assert np.isnan(needed[1])  # of the other slot nothing was announced
    return float(needed[0])


@given(courses, units, units)
def test_no_more_is_needed_than_what_comes_and_the_bucket_is_not_overdrawn(
    course: Floats, provisioned: float, bucket: float
) -> None:
    needed = need(course, provisioned=provisioned, bucket=bucket)
    later = np.where(INSTANTS_S > 43, course, 0.0)
    assert 0 <= needed <= later.max()
    widths = np.diff(INSTANTS_S, prepend=0)
    assert (widths * np.maximum(later - needed, 0)).sum() <= bucket * (1 + 1e-9) + 1e-6


@given(courses, units, units, st.floats(1, 1e5))
def test_a_fuller_bucket_never_needs_more_and_higher_demand_never_less(
    course: Floats, provisioned: float, bucket: float, more: float
) -> None:
    needed = need(course, provisioned=provisioned, bucket=bucket)
    slack = 1e-3 * course.max() + 1e-6  # halvings end somewhere
    assert need(course, provisioned=provisioned, bucket=bucket + more) <= needed + slack
    assert need(course + more, provisioned=provisioned, bucket=bucket) >= needed - slack


def test_without_a_bucket_the_highest_of_what_comes_in_time_is_needed() -> None:
    course = np.where(INSTANTS_S == 60, 900.0, 100.0)
    assert need(course, provisioned=100.0, bucket=0.0) == 900.0
    early = np.where(INSTANTS_S == 30, 900.0, 100.0)  # over before any change is in force
    assert need(early, provisioned=100.0, bucket=0.0) == 100.0


TAUGHT = watch(
    noisy(CALM + brought_by(bursts(2900, 300, 1500, 2700))), bursts(2900, 300, 1500, 2700)
).state


@given(
    provisioned=st.floats(1, 5000),
    demand=st.floats(0, 2000),
    count=st.floats(0, 20_000),
    bucket=st.floats(0, 1e6),
)
def test_signals_never_bring_less_capacity(
    provisioned: float, demand: float, count: float, bucket: float
) -> None:
    fleet = Fleet.of([Resource("feed")])
    blank = PilotState.empty(2, START)
    now = float(TAUGHT.signals.watched + 7)
    state = replace(
        blank,
        burst=replace(blank.burst, units=np.full(2, bucket)),
        upstream=replace(TAUGHT, pairs=_as_reads(TAUGHT.pairs)),
    )
    told = SignalArrivals(
        np.array([0]), np.array([int(now) - 7]), np.array([count]), np.array([np.nan]), NONE
    )
    capacity = Tables(fleet, np.full(2, provisioned), 30.0).describe(now)
    inputs = Inputs(
        arrivals=arrivals((0, int(now) - 7, demand)),
        capacity=capacity,
        policy=policy(fleet),
        apply_time_s=np.full(2, 30.0),
        table_of=fleet.table_of,
    )
    _, without = tick(state, inputs._replace(signals=NO_SIGNALS), now)
    _, heeding = tick(state, inputs._replace(signals=told), now)
    assert (heeding.units >= without.units).all()
    assert (heeding.action >= without.action).all()


def _as_reads(pairs: PairState) -> PairState:
    """The one slot's state as that of a resource's reads; its writes know nothing."""
    blank = PairState.empty(2)
    names = PairState.__dataclass_fields__
    joined = {
        name: np.concatenate([getattr(pairs, name), getattr(blank, name)[..., 1:]], axis=-1)
        for name in names
    }
    return PairState(**joined)


def test_what_was_learned_follows_its_target_into_another_fleet() -> None:
    state = replace(TAUGHT, pairs=_as_reads(TAUGHT.pairs))
    old = Fleet.of([Resource("feed")])
    new = Fleet.of([Resource("aaa"), Resource("feed"), Resource("feed", "by-author")])
    moved = carry_over(state, fresh=UpstreamState.empty(6, START), old=old, new=new)
    (before,), (after,) = list_leads(state), list_leads(moved)
    assert after == replace(before, slot=2)
    assert moved.signals is not None
    np.testing.assert_array_equal(moved.signals.counts, state.signals.counts)
    assert moved.signals.head == state.signals.head


def test_a_number_given_to_another_signal_remembers_nothing() -> None:
    table_of = np.array([np.nan, np.nan])
    news = NO_SIGNALS._replace(table_of=table_of, renewed=np.array([0]))
    renewed = make_room(TAUGHT, news)
    assert len(renewed.signals) == 2
    assert not list_leads(renewed)
    assert not renewed.signals.counts.any()
    assert not renewed.bursts.come.any()


def test_leads_are_told_in_units_and_seconds() -> None:
    (lead,) = list_leads(TAUGHT)
    assert (lead.signal, lead.slot, lead.episodes) == (0, 0, 2)
    assert 0.03 < lead.gain < 0.07
    assert 30 < lead.lag_s < 90
    assert lead.skill is not None
    assert lead.skill > 0.5
    assert lead.is_trusted


def test_a_place_that_is_cleared_is_as_one_that_was_never_given() -> None:
    pairs, blank = TAUGHT.pairs.copy(), PairState.empty(1)
    assert pairs.weights[:, :, 0].any()
    for place in range(PLACES):
        clear_place(pairs.arrays, place, 0)
    for name in PairState.__dataclass_fields__.keys() - {"heeded"}:
        np.testing.assert_array_equal(getattr(pairs, name), getattr(blank, name), name)


def test_memory_per_slot_is_what_it_is_said_to_be() -> None:
    empty = PairState.empty(1000)
    held = sum(getattr(empty, name).nbytes for name in PairState.__dataclass_fields__)
    assert held == 1000 * 960
