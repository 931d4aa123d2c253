"""The JSON's shape, pinned: other programs read it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator import result_json
from capacity_pilot.simulator.result import ReplayResult
from capacity_pilot.simulator.result_json import render_json, write_json
from capacity_pilot.simulator.rivals.registry import DEFAULT_NAMES
from tests.simulator.report.results import make_result

TRACE = {
    "name",
    "days",
    "demand_units",
    "mean",
    "factor",
    "bin_s",
    "is_seconds_real",
    "missing_seconds",
    "policy",
    "is_policy_own",
    "risk_ppm",
    "least",
    "most",
    "clairvoyant_bound_unit_hours",
    "strategies",
}
STRATEGY = {
    "throttled_units",
    "throttled_ppm",
    "unit_hours",
    "usd",
    "usd_by_hourly_maximum",
    "utilization",
    "increases",
    "decreases",
    "cost_vs_clairvoyant",
    "seconds_throttled",
    "longest_throttle_s",
    "forecast",
}
HORIZON = {"ahead_s", "windows", "mean_demand", "exceeded", "pinball", "led"}
FLEET_STRATEGY = {
    "throttled_units",
    "throttled_ppm",
    "worst_throttled_ppm",
    "unit_hours",
    "usd",
    "usd_by_hourly_maximum",
    "cost_vs_clairvoyant",
    "cost_vs_aws_auto_scaling_70",
}


def refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")


def read(result: ReplayResult, tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "out.json"
    write_json(result, file)
    told: dict[str, Any] = json.loads(file.read_text(), parse_constant=refuse)
    return told


def test_exactly_the_documented_keys_are_there(tmp_path: Path) -> None:
    told = read(make_result(), tmp_path)
    assert told.keys() == {"version", "settings", "traces", "fleet", "fleet_of_days"}
    assert told["version"] == 1
    for trace in told["traces"]:
        assert trace.keys() == TRACE
        assert all(score.keys() == STRATEGY for score in trace["strategies"].values())
    for fleet in (told["fleet"], told["fleet_of_days"]):
        assert fleet.keys() == {"traces", "strategies"}
        assert all(score.keys() == FLEET_STRATEGY for score in fleet["strategies"].values())


def test_the_docstring_names_every_key() -> None:
    assert result_json.__doc__ is not None
    words = set(re.findall(r"\w+", result_json.__doc__))
    assert words >= TRACE | STRATEGY | HORIZON | FLEET_STRATEGY | {
        "version",
        "settings",
        "fleet_of_days",
    }


def test_strategies_are_called_as_they_were_asked_for(tmp_path: Path) -> None:
    told = read(make_result(strategies=("pilot", *DEFAULT_NAMES)), tmp_path)
    everyone = [
        "pilot",
        "pilot-at-1ppm",
        "pilot-at-100ppm",
        "pilot-at-1000ppm",
        "pilot-at-10000ppm",
        "aws-auto-scaling-50",
        "aws-auto-scaling-70",
        "aws-auto-scaling-90",
        "dynamic-dynamodb",
        "static-peak",
        "on-demand",
        "clairvoyant",
    ]
    assert [list(trace["strategies"]) for trace in told["traces"]] == [everyone, everyone]
    assert list(told["fleet"]["strategies"]) == everyone


def test_null_is_what_has_no_meaning(tmp_path: Path) -> None:
    told = read(make_result(strategies=("pilot", "on-demand")), tmp_path)
    [trace, _] = told["traces"]
    assert trace["clairvoyant_bound_unit_hours"] is None
    assert {name for name, value in trace["strategies"]["on-demand"].items() if value is None} == {
        "unit_hours",
        "utilization",
        "cost_vs_clairvoyant",
        "forecast",
    }
    assert {name for name, value in trace["strategies"]["pilot"].items() if value is None} == {
        "cost_vs_clairvoyant"
    }
    fleet = told["fleet"]["strategies"]["on-demand"]
    assert {name for name, value in fleet.items() if value is None} == {
        "unit_hours",
        "cost_vs_clairvoyant",
        "cost_vs_aws_auto_scaling_70",
    }


def test_figures_and_settings_are_given_as_they_are(tmp_path: Path) -> None:
    result = make_result(settings={"command": "capacity-pilot simulate", "mean": None, "seed": 7})
    told = read(result, tmp_path)
    assert told["settings"] == {"command": "capacity-pilot simulate", "mean": None, "seed": 7}
    for trace, rendered in zip(result.traces, told["traces"], strict=True):
        assert rendered["clairvoyant_bound_unit_hours"] == trace.clairvoyant_bound
        assert rendered["demand_units"] == trace.demand_units
        assert rendered["risk_ppm"] == trace.risk_ppm == 10.0
        score = trace.courses["pilot"].score
        assert rendered["strategies"]["pilot"]["usd"] == score.usd
        assert rendered["strategies"]["pilot"]["increases"] == score.increases
    assert told["fleet"]["strategies"]["pilot"]["usd"] == result.fleet["pilot"].usd


def test_forecasts_are_scored_by_horizon_and_level_for_the_pilot_alone(tmp_path: Path) -> None:
    everyone = ("pilot", *DEFAULT_NAMES)
    strategies = read(make_result(strategies=everyone), tmp_path)["traces"][0]["strategies"]
    assert {name for name, score in strategies.items() if score["forecast"]} == {"pilot"}
    forecast = strategies["pilot"]["forecast"]
    assert list(forecast) == ["soon", "apply", "later"]
    assert all(score.keys() == HORIZON for score in forecast.values())
    assert forecast["apply"]["exceeded"] == {"0.5": 0.5, "0.9": 0.1, "0.99": 0.0123, "0.999": 0.0}
    assert forecast["apply"]["led"]["last"] == 0.75


def test_a_fleet_says_of_how_many_traces_it_is(tmp_path: Path) -> None:
    day, short = make_result().traces
    short = replace(short, days=0.5)
    told = read(replace(make_result(), traces=(day, short)), tmp_path)
    assert (told["fleet"]["traces"], told["fleet_of_days"]["traces"]) == (2, 1)
    assert render_json(make_result(days=0.5))["fleet_of_days"] == {"traces": 0, "strategies": {}}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"away/out\.json: No such file or directory"):
        write_json(make_result(), tmp_path / "away" / "out.json")
