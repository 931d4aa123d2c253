"""Results of replays that never ran, with what a report has to cope with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.members import MEMBERS
from capacity_pilot.core.forecast.quantiles import HORIZONS, LEVELS
from capacity_pilot.core.forecast.scores import HorizonScore
from capacity_pilot.simulator.result import (
    Change,
    Course,
    FleetScore,
    Minutes,
    ReplayResult,
    Score,
    TraceResult,
)

RISKS = ("pilot-at-1ppm", "pilot-at-100ppm", "pilot-at-1000ppm", "pilot-at-10000ppm")
STRATEGIES = (
    "pilot",
    *RISKS,
    "aws-auto-scaling-50",
    "aws-auto-scaling-70",
    "aws-auto-scaling-90",
    "dynamic-dynamodb",
    "static-peak",
    "on-demand",
    "clairvoyant",
)
_USD_PER_UNIT_HOUR = 0.00065


def make_result(
    *,
    names: Sequence[str] = ("evening feed", "quiet table"),
    days: float = 1.0,
    strategies: Sequence[str] = STRATEGIES,
    reasons: Sequence[str] = ("rising_demand", "surge"),
    settings: Mapping[str, object] | None = None,
    signals: Sequence[str] = (),
) -> ReplayResult:
    traces = tuple(
        make_trace(
            name, days=days, seed=seed, strategies=strategies, reasons=reasons, signals=signals
        )
        for seed, name in enumerate(names)
    )
    told = {
        "command": "capacity-pilot simulate --demand feed.csv.gz --mean 500 --seed 7",
        "seed": 7,
        "versions": {"capacity-pilot": "0.1.0", "numpy": "2.1.0"},
    }
    return ReplayResult(
        settings=told if settings is None else settings,
        traces=traces,
        fleet={name: _sum_up(traces, name) for name in strategies},
        fleet_of_days={
            name: _sum_up([trace for trace in traces if trace.days >= 1], name)
            for name in strategies
            if days >= 1
        },
    )


def make_trace(
    name: str,
    *,
    days: float = 1.0,
    seed: int = 0,
    strategies: Sequence[str] = STRATEGIES,
    reasons: Sequence[str] = ("surge",),
    signals: Sequence[str] = (),
) -> TraceResult:
    """A day's wave with a surge every few hours, mean 500 units/s; signals come before it."""
    rng = np.random.default_rng(seed)
    demand = _make_demand(round(days * 1440), rng)
    courses = {each: _make_course(each, demand, reasons) for each in strategies}
    floor = courses["clairvoyant"].score.unit_hours if "clairvoyant" in courses else None
    return TraceResult(
        name=name,
        days=days,
        demand_units=float(demand.sum() * 60),
        mean=500.0,
        factor=7.69,
        bin_s=1,
        is_seconds_real=True,
        missing_seconds=0,
        policy="feed",
        is_policy_own=True,
        risk_ppm=10.0,
        least=5,
        most=40_000,
        clairvoyant_bound=floor,
        demand=demand,
        demand_peak=demand * rng.uniform(1.05, 1.4, len(demand)),
        signals={each: np.roll(demand, -3) * 20 for each in signals},
        courses={each: _relate(course, floor) for each, course in courses.items()},
    )


def _make_demand(minutes: int, rng: np.random.Generator) -> Floats:
    at = np.arange(minutes)
    demand = 1.0 + 0.55 * np.sin(2 * np.pi * (at / 1440 - 0.3))
    for start in range(200, minutes, 410):
        since = np.maximum(at - start, 0)
        demand += (at >= start) * rng.uniform(0.5, 3.0) * np.exp(-since / rng.uniform(4, 14))
    demand *= rng.normal(1.0, 0.03, minutes)
    scaled: Floats = demand * 500 / max(demand.mean(), 1e-9)
    return scaled


def _make_course(name: str, demand: Floats, reasons: Sequence[str]) -> Course:
    provisioned = _provision(name, demand)
    throttled = np.maximum(demand - provisioned * 1.25, 0) * 60
    minutes = Minutes(
        provisioned=provisioned,
        throttled=np.nan_to_num(throttled),
        burst=np.clip(300 * (1.3 - demand / provisioned), 0, 300),
    )
    moved = np.flatnonzero(np.nan_to_num(np.diff(provisioned))) + 1
    changes = tuple(
        Change(
            at_s=float(minute * 60 if name == "clairvoyant" else minute * 60 - 30),
            before=int(provisioned[minute - 1]),
            after=int(provisioned[minute]),
            reasons=tuple(reasons)
            if provisioned[minute] > provisioned[minute - 1]
            else ("trough",),
        )
        for minute in moved
    )
    return Course(
        score=_score(minutes, demand, changes),
        # Neither is replayed, so neither has minutes.
        minutes=None if name in {"on-demand", "clairvoyant"} else minutes,
        changes=changes,
        forecast=tuple(_score_forecast(h) for h in HORIZONS) if name == "pilot" else (),
    )


