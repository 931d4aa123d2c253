"""Costs per request from minutes: what is fitted, and that no cost is negative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.route_costs.fitting import fit_costs, solve_nonnegative

seeds = st.integers(0, 2**32 - 1)


def fit(
    counts: Floats, units: Floats, *, prior: Floats | None = None, trust: float = 0.0
) -> Floats:
    """Costs of one target, all routes and minutes alike."""
    column = units.reshape(-1, 1)
    routes = counts.shape[1]
    return fit_costs(
        counts,
        column,
        weights=np.ones_like(column),
        may_cost=np.ones((routes, 1), dtype=np.bool_),
        prior=np.zeros((routes, 1)) if prior is None else prior.reshape(-1, 1),
        trust=np.array([trust]),
    )[:, 0]


@given(seeds, st.integers(1, 6))
def test_costs_that_explain_the_minutes_are_found(seed: int, routes: int) -> None:
    draw = np.random.default_rng(seed)
    counts = draw.poisson(draw.uniform(50, 5000, routes), (60, routes)).astype(np.float64)
    counts *= draw.uniform(0.3, 1.0, counts.shape)
    true = draw.uniform(0, 5, routes) * (draw.random(routes) < 0.7)
    assert fit(counts, counts @ true) == pytest.approx(true, abs=0.02)


@given(seeds)
def test_no_cost_is_negative_and_none_could_be_better(seed: int) -> None:
    """At the least square no cost can move without loss: Karush, Kuhn and Tucker's conditions."""
    draw = np.random.default_rng(seed)
    counts = draw.uniform(0, 1, (40, 5))
    units = draw.normal(0, 1, 40) + counts @ draw.normal(0, 1, 5)
    gram, moment = counts.T @ counts, units @ counts
    x = solve_nonnegative(gram, moment, np.ones(5, dtype=np.bool_))
    slope = gram @ x - moment
    assert (x >= 0).all()
    assert (slope >= -1e-6).all()
    assert np.abs(x * slope).max() <= 1e-6


@pytest.fixture(scope="module")
def optimize() -> Any:
    return pytest.importorskip("scipy.optimize")


@given(seed=seeds)
def test_a_kept_library_finds_the_same(optimize: Any, seed: int) -> None:
    draw = np.random.default_rng(seed)
    counts = draw.poisson(draw.uniform(50, 500, 6), (80, 6)).astype(np.float64)
    units = counts @ draw.uniform(0, 3, 6) + draw.normal(0, 50, 80)
    expected, residual = optimize.nnls(counts, units)
    found = fit(counts, units)
    assert np.linalg.norm(counts @ found - units) == pytest.approx(residual, rel=1e-6)
    assert found == pytest.approx(expected, rel=0.01, abs=0.01)


def test_minutes_nobody_knows_of_do_not_count() -> None:
    draw = np.random.default_rng(2)
    counts = draw.poisson(300, (50, 2)).astype(np.float64)
    units = counts @ np.array([1.0, 2.0])
    units[::3] = np.nan
    assert fit(counts, units) == pytest.approx([1.0, 2.0], abs=0.01)


def test_where_routes_cannot_be_told_apart_the_costs_known_before_decide() -> None:
    """Two routes that always rise and fall together cost three units between them."""
    counts = np.repeat(np.random.default_rng(3).poisson(300, (50, 1)), 2, axis=1).astype(np.float64)
    units = counts @ np.array([1.0, 2.0])
    found = fit(counts, units, prior=np.array([0.5, 2.5]), trust=1.0)
    assert found == pytest.approx([0.5, 2.5], abs=0.02)


def test_a_signal_of_another_table_costs_nothing_here() -> None:
    counts = np.random.default_rng(4).poisson(300, (50, 2)).astype(np.float64)
    found = fit_costs(
        counts,
        (counts @ np.array([1.0, 1.0]))[:, None],
        weights=np.ones((50, 1)),
        may_cost=np.array([[True], [False]]),
        prior=np.zeros((2, 1)),
        trust=np.zeros(1),
    )
    assert found[1, 0] == 0.0
    assert found[0, 0] == pytest.approx(2.0, abs=0.1)
