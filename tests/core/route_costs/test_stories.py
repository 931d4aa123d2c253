"""Demand reckoned from routes, told in time."""

from __future__ import annotations

import math

import pytest

from capacity_pilot.core.reasons import Reason
from tests.core.route_costs.routed import Routed

RATES = {"/post": 200.0, "/feed": 80.0, "/like": 400.0}
COSTS = {"/post": 2.0, "/feed": 5.0, "/like": 0.5}


def test_requests_alone_give_demand_once_half_an_hour_has_taught_what_they_cost() -> None:
    routed = Routed(RATES, dict(COSTS), by_itself=30.0).until("20m")
    assert not routed.routes.is_used.any()
    assert math.isnan(routed.step.decisions.demand[routed.slot])
    assert routed.doubts & Reason.LOW_COVERAGE
    assert routed.until("40m").is_used
    assert {route: routed.cost(route) for route in RATES} == pytest.approx(COSTS, rel=0.05)
    assert routed.routes.error[routed.slot] < 0.02
    assert routed.miss() < 0.15
    assert routed.doubts == Reason.STEADY


def test_a_surge_of_requests_is_a_surge_of_demand_before_cloudwatch_tells() -> None:
    routed = Routed(dict(RATES), dict(COSTS)).until("40m")
    routed.rates["/post"] = 4000.0
    routed.until("40m20s")
    assert routed.step.decisions.demand[routed.slot] > 4000
    assert routed.pilot.coverage.factor[routed.slot] == 1.0


def test_a_deployment_that_changes_a_routes_cost_is_named_within_ten_minutes() -> None:
    routed = Routed(RATES, dict(COSTS)).until("50m")
    routed.costs["/feed"] = 10.0
    routed.until("60m")
    assert routed.drifted == "/feed"
    slot = routed.slot
    assert routed.routes.cost_before[slot] == pytest.approx(5.0, rel=0.1)
    assert routed.routes.cost_after[slot] == pytest.approx(10.0, rel=0.1)
    assert 50 * 60 < routed.routes.drifted_at[slot] - routed.start <= 60 * 60
    routed.until("75m")
    assert routed.cost("/feed") == pytest.approx(10.0, rel=0.05)
    assert routed.cost("/post") == pytest.approx(2.0, rel=0.1)
    assert routed.pilot.coverage.factor[slot] == pytest.approx(1.0, abs=0.05)


def test_requests_that_tell_nothing_of_demand_are_not_reckoned_with() -> None:
    """Demand of callers behind no route: what is fitted misses what comes."""
    routed = Routed(RATES, dict.fromkeys(RATES, 0.0))
    for minute in range(1, 46):
        routed.by_itself = 2000.0 if minute % 3 else 200.0
        routed.until(f"{minute}m")
    assert not routed.is_used
    assert routed.doubts & Reason.LOW_COVERAGE


def test_spans_that_tell_of_the_table_come_first() -> None:
    routed = Routed(RATES, dict(COSTS)).until("40m")
    routed.share_traced = 1.0
    routed.until("41m")
    assert not routed.is_used
    assert routed.until("50m").miss() < 0.15
    assert routed.pilot.coverage.coverage[routed.slot] == pytest.approx(1.0, abs=0.05)


def test_where_requests_are_no_longer_told_nothing_is_made_up() -> None:
    routed = Routed(RATES, dict(COSTS)).until("40m")
    routed.is_told = False
    routed.until("50m")
    assert routed.step.decisions.action[routed.slot] == 0
    assert routed.doubts & Reason.LOW_COVERAGE


def test_a_route_that_is_new_costs_what_it_brings() -> None:
    routed = Routed(dict(RATES), dict(COSTS)).until("40m")
    routed.rates["/import"], routed.costs["/import"] = 50.0, 20.0
    routed._swing.clear()
    routed.until("60m")
    assert routed.cost("/import") == pytest.approx(20.0, rel=0.1)
    assert routed.cost("/post") == pytest.approx(2.0, rel=0.1)
