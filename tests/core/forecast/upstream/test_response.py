"""Responses: binned by lag, learned by non-negative least squares that remember."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.upstream.response import (
    BINS,
    EDGES_S,
    MomentState,
    add_moments,
    bin_lags,
    close_moments,
    fit_response,
    gain_of,
)
from capacity_pilot.core.forecast.upstream.signals import REACH_S

SECONDS = 400


def binned(signal: Floats) -> Floats:
    """(SECONDS, BINS) of one signal that was silent before."""
    return bin_lags(np.concatenate([np.zeros(REACH_S - 1), signal]))


def learn(signal: Floats, demand: Floats, prior: Floats, lessons: float) -> Floats:
    bins, moments = binned(signal), MomentState.empty(1).arrays
    add_moments(moments, 0, bins)
    return fit_response(moments, 0, bins.T @ demand, prior, lessons)


def burst(lasts: int = 60) -> Floats:
    signal = np.zeros(SECONDS)
    signal[20 : 20 + lasts] = 100.0
    return signal


def test_a_bin_holds_the_mean_of_its_lags() -> None:
    signal = np.zeros(SECONDS)
    signal[10] = 6.0
    bins = binned(signal)
    for b, (first, last) in enumerate(pairwise(EDGES_S)):
        expected = np.zeros(SECONDS)
        expected[10 + first : 10 + last] = 6.0 / (last - first)
        np.testing.assert_allclose(bins[:, b], expected, atol=1e-9)


def test_a_response_is_found_again_and_its_gain_is_units_per_count() -> None:
    truth = np.array([0.0, 0.0, 0.01, 0.02, 0.03, 0.02, 0.01, 0.0])
    signal = burst()
    found = learn(signal, binned(signal) @ truth, np.zeros(BINS), 0)
    np.testing.assert_allclose(found, truth, atol=0.006)
    assert gain_of(found) == pytest.approx(truth.sum(), rel=0.05)
    assert (binned(signal) @ found).sum() == pytest.approx(signal.sum() * truth.sum(), rel=0.1)


def test_what_is_known_well_moves_little_by_one_episode() -> None:
    signal = burst()
    truth, other = np.full(BINS, 0.01), np.full(BINS, 0.03)
    demand = binned(signal) @ other
    novice, expert = (gain_of(learn(signal, demand, truth, n)) for n in (0, 3))
    assert gain_of(truth) < expert < novice


def test_a_small_episode_teaches_little_after_large_ones() -> None:
    large, small = burst(), burst() / 100
    moments = MomentState.empty(1).arrays
    add_moments(moments, 0, binned(large))
    close_moments(moments, 0)
    add_moments(moments, 0, binned(small))
    prior = np.full(BINS, 0.01)
    products = binned(small).T @ (binned(small) @ np.full(BINS, 1.0))
    found = fit_response(moments, 0, products, prior, 1.0)
    assert gain_of(found) < 2 * gain_of(prior)


@given(
    seed=st.integers(0, 10_000),
    lessons=st.integers(0, 5),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_no_weight_is_negative_and_none_is_worse_than_before(
    seed: int, lessons: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    signal, demand = rng.gamma(0.3, scale, SECONDS), rng.normal(0, 10, SECONDS)
    prior = rng.gamma(1.0, 0.01, BINS) * (lessons > 0)
    found = learn(signal, demand, prior, lessons)
    assert (found >= 0).all()
    error, before = (np.square(demand - binned(signal) @ w).sum() for w in (found, prior))
    assert error <= before * (1 + 1e-9) + 1e-9
