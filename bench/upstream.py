"""What upstream signals, and hints at them, save on push days: throttled units, and the cost.

Workload: generated social-app days of about nine pushes each, none of them announced to the pilot
(the generator's kind ``push-day``, 500 units/s). Every seed is replayed three times with the same
luck under default settings: without the file's columns ``push_sent`` and ``route_feed``, with them,
and with a policy that names the first. What is learned is learned in the run itself: its first
pushes meet a pilot that has seen none.

Run: python bench/upstream.py [--days 4] [--seeds 21 22 …] [--burst-availability 1] [--gain 0.1]
"""

from __future__ import annotations

import argparse
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import tempfile  # noqa: E402 - threads are set before numpy loads
from dataclasses import replace  # noqa: E402
from math import nan  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from capacity_pilot.core.policy import PolicySet  # noqa: E402
from capacity_pilot.simulator.demand_file import prepare_workload, read_demand  # noqa: E402
from capacity_pilot.simulator.generator import (  # noqa: E402
    TableSpec,
    generate_blocks,
    write_demand,
)
from capacity_pilot.simulator.replay.run import order_replay, run_replay  # noqa: E402
from capacity_pilot.simulator.replay.scenario import Scenario  # noqa: E402
from capacity_pilot.simulator.replay.settings import ReplaySettings  # noqa: E402
from capacity_pilot.simulator.result import Score  # noqa: E402
from capacity_pilot.simulator.workload import Workload  # noqa: E402

MEAN = 500.0
BOUNDS = {"min": 1, "max": 40_000}
POLICY: dict[str, Any] = {"name": "all", "match": {"tables": ["*"]}, "write": BOUNDS}
HINT: dict[str, Any] = {"signal": "push_sent", "gain": {"write": 0.1}, "lag": "60s"}
"""What an operator could know of these apps: a fourteenth to a seventh of it comes of a push."""


def make_push_days(seed: int, days: float) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{seed}.csv"
        write_demand(
            file, generate_blocks(TableSpec(kind="push-day", days=days, mean=MEAN, seed=seed))
        )
        return prepare_workload(read_demand(file), mean=MEAN, days=days, seed=1)


def play(workloads: list[Workload], *, burst_availability: float, **policy: Any) -> list[Score]:
    """What the pilot comes to. Luck goes by tables' names, so that it is the same in all plays."""
    order = order_replay(
        workloads,
        policies=PolicySet.model_validate({"version": 1, "policies": [POLICY | policy]}),
        strategies=(),
        settings=ReplaySettings(burst_availability=burst_availability),
        scenario=Scenario(),
    )
    return [trace.courses["pilot"].score for trace in run_replay(order, told={}).traces]


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--days", type=float, default=4.0)
    arguments.add_argument("--seeds", type=int, nargs="+", default=list(range(21, 31)))
    arguments.add_argument("--gain", type=float, default=HINT["gain"]["write"])
    arguments.add_argument("--burst-availability", type=float, default=1.0)
    given = arguments.parse_args()
    told = [make_push_days(seed, given.days) for seed in given.seeds]
    hint = HINT | {"gain": {"write": given.gain}}
    burst = given.burst_availability
    sides = (
        play([replace(w, signals={}) for w in told], burst_availability=burst),
        play(told, burst_availability=burst),
        play(told, burst_availability=burst, upstream=[hint]),
    )
    print("seed  throttled units and unit-hours without signals, with them, with a hint")
    totals = [0.0] * 6
    for w, scores in zip(told, zip(*sides, strict=True), strict=True):
        figures = [f for s in scores for f in (s.throttled_units, s.unit_hours or nan)]
        tell(w.name, figures)
        totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
    tell("all", totals)


def tell(name: str, figures: list[float]) -> None:
    hours = figures[1]
    cells = [
        f"{throttled:>11,.0f} {own:>9,.0f} ({own / hours - 1:+6.1%})"
        for throttled, own in zip(figures[::2], figures[1::2], strict=True)
    ]
    print(f"{name:>4}  {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
