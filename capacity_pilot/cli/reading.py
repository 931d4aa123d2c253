"""Demand files in, with a bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capacity_pilot.cli.progress import show_progress
from capacity_pilot.simulator.demand_file import prepare_workload, read_demand
from capacity_pilot.simulator.workload import Workload


def read_workloads(
    files: Sequence[Path], *, mean: float | None, days: float, seed: int
) -> list[Workload]:
    """The files' demand in seconds, in order. Raises ``InputError``."""
    workloads = []
    with show_progress("reading", len(files)) as on_progress:
        for file in files:
            demand = read_demand(file)
            workloads.append(prepare_workload(demand, mean=mean, days=days, seed=seed))
            on_progress(1)
    return workloads
