"""What may be done with a table at all: bars, floor mode's minimum, warm throughput."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.guards import Draft
from capacity_pilot.core.model import (
    BillingMode,
    Dimension,
    Resource,
    ResourceDescription,
    ResourceStatus,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.policy import PolicySet, TablePolicy
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.standing import Standing, bar_table, bound_within, heed, read_standing

FEED = Resource("feed")
READ = ScalableTarget(FEED, Dimension.READ)
WRITE = ScalableTarget(FEED, Dimension.WRITE)
FLEET = Fleet.of([FEED])


def policy(**changes: Any) -> TablePolicy:
    said = {
        "name": "feeds",
        "match": {"tables": ["feed*"]},
        "write": {"min": 10, "max": 1000},
        **changes,
    }
    return PolicySet.model_validate({"version": 1, "policies": [said]}).policies[0]


def registered(target: ScalableTarget = WRITE, **changes: Any) -> Registration:
    return replace(Registration(target=target, minimum=20, maximum=500, has_policy=True), **changes)


def feed(*registrations: Registration, **changes: Any) -> TableDescription:
    resource = ResourceDescription(
        resource=FEED,
        status=changes.pop("status", ResourceStatus.ACTIVE),
        read=100,
        write=100,
        last_increase_at=changes.pop("last_increase_at", None),
        last_decrease_at=changes.pop("last_decrease_at", None),
        warm_write=changes.pop("warm_write", None),
    )
    usual = TableDescription(
        table="feed",
        billing_mode=BillingMode.PROVISIONED,
        resources=(resource,),
        described_at=0.0,
        registrations=registrations,
    )
    return replace(usual, **changes)


def decide(
    units: float,
    description: TableDescription,
    said: TablePolicy,
    *,
    now: float = 0.0,
    reasons: int = 0,
) -> tuple[float, Reason]:
    """What is left of wanting so many units/s of writes, where 100 are provisioned."""
    standing = Standing.free(len(FLEET))
    read_standing(standing, description, said, FLEET)
    draft = Draft(np.array([100.0, units]), np.array([0, reasons]))
    draft = heed(standing, draft, np.array([100.0, 100.0]), now)
    assert draft.units[0] == 100
    return float(draft.units[1]), Reason(int(draft.reasons[1]))


@pytest.mark.parametrize(
    "status",
    [
        ResourceStatus.ARCHIVED,
        ResourceStatus.ARCHIVING,
        ResourceStatus.DELETING,
        ResourceStatus.INACCESSIBLE_ENCRYPTION_CREDENTIALS,
        ResourceStatus.REPLICATION_NOT_AUTHORIZED,
    ],
)
def test_a_table_out_of_service_is_left_alone(status: ResourceStatus) -> None:
    assert decide(200, feed(status=status), policy()) == (100, Reason.NOT_IN_SERVICE)


def test_a_global_table_is_driven_by_its_minimum_or_not_at_all() -> None:
    """Capacity set in one Region replicates; what auto scaling sets does not."""
    everywhere = feed(registered(), is_global=True)
    suspending = policy(auto_scaling="suspend")
    assert decide(200, everywhere, suspending) == (100, Reason.GLOBAL_TABLE)
    assert decide(200, everywhere, policy(mode="floor")) == (200, Reason.STEADY)


def test_a_table_that_is_scaled_already_is_refused_until_the_policy_says_suspend() -> None:
    assert decide(200, feed(registered()), policy()) == (100, Reason.CONTESTED)
    assert decide(50, feed(registered()), policy()) == (100, Reason.CONTESTED)
    assert decide(200, feed(registered()), policy(auto_scaling="suspend")) == (200, Reason.STEADY)


def test_nothing_is_lowered_while_auto_scaling_may_scale_in_as_well() -> None:
    suspending = policy(auto_scaling="suspend")
    assert decide(50, feed(registered()), suspending) == (100, Reason.NOT_SUSPENDED)
    out_of_the_way = registered(suspension=Suspension(scale_in=True))
    assert decide(50, feed(out_of_the_way), suspending) == (50, Reason.STEADY)
    assert decide(50, feed(registered(READ)), suspending) == (50, Reason.STEADY)


def test_a_target_without_a_policy_is_a_rival_too() -> None:
    """Registering it anew pulls capacity into its bounds."""
    assert decide(200, feed(registered(has_policy=False)), policy()) == (100, Reason.CONTESTED)


def test_who_suspended_auto_scaling_by_hand_has_made_room() -> None:
    by_hand = Suspension(scale_in=True, scale_out=True)
    assert decide(200, feed(registered(suspension=by_hand)), policy()) == (200, Reason.STEADY)
    only_in = Suspension(scale_in=True)
    assert decide(200, feed(registered(suspension=only_in)), policy()) == (100, Reason.CONTESTED)


def test_auto_scaling_of_what_the_policy_leaves_alone_is_no_rival() -> None:
    assert decide(200, feed(registered(READ)), policy()) == (200, Reason.STEADY)


def test_rivals_that_cannot_be_asked_for_hold_decreases_only() -> None:
    unknown = feed(registrations=None)
    assert decide(200, unknown, policy()) == (200, Reason.STEADY)
    assert decide(50, unknown, policy()) == (100, Reason.AUTO_SCALING_UNKNOWN)


def test_floor_mode_does_nothing_where_it_knows_no_minimum() -> None:
    said = policy(mode="floor")
    assert decide(200, feed(registrations=None), said) == (100, Reason.AUTO_SCALING_UNKNOWN)
    assert decide(200, feed(registered(READ)), said) == (100, Reason.NO_MINIMUM)


def test_floor_mode_waits_for_auto_scaling_once_the_minimum_is_set() -> None:
    said = policy(mode="floor")
    assert decide(200, feed(registered(minimum=200)), said) == (100, Reason.MINIMUM_SET)
    assert decide(201, feed(registered(minimum=200)), said) == (201, Reason.STEADY)


def test_floor_mode_lowers_a_minimum_only_by_something() -> None:
    said = policy(mode="floor")
    assert decide(50, feed(registered(minimum=100)), said) == (50, Reason.STEADY)
    assert decide(50, feed(registered(minimum=54)), said) == (100, Reason.MINIMUM_SET)
    assert decide(50, feed(registered(minimum=20)), said) == (100, Reason.MINIMUM_SET)


def test_a_raise_beyond_what_the_table_was_ever_ready_for_says_so() -> None:
    ready_for_150 = feed(warm_write=150)
    assert decide(150, ready_for_150, policy()) == (150, Reason.STEADY)
    assert decide(151, ready_for_150, policy()) == (151, Reason.BEYOND_WARM)
    assert decide(50, feed(warm_write=40), policy()) == (50, Reason.STEADY)


@pytest.mark.parametrize(("found", "least"), [(None, 60), (40, 40)])
def test_floor_mode_goes_no_lower_than_the_minimum_it_found(found: int | None, least: int) -> None:
    standing = Standing.free(len(FLEET))
    said = policy(mode="floor")
    read_standing(standing, feed(registered(minimum=60, found_minimum=found)), said, FLEET)
    floor, ceiling = bound_within(standing, floor=np.full(2, 10.0), ceiling=np.full(2, 1000.0))
    assert (floor[1], ceiling[1]) == (least, 500)


@given(
    floor=st.integers(1, 2000),
    above=st.integers(0, 2000),
    maximum=st.one_of(st.none(), st.integers(1, 5000)),
    least=st.one_of(st.none(), st.integers(1, 5000)),
)
def test_floor_mode_stays_within_the_maximum_and_the_policy(
    floor: int, above: int, maximum: int | None, least: int | None
) -> None:
    """Of bounds that contradict each other the maximum holds: AWS would not go above it."""
    standing = Standing.free(2)
    standing.drives_minimum[:] = True
    standing.maximum[:] = np.nan if maximum is None else maximum
    standing.least[:] = np.nan if least is None else least
    low, high = bound_within(
        standing, floor=np.full(2, float(floor)), ceiling=np.full(2, float(floor + above))
    )
    assert (low <= high).all()
    assert (high <= floor + above).all()
    if maximum is not None:
        assert (high <= maximum).all()


@given(
    units=st.floats(0, 1e5, allow_nan=False),
    minimum=st.integers(1, 1000),
    mode=st.sampled_from(["floor", "active", "shadow"]),
    asked=st.booleans(),
    suspended=st.booleans(),
    is_global=st.booleans(),
)
def test_what_holds_of_a_table_only_moves_decisions_toward_what_is_there(
    *, units: float, minimum: int, mode: str, asked: bool, suspended: bool, is_global: bool
) -> None:
    suspension = Suspension(scale_in=suspended, scale_out=suspended)
    registration = registered(minimum=minimum, suspension=suspension)
    told = (registration,) if asked else None
    decided, reasons = decide(
        units, feed(is_global=is_global, registrations=told), policy(mode=mode)
    )
    assert decided in (units, 100)
    assert decided == units or reasons


def test_shadow_knows_the_bars_of_active() -> None:
    contested = feed(registered(), is_global=True)
    assert bar_table(contested, policy(mode="shadow")) == bar_table(contested, policy())


def test_a_cooldown_holds_its_own_direction_for_its_time() -> None:
    said = policy(scale_out={"cooldown": "1m"}, scale_in={"cooldown": "2h"})
    table = feed(last_increase_at=1000.0, last_decrease_at=500.0)
    assert decide(200, table, said, now=1059.0) == (100, Reason.COOLDOWN)
    assert decide(200, table, said, now=1060.0) == (200, Reason.STEADY)
    assert decide(50, table, said, now=7699.0) == (100, Reason.COOLDOWN)
    assert decide(50, table, said, now=7700.0) == (50, Reason.STEADY)
    assert decide(50, feed(last_increase_at=1000.0), said, now=1001.0) == (50, Reason.STEADY)


def test_there_is_no_cooldown_unless_it_is_asked_for_and_none_for_what_a_person_orders() -> None:
    table = feed(last_increase_at=1000.0, last_decrease_at=1000.0)
    assert decide(200, table, policy(), now=1000.0) == (200, Reason.STEADY)
    assert decide(50, table, policy(), now=1000.0) == (50, Reason.STEADY)
    said = policy(scale_out={"cooldown": "1m"})
    ordered = decide(200, table, said, now=1001.0, reasons=Reason.OVERRIDDEN.value)
    assert ordered == (200, Reason.OVERRIDDEN)


def test_a_minimum_is_set_whatever_cools_down() -> None:
    """Application Auto Scaling's own changes are not the pilot's to wait for."""
    said = policy(mode="floor", scale_out={"cooldown": "1m"})
    table = feed(registered(), last_increase_at=1000.0)
    assert decide(200, table, said, now=1001.0) == (200, Reason.STEADY)
