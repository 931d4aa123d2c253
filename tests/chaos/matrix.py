"""Schedules in which every call meets every error, whatever chance would have drawn.

Many tables climb together, so that each of the two calls that a change takes is made again and
again; while it lasts, every second one goes wrong, each time in the next way.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from tests.chaos.drawing import DAY
from tests.chaos.faults import BadCalls, Span
from tests.chaos.mishaps import (
    REFUSALS,
    SCALING_REFUSALS,
    Course,
    Mishap,
    be_slow,
    break_off,
    fail_to_connect,
    lose_answer,
    refuse,
)
from tests.chaos.schedule import PROOF_S, Schedule, Target

TABLES: Final = 24
_BASE, _UNITS, _FLOOR = 100.0, 140, 50
_CALM_S, _LASTS_S = 60, 180
_SHARE: Final = 0.5
_OTHERS: Final[tuple[tuple[str, Mishap, int], ...]] = (
    ("slow", be_slow, 1),
    ("lost", lose_answer, 3),  # done, done late, not done
    ("broken off", break_off, 4),
    ("unconnected", fail_to_connect, 5),
)


@dataclass(slots=True)
class InTurn:
    """A mishap that is another each time; ``met`` counts them by name."""

    ways: tuple[tuple[str, Mishap], ...]
    met: Counter[str] = field(default_factory=Counter)

    def __call__(self, draw: Generator) -> Course:
        name, go = self.ways[self.met.total() % len(self.ways)]
        self.met[name] += 1
        return go(draw)

    @property
    def unmet(self) -> set[str]:
        return {name for name, _ in self.ways} - set(self.met)


def every_error(*, of_scaling: bool = False) -> InTurn:
    """All that AWS may say no with, and all that may become of a connection."""
    refusals = SCALING_REFUSALS if of_scaling else REFUSALS
    said = [(f"{code}: {text}", refuse(code, text, status)) for code, text, status in refusals]
    lost = [(f"{name} {n}", go) for name, go, times in _OTHERS for n in range(times)]
    return InTurn((*said, *lost))


def meet_all(mishaps: dict[str, InTurn], *, is_floor: bool = False) -> Schedule:
    """The schedule in which calls of these operations meet those mishaps."""
    seconds = _CALM_S + _LASTS_S + PROOF_S
    tables = tuple(f"table-{n:02d}" for n in range(TABLES))
    shape = np.ones(seconds)
    shape[_CALM_S : _CALM_S + _LASTS_S] = np.geomspace(1, 6, _LASTS_S)
    shape[_CALM_S + _LASTS_S :] = 7.0
    draw = np.random.default_rng(0)
    demand = [draw.poisson(_BASE * shape * part) for part in (0.7, 1.0) for _ in tables]
    targets = tuple(
        Target(
            resource=Resource(table),
            units=_UNITS,
            demand=np.stack((demand[n], demand[TABLES + n])).astype(np.float64),
        )
        for n, table in enumerate(tables)
    )
    during = Span(_CALM_S, _CALM_S + _LASTS_S - 10)
    scaled = {ScalableTarget(t.resource, d) for t in targets for d in Dimension}
    return Schedule(
        seed=0,
        began_at=DAY + 3600 * 9.5,
        seconds=seconds,
        tables=tables,
        targets=targets,
        floor=dict.fromkeys(tables, _FLOOR),
        ceiling=30_000,
        apply_s=4.0,
        lag_s=1.0,
        updates_per_second=7.0,
        stabilization_s=60.0,
        has_cloudwatch=False,
        faults=tuple(
            BadCalls(during, frozenset({operation}), _SHARE, mishap, operation)
            for operation, mishap in mishaps.items()
        ),
        scaled=frozenset(scaled) if is_floor else frozenset(),
    )
