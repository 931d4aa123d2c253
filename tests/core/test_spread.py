"""Other policies in force: as if they had always been, but for what was learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Dimension,
    Resource,
    ResourceDescription,
    ResourceStatus,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.spread import choose_fleet, find_change, spread

NOW = 1_760_000_000.0
TABLES = ("a-1", "a-2", "b-1", "c")
LIMITS = AccountLimits(table_write=5000)


def bounds() -> st.SearchStrategy[dict[str, int]]:
    ordered = st.tuples(st.integers(1, 9000), st.integers(0, 9000))
    return ordered.map(lambda pair: {"min": pair[0], "max": pair[0] + pair[1]})


def policy_sets() -> st.SearchStrategy[PolicySet]:
    policy = st.fixed_dictionaries(
        {
            "name": st.sampled_from(["x", "y"]),
            "match": st.sampled_from(["a-*", "*-1", "*", "c", "[ab]-?", "none"]).map(
                lambda pattern: {"tables": [pattern]}
            ),
            "write": bounds(),
        },
        optional={
            "read": bounds(),
            "mode": st.sampled_from([mode.value for mode in Mode]),
            "auto_scaling": st.sampled_from(["refuse", "suspend"]),
            "risk": st.sampled_from(["1ppm", "1000ppm"]),
            "indexes": bounds().map(lambda own: {"by-*": {"write": own}}),
            "limits": st.just({"largest_step": "2x"}),
        },
    )
    return st.lists(policy, min_size=1, max_size=4).map(
        lambda policies: PolicySet.model_validate({"version": 1, "policies": policies})
    )


def describe(table: str, at: float) -> TableDescription:
    resources = (Resource(table), Resource(table, "by-day"))
    return TableDescription(
        table=table,
        billing_mode=BillingMode.PROVISIONED,
        resources=tuple(
            ResourceDescription(resource=r, status=ResourceStatus.ACTIVE, read=50, write=50)
            for r in resources
        ),
        described_at=at,
        registrations=(
            Registration(
                target=ScalableTarget(resources[0], Dimension.WRITE), minimum=5, maximum=60
            ),
        ),
    )


def pilot_of(policies: PolicySet) -> Pilot:
    pilot = Pilot(policies, limits=LIMITS, apply_time_s=30.0, now=NOW)
    for table in TABLES:
        pilot.observe(describe(table, NOW))
    pilot.step({}, NOW)
    return pilot


def arrays_of(state: object) -> dict[str, Any]:
    return {name: getattr(state, name) for name in getattr(state, "__slots__", ())}


@given(old=policy_sets(), new=policy_sets(), is_ready=st.booleans())
def test_an_exchange_comes_to_what_a_pilot_of_the_new_policies_has(
    old: PolicySet, new: PolicySet, *, is_ready: bool
) -> None:
    """Whatever it was spread over beforehand: tables may have come and gone meanwhile."""
    pilot, fresh = pilot_of(old), pilot_of(new)
    fleet = choose_fleet(new, pilot.resources if is_ready else ())
    moved = pilot.adopt(spread(new, fleet, LIMITS), NOW)
    for table in TABLES:  # as the daemon does: what is driven otherwise, or new, is read again
        if table in moved or table not in pilot.descriptions:
            pilot.observe(describe(table, NOW))
    pilot.step({}, NOW + 1)
    fresh.step({}, NOW + 1)
    assert pilot.fleet == fresh.fleet
    assert set(pilot.descriptions) == set(fresh.descriptions)
    for mine, other in (
        (pilot.bounds, fresh.bounds),
        (pilot.capacity, fresh.capacity),
        (pilot.capacity.standing, fresh.capacity.standing),
    ):
        theirs = arrays_of(other)
        for name, array in arrays_of(mine).items():
            if isinstance(array, np.ndarray):
                np.testing.assert_array_equal(array, theirs[name], err_msg=name)


@given(policy_sets(), policy_sets())
def test_what_changes_is_found_table_by_table(old: PolicySet, new: PolicySet) -> None:
    change = find_change(old, new, TABLES)
    for table in TABLES:
        had, has = old.policy_for(table), new.policy_for(table)
        is_gone = has is None or has.mode is Mode.OFF
        assert (table in change.gone) == is_gone
        assert (table in change.edited) == (not is_gone and had != has)
        if table in change.moved:
            assert has is not None
            assert had is None or (had.mode, had.auto_scaling) != (has.mode, has.auto_scaling)
            assert change.moved[table] is (Mode.OFF if had is None else had.mode)
        elif not is_gone and had is not None and has is not None:
            assert (had.mode, had.auto_scaling) == (has.mode, has.auto_scaling)
