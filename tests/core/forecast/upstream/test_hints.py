"""What a policy says of a signal stands in for what is not learned yet, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.forecast.upstream import UpstreamState, find_doubtful, list_leads
from capacity_pilot.core.forecast.upstream.hints import respond
from capacity_pilot.core.forecast.upstream.response import gain_of
from tests.core.forecast.upstream.stage import (
    CALM,
    LAG_S,
    MINUTE,
    brought_by,
    bursts,
    hint,
    noisy,
    watch,
)

FIRST, SECOND, THIRD = 5 * MINUTE, 20 * MINUTE, 35 * MINUTE
LENGTH = 42 * MINUTE
PUSH = bursts(LENGTH, FIRST, SECOND, THIRD)
CROWD = brought_by(PUSH, gain=0.05)
DEMAND = noisy(CALM + CROWD)


def test_a_response_brings_what_is_said_after_what_is_said() -> None:
    weights = respond(0.5, 20.0)
    assert gain_of(weights) == pytest.approx(0.5, rel=1e-3)
    assert (np.diff(np.cumsum(weights)) >= 0).all()
    assert weights[:4].sum() == pytest.approx(0.5 * -np.expm1(-16 / 20), rel=1e-6)


def test_the_first_push_is_foreseen_to_the_full_before_anybody_comes() -> None:
    told = watch(DEMAND, PUSH, hints=lambda _: hint())
    said_at = told.first_said(FIRST, SECOND)
    assert said_at is not None
    assert said_at - FIRST <= LAG_S + 3
    at = said_at + 3
    assert told.peaks[at, 0] == pytest.approx(CALM + CROWD[FIRST : FIRST + 200].max(), rel=0.4)
    (lead,) = list_leads(told.state)
    assert lead.is_trusted
    assert lead.gain == pytest.approx(0.05, rel=0.2)
    assert not told.state.pairs.hinted.any(), "by now it is learned"


def test_how_long_it_lasts_is_believed_until_it_is_known() -> None:
    at, until = FIRST + LAG_S + 6, FIRST + 30
    short = watch(DEMAND[:until], PUSH[:until], hints=lambda _: hint(lasts_s=30.0))
    long = watch(DEMAND[:until], PUSH[:until], hints=lambda _: hint(lasts_s=120.0))
    assert long.peaks[at, 0] - CALM > 1.5 * (short.peaks[at, 0] - CALM) > 0


def test_without_a_gain_the_second_push_is_foreseen_at_once() -> None:
    told = watch(DEMAND, PUSH, hints=lambda _: hint(gain=0.0))
    assert told.says_nothing(0, SECOND)
    said_at = told.first_said(SECOND, THIRD)
    assert said_at is not None
    assert said_at - SECOND <= LAG_S + 3


@pytest.mark.parametrize("gain", [0.2, 1.0])
def test_a_gain_that_is_wrong_is_left_aside_within_a_minute_and_learned(gain: float) -> None:
    told = watch(DEMAND, PUSH, hints=lambda _: hint(gain=gain))
    assert not told.says_nothing(FIRST, FIRST + 20)
    assert told.says_nothing(FIRST + MINUTE, SECOND)
    plain = watch(DEMAND, PUSH)
    (lead,), (own,) = list_leads(told.state), list_leads(plain.state)
    assert lead.gain == pytest.approx(own.gain, rel=0.1)
    assert lead.is_trusted


def test_a_push_nobody_follows_refutes_the_hint_for_good() -> None:
    nobody = noisy(np.full(LENGTH, CALM))
    found = []

    def look(second: int, state: UpstreamState) -> UpstreamState:
        if second == FIRST + 70:
            found.append([x.tolist() for x in find_doubtful(state.pairs, state.signals.running())])
        return state

    told = watch(nobody, PUSH, hints=lambda _: hint(), change=look)
    assert not told.says_nothing(FIRST, FIRST + 20)
    assert found == [[[False], [True]]]
    assert told.says_nothing(FIRST + MINUTE, LENGTH)


def test_a_hint_that_is_taken_back_says_nothing_more() -> None:
    told = watch(DEMAND, PUSH, hints=lambda s: hint() if s < FIRST - 60 else None)
    plain = watch(DEMAND, PUSH)
    np.testing.assert_array_equal(told.peaks, plain.peaks)


def test_what_was_learned_goes_before_a_hint_that_comes_later() -> None:
    told = watch(DEMAND, PUSH, hints=lambda s: hint(gain=1.0) if s > THIRD - 60 else None)
    np.testing.assert_allclose(told.peaks[THIRD:], watch(DEMAND, PUSH).peaks[THIRD:], rtol=1e-6)
