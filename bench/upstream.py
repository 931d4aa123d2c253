"""What upstream signals cost a tick over 10 000 scalable targets, and what they weigh.

Workload: 64 signals, all told of every second; demand of every target. Three states: all signals
at their usual rates; one push under way that leads every target; that push and twenty routes
moving with the crowd, as they would. Timed is ``foresee`` with its share of learning, and what
sizing makes of it, in CPU time, so that a busy machine shows in it as little as possible.

Run: python bench/upstream.py
"""

from __future__ import annotations

import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

from dataclasses import fields, is_dataclass  # noqa: E402 - threads are set before numpy loads
from time import process_time  # noqa: E402

import numpy as np  # noqa: E402

from capacity_pilot.core.demand import Arrivals, DemandState, absorb  # noqa: E402
from capacity_pilot.core.fleet import Floats  # noqa: E402
from capacity_pilot.core.forecast.upstream import (  # noqa: E402
    SignalArrivals,
    UpstreamState,
    foresee,
    size_announced,
)

TARGETS, SIGNALS, ROUTES = 10_000, 64, 20
START, LAG_S = 1_700_000_000, 6
PUSHES, PUSH_EVERY_S, PUSH_LASTS_S = 4, 1200, 60
SECONDS = PUSHES * PUSH_EVERY_S
TAUGHT_S = 2 * PUSH_EVERY_S
"""From here on what there is to learn has been learned."""


def weigh(state: object) -> int:
    """Bytes of all arrays in a state."""
    if isinstance(state, np.ndarray):
        return state.nbytes
    if is_dataclass(state):
        return sum(weigh(getattr(state, item.name)) for item in fields(state))
    return 0


def make_push() -> tuple[Floats, Floats]:
    """Messages per second, and the crowd they bring in requests per second."""
    push = np.zeros(SECONDS)
    for begin in range(600, SECONDS, PUSH_EVERY_S):
        push[begin : begin + PUSH_LASTS_S] = 5000.0
    age = np.arange(600)
    response = np.where(age < 4, 0.0, np.exp(-age / 60.0))
    return push, np.convolve(push, response / response.sum())[:SECONDS]


def main() -> None:
    rng = np.random.default_rng(5)
    push, crowd = make_push()
    mean, routes = 10 ** rng.uniform(1, 4, TARGETS), 10 ** rng.uniform(1, 3, SIGNALS - 1)
    slots, numbers = np.arange(TARGETS), np.arange(SIGNALS)
    demand, state = DemandState.empty(TARGETS, START), UpstreamState.empty(TARGETS, START)
    scope, none = np.full(SIGNALS, np.nan), np.zeros(0, dtype=np.int64)
    ahead_s, nothing = np.full(TARGETS, 36.0), np.zeros(TARGETS)
    times: dict[str, list[float]] = {"at rest": [], "push": [], "push and routes": []}
    for second in range(SECONDS - LAG_S):
        at, now = START + second, float(START + second + 1 + LAG_S)
        units = rng.poisson(mean * (1 + crowd[second] / 2000.0)).astype(np.float64)
        demand = absorb(demand, Arrivals(slots, np.full(TARGETS, at), units, nothing), now)
        # The routes stay out of the third push.
        joining = (numbers[1:] <= ROUTES) & (second // PUSH_EVERY_S != 2)
        entered = rng.poisson(routes * (1 + joining * crowd[second] / 2000.0))
        counts = np.concatenate([[push[second]], entered])
        news = SignalArrivals(numbers, np.full(SIGNALS, at), counts, scope, none)
        began = process_time()
        state, announced = foresee(
            state, news, demand, table_of=slots // 4, ahead_s=ahead_s, now=now
        )
        size_announced(
            announced,
            provisioned=mean * 1.2,
            trusted_units=mean * 60,
            in_force_s=ahead_s,
            now=now,
        )
        spent_ms = 1e3 * (process_time() - began)
        if second >= TAUGHT_S:
            moving = int((~np.isnan(state.signals.began)).sum())
            times[list(times)[min(moving, 2)]].append(spent_ms)
    for name, spent in times.items():
        median, high = np.quantile(spent, [0.5, 0.99])
        print(
            f"{name}: mean {np.mean(spent):.2f} ms, median {median:.2f}, p99 {high:.2f}, "
            f"max {max(spent):.2f} ({len(spent)} ticks)"
        )
    led = int((~np.isnan(state.pairs.signal)).any(axis=0).sum())
    held = weigh(state.pairs)
    print(
        f"{held / TARGETS:.0f} bytes per target, {(weigh(state) - held) / SIGNALS:.0f} per signal"
    )
    print(f"{led} of {TARGETS} targets are led")


if __name__ == "__main__":
    main()
