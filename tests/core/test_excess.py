"""What a target did once it may do again: the highest excess over what was usual."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.forecast.excess import (
    MINUTE,
    SECOND,
    ExcessState,
    expect_excess,
    learn_excess,
    learn_refusal,
    skip_second,
)


def watch(
    state: ExcessState,
    seconds: range,
    *,
    demand: float,
    usual: float,
    foreseen: float = 0.0,
    known: bool = True,
) -> ExcessState:
    after = state.copy()
    means = (demand, demand, demand, usual)
    for second in seconds:
        if known:
            learn_excess(after.units, after.unseen, after.usual, 0, second, means, foreseen, 60.0)
        else:
            skip_second(after.usual, 0, second)
    return after


def test_before_anything_is_known_some_excess_is_expected() -> None:
    state = watch(ExcessState.empty(1), range(50), demand=900.0, usual=100.0)
    expected = [expect_excess(state.units[row, 0], state.unseen[0], 100.0, row) for row in range(3)]
    assert expected == pytest.approx([20.0, 40.0, 40.0])


def test_a_refused_second_teaches_before_anything_is_usual() -> None:
    """No bucket bore it, so the like of it must be borne by capacity."""
    state = ExcessState.empty(1)
    learn_refusal(state.units, 0, 700.0, 100.0)
    assert state.units[:, 0].tolist() == [600.0, 0.0, 0.0]
    learn_refusal(state.units, 0, 300.0, 100.0)
    assert state.units[SECOND, 0] == 600.0


def test_a_burst_counts_against_what_was_usual_a_change_ago() -> None:
    state = watch(ExcessState.empty(1), range(100), demand=100.0, usual=100.0)
    state = watch(state, range(100, 130), demand=400.0, usual=250.0)
    assert state.units[:, 0] == pytest.approx([300.0] * 3)


def test_only_what_exceeds_what_was_foreseen_is_learned_from_a_burst() -> None:
    state = watch(ExcessState.empty(1), range(100), demand=100.0, usual=100.0)
    state = watch(state, range(100, 130), demand=400.0, usual=250.0, foreseen=350.0)
    assert state.units[:, 0] == pytest.approx([50.0] * 3)


def test_demand_that_stays_high_is_no_excess_for_long() -> None:
    """After a minute the higher demand is what a change could have answered."""
    state = watch(ExcessState.empty(1), range(100), demand=100.0, usual=100.0)
    state = watch(state, range(100, 4000), demand=300.0, usual=300.0)
    assert state.units[MINUTE, 0] == pytest.approx(200.0, rel=0.05)


def test_excesses_fade_over_days_of_known_seconds() -> None:
    state = watch(ExcessState.empty(1), range(100), demand=100.0, usual=100.0)
    state = watch(state, range(100, 101), demand=700.0, usual=100.0)
    later = watch(state, range(101, 101 + 129_600), demand=100.0, usual=100.0)
    assert later.units[SECOND, 0] == pytest.approx(600.0 / np.e, rel=0.01)


def test_silence_neither_fades_nor_adds() -> None:
    state = watch(ExcessState.empty(1), range(100), demand=100.0, usual=100.0)
    after = watch(state, range(100, 200), demand=0.0, usual=100.0, known=False)
    assert np.array_equal(after.units, state.units)
    told_again = watch(after, range(200, 230), demand=900.0, usual=100.0)
    assert np.array_equal(told_again.units, state.units), "nobody knows what was usual then"


def test_a_rise_from_nothing_is_bounded() -> None:
    state = watch(ExcessState.empty(1), range(100), demand=0.0, usual=0.0)
    state = watch(state, range(100, 101), demand=1e9, usual=0.0)
    assert state.units[:, 0].tolist() == [12.0] * 3
