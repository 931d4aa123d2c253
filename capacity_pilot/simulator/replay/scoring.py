"""From what a replay wrote down to the figures strategies are compared by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp, fsum, log
from typing import Final

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.prices import (
    on_demand_usd,
    provisioned_usd,
    unit_hours_by_hourly_maximum,
)
from capacity_pilot.simulator.replay.cast import PILOT
from capacity_pilot.simulator.replay.engine import Passage
from capacity_pilot.simulator.replay.ledger import MINUTE_S
from capacity_pilot.simulator.result import Change, Course, FleetScore, Minutes, Score, TraceResult
from capacity_pilot.simulator.rivals.on_demand import serve_on_demand

CLAIRVOYANT: Final = "clairvoyant"
YARDSTICK: Final = "aws-auto-scaling-70"
_PPM: Final = 1e6
_HOUR_S: Final = 3600.0


def score_passage(passage: Passage, column: int, *, dimension: Dimension) -> Course:
    """The course of one column of a replay; its cost against the clairvoyant is not known yet."""
    ledger, account = passage.ledger, passage.account
    consumed, throttled = float(account.consumed[column]), float(account.throttled[column])
    workload, strategy = passage.columns[column]
    changes = tuple(passage.changes[workload, strategy])
    hours = float(ledger.unit_seconds[column]) / _HOUR_S
    peaks = ledger.provisioned_peak[:, column].astype(np.float64)
    by_maximum = unit_hours_by_hourly_maximum(peaks, step_s=MINUTE_S)
    score = Score(
        throttled_units=throttled,
        throttled_ppm=_ppm(throttled, consumed + throttled),
        unit_hours=hours,
        usd=provisioned_usd(hours, dimension),
        usd_by_hourly_maximum=provisioned_usd(by_maximum, dimension),
        utilization=consumed / (hours * _HOUR_S) if hours else None,
        increases=_count(changes, sign=1),
        decreases=_count(changes, sign=-1),
        cost_vs_clairvoyant=None,
        seconds_throttled=int(account.seconds_throttled[column]),
        longest_throttle_s=int(account.longest_throttle_s[column]),
    )
    minutes = Minutes(
        provisioned=ledger.provisioned[:, column].astype(np.float64),
        throttled=ledger.throttled[:, column].astype(np.float64),
        burst=ledger.burst[:, column].astype(np.float64),
    )
    forecast = passage.forecasts[workload] if strategy == PILOT else ()
    return Course(score=score, minutes=minutes, changes=changes, forecast=forecast)


def score_plan(demand: Floats, units: Floats, *, dimension: Dimension) -> Course:
    """The clairvoyant's course: ``units`` (minutes,) that throttle nothing of ``demand``."""
    seconds = np.diff(np.arange(0, demand.size, MINUTE_S), append=demand.size)
    hours = float((units * seconds).sum()) / _HOUR_S
    by_maximum = unit_hours_by_hourly_maximum(units, step_s=MINUTE_S)
    steps = np.flatnonzero(np.diff(units))
    changes = tuple(
        Change(at_s=float((m + 1) * MINUTE_S), before=int(units[m]), after=int(units[m + 1]))
        for m in steps.tolist()
    )
    score = Score(
        throttled_units=0.0,
        throttled_ppm=0.0,
        unit_hours=hours,
        usd=provisioned_usd(hours, dimension),
        usd_by_hourly_maximum=provisioned_usd(by_maximum, dimension),
        utilization=float(demand.sum()) / (hours * _HOUR_S) if hours else None,
        increases=_count(changes, sign=1),
        decreases=_count(changes, sign=-1),
        cost_vs_clairvoyant=None,
        seconds_throttled=0,
        longest_throttle_s=0,
    )
    return Course(score=score, minutes=None, changes=changes)


def score_on_demand(demand: Floats, *, dimension: Dimension) -> Course:
    """On-demand has no units to provision: it pays for what it served."""
    served, throttled = serve_on_demand(demand, dimension=dimension)
    usd = on_demand_usd(float(served.sum()), dimension)
    lost = float(throttled.sum())
    score = Score(
        throttled_units=lost,
        throttled_ppm=_ppm(lost, float(demand.sum())),
        unit_hours=None,
        usd=usd,
        usd_by_hourly_maximum=usd,
        utilization=None,
        increases=0,
        decreases=0,
        cost_vs_clairvoyant=None,
        seconds_throttled=int((throttled > 0).sum()),
        longest_throttle_s=_longest_run(throttled > 0),
    )
    return Course(score=score, minutes=None, changes=())


def compare_costs(courses: Mapping[str, Course]) -> dict[str, Course]:
    """The same courses with each one's cost over the clairvoyant's, where there is one."""
    if CLAIRVOYANT not in courses:
        return dict(courses)
    least = courses[CLAIRVOYANT].score.usd
    return {name: _against(course, least) for name, course in courses.items()}


def score_fleet(traces: Sequence[TraceResult]) -> dict[str, FleetScore]:
    """Every strategy over the given traces. Ratios are geometric means, the rest are sums."""
    if not traces:
        return {}
    return {name: _score_strategy(name, traces) for name in traces[0].courses}


def _score_strategy(name: str, traces: Sequence[TraceResult]) -> FleetScore:
    scores = [trace.courses[name].score for trace in traces]
    hours = [score.unit_hours for score in scores if score.unit_hours is not None]
    throttled = fsum(score.throttled_units for score in scores)
    return FleetScore(
        throttled_units=throttled,
        throttled_ppm=_ppm(throttled, fsum(map(_attempted, scores, traces))),
        worst_throttled_ppm=max(score.throttled_ppm for score in scores),
        unit_hours=fsum(hours) if len(hours) == len(scores) else None,
        usd=fsum(score.usd for score in scores),
        usd_by_hourly_maximum=fsum(score.usd_by_hourly_maximum for score in scores),
        cost_vs_clairvoyant=_mean_ratio(name, CLAIRVOYANT, traces),
        cost_vs_aws_auto_scaling_70=_mean_ratio(name, YARDSTICK, traces),
    )


def _attempted(score: Score, trace: TraceResult) -> float:
    """Units asked for: more than the trace's demand where throttled callers came back."""
    if not score.throttled_ppm:
        return trace.demand_units
    return score.throttled_units / score.throttled_ppm * _PPM


def _mean_ratio(name: str, other: str, traces: Iterable[TraceResult]) -> float | None:
    logs = []
    for trace in traces:
        if other not in trace.courses:
            return None
        ours, theirs = trace.courses[name].score.usd, trace.courses[other].score.usd
        if not (ours > 0 and theirs > 0):
            return None
        logs.append(log(ours / theirs))
    return exp(fsum(logs) / len(logs))


def _against(course: Course, least: float) -> Course:
    ratio = course.score.usd / least if least > 0 else None
    return replace(course, score=replace(course.score, cost_vs_clairvoyant=ratio))


def _ppm(part: float, whole: float) -> float:
    return part / whole * _PPM if whole else 0.0


def _count(changes: Iterable[Change], *, sign: int) -> int:
    return sum((change.after - change.before) * sign > 0 for change in changes)


def _longest_run(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