def _score_forecast(horizon: str) -> HorizonScore:
    return HorizonScore(
        horizon=horizon,
        ahead_s={"soon": 10.0, "apply": 53.2, "later": 300.0}[horizon],
        windows=8601,
        demand=500.0,
        exceeded=dict(zip(LEVELS, (0.5, 0.1, 0.0123, 0.0), strict=True)),
        pinball=dict(zip(LEVELS, (20.0, 10.0, 2.5, 0.4), strict=True)),
        led=dict(zip(MEMBERS, (0.75, 0.2, 0.05, 0.0, 0.0), strict=True)),
    )


def _provision(name: str, demand: Floats) -> Floats:
    minutes = len(demand)
    if name == "on-demand":
        return np.full(minutes, np.nan)
    if name == "static-peak":
        return np.full(minutes, np.ceil(demand.max() * 1.3))
    if name == "clairvoyant":
        return _hold(demand, late=-12, every=60, margin=1.02)
    if name == "pilot":
        return _hold(demand, late=-6, every=60, margin=1.15)
    if name in RISKS:
        return _hold(demand, late=-6, every=60, margin=(1.19, 1.12, 1.09, 1.06)[RISKS.index(name)])
    target = int(name.rsplit("-", 1)[1]) if name.startswith("aws") else 60
    return _hold(demand, late=4, every=90, margin=100 / target)


def _hold(demand: Floats, *, late: int, every: int, margin: float) -> Floats:
    """Raised to demand ``late`` minutes later (before it, where negative), lowered by the hour."""
    needed = np.roll(np.ceil(demand * margin / 10) * 10, late)
    if late < 0:
        needed = np.max([np.roll(needed, shift) for shift in range(-late)], axis=0)
    provisioned = np.empty(len(demand))
    current = needed[0]
    for minute, need in enumerate(needed):
        if need > current * 1.05 or minute % every == every - 1:
            current = need
        provisioned[minute] = current
    return provisioned


def _score(minutes: Minutes, demand: Floats, changes: tuple[Change, ...]) -> Score:
    is_provisioned = bool(np.isfinite(minutes.provisioned).all())
    unit_hours = float(minutes.provisioned.sum() / 60) if is_provisioned else None
    throttled = float(minutes.throttled.sum())
    attempted = float(demand.sum() * 60)
    usd = attempted * 0.625e-6 if unit_hours is None else unit_hours * _USD_PER_UNIT_HOUR
    return Score(
        throttled_units=throttled,
        throttled_ppm=throttled / attempted * 1e6,
        unit_hours=unit_hours,
        usd=usd,
        usd_by_hourly_maximum=usd * 1.06,
        utilization=None if unit_hours is None else attempted / 3600 / unit_hours,
        increases=sum(change.after > change.before for change in changes),
        decreases=sum(change.after < change.before for change in changes),
        cost_vs_clairvoyant=None,
        seconds_throttled=int(np.count_nonzero(minutes.throttled)) * 20,
        longest_throttle_s=0 if throttled == 0 else 140,
    )


def _relate(course: Course, floor: float | None) -> Course:
    score = course.score
    if floor is None or score.unit_hours is None:
        return course
    figures = {name: getattr(score, name) for name in Score.__slots__}
    figures["cost_vs_clairvoyant"] = score.unit_hours / floor
    return replace(course, score=Score(**figures))


def _sum_up(traces: Sequence[TraceResult], name: str) -> FleetScore:
    scores = [trace.courses[name].score for trace in traces]
    units = [score.unit_hours for score in scores if score.unit_hours is not None]
    throttled = sum(score.throttled_units for score in scores)
    attempted = sum(trace.demand_units for trace in traces)
    return FleetScore(
        throttled_units=throttled,
        throttled_ppm=throttled / max(attempted, 1) * 1e6,
        worst_throttled_ppm=max((score.throttled_ppm for score in scores), default=0.0),
        unit_hours=sum(units) if units else None,
        usd=sum(score.usd for score in scores),
        usd_by_hourly_maximum=sum(score.usd_by_hourly_maximum for score in scores),
        cost_vs_clairvoyant=_geometric_mean([score.cost_vs_clairvoyant for score in scores]),
        cost_vs_aws_auto_scaling_70=_geometric_mean(_against_aws(traces, name)),
    )


def _against_aws(traces: Sequence[TraceResult], name: str) -> list[float | None]:
    ratios: list[float | None] = []
    for trace in traces:
        if "aws-auto-scaling-70" in trace.courses:
            theirs = trace.courses["aws-auto-scaling-70"].score.usd
            ratios.append(trace.courses[name].score.usd / theirs)
    return ratios


def _geometric_mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.exp(np.mean(np.log(known)))) if known else None
