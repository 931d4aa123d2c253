"""What requests of routes cost each table: for ``/status`` and the log."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from capacity_pilot.core.pilot import Pilot

BY_ITSELF = "(by itself)"
"""What a table consumes that no route's requests explain, in units per second."""


def report_routes(pilot: Pilot) -> dict[str, object]:
    """Units per request, by route, of every target to which costs were fitted."""
    fleet, routes = pilot.fleet, pilot.routes
    fitted = np.flatnonzero(routes.fitted >= 0).tolist()
    return {
        "routes": [
            {
                "target": str(fleet.target(slot)),
                "is_used": bool(routes.is_used[slot]),
                "error": _share(routes.error[slot]),
                "units_per_request": _costs(pilot, slot),
            }
            for slot in fitted
        ]
    }


def find_drifts(pilot: Pilot, *, since: float) -> Iterator[dict[str, object]]:
    """Every target whose costs were noticed to have changed after ``since``, and which route's."""
    fleet, routes = pilot.fleet, pilot.routes
    for slot in np.flatnonzero(routes.drifted_at > since).tolist():
        yield {
            "target": str(fleet.target(slot)),
            "route": _name(pilot, int(routes.drifted[slot])),
            "before": round(float(routes.cost_before[slot]), 3),
            "after": round(float(routes.cost_after[slot]), 3),
        }


def _costs(pilot: Pilot, slot: int) -> dict[str, float]:
    *costs, by_itself = pilot.routes.costs[:, slot].tolist()
    named = {_name(pilot, number): cost for number, cost in enumerate(costs) if cost > 0}
    return {name: round(cost, 4) for name, cost in {**named, BY_ITSELF: by_itself / 60}.items()}


def _name(pilot: Pilot, number: int) -> str:
    return BY_ITSELF if number < 0 else pilot.signals.names[number][1]


def _share(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
