"""What is foreseen of a table's demand when a push is sent: stories of one signal and one table."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.upstream.pairs import find_trusted
from capacity_pilot.core.forecast.upstream.response import gain_of
from tests.core.forecast.upstream.stage import (
    CALM,
    LAG_S,
    MINUTE,
    brought_by,
    bursts,
    noisy,
    watch,
)

FIRST, SECOND, THIRD = 5 * MINUTE, 25 * MINUTE, 45 * MINUTE
LENGTH = 55 * MINUTE


def test_the_third_push_is_foreseen_before_anybody_comes() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    demand = noisy(CALM + brought_by(push))
    told = watch(demand, push)
    said_at = told.first_said(THIRD, LENGTH)
    assert said_at is not None
    # Seconds after the first message is known to be sent, and 50 s before the crowd's highest.
    assert said_at - THIRD <= LAG_S + 3
    peak_at = THIRD + int(np.argmax(brought_by(push)[THIRD:]))
    assert peak_at - said_at > 45
    highest = demand[THIRD : THIRD + 200].max()
    assert told.peaks[said_at, 0] == pytest.approx(highest, rel=0.35)


def test_of_the_first_push_nothing_is_known_and_of_the_second_not_until_people_come() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    told = watch(noisy(CALM + brought_by(push)), push)
    assert told.says_nothing(0, SECOND + LAG_S)
    said_at = told.first_said(SECOND, THIRD)
    assert said_at is not None
    assert 2 * LAG_S <= said_at - SECOND <= 40


def test_the_response_is_learned_in_units_per_message_and_seconds() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    pairs = watch(noisy(CALM + brought_by(push, gain=0.05)), push).state.pairs
    weights = pairs.weights[:, 0]
    assert gain_of(weights) == pytest.approx(0.05, rel=0.2)
    assert weights[0, 0] < 0.1 * weights[3, 0]  # nobody comes within two seconds


def test_a_coincidence_is_not_believed() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    crowd = brought_by(bursts(LENGTH, FIRST))  # came by chance, and never again
    assert watch(noisy(CALM + crowd), push).says_nothing(0, LENGTH)


def test_two_crowds_at_other_delays_are_no_rule() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD, lasts=20)
    crowds = brought_by(bursts(LENGTH, FIRST + 10, SECOND + 150, lasts=20, rate=15_000.0))
    assert watch(noisy(CALM + crowds), push).says_nothing(THIRD, LENGTH)


def test_what_moves_with_demand_does_not_lead_it() -> None:
    crowd = brought_by(bursts(LENGTH, FIRST, SECOND, THIRD))
    route = noisy((CALM + crowd) / 2, seed=8)  # people's requests, each two units at once
    told = watch(noisy(CALM + crowd), route)
    assert not np.isfinite(told.state.pairs.signal).any()
    assert told.says_nothing(0, LENGTH)


def test_what_follows_demand_does_not_lead_it() -> None:
    crowd = brought_by(bursts(LENGTH, FIRST, SECOND, THIRD))
    echo = np.concatenate([np.zeros(15), crowd[:-15]]) / 10
    assert watch(noisy(CALM + crowd), echo).says_nothing(0, LENGTH)


def test_a_shared_rhythm_is_no_lead() -> None:
    t = np.arange(3 * 60 * MINUTE)
    rhythm = 1.0 + 0.8 * np.sin(2 * np.pi * t / len(t))
    told = watch(noisy(CALM * rhythm), noisy(50 * rhythm, seed=4))
    assert told.says_nothing(0, len(t))


def test_a_random_signal_announces_nothing() -> None:
    rng = np.random.default_rng(6)
    at = np.sort(rng.integers(0, 2 * 60 * MINUTE, 12))
    useless = bursts(2 * 60 * MINUTE, *at.tolist(), lasts=30)
    crowds = brought_by(bursts(2 * 60 * MINUTE, *rng.integers(0, 2 * 60 * MINUTE, 5).tolist()))
    told = watch(noisy(CALM + crowds), useless)
    assert np.isfinite(told.peaks).mean() < 0.01


def _taught_then(*later: tuple[int, bool]) -> tuple[Floats, Floats]:
    """Three pushes that bring people, then others that do or do not."""
    length = max(at for at, _ in later) + 10 * MINUTE
    taught = [FIRST, SECOND, THIRD]
    push = bursts(length, *taught, *(at for at, _ in later))
    coming = bursts(length, *taught, *(at for at, comes in later if comes))
    return push, noisy(CALM + brought_by(coming))


def test_a_push_nobody_follows_is_no_longer_believed_within_a_minute() -> None:
    empty = THIRD + 20 * MINUTE
    push, demand = _taught_then((empty, False))
    told = watch(demand, push)
    assert not told.says_nothing(empty, empty + 20)
    assert told.says_nothing(empty + MINUTE, len(push))


def test_a_signal_that_stops_helping_is_dropped_and_one_that_helps_again_is_taken_up() -> None:
    gap = 20 * MINUTE
    empty = [THIRD + n * gap for n in range(1, 5)]
    again = [empty[-1] + n * gap for n in range(1, 6)]
    push, demand = _taught_then(*((at, False) for at in empty), *((at, True) for at in again))
    told = watch(demand, push)
    assert told.says_nothing(empty[-1], again[0])
    said_at = told.first_said(again[-1], len(push))
    assert said_at is not None
    assert said_at - again[-1] <= LAG_S + 3


def test_a_signal_that_falls_silent_in_a_burst_is_taken_to_go_on() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    demand = noisy(CALM + brought_by(push))
    cut = push.copy()
    cut[THIRD + 8 :] = np.nan  # the sender's telemetry breaks off
    whole, broken = watch(demand, push), watch(demand, cut)
    at = THIRD + LAG_S + 25
    assert broken.peaks[at, 0] > 0.7 * whole.peaks[at, 0]
    stopped = push.copy()
    stopped[THIRD + 8 :] = 0.0  # told: no more was sent
    assert not watch(demand, stopped).peaks[at, 0] > 0.7 * whole.peaks[at, 0]


def test_signals_that_are_never_told_to_be_empty_are_learned_all_the_same() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    demand = noisy(CALM + brought_by(push))
    told = watch(demand, np.where(push > 0, push, np.nan))
    said_at = told.first_said(THIRD, LENGTH)
    assert said_at is not None
    assert said_at - THIRD <= LAG_S + 3


def test_no_move_is_seen_in_an_outage_of_all_telemetry() -> None:
    push = bursts(LENGTH, FIRST, SECOND)
    route = noisy(np.full(LENGTH, 200.0), seed=9)
    demand = noisy(CALM + brought_by(push))
    away = slice(THIRD, THIRD + 4 * MINUTE)
    route[away] = push[away] = demand[away] = np.nan
    told = watch(demand, np.column_stack([push, route]))
    assert told.says_nothing(THIRD, LENGTH)
    assert np.isnan(told.state.signals.began[1, 0])


def test_a_signal_leads_its_own_table_alone() -> None:
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    demand = np.column_stack([noisy(CALM + brought_by(push), seed) for seed in (1, 2, 3, 4)])
    told = watch(demand, push, table_of=np.array([0, 0, 1, 1]), signal_table=np.array([1.0]))
    assert told.says_nothing(0, LENGTH, slot=0)
    assert not told.says_nothing(THIRD, LENGTH, slot=2)
    assert told.state.pairs.signal.shape[-1] == 4
    assert find_trusted(told.state.pairs.arrays).any(axis=0).tolist() == [False, False, True, True]
