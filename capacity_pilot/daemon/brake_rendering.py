"""Freezes and overrides as JSON-ready data, for answers, logs and the journal."""

from __future__ import annotations

from typing import Any

from capacity_pilot.core.brakes import Brake, FreezeInForce, OverrideInForce
from capacity_pilot.daemon.moments import render_time


def render_brake(brake: Brake, now: float) -> dict[str, object]:
    """What is ordered, by whom and why, and how long it lasts from ``now``."""
    what = _render_freeze(brake) if isinstance(brake, FreezeInForce) else _render_override(brake)
    until = brake.until
    return {
        "id": brake.id,
        **what,
        "by": brake.by,
        "why": brake.why,
        "since": render_time(brake.since),
        "until": None if until is None else render_time(until),
        "ends_in_s": None if until is None else round(until - now, 1),
    }


def _render_freeze(freeze: FreezeInForce) -> dict[str, Any]:
    return {"tables": freeze.tables, "direction": freeze.direction}


def _render_override(override: OverrideInForce) -> dict[str, Any]:
    return {
        "table": override.table,
        "index": override.index,
        "read": override.read,
        "write": override.write,
        "beyond_bounds": override.beyond_bounds,
    }
