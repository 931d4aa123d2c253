"""Units per request, fitted to whole minutes by least squares that know no negative cost.

Requests of routes rise and fall together, so that few minutes leave open which route costs what:
there a fit stays near the costs known before.
"""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats

_ROUNDS = 3
_ENOUGH, _TINY = 1e-9, 1e-12
_LEAST_TRUST = 1e-6


def fit_costs(
    counts: Floats,
    units: Floats,
    *,
    weights: Floats,
    may_cost: Bools,
    prior: Floats,
    trust: Floats,
) -> Floats:
    """Units per request that explain ``units`` (k, m) of k minutes by ``counts`` (k, r), (r, m).

    A NaN among ``units`` is a minute nothing is known of. ``weights`` (k, m) are how much a minute
    counts; only where ``may_cost`` (r, m) is a cost above 0. ``prior`` (r, m) is worth ``trust``
    (m,) minutes.
    """
    is_known = ~np.isnan(units)
    weight = np.where(is_known, weights, 0.0)
    gram = np.einsum("km,ki,kj->mij", weight, counts, counts, optimize=True)
    moment = np.einsum("km,ki->mi", weight * np.where(is_known, units, 0.0), counts, optimize=True)
    usual = (counts**2).mean(axis=0)
    diagonal = np.arange(len(usual))
    worth = np.maximum(trust, _LEAST_TRUST)[:, None] * usual
    gram[:, diagonal, diagonal] += worth
    moment += worth * prior.T
    may_cost = may_cost & (usual > 0)[:, None]
    solved = [solve_nonnegative(*one) for one in zip(gram, moment, may_cost.T, strict=True)]
    return np.array(solved).reshape(moment.shape).T


def solve_nonnegative(gram: Floats, moment: Floats, may_differ: Bools) -> Floats:
    """The ``x >= 0`` (r,) that minimizes ``x G x / 2 - b x``, 0 where not ``may_differ``.

    The active-set method of R. Bro and S. de Jong, "A fast non-negativity-constrained least
    squares algorithm", Journal of Chemometrics 11 (1997): free the coordinate that gains most,
    solve for the free ones, and bind those that would fall below 0. ``gram`` is positive definite.
    """
    x, is_free = np.zeros(len(moment)), np.zeros(len(moment), dtype=np.bool_)
    enough = _ENOUGH * np.abs(moment).max(initial=0.0)
    for _ in range(_ROUNDS * len(moment)):
        gain = np.where(may_differ & ~is_free, moment - gram @ x, -np.inf)
        freed = int(gain.argmax())
        if not gain[freed] > enough:
            break
        is_free[freed] = True
        x = _descend(gram, moment, x, is_free)
    return x


def _descend(gram: Floats, moment: Floats, x: Floats, is_free: Bools) -> Floats:
    """``x`` at its best on the free coordinates; those that end at 0 are bound, in place."""
    while True:
        best = np.zeros_like(x)
        best[is_free] = np.linalg.solve(gram[np.ix_(is_free, is_free)], moment[is_free])
        falls = is_free & (best <= 0)
        if not falls.any():
            return best
        reach = x[falls] / np.maximum(x[falls] - best[falls], _TINY)
        x = x + min(float(reach.min()), 1.0) * (best - x)
        is_free &= x > _TINY
