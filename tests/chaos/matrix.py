"""Schedules in which every call meets every error, whatever chance would have drawn.

Tables climb together, so that all that a change takes, or rests on, is done again and again; while
it lasts, a share of the calls goes wrong, each time in the next way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from tests.chaos.drawing import DAY
from tests.chaos.faults import PRIMARY, SECOND, BadCalls, Killed, Span
from tests.chaos.mishaps import (
    CANCELLATIONS,
    CLOUDWATCH_REFUSALS,
    REFUSALS,
    SCALING_REFUSALS,
    STORE_REFUSALS,
    Course,
    Mishap,
    be_slow,
    be_sluggish,
    break_off,
    cancel,
    fail_to_connect,
    lose_answer,
    lose_stores_answer,
    refuse,
)
from tests.chaos.schedule import PROOF_S, Schedule, Target

_BASE, _UNITS, _FLOOR = 100.0, 140, 50
_CALM_S: Final = 60
_OTHERS: Final[tuple[tuple[str, Mishap, int], ...]] = (
    ("slow", be_slow, 1),
    ("lost", lose_answer, 3),  # done, done late, not done
    ("broken off", break_off, 4),
    ("unconnected", fail_to_connect, 5),
)
_OTHERS_OF_STORE: Final[tuple[tuple[str, Mishap, int], ...]] = (
    ("sluggish", be_sluggish, 2),
    ("lost", lose_stores_answer, 3),
    *_OTHERS[2:],
)
_SCALING: Final = frozenset(
    {"DescribeScalableTargets", "DescribeScalingPolicies", "RegisterScalableTarget"}
)
_CLOUDWATCH: Final = frozenset({"GetMetricData", "PutMetricData"})
_STORE: Final = frozenset(
    {"DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """Calls that go wrong together, a ``share`` of them each, for so many seconds; and what the
    pilots are like that make them.
    """

    operations: tuple[str, ...]
    share: float = 0.5
    tables: int = 24
    lasts_s: int = 180
    by_tags: bool = False
    every_s: Mapping[str, float] = field(default_factory=dict)
    dies_every_s: int | None = None

    @property
    def is_floor(self) -> bool:
        return bool(_SCALING & set(self.operations))

    @property
    def has_cloudwatch(self) -> bool:
        return bool(_CLOUDWATCH & set(self.operations))

    @property
    def has_lease(self) -> bool:
        return bool(_STORE & set(self.operations))


ROWS: Final = (
    Row(("DescribeTable", "UpdateTable")),
    Row(("ListTables", "DescribeLimits"), every_s={"discover": 1.0, "ask_quotas": 1.0}),
    Row(("ListTagsOfResource",), share=0.75, by_tags=True, every_s={"watch_tags": 1.0}),
    Row(("DescribeScalableTargets", "RegisterScalableTarget")),
    Row(("DescribeScalingPolicies",), share=1.0),  # each table's are asked for once in ten minutes
    # Who is refused pauses for minutes, and another process does not.
    Row(("GetMetricData", "PutMetricData"), share=0.8, tables=2, lasts_s=3600, dies_every_s=150),
    Row(("GetItem",), share=0.8, tables=6),
    Row(("UpdateItem",), tables=6),
    Row(("TransactWriteItems",), tables=12, every_s={"save": 5.0}),
    Row(("PutItem",), tables=6, every_s={"save": 1.0}),
    Row(("DeleteItem",), share=0.7, tables=6, every_s={"save": 1.0}),
    Row(("Query",), share=0.8, tables=6, dies_every_s=30),
)

ONCE_BY_HAND: Final = frozenset(
    {
        "CreateTable",
        "DescribeAlarms",
        "DescribeTimeToLive",
        "PutMetricAlarm",
        "UpdateTimeToLive",
    }
)
"""Made by ``init`` alone, whose user sees what came of them."""


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


def every_error(operation: str) -> InTurn:
    """All that AWS may say no with, and all that may become of a connection."""
    refusals = REFUSALS
    for of_service, others in (
        (_SCALING, SCALING_REFUSALS),
        (_CLOUDWATCH, CLOUDWATCH_REFUSALS),
        (_STORE, STORE_REFUSALS),
    ):
        refusals = others if operation in of_service else refusals
    said = [(f"{code}: {text}", refuse(code, text, status)) for code, text, status in refusals]
    if operation == "TransactWriteItems":
        said += [(f"cancelled: {reason}", cancel(reason)) for reason in CANCELLATIONS]
    ways = _OTHERS_OF_STORE if operation in _STORE else _OTHERS
    lost = [(f"{name} {n}", go) for name, go, times in ways for n in range(times)]
    return InTurn((*said, *lost))


def meet_all(row: Row, mishaps: Mapping[str, InTurn]) -> Schedule:
    """The schedule in which calls of the row meet those mishaps, by operation."""
    seconds = _CALM_S + row.lasts_s + PROOF_S
    tables = tuple(f"table-{n:02d}" for n in range(row.tables))
    shape = np.ones(seconds)
    shape[_CALM_S : _CALM_S + row.lasts_s] = np.geomspace(1, 6, row.lasts_s)
    shape[_CALM_S + row.lasts_s :] = 7.0
    draw = np.random.default_rng(0)
    demand = [draw.poisson(_BASE * shape * part) for part in (0.7, 1.0) for _ in tables]
    targets = tuple(
        Target(
            resource=Resource(table),
            units=_UNITS,
            demand=np.stack((demand[n], demand[row.tables + n])).astype(np.float64),
        )
        for n, table in enumerate(tables)
    )
    during = Span(_CALM_S, _CALM_S + row.lasts_s - 10)
    is_asked_first = row.by_tags or "DescribeScalingPolicies" in row.operations
    since = 0.0 if is_asked_first else during.since
    scaled = {ScalableTarget(t.resource, d) for t in targets for d in Dimension}
    bad = (
        BadCalls(Span(since, during.until), frozenset({operation}), row.share, mishap, operation)
        for operation, mishap in mishaps.items()
    )
    deaths: tuple[Killed, ...] = ()
    if row.dies_every_s is not None:
        moments = range(int(during.since), int(during.until), row.dies_every_s)
        places = (PRIMARY, SECOND) if row.has_lease else (PRIMARY,)
        deaths = tuple(Killed(at, "tick", 1.0, place) for place in places for at in moments)
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
        has_cloudwatch=row.has_cloudwatch,
        faults=(*bad, *deaths),
        scaled=frozenset(scaled) if row.is_floor else frozenset(),
        has_lease=row.has_lease,
        by_tags=row.by_tags,
        every_s=row.every_s,
    )
