"""How long one tick over 10 000 scalable targets takes on one core, and what a target weighs.

Workload: 5 000 resources (2 500 tables with one index each), read and write. Every target's demand
of one second arrives with each tick, one second late, so that all 10 000 slots are touched; one
target in a hundred surges now and then. Capacity is known and changeable everywhere. 200 routes
are counted as well, each of a table; at any time some of them are in the midst of a burst, of which
is hinted what it brings the table. After 150 ticks to fill the rings, 200 are timed; an eighth of
them plan as well (``plan_changes`` is timed apart).

Run: python bench/tick.py
"""

from __future__ import annotations

import os

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

from dataclasses import fields, is_dataclass, replace  # noqa: E402 - threads are set before numpy loads
from time import perf_counter  # noqa: E402

import numpy as np  # noqa: E402

from capacity_pilot.core.demand import Arrivals  # noqa: E402
from capacity_pilot.core.fleet import Fleet  # noqa: E402
from capacity_pilot.core.forecast.upstream import (  # noqa: E402
    Hints,
    SignalArrivals,
    UpstreamState,
)
from capacity_pilot.core.forecast.upstream.bursts import BurstsState  # noqa: E402
from capacity_pilot.core.forecast.upstream.hints import respond  # noqa: E402
from capacity_pilot.core.forecast.upstream.response import MomentState  # noqa: E402
from capacity_pilot.core.forecast.upstream.signals import SignalState  # noqa: E402
from capacity_pilot.core.model import AccountLimits, Resource  # noqa: E402
from capacity_pilot.core.plan import plan_changes  # noqa: E402
from capacity_pilot.core.policy import PolicySet  # noqa: E402
from capacity_pilot.core.policy_arrays import spread_policies  # noqa: E402
from capacity_pilot.core.tick import Capacity, Inputs, PilotState, tick  # noqa: E402

TARGETS, ROUTES, USUAL = 10_000, 200, 20.0
WARM_UP, TIMED = 150, 200
START = 1_700_000_000.0

BOUNDS = {"min": 1, "max": 40_000}
POLICY = {"name": "all", "match": {"tables": ["*"]}, "read": BOUNDS, "write": BOUNDS}


def weigh(state: object) -> int:
    """Bytes of all arrays in a state."""
    if isinstance(state, np.ndarray):
        return state.nbytes
    if is_dataclass(state):
        return sum(weigh(getattr(state, item.name)) for item in fields(state))
    return 0


def make_hints(fleet: Fleet) -> Hints:
    """Each route's own, at its table."""
    hints = Hints.none(len(fleet))
    slots = np.flatnonzero(fleet.table_of < ROUTES)
    hints.keys[0, slots] = 1.0
    hints.signals[0, slots] = fleet.table_of[slots]
    hints.weights[:, 0, slots] = respond(1.0, 20.0)[:, None]
    return replace(hints, lasts_s=np.full(ROUTES, 30.0))


def know_routes(state: PilotState) -> PilotState:
    """With what is usual of them; else all of them move when they are first heard of."""
    rates = np.full((ROUTES, 1), USUAL)
    upstream = UpstreamState(
        replace(SignalState.empty(START, ROUTES), usual=rates, variance=rates),
        BurstsState.empty(ROUTES),
        MomentState.empty(ROUTES),
        state.upstream.pairs,
    )
    return replace(state, upstream=upstream)


def main() -> None:
    draw = np.random.default_rng(11)
    tables = [f"table-{n:04}" for n in range(TARGETS // 4)]
    fleet = Fleet.of(Resource(table, index) for table in tables for index in ("", "by-author"))
    size = len(fleet)
    policies = PolicySet.model_validate({"version": 1, "policies": [POLICY]})
    policy = spread_policies(policies, fleet, AccountLimits())
    mean = 10 ** draw.uniform(0, 4, size)
    provisioned = np.ceil(mean * 1.3)
    capacity = Capacity(
        provisioned=provisioned,
        is_changeable=np.ones(size, dtype=np.bool_),
        decreases_today=np.zeros(size),
        last_decrease_at=np.full(size, np.nan),
        described_at=np.full(size, START),
    )
    hints, routes = make_hints(fleet), np.arange(ROUTES)
    none = np.zeros(0, dtype=np.int64)
    slots, apply_time_s = np.arange(size), np.full(size, 30.0)
    state, ticked, planned, plans = know_routes(PilotState.empty(size, START)), [], [], []
    announced, table_of = [], fleet.table_of
    for step in range(WARM_UP + TIMED):
        now = START + step
        surge = np.where(draw.random(size) < 0.01, 4.0, 1.0) if step % 8 == 0 else 1.0
        units = draw.poisson(mean * surge).astype(np.float64)
        arrivals = Arrivals(slots, np.full(size, int(now) - 1), units, np.zeros(size))
        is_burst = (step + 7 * routes) % 1400 < 30
        counted = draw.poisson(np.where(is_burst, 200.0, 20.0)).astype(np.float64)
        told = SignalArrivals(
            routes, np.full(ROUTES, int(now) - 1), counted, routes.astype(np.float64), none
        )
        inputs = Inputs(
            arrivals, capacity, policy, apply_time_s, table_of, signals=told, hints=hints
        )
        began = perf_counter()
        state, decisions = tick(state, inputs, now)
        ended = perf_counter()
        if step < WARM_UP:
            continue
        announced.append(np.count_nonzero(decisions.upstream > 0))
        ticked.append(1e3 * (ended - began))
        if step % 8 == 0:
            plans.append(len(plan_changes(fleet, decisions, now)))
            planned.append(1e3 * (perf_counter() - ended))
    for name, times in (("tick", ticked), ("plan", planned)):
        median, high = np.quantile(times, [0.5, 0.99])
        print(f"{name}: median {median:.2f} ms, p99 {high:.2f} ms, max {max(times):.2f} ms")
    each_us = 1e3 * sum(planned) / sum(plans)
    print(f"plans: {max(plans)} tables at most in a tick, {each_us:.0f} microseconds each")
    print(f"signals: announced demand of {max(announced)} targets at most in a tick")
    print(f"state: {weigh(state) / size:.0f} bytes per target ({size} targets)")


if __name__ == "__main__":
    main()
