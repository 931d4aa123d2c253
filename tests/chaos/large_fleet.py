"""A schedule of ten thousand tables, of which many surge while the control plane is throttled,
changes are refused and lost, and the pilot dies.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from capacity_pilot.core.model import Resource
from tests.chaos.drawing import DAY
from tests.chaos.faults import BadCalls, BadTelemetry, Killed, Span
from tests.chaos.mishaps import REFUSALS, lose_answer, refuse
from tests.chaos.schedule import Schedule, Target

TABLES: Final = 10_000
_USED, _SURGING = 400, 60
_UNITS, _BASE, _SURGE = 20, 12.0, 70.0
_SURGE_AT, _SECONDS = 80, 240
"""To read ten thousand tables takes a minute."""


def draw_large_fleet(tables: int = TABLES) -> Schedule:
    """Most tables are asked for nothing, as it is where there are so many."""
    draw = np.random.default_rng(0)
    names = tuple(f"table-{n:05d}" for n in range(tables))
    targets = []
    for n, name in enumerate(names):
        demand = np.zeros((2, _SECONDS))
        if n < _USED:
            demand[:] = draw.poisson(_BASE, demand.shape)
        if n < _SURGING:
            surging = demand[:, _SURGE_AT:]
            surging[:] = draw.poisson(_SURGE, surging.shape)
        targets.append(Target(resource=Resource(name), units=_UNITS, demand=demand))
    throttled, limited = REFUSALS[0], REFUSALS[4]
    updates, reads = frozenset({"UpdateTable"}), frozenset({"DescribeTable", "ListTables"})
    return Schedule(
        seed=0,
        began_at=DAY + 3600 * 9.5,
        seconds=_SECONDS,
        tables=names,
        targets=tuple(targets),
        floor=dict.fromkeys(names, _UNITS // 2),
        ceiling=2_000,
        apply_s=4.0,
        lag_s=1.0,
        updates_per_second=7.0,
        stabilization_s=60.0,
        has_cloudwatch=False,
        account_units=2_000_000,
        faults=(
            BadCalls(Span(80, 95), updates, 0.7, refuse(*throttled), "throttled"),
            BadCalls(Span(80, 130), reads, 0.3, refuse(*throttled), "throttled"),
            BadCalls(Span(95, 105), updates, 0.5, refuse(*limited), "too many at once"),
            BadCalls(Span(105, 130), updates, 0.5, lose_answer, "lost"),
            BadTelemetry(Span(120, 130), "silent", 0.0),
            Killed(110, "update_begun", 2.0),
        ),
    )
