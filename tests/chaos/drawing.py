"""The schedule of a seed: a function of it, and of nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.random import Generator

from capacity_pilot.core.model import Resource
from tests.chaos.draws import draw_span, pick
from tests.chaos.faults import (
    POINTS,
    BadCalls,
    BadCloudWatch,
    BadDisk,
    BadTelemetry,
    ClockJump,
    Fault,
    Foreign,
    IndexChange,
    Killed,
    Recreated,
    Second,
    SlowApplies,
    Span,
)
from tests.chaos.mishaps import (
    REFUSALS,
    Mishap,
    be_slow,
    break_off,
    fail_to_connect,
    lose_answer,
    refuse,
)
from tests.chaos.schedule import PROOF_S, SPARE, Floats, Schedule, Target
from tests.chaos.variants import let_escape, let_idle, let_scale, let_share

DAY: Final = datetime(2026, 10, 9, tzinfo=UTC).timestamp()
_IDLE: Final = 0.1
"""Of the plainest: these runs last two hours."""


def draw_schedule(seed: int) -> Schedule:
    """The schedule of this seed."""
    draw = np.random.default_rng(seed)
    seconds = int(draw.integers(420, 780))
    tables = tuple(f"table-{n}" for n in range(int(draw.integers(1, 7))))
    indexes = {table: int(draw.choice([0, 0, 1, 2])) for table in tables}
    targets, floor = [], {}
    for table in tables:
        base = float(np.exp(draw.uniform(np.log(20), np.log(800))))
        units = max(2, int(base * draw.uniform(0.9, 2.5)))
        floor[table] = units if draw.random() < 0.5 else max(1, int(units * draw.uniform(0.1, 0.9)))
        shape = _draw_shape(draw, seconds)
        for index in ("", *(f"index-{n}" for n in range(indexes[table])), SPARE):
            share = 1.0 if not index else float(draw.uniform(0.3, 1.0))
            demand = np.stack([draw.poisson(base * share * part * shape) for part in (0.7, 1.0)])
            targets.append(
                Target(
                    resource=Resource(table, index),
                    units=units,
                    demand=demand.astype(np.float64),
                    spare=index == SPARE,
                )
            )
    hour = float(draw.choice([9.5, 23.9, 15.0, 0.0]))
    schedule = Schedule(
        seed=seed,
        began_at=DAY + 3600 * hour,
        seconds=seconds,
        tables=tables,
        targets=tuple(targets),
        floor=floor,
        ceiling=30_000,
        apply_s=float(np.exp(draw.uniform(np.log(1.5), np.log(45)))),
        lag_s=float(draw.uniform(0.3, 6.0)),
        updates_per_second=float(draw.choice([7.0, 7.0, 1.0])),
        stabilization_s=float(draw.choice([30, 60, 150])),
        has_cloudwatch=bool(draw.random() < 0.3),
        faults=_draw_faults(draw, seconds, tables),
    )
    luck = np.random.default_rng((seed, 2))
    match int(luck.random() * 5):
        case 0:
            return let_escape(schedule, luck)
        case 1:
            return let_scale(schedule, luck)
        case 2:
            return let_share(schedule, luck)
        case _ if luck.random() < _IDLE:
            return let_idle(schedule, luck)
        case _:
            return schedule


def _draw_shape(draw: Generator, seconds: int) -> Floats:
    """Demand relative to its base: calm, with one to three episodes, then the proof."""
    shape = np.ones(seconds)
    for _ in range(int(draw.integers(1, 4))):
        since = int(draw.integers(30, seconds - PROOF_S))
        lasts = int(draw.integers(20, 240))
        match int(draw.integers(5)):
            case 0:  # a surge that ebbs away
                shape[since:] *= 1 + draw.uniform(1, 7) * np.exp(
                    -np.arange(seconds - since) / lasts
                )
            case 1:  # a step up, and down again
                shape[since : since + lasts] *= draw.uniform(1.5, 8)
            case 2:  # a cliff
                shape[since:] *= draw.uniform(0.02, 0.5)
            case 3:  # nobody calls
                shape[since : since + lasts] = 0.0
            case _:  # a slow climb
                climb = np.linspace(1, draw.uniform(1.2, 3), seconds - since)
                shape[since:] *= climb
    shape[seconds - PROOF_S :] = draw.uniform(1.5, 4.0)
    return shape


def _draw_faults(draw: Generator, seconds: int, tables: tuple[str, ...]) -> tuple[Fault, ...]:
    count = int(draw.integers(1, 8))
    return tuple(_draw_fault(draw, seconds, tables) for _ in range(count))


def _draw_fault(draw: Generator, seconds: int, tables: tuple[str, ...]) -> Fault:
    during = draw_span(draw, seconds)
    table = str(draw.choice(tables))
    kind = int(draw.integers(16))
    if kind < 5:
        return _draw_bad_calls(draw, during)
    if kind < 8:
        return Killed(during.since, str(draw.choice(POINTS)), float(draw.uniform(0.5, 20)))
    if kind < 10:
        return _draw_bad_telemetry(draw, during)
    if kind < 12:
        return _draw_meddling(draw, during.since, table)
    sign = 1 if draw.random() < 0.5 else -1
    others: tuple[Fault, ...] = (
        SlowApplies(during, float(draw.uniform(2, 12))),
        Second(during),
        ClockJump(during, sign * float(np.exp(draw.uniform(0, np.log(900))))),
        BadDisk(during),
        BadCloudWatch(during, is_empty=bool(draw.random() < 0.5)),
    )
    return pick(draw, others)


def _draw_meddling(draw: Generator, at: float, table: str) -> Fault:
    meddling: tuple[Fault, ...] = (
        Foreign(at, Resource(table), float(draw.choice([0.3, 0.6, 1.7, 4.0]))),
        Recreated(at, table, float(draw.uniform(0.5, 40))),
        IndexChange(at, table, float(draw.uniform(35, 400))),
    )
    return pick(draw, meddling)


def _draw_bad_calls(draw: Generator, during: Span) -> BadCalls:
    reach = ({"UpdateTable"}, {"DescribeTable"}, {"ListTables"}, {"UpdateTable", "DescribeTable"})
    operations = frozenset(pick(draw, reach))
    share = float(draw.choice([0.3, 0.7, 1.0]))
    ways: tuple[tuple[str, Mishap], ...] = (
        ("slow", be_slow),
        ("lost", lose_answer),
        ("broken off", break_off),
        ("unconnected", fail_to_connect),
    )
    if draw.random() < 0.5:
        code, message, status = pick(draw, REFUSALS)
        return BadCalls(during, operations, share, refuse(code, message, status), code)
    name, go = pick(draw, ways)
    return BadCalls(during, operations, share, go, name)


def _draw_bad_telemetry(draw: Generator, during: Span) -> BadTelemetry:
    kinds = {
        "silent": (0.0, 0.0),
        "late": (5.0, 200.0),
        "doubled": (0.0, 0.0),
        "thinned": (0.1, 0.9),
        "replayed": (20.0, 400.0),
    }
    kind = str(draw.choice(list(kinds)))
    return BadTelemetry(during, kind, float(draw.uniform(*kinds[kind])))
