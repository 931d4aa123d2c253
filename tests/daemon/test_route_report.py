"""What /status says of routes, as a pilot found it out."""

from __future__ import annotations

from typing import Any

import pytest

from capacity_pilot.daemon.route_report import BY_ITSELF, find_drifts, report_routes
from tests.core.route_costs.routed import Routed


def test_costs_are_told_by_route_and_a_change_by_name() -> None:
    routed = Routed({"/post": 200.0, "/feed": 80.0}, {"/post": 2.0, "/feed": 5.0}, by_itself=100.0)
    assert report_routes(routed.until("10m").pilot) == {"routes": []}
    report: Any = report_routes(routed.until("40m").pilot)
    (entry,) = report["routes"]
    assert entry["target"] == "feed:write"
    assert entry["is_used"]
    assert entry["error"] < 0.05
    expected = {"/post": 2.0, "/feed": 5.0, BY_ITSELF: 100.0}
    assert entry["units_per_request"] == pytest.approx(expected, rel=0.1)
    routed.costs["/post"] = 4.0
    (drift,) = find_drifts(routed.until("50m").pilot, since=routed.start + 40 * 60)
    assert (drift["target"], drift["route"]) == ("feed:write", "/post")
    assert drift["before"] == pytest.approx(2.0, rel=0.1)
    assert drift["after"] == pytest.approx(4.0, rel=0.1)
