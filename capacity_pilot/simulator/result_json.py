"""The result as JSON: a stable shape for other programs.

::

    {"version": 1,
     "settings": {command, versions, seed, …},
     "traces": [{name, days, demand_units, mean, factor, bin_s, is_seconds_real, missing_seconds,
                 policy, is_policy_own, risk_ppm, least, most, clairvoyant_bound_unit_hours,
                 "strategies": {NAME: {throttled_units, throttled_ppm, unit_hours, usd,
                                       usd_by_hourly_maximum, utilization, increases, decreases,
                                       cost_vs_clairvoyant, seconds_throttled,
                                       longest_throttle_s, forecast}}}],
     "fleet": {"traces": N, "strategies": {NAME: {throttled_units, throttled_ppm,
                 worst_throttled_ppm, unit_hours, usd, usd_by_hourly_maximum,
                 cost_vs_clairvoyant, cost_vs_aws_auto_scaling_70}}},
     "fleet_of_days": {… the same over traces of a day or more …}}

``NAME`` is ``pilot``, at the policy's ``risk_ppm``, or what ``--rivals`` calls it, such as
``aws-auto-scaling-70``; ``pilot-at-100ppm`` is the pilot at a risk of 100 ppm instead.

``forecast`` is the pilot's alone, ``null`` elsewhere: how its quantile forecasts did at three
horizons, 10 s ("soon"), the table's apply time ("apply") and 5 min ("later") ahead::

    {HORIZON: {ahead_s, windows, mean_demand, exceeded: {LEVEL: share}, pinball: {LEVEL: units},
               led: {MEMBER: share}}}

A window is 10 s of mean demand as telemetry told of it; ``exceeded`` is the share of windows above
the forecast (about 0.01 for the level 0.99), ``pinball`` the mean loss in units/s, ``led`` how
often each member's forecast it was.

``null`` is a figure that has no meaning there: on-demand's unit-hours, or a cost against a
strategy that was not asked for. Keys are only ever added within a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.forecast.scores import render_scores
from capacity_pilot.simulator.result import LEAST_DAYS, FleetScore, ReplayResult, TraceResult

VERSION = 1


def write_json(result: ReplayResult, path: Path) -> None:
    """Raises ``InputError`` when the file cannot be written."""
    try:
        path.write_text(json.dumps(render_json(result), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def render_json(result: ReplayResult) -> dict[str, Any]:
    """The result in JSON's own types."""
    of_days = sum(trace.days >= LEAST_DAYS for trace in result.traces)
    return {
        "version": VERSION,
        "settings": dict(result.settings),
        "traces": [_render_trace(trace) for trace in result.traces],
        "fleet": _render_fleet(result.fleet, len(result.traces)),
        "fleet_of_days": _render_fleet(result.fleet_of_days, of_days),
    }


def _render_trace(trace: TraceResult) -> dict[str, Any]:
    return {
        "name": trace.name,
        "days": trace.days,
        "demand_units": trace.demand_units,
        "mean": trace.mean,
        "factor": trace.factor,
        "bin_s": trace.bin_s,
        "is_seconds_real": trace.is_seconds_real,
        "missing_seconds": trace.missing_seconds,
        "policy": trace.policy,
        "is_policy_own": trace.is_policy_own,
        "risk_ppm": trace.risk_ppm,
        "least": trace.least,
        "most": trace.most,
        "clairvoyant_bound_unit_hours": trace.clairvoyant_bound,
        "strategies": {
            name: asdict(course.score) | {"forecast": render_scores(course.forecast) or None}
            for name, course in trace.courses.items()
        },
    }


def _render_fleet(fleet: Mapping[str, FleetScore], traces: int) -> dict[str, Any]:
    return {
        "traces": traces,
        "strategies": {name: asdict(score) for name, score in fleet.items()},
    }
