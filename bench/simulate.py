"""How long a replay takes, by the number of tables side by side, and how much memory.

Workload: generated social-app days at one second (``capacity-pilot generate``'s mix, 500 units/s),
every default rival, the pilot at other risks and the clairvoyant in the same run, one process. The
tables have upstream signals, as recorded traces have not; ``--without-signals`` leaves those out.
``--without-risks`` leaves out the pilot at other risks: four more tables of ours to each. Peak
memory is the whole process's.

Run: python bench/simulate.py [--days 7] [--tables 1] [--processes 1] [--without-signals]
     [--without-risks] (64 tables: --tables 64 --processes 2)
"""

from __future__ import annotations

import argparse
import os
import resource

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import tempfile  # noqa: E402 - threads are set before numpy loads
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402
from time import perf_counter  # noqa: E402

from capacity_pilot.core.policy import PolicySet  # noqa: E402
from capacity_pilot.simulator.demand_file import prepare_workload, read_demand  # noqa: E402
from capacity_pilot.simulator.generator import (  # noqa: E402
    KINDS,
    TableSpec,
    generate_blocks,
    write_demand,
)
from capacity_pilot.simulator.replay.run import order_replay, run_replay  # noqa: E402
from capacity_pilot.simulator.replay.scenario import Scenario  # noqa: E402
from capacity_pilot.simulator.replay.settings import ReplaySettings  # noqa: E402
from capacity_pilot.simulator.rivals.registry import DEFAULT_NAMES, parse_strategies  # noqa: E402
from capacity_pilot.simulator.workload import Workload  # noqa: E402

MEAN = 500.0
BOUNDS = {"min": 1, "max": 40_000}
POLICY = {"name": "all", "match": {"tables": ["*"]}, "write": BOUNDS}


def make_workloads(tables: int, days: float, *, has_signals: bool = True) -> list[Workload]:
    kinds = list(KINDS)
    with tempfile.TemporaryDirectory() as folder:
        workloads = []
        for table in range(tables):
            kind = kinds[table % len(kinds)]
            file = Path(folder) / f"{kind}-{table:03}.csv"
            spec = TableSpec(kind=kind, days=days, mean=MEAN, seed=1, table=table)
            write_demand(file, generate_blocks(spec))
            workload = prepare_workload(read_demand(file), mean=MEAN, days=days, seed=1)
            workloads.append(workload if has_signals else replace(workload, signals={}))
    return workloads


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--days", type=float, default=7.0)
    arguments.add_argument("--tables", type=int, default=1)
    arguments.add_argument("--processes", type=int, default=1)
    arguments.add_argument("--without-signals", action="store_true")
    arguments.add_argument("--without-risks", action="store_true")
    given = arguments.parse_args()
    rivals = [
        name for name in DEFAULT_NAMES if not (given.without_risks and name.startswith("pilot-at-"))
    ]
    order = order_replay(
        make_workloads(given.tables, given.days, has_signals=not given.without_signals),
        policies=PolicySet.model_validate({"version": 1, "policies": [POLICY]}),
        strategies=parse_strategies(",".join(rivals)),
        settings=ReplaySettings(),
        scenario=Scenario(),
    )
    began = perf_counter()
    run_replay(order, told={}, processes=given.processes)
    took = perf_counter() - began
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        f"{given.tables} tables, {given.days:g} days, {given.processes} processes: {took:.1f} s, "
        f"peak memory {own:.0f} MB, of the largest child {children:.0f} MB"
    )


if __name__ == "__main__":
    main()
