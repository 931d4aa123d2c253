"""When a signal moves, when it rests, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.upstream.signals import (
    LONGEST_EPISODE_S,
    REACH_S,
    RING_S,
    SignalArrivals,
    SignalState,
    absorb_signals,
    come_to_rest,
    excess_of,
    is_episode_over,
    watch_second,
    watch_seconds,
)

START = 1_700_000_000
NONE = np.zeros(0, dtype=np.int64)


def arrivals(*entries: tuple[int, int, float], size: int = 1) -> SignalArrivals:
    """(signal, second after the start, count)"""
    signals, seconds, counts = np.array(entries, dtype=np.float64).reshape(-1, 3).T
    return SignalArrivals(
        signals.astype(np.int64),
        START + seconds.astype(np.int64),
        counts,
        np.full(size, np.nan),
        NONE,
    )


def live(counts: Floats, state: SignalState | None = None, *, since: int = 0) -> SignalState:
    """Each second is told as soon as it is over and looked at; NaN is never told."""
    state = state or SignalState.empty(START, 1)
    for second, count in enumerate(counts, since):
        told = () if np.isnan(count) else ((0, second, count),)
        state = absorb_signals(state, arrivals(*told), START + second + 1)
        watch_second(state.arrays, START + second)
        if is_episode_over(state.arrays, 0, START + second):
            come_to_rest(state.arrays, 0, START + second)
    return state


def began(state: SignalState) -> float:
    return float(state.began[0, 0]) - START


def noise(rate: float, seconds: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(rate, seconds).astype(np.float64)


def test_counts_of_a_second_add_up_wherever_they_come_from() -> None:
    state = SignalState.empty(START, 2)
    state = absorb_signals(state, arrivals((0, 0, 2.0), (1, 0, 5.0), (0, 0, 3.0)), START + 1)
    state = absorb_signals(state, arrivals((0, 0, 1.0), (0, 2, 7.0)), START + 2.5)
    assert excess_of(state.arrays, 0, START, START + 2).tolist() == [6, 0, 7]
    assert excess_of(state.arrays, 1, START, START + 2).tolist() == [5, 0, 0]


@pytest.mark.parametrize("count", [-1.0, np.nan, np.inf, 1e300])
def test_absurd_counts_are_left_out(count: float) -> None:
    state = absorb_signals(SignalState.empty(START, 1), arrivals((0, 0, count)), START + 1)
    assert not state.counts.any()
    assert np.isnan(state.last_told).all()


def test_what_is_half_a_ring_old_or_ahead_of_the_clock_is_left_out() -> None:
    state = absorb_signals(SignalState.empty(START, 1), arrivals(), START + 600)
    late, early = arrivals((0, 600 - RING_S // 2, 3.0)), arrivals((0, 601, 3.0))
    for news in (late, early):
        assert not absorb_signals(state, news, START + 600).counts.any()


def test_a_silent_signal_moves_with_its_first_counts() -> None:
    state = live(np.concatenate([np.full(400, np.nan), np.full(3, 50.0)]))
    assert began(state) == 400


def test_a_steady_signal_moves_when_it_leaves_its_noise() -> None:
    steady = live(noise(100.0, 1500))
    assert np.isnan(began(steady))
    assert steady.usual[0, 0] == pytest.approx(100, rel=0.05)
    jumped = live(noise(200.0, 4), steady, since=1500)
    assert 1499 <= began(jumped) <= 1501


def test_rare_calls_are_no_moves() -> None:
    lonely = np.zeros(3000)
    lonely[::40] = 1.0
    assert np.isnan(began(live(lonely)))


def test_an_episode_lasts_as_long_as_consequences_are_looked_for() -> None:
    quiet = np.zeros(400)
    burst = live(np.concatenate([quiet, np.full(30, 50.0), np.zeros(REACH_S - 1)]))
    assert began(burst) == 400
    assert np.isnan(burst.onset[0, 0])
    assert np.isnan(began(live(np.zeros(5), burst, since=429 + REACH_S)))


def test_a_second_burst_belongs_to_the_episode_that_runs() -> None:
    pause = np.zeros(60)
    course = [np.zeros(400), np.full(20, 50.0), pause, np.full(20, 50.0)]
    state = live(np.concatenate(course))
    assert began(state) == 400
    assert state.onset[0, 0] - START == 480


def test_what_stays_high_is_usual_from_then_on() -> None:
    state = live(np.concatenate([np.zeros(400), noise(50.0, LONGEST_EPISODE_S + 30)]))
    assert np.isnan(began(state))
    assert state.usual[0, 0] == pytest.approx(50, rel=0.1)


def test_a_steady_signal_that_falls_silent_keeps_its_usual_rate() -> None:
    steady = replace(live(noise(100.0, 1500)), duty=np.full((1, 1), 0.9))
    silent = live(np.full(900, np.nan), steady, since=1500)
    back = live(noise(100.0, 10, seed=2), silent, since=2400)
    assert np.isnan(began(back))
    assert back.usual[0, 0] == pytest.approx(100, rel=0.1)


def test_nothing_is_concluded_from_seconds_of_which_nobody_told_anything() -> None:
    state = live(noise(100.0, 1500))
    nobody = np.zeros((1024, 2), dtype=np.bool_)
    assert watch_seconds(state.arrays, START + 1499, START + 1799, nobody) == START + 1799
    assert state.usual[0, 0] == pytest.approx(100, rel=0.1)


@given(counts=st.lists(st.one_of(st.just(np.nan), st.floats(0, 1e6)), min_size=1, max_size=60))
def test_what_was_seen_stays_what_it_was(counts: list[float]) -> None:
    state = live(np.array(counts))
    assert (state.usual >= 0).all()
    assert (state.variance >= 0).all()
    kept = state.counts[(START + np.arange(len(counts))) % RING_S, 0, 0]
    np.testing.assert_array_equal(kept, np.nan_to_num(np.array(counts)))
    if not np.isnan(began(state)):
        assert began(state) >= -2
        assert state.moved[0, 0] >= state.began[0, 0]
