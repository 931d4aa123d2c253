"""Schedules made into others: with on-demand as the way out, with Application Auto Scaling beside
the pilot, with two pilots that share a lease, with tables that nobody asks anything of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from capacity_pilot.core.model import Dimension, ScalableTarget
from tests.chaos.draws import CALM_S, draw_moment, draw_span, pick
from tests.chaos.faults import (
    FLOOR_POINTS,
    LEASE_POINTS,
    POINTS,
    PRIMARY,
    SECOND,
    BadCalls,
    BadCloudWatch,
    BadDisk,
    BadTelemetry,
    ClockJump,
    Fault,
    Killed,
    Paused,
    Reregistered,
    Second,
    Span,
)
from tests.chaos.mishaps import (
    REFUSALS,
    SCALING_REFUSALS,
    Mishap,
    be_sluggish,
    break_off,
    cut_off,
    fail_to_connect,
    lose_answer,
    refuse,
)
from tests.chaos.schedule import IDLE_AFTER_S, PROOF_S, Idle, Schedule

ESCAPE_S: Final = 240

STORE_OPERATIONS: Final = frozenset(
    {"DeleteItem", "GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"}
)
TABLE_OPERATIONS: Final = frozenset({"DescribeTable", "ListTables", "UpdateTable"})
SCALING_OPERATIONS: Final = frozenset(
    {"DescribeScalableTargets", "DescribeScalingPolicies", "RegisterScalableTarget"}
)
_REGISTERED: Final = 0.85
_SHARED: Final = 1 / 3
_DRIFT: Final = 0.03

_USED_S: Final = 600
_QUIET_S: Final = IDLE_AFTER_S + 2400
_AWAKE_S: Final = 300
_QUIET: Final = 0.8
_FEW_COME: Final = 0.5

Draw = Callable[[Generator, Schedule], Fault]


def let_escape(schedule: Schedule, draw: Generator) -> Schedule:
    """The same with a ceiling that the proof's demand does not fit, and time for a switch."""
    most = max(target.units for target in schedule.targets)
    return replace(
        schedule,
        seconds=schedule.seconds + ESCAPE_S,
        targets=tuple(
            replace(t, demand=np.pad(t.demand, ((0, 0), (0, ESCAPE_S)), mode="edge"))
            for t in schedule.targets
        ),
        ceiling=int(most * draw.uniform(1.0, 2.0)),
        may_escape=True,
    )


def let_scale(schedule: Schedule, draw: Generator) -> Schedule:
    """The same in floor mode: most targets are Application Auto Scaling's, whose calls go wrong,
    and whose operator changes minimums. In a third of them two pilots share a lease.
    """
    scaled = frozenset(
        ScalableTarget(target.resource, dimension)
        for target in schedule.targets
        for dimension in Dimension
        if not target.spare and draw.random() < _REGISTERED
    )
    # Without a lease, what another pilot registers is somebody else's, and is given back as such.
    alone = tuple(fault for fault in schedule.faults if not isinstance(fault, Second))
    floor = replace(schedule, scaled=scaled, faults=alone)
    ways: tuple[Draw, ...] = (_draw_bad_scaling, _draw_killed, _draw_reregistered)
    floor = replace(floor, faults=(*floor.faults, *_draw_faults(floor, draw, ways)))
    return let_share(floor, draw) if draw.random() < _SHARED else floor


def let_share(schedule: Schedule, draw: Generator) -> Schedule:
    """The same with a pilot on either machine, and a state table that is all they have in common.

    Each of them dies, stands still and is cut off, and their clocks neither agree nor run alike.
    """
    drifts = (float(draw.uniform(-_DRIFT, _DRIFT)), float(draw.uniform(-_DRIFT, _DRIFT)))
    shared = replace(schedule, has_lease=True, drifts=drifts)
    kept = tuple(
        replace(fault, place=_draw_place(draw)) if isinstance(fault, Killed | ClockJump) else fault
        for fault in schedule.faults
        if not isinstance(fault, BadDisk | Second)  # there is no disk, and always a second
    )
    ways: tuple[Draw, ...] = (_draw_paused, _draw_cut_off, _draw_killed, _draw_bad_store)
    return replace(shared, faults=(*kept, *_draw_faults(shared, draw, ways)))


def let_idle(schedule: Schedule, draw: Generator) -> Schedule:
    """One table of it, which an idle rule lowers once nobody has asked anything of it for an hour.
    It is used at first and wakes before the proof; a few may come in between, with spans or none.
    CloudWatch is read, and goes missing in part of them.
    """
    table = schedule.tables[0]
    seconds = _USED_S + _QUIET_S + _AWAKE_S + PROOF_S
    quiet = slice(_USED_S, _USED_S + _QUIET_S)
    few = np.zeros(seconds)
    if draw.random() < _FEW_COME:
        at = int(draw.integers(_USED_S + 60, _USED_S + _QUIET_S - 100))
        few[at : at + int(draw.integers(1, 90))] = draw.uniform(1, 20)
    targets = []
    for target in (t for t in schedule.targets if t.resource.table == table):
        base = target.demand[:, :_USED_S].mean(axis=1, keepdims=True)
        demand = draw.poisson(np.repeat(np.maximum(base, 5.0), seconds, axis=1)).astype(np.float64)
        is_quiet = draw.random(2) < _QUIET
        demand[:, quiet] = np.where(is_quiet[:, None], few[None, quiet], demand[:, quiet])
        demand[:, seconds - PROOF_S :] *= draw.uniform(1.5, 3.0)
        targets.append(replace(target, demand=demand))
    floor = max(schedule.floor[table], 2)
    most = max(floor, targets[0].units)
    rule = Idle(int(draw.integers(1, floor)), int(draw.integers(floor, most + 1)))
    idle = replace(
        schedule,
        seconds=seconds,
        tables=(table,),
        targets=tuple(targets),
        floor={table: floor},
        has_cloudwatch=True,
        idle={table: rule},
        faults=(),
    )
    ways: tuple[Draw, ...] = (_draw_missing, _draw_killed, _draw_unheard, _draw_bad_control)
    return replace(idle, faults=tuple(_draw_faults(idle, draw, ways)))


