"""What knowing the next minutes exactly would save: unit-hours over the clairvoyant's.

Workload: demand files scaled to 500 units/s, a week of each at most, or generated ones. Each is
driven by scalers that are told demand of the next 1, 5, 15 and 60 minutes, second by second and
without error, and nothing of what comes after. They count on the whole bucket, and changes take
30 s, always. They raise at the last moment to the least that bears all they know of, and lower as
soon as AWS allows it, by a tenth at least, by 0.3 within the hour of the last. That is one simple
use of foresight, not the best there is. The clairvoyant, and the pilot, who is told nothing, are
replayed in the same run.

Run: python bench/foresight.py [FILE …] [--kinds social-day launch batch]
"""

from __future__ import annotations

import argparse
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import tempfile  # noqa: E402 - threads are set before numpy loads
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from capacity_pilot.core.burst import BURST_S  # noqa: E402
from capacity_pilot.core.compiled import compiled  # noqa: E402
from capacity_pilot.core.fleet import Floats  # noqa: E402
from capacity_pilot.core.policy import PolicySet  # noqa: E402
from capacity_pilot.core.quota import DAY_S, FREE_DECREASES, HOURLY_S  # noqa: E402
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
from capacity_pilot.simulator.rivals.registry import parse_strategies  # noqa: E402
from capacity_pilot.simulator.workload import Workload  # noqa: E402

MEAN, DAYS = 500.0, 7.0
AHEAD_MINUTES = (1, 5, 15, 60)
BOUNDS = {"min": 1, "max": 40_000}
POLICY = {"name": "all", "match": {"tables": ["*"]}, "write": BOUNDS, "read": BOUNDS}

_APPLY_S, _LOOK_S, _LOWER_S = 30, 5, 60
_SAVING, _SAVING_WITHIN_THE_HOUR = 0.1, 0.3
_HALVINGS = 20


@compiled
def scale_knowing(demand: Floats, ahead_s: int) -> tuple[float, float]:
    """Unit-seconds provisioned and units throttled, where ``demand`` (seconds,) of the next
    ``ahead_s`` is always known.
    """
    capacity = demand[:60].mean() / 0.7
    bucket = BURST_S * capacity
    provisioned, throttled = 0.0, 0.0
    asked_for, in_force_at = capacity, -1
    decreases, lowered_at = 0, -HOURLY_S
    for second in range(len(demand)):
        if second % DAY_S == 0:
            decreases = 0
        if second == in_force_at:
            capacity, in_force_at = asked_for, -1
        if in_force_at < second and second % _LOOK_S == 0:
            known = demand[second : second + ahead_s]
            dry_in = _runs_dry(known, capacity, bucket)
            if 0 <= dry_in <= _APPLY_S + _LOOK_S:
                left = _spend(known[:_APPLY_S], capacity, bucket)
                needed = _bear(known[_APPLY_S:], left)
                if needed > capacity:
                    asked_for, in_force_at = needed, second + _APPLY_S
            elif dry_in < 0 and second % _LOWER_S == 0:
                needed = _bear(known, bucket)
                is_within_the_hour = second - lowered_at < HOURLY_S
                saving = _SAVING_WITHIN_THE_HOUR if is_within_the_hour else _SAVING
                is_allowed = decreases < FREE_DECREASES or not is_within_the_hour
                if is_allowed and needed < (1.0 - saving) * capacity:
                    asked_for, in_force_at = needed, second + _APPLY_S
                    decreases, lowered_at = decreases + 1, float(second)
        provisioned += capacity
        throttled += max(demand[second] - capacity - bucket, 0.0)
        bucket = _spend(demand[second : second + 1], capacity, bucket)
    return provisioned, throttled


@compiled
def _spend(demand: Floats, capacity: float, bucket: float) -> float:
    """What is in the bucket after so much demand."""
    for units in demand:
        bucket = min(max(bucket + capacity - units, 0.0), BURST_S * capacity)
    return bucket


@compiled
def _runs_dry(demand: Floats, capacity: float, bucket: float) -> int:
    """In how many seconds the bucket is not enough, -1 for not at all."""
    bucket = min(bucket, BURST_S * capacity)
    for second in range(len(demand)):
        bucket = min(bucket + capacity - demand[second], BURST_S * capacity)
        if bucket < 0:
            return second
    return -1


@compiled
def _bear(demand: Floats, bucket: float) -> float:
    """The least capacity that throttles nothing of it, to a millionth."""
    low, high = 0.0, 1.0
    while _runs_dry(demand, high, bucket) >= 0:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if _runs_dry(demand, middle, bucket) >= 0:
            low = middle
        else:
            high = middle
    return high


def read_workloads(files: list[Path], kinds: list[str]) -> list[Workload]:
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            file = Path(folder) / f"{kind}.csv"
            write_demand(file, generate_blocks(TableSpec(kind=kind, days=DAYS, mean=MEAN, seed=1)))
            files = [*files, file]
        return [prepare_workload(read_demand(f), mean=MEAN, days=DAYS, seed=0) for f in files]


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("files", type=Path, nargs="*", metavar="FILE")
    arguments.add_argument("--kinds", nargs="*", default=[], choices=list(KINDS))
    given = arguments.parse_args()
    if not given.files and not given.kinds:
        given.kinds = ["social-day", "launch", "batch"]
    workloads = read_workloads(given.files, given.kinds)
    order = order_replay(
        workloads,
        policies=PolicySet.model_validate({"version": 1, "policies": [POLICY]}),
        strategies=parse_strategies("clairvoyant"),
        settings=ReplaySettings(),
        scenario=Scenario(),
    )
    print("unit-hours over the clairvoyant's: knowing so many minutes, and the pilot")
    print(f"{'':32}" + "".join(f"{minutes:>8}" for minutes in AHEAD_MINUTES) + "   pilot")
    ratios = []
    for w, trace in zip(workloads, run_replay(order, told={}, processes=2).traces, strict=True):
        least = (trace.courses["clairvoyant"].score.unit_hours or np.nan) * 3600.0
        row = []
        for minutes in AHEAD_MINUTES:
            provisioned, throttled = scale_knowing(w.demand, 60 * minutes)
            assert throttled < 1e-6 * w.demand.sum(), "one who knows throttles nothing"
            row.append(provisioned / least)
        row.append((trace.courses["pilot"].score.unit_hours or np.nan) * 3600.0 / least)
        tell(w.name, row)
        ratios.append(row)
    tell("geometric mean", list(np.exp(np.log(ratios).mean(axis=0))))


def tell(name: str, row: list[float]) -> None:
    print(f"{name[:31]:32}" + "".join(f"{ratio:8.3f}" for ratio in row), flush=True)


if __name__ == "__main__":
    main()
