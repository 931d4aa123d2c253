"""The pilot at several risks in one replay: they differ in their risk, and in nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from capacity_pilot.simulator.generator import TableSpec, generate_blocks
from capacity_pilot.simulator.replay.cast import PILOT
from capacity_pilot.simulator.replay.pilots import are_told_alike
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.workload import Workload
from tests.simulator.replay.stage import (
    HOUR,
    MINUTE,
    Played,
    noisy,
    play,
    policies,
    with_push,
    workload,
)

SECONDS = 28 * MINUTE
OTHERS = "pilot-at-1ppm,pilot-at-10ppm,pilot-at-10000ppm"
POOR = ReplaySettings(burst_availability=0.15)


def pushed(name: str = "feed", *, at: int = 12 * MINUTE, seed: int = 5) -> Workload:
    base = noisy(300, SECONDS, seed=seed)
    sent = np.zeros(SECONDS)
    sent[[at, at + 1]] = 5000.0
    demand = with_push(base, at=at, times=6, lasts=12 * MINUTE)
    return replace(workload(demand, name), signals={"push_sent": sent})


def unrecorded(given: Workload) -> Workload:
    is_recorded = given.is_recorded.copy()
    is_recorded[5 * MINUTE : 6 * MINUTE] = False
    return replace(given, is_recorded=is_recorded)


EVENT = {"name": "push", "at": "2026-01-05T00:22Z", "lasts": "5m", "write": {"multiplier": 3}}
SAMPLED = {"kind": "sampling", "ratio": 0.3, "at": "5m", "lasts": "20m"}
LATE = {"kind": "late_spans", "share": 0.4, "by": "9s", "at": "5m", "lasts": "20m"}
AWAY = {"kind": "restart", "at": "15m", "lasts": "30s"}
REFUSED = {"kind": "refused_updates", "at": "13m", "lasts": "2m"}
SLOW = {"kind": "slow_applies", "at": "12m", "lasts": "6m", "factor": 3}

DAYS: dict[str, dict[str, Any]] = {
    "calm": {},
    "no burst": {"settings": ReplaySettings(burst_availability=0.0)},
    "announced": {
        "announcements": [
            {"name": "push", "at": "12m", "lasts": "8m", "audience": 10_000, "tables": ["feed"]},
            {"name": "push", "at": "23m", "lasts": "4m", "audience": 20_000, "tables": ["f*d"]},
        ]
    },
    "events": {"under": policies(events=[EVENT])},
    "sampled, away, refused and slow": {"faults": [SAMPLED, AWAY, REFUSED, SLOW]},
    "late and stormy": {"faults": [LATE], "retries": "legacy"},
}


def play_day(day: Mapping[str, Any], *given: Workload, rivals: str) -> Played:
    return play(*given, **{"settings": POOR, **day}, rivals=rivals)


def check_same(one: Played, other: Played, strategy: str, than: str = PILOT) -> None:
    """All of it, to the last bit: what was changed, when, why and what came of it."""
    assert one.changes(than) == other.changes(strategy)
    here, there = one.column(than), other.column(strategy)
    for name in ("provisioned", "provisioned_peak", "throttled", "burst"):
        before, after = (getattr(p.passage.ledger, name) for p in (one, other))
        np.testing.assert_array_equal(before[:, here], after[:, there])
    assert one.passage.account.throttled[here] == other.passage.account.throttled[there]


@pytest.mark.parametrize("day", DAYS.values(), ids=DAYS.keys())
def test_the_pilot_decides_the_same_with_others_beside_it_and_so_does_one_at_its_own_risk(
    day: Mapping[str, Any],
) -> None:
    given = pushed("orders", at=10 * MINUTE, seed=6), pushed()
    alone = play_day(day, *given, rivals="static-peak")
    beside = play_day(day, *given, rivals=f"{OTHERS},static-peak")
    check_same(alone, beside, PILOT)
    check_same(beside, beside, "pilot-at-10ppm")
    assert beside.passage.forecasts == alone.passage.forecasts
    assert beside.changes("pilot-at-1ppm") != beside.changes("pilot-at-10000ppm")


def test_one_core_drives_all_of_them_where_each_hears_the_same() -> None:
    calm, faulty = Scenario(), Scenario.model_validate({"faults": [SAMPLED]})
    told, silent = pushed(), replace(unrecorded(pushed()), signals={})
    assert are_told_alike([told, silent], calm)
    assert not are_told_alike([told], faulty)
    assert not are_told_alike([told], Scenario(retries="standard"))
    assert not are_told_alike([unrecorded(told)], calm)


def test_the_more_risk_the_less_it_costs() -> None:
    """A generated social app's Monday morning, its first push after an hour, hardly any bucket.

    Throttling is not asserted to rise: with one push it is mostly the luck of how soon a change is
    in force, and the same draws do not meet the same moments.
    """
    [block] = generate_blocks(TableSpec(kind="social-day", days=1, mean=500.0, seed=3))
    morning = workload(block.count[7 * HOUR : 9 * HOUR + HOUR // 2].astype(np.float64))
    risks = [f"pilot-at-{ppm}ppm" for ppm in (1, 10, 100, 1000, 10_000)]
    played = play(morning, rivals=",".join(risks), settings=ReplaySettings(burst_availability=0.1))
    costs = [played.unit_hours(name) for name in risks]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] < 0.95 * costs[0]
