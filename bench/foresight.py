"""What knowing the next minutes exactly would save: unit-hours over the clairvoyant's.

Workload: demand files scaled to 500 units/s, a week of each at most. Each is driven by scalers that
are told demand of the next 1, 5, 15 and 60 minutes, second by second and without error, and nothing
of what comes after. They count on the whole bucket, and changes take 30 s, always. They raise at
the last moment to the least that bears all they know of, and lower as soon as AWS allows it, by a
tenth at least, by 0.3 within the hour of the last. That is one simple use of foresight, not the
best there is. The clairvoyant, and the pilot, who is told nothing, are replayed in the same run.

Run: python bench/foresight.py FILE … (capacity-pilot generate makes some)
"""

from __future__ import annotations

import argparse
import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

from pathlib import Path  # noqa: E402 - threads are set before numpy loads

import numpy as np  # noqa: E402

from capacity_pilot.core.burst import BURST_S  # noqa: E402
from capacity_pilot.core.compiled import compiled  # noqa: E402
from capacity_pilot.core.fleet import Floats  # noqa: E402
from capacity_pilot.core.policy import PolicySet  # noqa: E402
from capacity_pilot.core.quota import (  # noqa: E402
    HOURLY_S,
    decreases_counted,
    next_decrease_at,
)
from capacity_pilot.simulator.demand_file import prepare_workload, read_demand  # noqa: E402
from capacity_pilot.simulator.replay.run import order_replay, run_replay  # noqa: E402
from capacity_pilot.simulator.replay.scenario import Scenario  # noqa: E402
from capacity_pilot.simulator.replay.settings import ReplaySettings  # noqa: E402
from capacity_pilot.simulator.rivals.registry import parse_strategies  # noqa: E402

MEAN, DAYS = 500.0, 7.0
AHEAD_MINUTES = (1, 5, 15, 60)
BOUNDS = {"min": 1, "max": 40_000}
POLICY = {"name": "all", "match": {"tables": ["*"]}, "write": BOUNDS, "read": BOUNDS}

_APPLY_S, _LOOK_S, _LOWER_S = 30, 5, 60
_SAVING, _SAVING_WITHIN_THE_HOUR = 0.1, 0.3
_HALVINGS = 20


@compiled
def scale_knowing(
    demand: Floats, ahead_s: int, capacity: float, start_at: float
) -> tuple[float, float]:
    """Unit-seconds provisioned and units throttled, where ``demand`` (seconds,) of the next
    ``ahead_s`` is always known. Begins at the Unix time ``start_at`` with ``capacity`` and a full
    bucket.
    """
    bucket = BURST_S * capacity
    provisioned, throttled = 0.0, 0.0
    asked_for, in_force_at = capacity, -1
    decreases, lowered_at = 0.0, np.nan
    for second in range(len(demand)):
        now = start_at + second
        if second == in_force_at:
            capacity = asked_for
        if in_force_at <= second and second % _LOOK_S == 0:
            known = demand[second : second + ahead_s]
            dry_in, _, _ = _serve(known, capacity, bucket)
            counted = decreases_counted(decreases, lowered_at, now)
            if dry_in <= _APPLY_S + _LOOK_S and dry_in < len(known):
                _, left, _ = _serve(known[:_APPLY_S], capacity, bucket)
                needed = _bear(known[_APPLY_S:], left)
                if needed > capacity:
                    asked_for, in_force_at = needed, second + _APPLY_S
            elif (
                dry_in == len(known)
                and second % _LOWER_S == 0
                and next_decrease_at(counted, lowered_at, now) <= now
            ):
                needed = _bear(known, bucket)
                is_within_the_hour = now - lowered_at < HOURLY_S  # never lowered is NaN
                saving = _SAVING_WITHIN_THE_HOUR if is_within_the_hour else _SAVING
                if needed < (1.0 - saving) * capacity:
                    asked_for, in_force_at = needed, second + _APPLY_S
                    decreases, lowered_at = counted + 1.0, now
        provisioned += capacity
        _, bucket, refused = _serve(demand[second : second + 1], capacity, bucket)
        throttled += refused
    return provisioned, throttled


@compiled
def _serve(demand: Floats, capacity: float, bucket: float) -> tuple[int, float, float]:
    """How many seconds pass until one is throttled, or all; what is in the bucket after the last
    of them, and how much of them is refused.
    """
    first, refused = len(demand), 0.0
    bucket = min(bucket, BURST_S * capacity)
    for second in range(len(demand)):
        bucket += capacity - demand[second]
        if bucket < 0:
            first, refused = min(first, second), refused - bucket
        bucket = min(max(bucket, 0.0), BURST_S * capacity)
    return first, bucket, refused


@compiled
def _bear(demand: Floats, bucket: float) -> float:
    """The least capacity that throttles nothing of it, to a millionth."""
    low, high = 0.0, 1.0
    while _serve(demand, high, bucket)[0] < len(demand):
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if _serve(demand, middle, bucket)[0] < len(demand):
            low = middle
        else:
            high = middle
    return high


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("files", type=Path, nargs="+", metavar="FILE")
    files = arguments.parse_args().files
    workloads = [prepare_workload(read_demand(f), mean=MEAN, days=DAYS, seed=0) for f in files]
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
            provisioned, throttled = scale_knowing(
                w.demand, 60 * minutes, float(order.rules[w.name].start), order.settings.start_at
            )
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
