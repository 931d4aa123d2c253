"""Seconds served together come to what they come to one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.physics.tables import KeySchema, TableSpec, Units
from capacity_pilot.simulator.physics.world import World
from capacity_pilot.simulator.replay.ledger import Ledger
from capacity_pilot.simulator.replay.service import Service
from capacity_pilot.simulator.replay.settings import START_AT, ReplaySettings
from capacity_pilot.simulator.replay.telemetry import Told
from tests.simulator.replay.stage import workload

SECONDS = 150
SLOTS = np.array([1, 3, 5])


def world() -> World:
    """Three tables with 30, 60 and 90 units for writes."""
    made = World(ReplaySettings(burst_availability=0.1).world())
    for table in (1, 2, 3):
        units = Units(read=1, write=30 * table)
        made.create_table(TableSpec(name=f"t{table}", key=KeySchema("id"), units=units), START_AT)
    made.advance(START_AT)
    return made


def service(into: World, demand: Floats) -> tuple[Service, Ledger]:
    """The tables' demands are the first column's, the second's, and the first's again."""
    ledger = Ledger(seconds=len(demand), slots=3)
    serving = Service(
        [workload(column, f"t{n}") for n, column in enumerate(demand.T)],
        world=into,
        ledger=ledger,
        slots=SLOTS,
        pilots=1,
        retries=None,
        began_at=START_AT,
    )
    return serving, ledger


@given(
    cuts=st.lists(st.integers(1, SECONDS - 1), max_size=6, unique=True).map(sorted),
    seed=st.integers(0, 2**16),
)
def test_runs_of_any_length_serve_as_the_world_does_second_by_second(
    cuts: Sequence[int], seed: int
) -> None:
    demand = np.random.default_rng(seed).poisson(70.0, (SECONDS, 2)).astype(np.float64)
    reference, in_runs = world(), world()
    serving, ledger = service(in_runs, demand)
    told = Told.none()
    for until in [*cuts, SECONDS]:
        told = told.and_then(serving.serve_until(until))
    np.testing.assert_array_equal(told.seconds, np.repeat(np.arange(SECONDS), 2))
    np.testing.assert_array_equal(told.columns, np.tile([0, 1], SECONDS))
    asked = np.zeros(6)
    for second in range(SECONDS):
        news = told.of(told.seconds == second)
        reference.advance(START_AT + second)
        asked[SLOTS] = demand[second][[0, 1, 0]]
        refused = reference.serve(asked)[1]
        np.testing.assert_array_equal(news.refusals, refused[SLOTS[:2]])
        np.testing.assert_array_equal(news.units, demand[second])
    np.testing.assert_array_equal(reference.buckets.burst[SLOTS], in_runs.buckets.burst[SLOTS])
    for minute in (1, 2):
        at = START_AT + 60 * minute + 60
        shown, expected = in_runs.meter.published(at), reference.meter.published(at)
        assert shown is not None
        assert expected is not None
        np.testing.assert_array_equal(shown.consumed[SLOTS], expected.consumed[SLOTS])
        np.testing.assert_array_equal(shown.throttle_events[SLOTS], expected.throttle_events[SLOTS])
    totals = reference.meter.totals()
    np.testing.assert_allclose(ledger.close().throttled, totals.throttled[SLOTS])


def test_capacity_that_comes_into_force_between_two_runs_serves_the_second_one() -> None:
    made = world()
    serving, _ = service(made, np.full((400, 2), 200.0))
    made.update_table("t1", {"": Units(read=1, write=200)}, START_AT)
    in_force = int(np.ceil(made.next_change_at - START_AT))
    assert told_of_first(serving.serve_until(in_force))[-1] == 170.0
    made.advance(START_AT + in_force)
    assert made.next_change_at == np.inf
    assert told_of_first(serving.serve_until(in_force + 3)) == [0.0] * 3


def told_of_first(told: Told) -> list[float]:
    """Refused units of the first table, by second."""
    return list(told.refusals[told.columns == 0])


def test_demand_that_is_none_is_refused_by_name() -> None:
    demand = np.full((20, 2), 7.0)
    demand[3, 1] = -1.0
    with pytest.raises(InputError, match=r"t1's demand of second 3 is -1\.0 units"):
        service(world(), demand)
