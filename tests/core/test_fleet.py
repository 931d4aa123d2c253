"""Slots: what a target knew stays with it, whoever else comes or goes."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.demand import LAG_BINS, WINDOW_S, DemandState, absorb
from capacity_pilot.core.fleet import Fleet, carry_over
from capacity_pilot.core.model import Dimension, Resource
from capacity_pilot.core.tick import PilotState
from tests.core.scenario import MIDNIGHT, arrivals

NOW = int(MIDNIGHT)

fleets = st.sets(
    st.builds(Resource, st.sampled_from("abcdefg"), st.sampled_from(["", "x", "y"])), max_size=12
).map(Fleet.of)


@given(fleets)
def test_every_target_has_its_slot_and_every_table_one_run(fleet: Fleet) -> None:
    for slot in range(len(fleet)):
        target = fleet.target(slot)
        assert fleet.slot(target.resource, target.dimension) == slot
        assert fleet.target(slot ^ 1).resource == target.resource
    tables = [r.table for r in fleet.resources]
    assert tables == sorted(tables)
    assert fleet.slot(Resource("unheard-of"), Dimension.READ) is None


@given(fleets, fleets)
def test_carry_over_keeps_what_was_known_and_starts_the_rest_afresh(old: Fleet, new: Fleet) -> None:
    entries = [(slot, NOW, slot + 1.0) for slot in range(len(old))]
    state = absorb(DemandState.empty(len(old), NOW), arrivals(*entries), NOW)
    fresh = DemandState.empty(len(new), NOW)
    carried = carry_over(state, fresh=fresh, old=old, new=new)
    row = NOW % WINDOW_S
    for slot in range(len(new)):
        target = new.target(slot)
        before = old.slot(target.resource, target.dimension)
        known = before is not None
        assert carried.units[row, slot] == (before + 1.0 if before is not None else 0.0)
        assert carried.known[row, slot] == known
        assert np.isnan(carried.last_seen[slot]) != known
    assert np.array_equal(carried.lags, state.lags)
    assert carried.head == state.head


@given(fleets)
def test_an_unchanged_fleet_forgets_nothing(fleet: Fleet) -> None:
    size = len(fleet)
    entries = [(slot, NOW, slot + 1.0) for slot in range(size)]
    demand = absorb(DemandState.empty(size, NOW), arrivals(*entries), NOW)
    carried = carry_over(demand, fresh=DemandState.empty(size, NOW + 9), old=fleet, new=fleet)
    for item in fields(DemandState):
        before, after = getattr(demand, item.name), getattr(carried, item.name)
        assert np.array_equal(before, after, equal_nan=item.name != "head")


def test_fleet_wide_arrays_survive_a_fleet_of_their_own_length() -> None:
    """As many slots as lag bins, or as window seconds: the lags still belong to the fleet."""
    for size in (LAG_BINS, WINDOW_S):
        old = Fleet.of(Resource(f"t{n:03}") for n in range(size // 2))
        new = Fleet.of([*old.resources[1:], Resource("zz-new"), Resource("zz-newer")])
        state = absorb(DemandState.empty(size, NOW), arrivals((2, NOW - 3, 5.0)), NOW)
        carried = carry_over(state, fresh=DemandState.empty(len(new), NOW), old=old, new=new)
        assert np.array_equal(carried.lags, state.lags)
        assert carried.units[:, 0].sum() == 5.0
        assert carried.units.sum() == 5.0


def test_the_whole_state_of_a_pilot_is_carried() -> None:
    old, new = Fleet.of([Resource("b")]), Fleet.of([Resource("a"), Resource("b")])
    state = PilotState.empty(2, NOW)
    state.forecast.excess.usual[:] = 0.5
    state.forecast.panic_until[:] = NOW + 60
    state.burst.units[:] = 7.0
    state.stabilization.peaks[:] = 3.0
    carried = carry_over(state, fresh=PilotState.empty(4, NOW + 100), old=old, new=new)
    assert np.isnan(carried.forecast.excess.usual[:, :2]).all(), "nobody knows of a new table"
    assert carried.forecast.excess.usual[0, 2:].tolist() == [0.5, 0.5]
    assert carried.forecast.panic_until.tolist() == [-np.inf, -np.inf, NOW + 60, NOW + 60]
    assert carried.burst.units.tolist() == [0.0, 0.0, 7.0, 7.0]
    assert carried.stabilization.peaks[0].tolist() == [-np.inf, -np.inf, 3.0, 3.0]
    assert carried.demand.head == carried.settling.settled + 1 == NOW


def test_the_first_fleet_grows_out_of_none() -> None:
    none, new = Fleet(()), Fleet.of([Resource("a")])
    carried = carry_over(
        PilotState.empty(0, NOW), fresh=PilotState.empty(2, NOW), old=none, new=new
    )
    assert carried.demand.units.shape == (WINDOW_S, 2)