def _draw_missing(draw: Generator, schedule: Schedule) -> BadCloudWatch:
    """CloudWatch, for up to an hour and a half."""
    at = draw_moment(draw, schedule.seconds)
    until = min(at + float(np.exp(draw.uniform(np.log(60), np.log(5400)))), _over(schedule))
    return BadCloudWatch(Span(at, until), is_empty=bool(draw.random() < 0.5))


def _draw_unheard(draw: Generator, schedule: Schedule) -> BadTelemetry:
    """Spans, while few come or many, late or lost."""
    at = float(draw.uniform(_USED_S - 60, _USED_S + 1500))
    lasts_s = float(draw.uniform(60, 1800))
    kind = str(draw.choice(["silent", "late"]))
    return BadTelemetry(Span(at, min(at + lasts_s, _over(schedule))), kind, 60.0)


def _draw_bad_control(draw: Generator, schedule: Schedule) -> BadCalls:
    code, message, status = pick(draw, REFUSALS)
    ways: tuple[tuple[str, Mishap], ...] = (
        (code, refuse(code, message, status)),
        ("lost", lose_answer),
        ("broken off", break_off),
    )
    name, go = pick(draw, ways)
    share = float(draw.choice([0.3, 0.7, 1.0]))
    reach = frozenset({"UpdateTable", "DescribeTable"})
    return BadCalls(draw_span(draw, schedule.seconds), reach, share, go, name)


def _over(schedule: Schedule) -> float:
    return float(schedule.seconds - PROOF_S - 10)


def _draw_faults(schedule: Schedule, draw: Generator, ways: tuple[Draw, ...]) -> Iterator[Fault]:
    for _ in range(int(draw.integers(1, 6))):
        yield pick(draw, ways)(draw, schedule)


def _draw_place(draw: Generator) -> int:
    return int(draw.choice([PRIMARY, SECOND]))


def _draw_point(draw: Generator, schedule: Schedule) -> str:
    points: tuple[str, ...] = LEASE_POINTS if schedule.has_lease else ()
    points += FLOOR_POINTS if schedule.is_floor else ()
    return str(draw.choice(points or POINTS))


def _draw_killed(draw: Generator, schedule: Schedule) -> Killed:
    at = draw_moment(draw, schedule.seconds)
    place = _draw_place(draw) if schedule.has_lease else PRIMARY
    return Killed(at, _draw_point(draw, schedule), float(draw.uniform(0.5, 20)), place)


def _draw_paused(draw: Generator, schedule: Schedule) -> Paused:
    lasts_s = float(np.exp(draw.uniform(np.log(0.5), np.log(60))))
    last = schedule.seconds - PROOF_S - 20 - lasts_s
    at = float(draw.uniform(CALM_S, max(last, CALM_S + 1)))
    return Paused(at, _draw_point(draw, schedule), lasts_s, _draw_place(draw))


def _draw_cut_off(draw: Generator, schedule: Schedule) -> BadCalls:
    """One of the pilots reaches the state table no more, or nothing at all."""
    reach = STORE_OPERATIONS
    if draw.random() < 0.5:
        reach |= TABLE_OPERATIONS | SCALING_OPERATIONS
    share = float(draw.choice([0.5, 0.9, 1.0]))
    during = draw_span(draw, schedule.seconds)
    return BadCalls(during, reach, share, cut_off, "cut off", _draw_place(draw))


def _draw_bad_store(draw: Generator, schedule: Schedule) -> BadCalls:
    """The state table is slow or says no, to both."""
    share = float(draw.choice([0.3, 0.7, 1.0]))
    code, message, status = pick(draw, REFUSALS)
    ways: tuple[tuple[str, Mishap], ...] = (
        ("sluggish", be_sluggish),
        ("cut off", cut_off),
        (code, refuse(code, message, status)),
    )
    name, go = pick(draw, ways)
    return BadCalls(draw_span(draw, schedule.seconds), STORE_OPERATIONS, share, go, name)


def _draw_bad_scaling(draw: Generator, schedule: Schedule) -> BadCalls:
    each = (frozenset({name}) for name in ("RegisterScalableTarget", "DescribeScalableTargets"))
    reach = pick(draw, (*each, SCALING_OPERATIONS))
    code, message, status = pick(draw, SCALING_REFUSALS)
    ways: tuple[tuple[str, Mishap], ...] = (
        (code, refuse(code, message, status)),
        ("lost", lose_answer),
        ("broken off", break_off),
        ("unconnected", fail_to_connect),
    )
    name, go = pick(draw, ways)
    share = float(draw.choice([0.3, 0.7, 1.0]))
    return BadCalls(draw_span(draw, schedule.seconds), reach, share, go, name)


def _draw_reregistered(draw: Generator, schedule: Schedule) -> Reregistered:
    targets = sorted(schedule.scaled)
    at = draw_moment(draw, schedule.seconds)
    target = pick(draw, targets)
    return Reregistered(at, target, float(draw.uniform(1.05, 3)))
