"""The ladder's second rung: spans are heard, and the signals that demand follows are lost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from capacity_pilot.core.coverage.minutes import Minutes
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.forecast.upstream import find_deaf
from capacity_pilot.core.ladder import Heard, LadderState, Rung, step_ladder
from capacity_pilot.core.model import Resource
from tests.core.forecast.upstream.stage import (
    CALM,
    MINUTE,
    START,
    Watched,
    brought_by,
    bursts,
    noisy,
    watch,
)
from tests.core.scenario import policy

FIRST, SECOND, THIRD = 5 * MINUTE, 25 * MINUTE, 45 * MINUTE
LENGTH = 60 * MINUTE
LOST_AT = 52 * MINUTE
END = START + LENGTH - 1.0


def told_until(lost_at: int, *, steady: float = 3.0) -> Watched:
    """Two slots, of which pushes bring demand to the first; requests of another route are counted
    all the time, at ``steady`` a second.
    """
    push = bursts(LENGTH, FIRST, SECOND, THIRD)
    followed = noisy(CALM + brought_by(push))
    demand = np.stack([followed, noisy(np.full(LENGTH, CALM), seed=5)], axis=1)
    route = np.full(LENGTH, steady)
    signals = np.stack([np.where(push > 0, push, np.nan), route], axis=1)
    signals[lost_at:] = np.nan
    return watch(demand, signals)


@cache
def heard_to_the_end() -> Watched:
    return told_until(LENGTH)


@cache
def lost() -> Watched:
    return told_until(LOST_AT)


def climb(state: LadderState, watched: Watched, now: float) -> tuple[LadderState, list[Rung]]:
    """One tick of the ladder with the signals that were heard, and spans up to now; and where both
    slots stand after it.
    """
    spans = replace(watched.demand, last_seen=np.full(2, now - 1.0))
    after, footing = step_ladder(
        state,
        Heard(spans, Minutes.empty(2, now), None, watched.state),
        policy(Fleet.of([Resource("feed")])),
        provisioned=np.array([900.0, 900.0]),
        has_scaler=None,
        now=now,
    )
    assert footing is None or footing.is_heard.all(), "demand itself is heard: it may be lowered"
    return after, [Rung(int(rung)) for rung in after.rung]


def at_the_top() -> LadderState:
    return replace(LadderState.empty(2, END), rung=np.zeros(2, dtype=np.int64))


def test_what_follows_a_lost_signal_comes_down_one_rung_at_once_and_nothing_else_does() -> None:
    _, stand = climb(at_the_top(), lost(), END)
    assert stand == [Rung.NO_UPSTREAM, Rung.FULL]
    _, stand = climb(at_the_top(), heard_to_the_end(), END)
    assert stand == [Rung.FULL, Rung.FULL]


def test_signals_that_are_heard_again_are_believed_after_a_while() -> None:
    state, _ = climb(at_the_top(), lost(), END - 60)
    stood = []
    for second in range(-59, 1):
        state, stand = climb(state, heard_to_the_end(), END + second)
        stood.append(stand[0])
    assert stood.index(Rung.FULL) == 30
    assert set(stood[30:]) == {Rung.FULL}


def test_signals_are_lost_after_two_minutes_and_no_sooner() -> None:
    last_told = float(lost().state.signals.last_told.max())
    assert find_deaf(lost().state, last_told + 120) is None
    deaf = find_deaf(lost().state, last_told + 121)
    assert deaf is not None
    assert deaf.tolist() == [True, False]


def test_a_push_that_is_not_sent_is_not_a_lost_one() -> None:
    """It is the only signal there is, and silent for ten minutes."""
    watched = told_until(LENGTH, steady=np.nan)
    assert float(watched.state.signals.last_told[0, 0]) < END - 600
    assert find_deaf(watched.state, END) is None
