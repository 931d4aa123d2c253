"""Demand: late, lumpy and out of order; unknown is not zero."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.demand import (
    LAG_BINS,
    WINDOW_S,
    Arrivals,
    DemandState,
    absorb,
    is_fresh,
    settled_until,
)
from capacity_pilot.core.demand.freshness import credible_silence_s
from tests.core.scenario import MIDNIGHT, arrivals

NOW = int(MIDNIGHT)
SLOTS = 4

entries = st.lists(
    st.tuples(
        st.integers(0, SLOTS - 1),
        st.integers(-2 * WINDOW_S, 5).map(lambda age: NOW + age),
        st.integers(0, 1_000).map(float),
    ),
    max_size=30,
)


def same(one: DemandState, other: DemandState) -> bool:
    names = DemandState.__dataclass_fields__
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in names)


@given(entries, st.randoms(use_true_random=False))
def test_order_of_arrival_within_a_tick_does_not_matter(
    told: list[tuple[int, int, float]], random: Random
) -> None:
    shuffled = random.sample(told, len(told))
    empty = absorb(DemandState.empty(SLOTS, NOW - 5), arrivals((0, NOW - 9, 7.0)), NOW - 3)
    assert same(
        absorb(empty, arrivals(*told), NOW),
        absorb(empty, arrivals(*shuffled), NOW),
    )


@given(st.lists(st.tuples(st.integers(0, 90), entries), max_size=6))
def test_every_unit_within_the_window_is_kept(
    ticks: list[tuple[int, list[tuple[int, int, float]]]],
) -> None:
    """Whatever the order and delay of ticks, the ring holds each slot's units of its window."""
    state, now, told = DemandState.empty(SLOTS, NOW), NOW, []
    for wait, batch in ticks:
        now += wait
        state = absorb(state, arrivals(*batch), now)
        # A second ahead of the clock counts for the current one; one before the window is lost.
        told += [(s, min(at, now), u) for s, at, u in batch if at > now - WINDOW_S]
    for slot in range(SLOTS):
        kept = sum(u for s, at, u in told if s == slot and at > now - WINDOW_S)
        assert state.units[:, slot].sum() == kept
    assert (state.units[state.known == 0] == 0).all()


def test_unusable_units_are_left_out() -> None:
    told = arrivals((0, NOW, np.nan), (1, NOW, np.inf), (2, NOW, -5.0), (3, NOW, 8.0))
    state = absorb(DemandState.empty(SLOTS, NOW), told, NOW)
    assert state.units.sum() == 8.0
    assert state.known.sum(axis=0).tolist() == [0, 0, 0, 1]


def test_late_spans_land_in_their_own_second() -> None:
    state = absorb(DemandState.empty(1, NOW), arrivals((0, NOW - 7, 30.0)), NOW)
    state = absorb(state, arrivals((0, NOW - 7, 12.0), (0, NOW + 1, 5.0)), NOW + 1)
    assert state.units[(NOW - 7) % WINDOW_S, 0] == 42.0
    assert state.units[(NOW + 1) % WINDOW_S, 0] == 5.0


def test_silence_becomes_zero_only_in_retrospect_and_only_if_ordinary() -> None:
    state = absorb(DemandState.empty(1, NOW), arrivals((0, NOW, 9.0)), NOW)
    blind = absorb(state, Arrivals.none(), NOW + 5)
    assert blind.known[:, 0].sum() == 1
    back = absorb(blind, arrivals((0, NOW + 5, 9.0)), NOW + 5)
    assert back.known[:, 0].sum() == 6
    outage = absorb(back, arrivals((0, NOW + 65, 9.0)), NOW + 65)
    assert outage.known[:, 0].sum() == 7


def test_outages_do_not_teach_that_silence_is_ordinary() -> None:
    state = DemandState.empty(1, NOW)
    for minute in range(30):
        state = absorb(state, arrivals((0, NOW + 60 * minute, 9.0)), NOW + 60 * minute)
    punctual = DemandState.empty(1, NOW)
    for second in range(60):
        punctual = absorb(punctual, arrivals((0, NOW + second, 9.0)), NOW + second)
    once = absorb(punctual, arrivals((0, NOW + 3600, 9.0)), NOW + 3600)
    assert credible_silence_s(once.mean_gap[0]) < 20
    assert credible_silence_s(state.mean_gap[0]) <= 300


def test_a_sender_that_lags_behind_does_not_teach_that_silence_is_ordinary() -> None:
    """One sender is a second late, another fifty: nobody was ever silent for longer than one."""
    state = DemandState.empty(1, NOW)
    for second in range(NOW, NOW + 300):
        state = absorb(state, arrivals((0, second - 50, 1.0), (0, second, 9.0)), second)
    assert credible_silence_s(state.mean_gap[0]) == pytest.approx(10.0)


@pytest.mark.parametrize("lag", [1, 3, 6, 20])
def test_settled_follows_the_telemetry_lag(lag: int) -> None:
    state = DemandState.empty(1, NOW)
    for second in range(NOW, NOW + 200):
        state = absorb(state, arrivals((0, second - lag, 9.0)), second)
    assert settled_until(state, NOW + 199) == NOW + 199 - lag


def test_nothing_is_fresh_that_was_never_seen_or_lies_ahead_of_the_clock() -> None:
    state = absorb(DemandState.empty(2, NOW), arrivals((0, NOW, 9.0)), NOW)
    assert is_fresh(state, NOW).tolist() == [True, False]
    # The clock was put back an hour: what was seen then says nothing of now.
    assert is_fresh(state, NOW - 3600).tolist() == [False, False]


def test_lags_of_all_sizes_are_kept_as_a_distribution() -> None:
    state = DemandState.empty(1, NOW)
    for second in range(NOW, NOW + 50):
        state = absorb(state, arrivals((0, second - 100, 9.0), (0, second + 3, 1.0)), second)
        assert state.lags.shape == (LAG_BINS, 1)
        assert state.lags.sum() == pytest.approx(1.0)
