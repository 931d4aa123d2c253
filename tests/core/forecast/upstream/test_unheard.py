"""Which signals move as they never did before, and for how long: stories of the third push."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.upstream import Hints
from capacity_pilot.core.forecast.upstream.unheard import find_unheard
from tests.core.forecast.upstream.stage import (
    CALM,
    LAG_S,
    MINUTE,
    Watched,
    brought_by,
    bursts,
    hint,
    noisy,
    watch,
)

FIRST, SECOND, THIRD = 5 * MINUTE, 25 * MINUTE, 45 * MINUTE
MOVED_S = 20
LENGTH = THIRD + MOVED_S + LAG_S + 1
ANY = np.full(2, np.nan)


def moving_s(told: Watched, signal_table: Floats = ANY) -> float:
    state = told.state
    tables = signal_table[: len(state.signals)]
    return float(find_unheard(state.arrays, state.signals.watched, tables, np.zeros(1, int))[0])


def live_through(*sent: int, hints: Callable[[int], Hints | None] = lambda _: None) -> Watched:
    """A push at each of the seconds, and a route that nobody asked for before the last of them."""
    push, route = bursts(LENGTH, *sent), bursts(LENGTH, THIRD + 5)
    return watch(noisy(CALM + brought_by(push)), np.stack([push, route], axis=1), hints=hints)


def test_the_longest_first_burst_counts_of_signals_that_may_lead_the_table() -> None:
    told = live_through(THIRD)
    assert moving_s(told) == MOVED_S
    assert moving_s(told, np.array([1.0, 0.0])) == pytest.approx(MOVED_S - 5, abs=1)
    assert np.isnan(moving_s(told, np.array([1.0, 1.0])))


def test_what_a_signal_under_way_has_taught_goes_before() -> None:
    assert np.isnan(moving_s(live_through(FIRST, SECOND, THIRD)))
    assert moving_s(live_through(FIRST, SECOND)) == pytest.approx(MOVED_S - 5, abs=1)


def test_a_hint_is_no_lesson() -> None:
    assert moving_s(live_through(THIRD, hints=lambda _: hint())) == MOVED_S


def test_at_rest_nothing_is_unheard() -> None:
    rest = np.zeros(2 * MINUTE)
    assert np.isnan(moving_s(watch(noisy(CALM + rest), rest)))
