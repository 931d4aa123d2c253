"""What upstream signals save on push days: throttled units with them and without, and the cost.

Workload: generated social-app days of about nine pushes each, none of them announced to the pilot
(the generator's kind ``push-day``, 500 units/s). Every seed is replayed twice in the same run under
default settings, with the file's columns ``push_sent`` and ``route_feed`` and without them. What is
learned is learned in the run itself: its first pushes meet a pilot that has seen none.

Run: python bench/upstream.py [--days 4] [--seeds 21 22 23 24 25]
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
from capacity_pilot.simulator.workload import Workload  # noqa: E402

MEAN = 500.0
BOUNDS = {"min": 1, "max": 40_000}
POLICY = {"name": "all", "match": {"tables": ["*"]}, "write": BOUNDS}


def make_push_days(seed: int, days: float) -> Workload:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{seed}.csv"
        write_demand(
            file, generate_blocks(TableSpec(kind="push-day", days=days, mean=MEAN, seed=seed))
        )
        return prepare_workload(read_demand(file), mean=MEAN, days=days, seed=1)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--days", type=float, default=4.0)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23, 24, 25])
    given = arguments.parse_args()
    heeding = [make_push_days(seed, given.days) for seed in given.seeds]
    deaf = [replace(w, name=f"{w.name} deaf", signals={}) for w in heeding]
    order = order_replay(
        [*heeding, *deaf],
        policies=PolicySet.model_validate({"version": 1, "policies": [POLICY]}),
        strategies=(),
        settings=ReplaySettings(),
        scenario=Scenario(),
    )
    courses = {trace.name: trace.courses["pilot"] for trace in run_replay(order, told={}).traces}
    print("seed  throttled units, with signals / without  ratio   unit-hours, with / without")
    totals = [0.0, 0.0, 0.0, 0.0]
    for w in heeding:
        pair = courses[w.name], courses[f"{w.name} deaf"]
        figures = [
            *(c.score.throttled_units for c in pair),
            *(c.score.unit_hours or nan for c in pair),
        ]
        tell(w.name, figures)
        totals = [total + figure for total, figure in zip(totals, figures, strict=True)]
    tell("all", totals)


def tell(name: str, figures: list[float]) -> None:
    with_them, without, hours, hours_without = figures
    ratio = f"{with_them / without:.3f}" if without > 0 else "-"
    print(
        f"{name:>4}  {with_them:>17,.0f} / {without:>14,.0f}  {ratio:>10}  "
        f"{hours:>12,.0f} / {hours_without:>9,.0f} ({hours / hours_without - 1:+.1%})"
    )


if __name__ == "__main__":
    main()
