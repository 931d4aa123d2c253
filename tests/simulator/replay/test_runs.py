"""Seconds that are passed in runs come to what they come to one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from capacity_pilot.simulator.replay.settings import ReplaySettings
from tests.simulator.replay.stage import MINUTE, noisy, play, with_push, workload

SECONDS = 35 * MINUTE
AFTER_THE_END = {"kind": "cloudwatch_gap", "at": "9h", "lasts": "1m"}
"""Where a scenario has faults, a replay goes second by second."""

ANNOUNCED = {
    "name": "push",
    "at": "25m",
    "ahead": "12m",
    "lasts": "5m",
    "write": {"at_least": 900},
}


@pytest.mark.parametrize(
    ("settings", "scenario"),
    [
        (ReplaySettings(), {}),
        (ReplaySettings(telemetry_lag_s=0.0, apply_time_s=3.0, burst_availability=0.0), {}),
        (ReplaySettings(telemetry_lag_s=20.0, cloudwatch_lag_s=95.0), {"retries": "legacy"}),
        (ReplaySettings(reads_cloudwatch=False), {"announcements": [ANNOUNCED]}),
    ],
    ids=["defaults", "no lag, no burst", "late, with callers that come back", "announced"],
)
def test_runs_of_seconds_come_to_the_same(settings: ReplaySettings, scenario: Any) -> None:
    pushed = with_push(noisy(300, SECONDS), at=15 * MINUTE, times=6, lasts=10 * MINUTE)
    seldom = np.where(np.arange(SECONDS) % 90 < 70, noisy(3, SECONDS), 0.0)
    tables = workload(pushed), workload(seldom, "seldom", recorded=seldom)
    in_runs, one_by_one = (
        play(
            *tables,
            rivals="aws-auto-scaling-70,dynamic-dynamodb",
            settings=settings,
            faults=faults,
            **scenario,
        )
        for faults in ([], [AFTER_THE_END])
    )
    assert in_runs.changes()
    assert in_runs.all_changes() == one_by_one.all_changes()
    assert str(in_runs.passage.forecasts) == str(one_by_one.passage.forecasts)
    for name in ("provisioned", "throttled", "burst"):
        ledgers = (getattr(played.passage.ledger, name) for played in (in_runs, one_by_one))
        np.testing.assert_array_equal(*ledgers)
