"""The error tracker's margin is exceeded as often as the quantile says, on stationary noise."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.forecast.error import RING_S, ErrorState, learn_errors, note_predictions

SLOTS = 200


@pytest.mark.parametrize("quantile", [0.9, 0.99])
@pytest.mark.parametrize("spread", [0.7, 1.2])
def test_margin_is_exceeded_one_minus_q_of_the_time(quantile: float, spread: float) -> None:
    """A flat forecast of 100 against lognormal demand of the same mean, in 200 targets."""
    draw = np.random.default_rng(3)
    state, q = ErrorState.empty(SLOTS), np.full(SLOTS, quantile)
    everyone, ahead = np.ones(SLOTS, dtype=np.bool_), np.full(SLOTS, 10.0)
    exceeded = []
    for second in range(6_000):
        units = 100.0 * np.exp(spread * draw.standard_normal(SLOTS) - spread**2 / 2)
        margin = state.margin
        state = learn_errors(
            state,
            units,
            everyone,
            usual=np.full(len(units), 100.0),
            is_calm=everyone,
            second=second,
            quantile=q,
        )
        if second > 2_500:
            exceeded.append(((state.smooth - 100.0) / 100.0 > margin).mean())
        state = note_predictions(
            state, np.full(SLOTS, 100.0), everyone, scored=range(second, second + 1), at_s=ahead
        )
    assert np.mean(exceeded) == pytest.approx(1 - quantile, rel=0.25)


def test_nothing_is_learned_of_unknown_seconds_or_without_a_prediction() -> None:
    state, q, usual = ErrorState.empty(1), np.array([0.99]), np.array([50.0])
    known, unknown = np.array([True]), np.array([False])
    state = learn_errors(
        state, np.array([50.0]), known, usual=usual, is_calm=known, second=1, quantile=q
    )
    state = learn_errors(
        state, np.array([900.0]), known, usual=usual, is_calm=known, second=2, quantile=q
    )
    assert state.margin[0] == ErrorState.empty(1).margin[0]
    state = note_predictions(
        state, np.array([50.0]), known, scored=range(2, 3), at_s=np.array([3.0])
    )
    state = learn_errors(
        state, np.array([0.0]), unknown, usual=usual, is_calm=known, second=5, quantile=q
    )
    assert state.margin[0] == ErrorState.empty(1).margin[0]


def test_a_prediction_is_scored_once() -> None:
    """Its row comes round again after the ring's length, and must be empty by then."""
    state, known = ErrorState.empty(1), np.array([True])
    state = note_predictions(state, np.array([50.0]), known, scored=range(1), at_s=np.array([3.0]))
    assert np.isfinite(state.predicted[3, 0])
    state = note_predictions(
        state, np.array([50.0]), ~known, scored=range(1, 4), at_s=np.array([3.0])
    )
    assert np.isnan(state.predicted).all()
    assert state.predicted.shape == (RING_S, 1)
