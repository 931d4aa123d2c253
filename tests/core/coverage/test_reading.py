"""Whose minutes are read, how often, and for how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capacity_pilot.core.coverage import CoverageState
from capacity_pilot.core.coverage.reading import (
    USD_PER_METRIC,
    ReadingState,
    Stand,
    choose_readings,
)
from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.reasons import Reason, Reasons
from tests.core.coverage.watched import Watched

NOW = 1_728_000_000.0
MONTH_S = 30.4 * 86_400


def fleet(
    doubts: Reasons, *, coverage: float = 1.0, seen: float = NOW
) -> tuple[CoverageState, DemandState]:
    """Targets that CloudWatch knows and spans told of at ``seen``."""
    size = len(doubts)
    empty = CoverageState.empty(size, NOW - 600)
    minutes = replace(empty.minutes, consumed=np.ones_like(empty.minutes.consumed))
    minutes = replace(minutes, closed=int(NOW) // 60)
    known = replace(empty, minutes=minutes, doubts=doubts, coverage=np.full(size, coverage))
    return known, replace(DemandState.empty(size, NOW), last_seen=np.full(size, seen))


def read_for(
    seconds: int,
    doubts: Reasons,
    *,
    usd_per_month: float,
    held: Reasons | None = None,
    coverage: float = 1.0,
) -> tuple[Floats, int]:
    """How often each target is read when asked every 20 s, and how many metrics that takes."""
    state = ReadingState.empty(len(doubts), NOW, usd_per_month)
    times, metrics = np.zeros(len(doubts)), 0
    for now in np.arange(NOW, NOW + seconds, 20.0):
        known, demand = fleet(doubts, coverage=coverage, seen=now)
        state, chosen = choose_readings(
            state,
            known,
            demand,
            Stand(
                held=np.zeros_like(doubts) if held is None else held,
                is_managed=np.ones(len(doubts), dtype=np.bool_),
                has_idle_rule=np.zeros(len(doubts), dtype=np.bool_),
                is_lowered=np.zeros(len(doubts), dtype=np.bool_),
            ),
            usd_per_month=usd_per_month,
            now=float(now),
        )
        times[chosen.slots] += 1
        metrics += len(chosen.slots) + int(chosen.with_throttles.sum())
    return times, metrics


def test_doubtful_targets_are_read_every_minute_and_known_ones_every_third() -> None:
    doubts = np.array([Reason.COVERAGE_UNKNOWN.value, 0])
    times, _ = read_for(3600, doubts, usd_per_month=np.inf)
    assert times.tolist() == [60, 20]


def test_throttles_are_asked_for_where_spans_do_not_tell_of_nearly_everything() -> None:
    known = np.zeros(4, dtype=np.int64)
    _, metrics = read_for(180, known, usd_per_month=np.inf)
    _, with_throttles = read_for(180, known, usd_per_month=np.inf, coverage=0.5)
    assert with_throttles == 2 * metrics


@settings(max_examples=25)  # two hours each
@given(st.floats(0.1, 200.0), st.integers(1, 400), st.floats(0.0, 1.0))
def test_a_month_never_costs_more_than_was_said(usd: float, targets: int, share: float) -> None:
    """Nor do two hours cost more than their part, but for the hour saved up before them."""
    doubts = np.where(np.arange(targets) < share * targets, Reason.COVERAGE_UNKNOWN.value, 0)
    seconds = 2 * 3600
    _, metrics = read_for(seconds, doubts, usd_per_month=usd, coverage=0.5)
    assert metrics * USD_PER_METRIC <= usd * (seconds + 3600) / MONTH_S + 1e-9


def test_when_money_is_short_a_decrease_that_waits_comes_first_and_everyone_in_turn() -> None:
    doubts = np.full(100, Reason.COVERAGE_UNKNOWN.value)
    held = np.zeros(100, dtype=np.int64)
    held[7] = Reason.COVERAGE_UNKNOWN.value | Reason.TROUGH.value
    times, _ = read_for(6 * 3600, doubts, usd_per_month=4.0, held=held)
    assert times[7] == 360
    others = np.delete(times, 7)
    assert others.max() < 60
    assert others.max() - others.min() <= 2


def test_a_dimension_nobody_uses_is_looked_for_now_and_then() -> None:
    """A story's table is only written to: its reads have neither spans nor minutes."""
    watched = Watched().until("60m")
    reads = watched.slot ^ 1
    assert watched.pilot.coverage.is_unseen[reads] == np.False_
    assert len(watched.readings) < 35  # the writes' twenty and the first doubtful ones


def test_before_a_whole_minute_was_watched_nothing_is_asked() -> None:
    watched = Watched(starts="9h10s").until("1m")
    assert not watched.readings
    assert not watched.until("1m45s").readings
    assert watched.until("4m").readings
