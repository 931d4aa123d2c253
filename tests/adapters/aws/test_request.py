"""Laws of the one call a plan becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.adapters.aws.request import (
    SENDABLE_PARAMETERS,
    build_update,
    find_fault,
    find_missing,
    refuse_unlisted,
    remaining_changes,
)
from capacity_pilot.core.errors import InvariantError
from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Plan,
    Resource,
    ResourceDescription,
    ResourceStatus,
    Switch,
    TableDescription,
)

RESOURCES = [Resource("feed"), *(Resource("feed", f"by-{i}") for i in range(4))]
# Few values, so that wanted and provisioned often coincide.
UNITS = st.one_of(st.integers(1, 4), st.integers(1, 10**9))


def described(units: Mapping[Resource, tuple[int, int]]) -> TableDescription:
    return TableDescription(
        table="feed",
        billing_mode=BillingMode.PROVISIONED,
        resources=tuple(
            ResourceDescription(
                resource=resource, status=ResourceStatus.ACTIVE, read=read, write=write
            )
            for resource, (read, write) in units.items()
        ),
        described_at=0.0,
    )


def planned(direction: Direction, *changes: CapacityChange) -> Plan:
    return Plan(table="feed", direction=direction, changes=changes, decided_at=0.0, expires_at=10.0)


provisioned = st.dictionaries(st.sampled_from(RESOURCES), st.tuples(UNITS, UNITS), min_size=1)
wanted = st.lists(
    st.builds(CapacityChange, resource=st.sampled_from(RESOURCES), read=UNITS, write=UNITS),
    max_size=8,
)


def flatten(request: Mapping[str, object]) -> dict[Resource, tuple[int, int]]:
    """Read the units out of a request as AWS would, refusing what it would refuse."""
    members: dict[Resource, object] = {}
    if "ProvisionedThroughput" in request:
        members[Resource("feed")] = request["ProvisionedThroughput"]
    updates = request.get("GlobalSecondaryIndexUpdates", [])
    assert isinstance(updates, list)
    for update in updates:
        action = update["Update"]
        resource = Resource("feed", action["IndexName"])
        assert resource not in members, "AWS refuses the same index twice"
        assert action.keys() == {"IndexName", "ProvisionedThroughput"}
        members[resource] = action["ProvisionedThroughput"]
    units: dict[Resource, tuple[int, int]] = {}
    for resource, member in members.items():
        assert isinstance(member, dict)
        assert member.keys() == {"ReadCapacityUnits", "WriteCapacityUnits"}
        units[resource] = (member["ReadCapacityUnits"], member["WriteCapacityUnits"])
    return units


@given(provisioned=provisioned, wanted=wanted, direction=st.sampled_from(Direction))
def test_a_request_moves_one_way_and_carries_nothing_unchanged(
    provisioned: dict[Resource, tuple[int, int]],
    wanted: list[CapacityChange],
    direction: Direction,
) -> None:
    changes = remaining_changes(planned(direction, *wanted), described(provisioned))
    request = build_update("feed", changes)

    assert request.keys() <= SENDABLE_PARAMETERS["UpdateTable"]
    refuse_unlisted("UpdateTable", request)
    for resource, (read, write) in flatten(request).items():
        before = provisioned[resource]
        assert (read, write) != before
        if direction is Direction.OUT:
            assert read >= before[0]
            assert write >= before[1]
        else:
            assert read <= before[0]
            assert write <= before[1]


@given(provisioned=provisioned, wanted=wanted, direction=st.sampled_from(Direction))
def test_a_request_reaches_every_wanted_unit_that_lies_in_its_direction(
    provisioned: dict[Resource, tuple[int, int]],
    wanted: list[CapacityChange],
    direction: Direction,
) -> None:
    changes = remaining_changes(planned(direction, *wanted), described(provisioned))
    after = provisioned | flatten(build_update("feed", changes))
    for change in wanted:
        if change.resource in provisioned:
            read, write = after[change.resource]
            if direction is Direction.OUT:
                assert read >= change.read
                assert write >= change.write
            else:
                assert read <= change.read
                assert write <= change.write


@given(provisioned=provisioned, wanted=wanted, direction=st.sampled_from(Direction))
def test_a_plan_carried_out_leaves_nothing_to_send(
    provisioned: dict[Resource, tuple[int, int]],
    wanted: list[CapacityChange],
    direction: Direction,
) -> None:
    plan = planned(direction, *wanted)
    changes = remaining_changes(plan, described(provisioned))
    after = provisioned | {c.resource: (c.read, c.write) for c in changes}
    assert remaining_changes(plan, described(after)) == ()


def test_a_resource_that_is_gone_is_named() -> None:
    gone = Resource("feed", "by-day")
    plan = planned(Direction.OUT, CapacityChange(resource=gone, read=5, write=5))
    before = described({Resource("feed"): (1, 1)})
    assert find_missing(plan, before) == (gone,)
    assert remaining_changes(plan, before) == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (CapacityChange(resource=Resource("feed"), read=0, write=5), "feed read 0 is below 1"),
        (
            CapacityChange(resource=Resource("feed", "by-day"), read=5, write=-1),
            "feed/index/by-day write -1 is below 1",
        ),
        (CapacityChange(resource=Resource("users"), read=5, write=5), "plan for feed names users"),
    ],
)
def test_a_plan_no_call_could_carry_is_told_what_is_wrong(
    change: CapacityChange, fault: str
) -> None:
    assert find_fault(planned(Direction.IN, change)) == fault


@pytest.mark.parametrize(
    ("operation", "parameters", "complaint"),
    [
        ("DeleteTable", {"TableName": "feed"}, "DeleteTable is not among"),
        (
            "UpdateTable",
            {"TableName": "feed", "StreamSpecification": {"StreamEnabled": False}},
            r"not \['StreamSpecification'\]",
        ),
        (
            "UpdateTable",
            {"TableName": "feed", "BillingMode": "FREE"},
            "BillingMode 'FREE' may not be sent",
        ),
        (
            "UpdateTable",
            {"TableName": "feed", "BillingMode": "PROVISIONED"},
            "BillingMode 'PROVISIONED' may not be sent",
        ),
        (
            "UpdateTable",
            {
                "TableName": "feed",
                "BillingMode": "PAY_PER_REQUEST",
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            },
            "BillingMode 'PAY_PER_REQUEST' may not be sent",
        ),
        (
            "UpdateTable",
            {
                "TableName": "feed",
                "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-day"}}],
            },
            r"only be updated, not \['Delete'\]",
        ),
    ],
)
def test_what_the_role_allows_beyond_our_calls_is_refused_in_the_process(
    operation: str, parameters: dict[str, object], complaint: str
) -> None:
    with pytest.raises(InvariantError, match=complaint):
        refuse_unlisted(operation, parameters)


ON_DEMAND, PROVISIONED = BillingMode.PAY_PER_REQUEST, BillingMode.PROVISIONED


def switching(to: BillingMode, *changes: CapacityChange) -> Plan:
    switch = Switch(to=to, on_demand_usd=1.0, provisioned_usd=1.0)
    return replace(planned(Direction.OUT, *changes), switch=switch)


def test_a_switch_to_on_demand_sends_the_mode_alone() -> None:
    plan = switching(ON_DEMAND)
    changes = remaining_changes(plan, described({Resource("feed"): (1, 1)}))
    request = build_update("feed", changes, mode=ON_DEMAND)
    assert request == {"TableName": "feed", "BillingMode": "PAY_PER_REQUEST"}
    refuse_unlisted("UpdateTable", request)


@given(provisioned=provisioned, wanted=wanted)
def test_the_way_back_sends_all_that_was_planned_whatever_is_provisioned(
    provisioned: dict[Resource, tuple[int, int]], wanted: list[CapacityChange]
) -> None:
    of_table = CapacityChange(resource=RESOURCES[0], read=7, write=7)
    wanted = list({c.resource: c for c in [*wanted, of_table]}.values())
    plan = switching(PROVISIONED, *wanted)
    assert remaining_changes(plan, described(provisioned)) == plan.changes
    request = build_update("feed", plan.changes, mode=PROVISIONED)
    refuse_unlisted("UpdateTable", request)
    assert request["BillingMode"] == "PROVISIONED"
    assert flatten(request).keys() == {c.resource for c in wanted}


def test_a_switch_that_no_call_could_carry_is_told_what_is_wrong() -> None:
    units = CapacityChange(resource=Resource("feed"), read=5, write=5)
    index = CapacityChange(resource=Resource("feed", "by-day"), read=5, write=5)
    assert find_fault(switching(ON_DEMAND, units)) == "a switch of feed to on-demand names units"
    assert find_fault(switching(PROVISIONED, index)) == (
        "a switch of feed to provisioned names no units for it"
    )
    assert find_fault(switching(PROVISIONED, units, index)) is None
