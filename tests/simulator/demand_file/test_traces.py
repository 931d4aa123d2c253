"""Recorded traces, where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from capacity_pilot.simulator.demand_file import prepare_workload, read_demand

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "traces"
TRACES: list[Path | None] = [*sorted(FOLDER.glob("*.csv.gz"))] or [None]


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.name if path else "none")
def test_a_recorded_trace_becomes_a_world_of_the_asked_mean(path: Path | None) -> None:
    if path is None:
        pytest.skip("no recorded traces beside this checkout")
    file = read_demand(path)
    world = prepare_workload(
        file, mean=500, days=None if file.seconds < 31 * 86_400 else 14, seed=1
    )
    assert f"_{file.bin_s}s" in path.name
    assert (world.name, world.bin_s) == (path.name.removesuffix(".csv.gz"), file.bin_s)
    assert world.demand.min() >= 0
    if world.seconds == file.seconds:
        assert world.demand[world.is_recorded].mean() == pytest.approx(500, rel=0.01)
