"""What tallies come to."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.forecast.members import MEMBERS
from capacity_pilot.core.forecast.quantiles import HORIZONS, LEVELS
from capacity_pilot.core.forecast.scores import render_scores, score_target
from capacity_pilot.core.forecast.tally import Tally, pinball

LEVEL = np.array([0.9])


def tally_of(*missed: tuple[float, float], mean: float = 10.0) -> Tally:
    """Two targets' windows, that much above every quantile at every horizon; one member leads."""
    tally = Tally.empty(2, levels=len(LEVELS), horizons=len(HORIZONS), members=len(MEMBERS))
    for pair in missed:
        tally.scored[:] += 1.0
        tally.demand[:] += np.array([mean, 2 * mean])
        tally.exceeded[:] += np.array(pair) > 0
        tally.pinball[:] += [[[pinball(miss, level) for miss in pair]] for level in LEVELS]
        tally.led[0] += 1.0
    return tally


@given(st.floats(-1e6, 1e6), st.sampled_from(LEVELS))
def test_a_miss_costs_by_its_side_and_a_hit_nothing(error: float, level: float) -> None:
    loss = pinball(error, level)
    assert loss == pytest.approx(level * error if error > 0 else (1 - level) * -error)
    assert loss >= 0


@given(st.lists(st.floats(0, 100), min_size=20, max_size=20, unique=True))
def test_no_forecast_loses_less_than_the_quantile_itself(demand: list[float]) -> None:
    ordered = np.sort(demand)
    losses = [pinball(ordered - candidate, LEVEL).mean() for candidate in ordered]
    assert int(np.argmin(losses)) in {17, 18}


def test_scores_are_shares_and_means_of_one_target() -> None:
    tally = tally_of((1.0, -4.0), (3.0, 8.0)).of(1)
    [soon, *_] = scores = score_target(tally, np.array([10.0, 53.0, 300.0]))
    assert [(s.horizon, s.ahead_s) for s in scores] == [("soon", 10), ("apply", 53), ("later", 300)]
    assert (soon.windows, soon.demand) == (2, 20.0)
    assert soon.exceeded == dict.fromkeys(LEVELS, 0.5)
    assert soon.pinball[0.9] == pytest.approx((0.1 * 4 + 0.9 * 8) / 2)
    assert soon.led == {name: float(name == MEMBERS[0]) for name in MEMBERS}


def test_two_stretches_add_up() -> None:
    ahead_s = np.array([10.0, 53.0, 300.0])
    both = tally_of((1.0, -4.0)) + tally_of((3.0, 8.0))
    assert score_target(both.of(0), ahead_s) == score_target(
        tally_of((1.0, -4.0), (3.0, 8.0)).of(0), ahead_s
    )


def test_what_was_never_scored_has_no_score() -> None:
    empty = Tally.empty(1, levels=len(LEVELS), horizons=len(HORIZONS), members=len(MEMBERS))
    assert score_target(empty, np.full(3, np.nan)) == ()


def test_scores_are_told_in_jsons_own_types() -> None:
    told = render_scores(score_target(tally_of((1.0, 1.0)).of(0), np.array([10.0, 53.0, 300.0])))
    assert json.loads(json.dumps(told)) == told
    assert told["apply"]["exceeded"] == {"0.5": 1.0, "0.9": 1.0, "0.99": 1.0, "0.999": 1.0}
