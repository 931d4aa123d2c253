"""Small worlds for replay tests: a demand in words, a policy, one pass, its columns by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.simulator.replay.cast import PILOT, find_rules
from capacity_pilot.simulator.replay.engine import Passage, Replay
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.result import Change
from capacity_pilot.simulator.rivals.registry import parse_strategies
from capacity_pilot.simulator.workload import Workload

MINUTE, HOUR = 60, 3600
EVERYONE = "aws-auto-scaling-70,dynamic-dynamodb,static-peak,static-percentile-99"


def constant(units: float, seconds: int) -> Floats:
    return np.full(seconds, units)


def noisy(mean: float, seconds: int, *, seed: int = 5) -> Floats:
    return np.random.default_rng(seed).poisson(mean, seconds).astype(np.float64)


def with_push(base: Floats, *, at: int, times: float, lasts: int, rise: int = 10) -> Floats:
    """The same demand, multiplied within ``rise`` seconds and back to what it was at the end."""
    shape = np.ones(len(base))
    t = np.arange(lasts)
    shape[at : at + lasts] += (times - 1) * np.minimum(t / rise, 1) * np.exp(-t / (lasts / 3))
    return np.asarray(np.rint(base * shape))


def workload(demand: Floats, name: str = "feed", *, recorded: Floats | None = None) -> Workload:
    return Workload(
        name=name,
        demand=demand,
        requests=demand.copy(),
        is_recorded=np.ones(len(demand), dtype=np.bool_) if recorded is None else recorded > 0,
        factor=1.0,
        bin_s=1,
        is_seconds_real=True,
    )


def policies(**changes: object) -> PolicySet:
    policy: dict[str, object] = {
        "name": "all",
        "match": {"tables": ["*"]},
        "write": {"min": 5, "max": 40_000},
    }
    return PolicySet.model_validate({"version": 1, "policies": [policy | changes]})


@dataclass(frozen=True)
class Played:
    """A pass, looked at by workload and strategy."""

    passage: Passage

    def column(self, strategy: str = PILOT, workload: str = "feed") -> int:
        return self.passage.columns.index((workload, strategy))

    def throttled(self, strategy: str = PILOT, workload: str = "feed") -> float:
        return float(self.passage.account.throttled[self.column(strategy, workload)])

    def consumed(self, strategy: str = PILOT, workload: str = "feed") -> float:
        return float(self.passage.account.consumed[self.column(strategy, workload)])

    def unit_hours(self, strategy: str = PILOT, workload: str = "feed") -> float:
        return float(self.passage.ledger.unit_seconds[self.column(strategy, workload)]) / HOUR

    def changes(self, strategy: str = PILOT, workload: str = "feed") -> Sequence[Change]:
        return self.passage.changes[workload, strategy]

    def all_changes(self) -> Mapping[tuple[str, str], Sequence[Change]]:
        return self.passage.changes


def play(
    *workloads: Workload,
    rivals: str = "static-peak",
    faults: Sequence[Mapping[str, object]] = (),
    announcements: Sequence[Mapping[str, object]] = (),
    retries: str = "none",
    settings: ReplaySettings | None = None,
    under: PolicySet | None = None,
) -> Played:
    settings = settings or ReplaySettings()
    scenario = Scenario.model_validate(
        {
            "version": 1,
            "retries": retries,
            "faults": list(faults),
            "announcements": list(announcements),
        }
    )
    return Played(
        Replay(
            workloads,
            rules=find_rules(under or policies(), workloads, settings.dimension),
            strategies=parse_strategies(rivals),
            settings=settings,
            scenario=scenario,
        ).run()
    )
