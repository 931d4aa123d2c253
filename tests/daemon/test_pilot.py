"""The pilot's bookkeeping: what it believes of its tables between the ticks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from capacity_pilot.core.auto_scaling import Registration
from capacity_pilot.core.demand import Arrivals
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    CapacityChange,
    Dimension,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    ResourceDescription,
    ResourceStatus,
    Sample,
    SampleKey,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.pilot import Applied, Pilot, Step
from tests.daemon.stage import policies

NOON = 1_790_000_000.0
FEED, BY_DAY, USERS = Resource("feed"), Resource("feed", "by-day"), Resource("feed-users")
ACTIVE, UPDATING = ResourceStatus.ACTIVE, ResourceStatus.UPDATING


def describe(
    *resources: Resource,
    at: float = NOON,
    write: int = 100,
    status: ResourceStatus = ACTIVE,
    billing: BillingMode = BillingMode.PROVISIONED,
    is_global: bool = False,
    warm: int | None = None,
) -> TableDescription:
    return TableDescription(
        table=resources[0].table,
        billing_mode=billing,
        resources=tuple(
            ResourceDescription(
                resource=r, status=status, read=100, write=write, warm_read=warm, warm_write=warm
            )
            for r in resources
        ),
        described_at=at,
        is_global=is_global,
    )


def make_pilot(*descriptions: TableDescription) -> Pilot:
    pilot = Pilot(policies(), limits=AccountLimits(), apply_time_s=30.0, now=NOON)
    for description in descriptions:
        pilot.observe(description)
    return pilot


def told(second: float, demand: Mapping[Resource, float]) -> dict[SampleKey, Sample]:
    return {
        (r.table, r.index, int(Dimension.WRITE), int(second) - 1): Sample(units=units, requests=1)
        for r, units in demand.items()
    }


def run(pilot: Pilot, demand: Mapping[Resource, float], *, since: float, seconds: int) -> Step:
    """Ticks through the seconds; the last step."""
    for now in range(int(since) + 1, int(since) + seconds):
        pilot.step(told(now, demand), float(now))
    end = since + seconds
    return pilot.step(told(end, demand), end)


def request(pilot: Pilot, *, write: int, at: float, kind: OutcomeKind) -> None:
    change = CapacityChange(resource=FEED, read=100, write=write)
    plan = Plan(
        table="feed", direction=Direction.OUT, changes=(change,), decided_at=at, expires_at=at + 5
    )
    pilot.begin(plan)
    pilot.finish("feed", Outcome(plan=plan, kind=kind, ended_at=at, sent=(change,)))


def demand_of(step: Step, resource: Resource) -> float:
    slot = step.fleet.slot(resource, Dimension.WRITE)
    assert slot is not None
    return float(step.decisions.demand[slot])


@pytest.mark.parametrize("kind", [OutcomeKind.REQUESTED, OutcomeKind.UNKNOWN])
def test_a_change_is_seen_in_force_when_the_table_is_settled_on_it(kind: OutcomeKind) -> None:
    pilot = make_pilot(describe(FEED))
    request(pilot, write=400, at=NOON, kind=kind)
    assert pilot.is_changing("feed")
    assert pilot.observe(describe(FEED, at=NOON + 1, status=UPDATING)) is None
    assert pilot.observe(describe(FEED, at=NOON + 7, write=400)) == Applied(
        table="feed",
        changes=(CapacityChange(resource=FEED, read=100, write=400),),
        after_s=7.0,
    )
    assert not pilot.is_changing("feed")


def test_one_slow_change_beyond_warm_throughput_makes_nobody_expect_it_of_those_within() -> None:
    pilot, at = make_pilot(describe(FEED, warm=4000)), NOON
    pilot.fit(at)
    for write, warm, takes_s in ((400, 4000, 2.0), (800, 4000, 3.0), (6000, 6000, 240.0)):
        request(pilot, write=write, at=at, kind=OutcomeKind.REQUESTED)
        at += takes_s
        assert pilot.observe(describe(FEED, at=at, write=write, warm=warm)) is not None
    slot = pilot.fleet.slot(FEED, Dimension.WRITE)
    assert pilot.apply_time_s[slot] >= 240, "it has all that is warm: more may take as long"
    request(pilot, write=900, at=at, kind=OutcomeKind.REQUESTED)
    pilot.observe(describe(FEED, at=at + 2, write=900, warm=6000))
    assert pilot.apply_time_s[slot] < 5


def test_a_change_that_never_took_is_closed_without_being_called_applied() -> None:
    pilot = make_pilot(describe(FEED))
    request(pilot, write=400, at=NOON, kind=OutcomeKind.UNKNOWN)
    assert pilot.observe(describe(FEED, at=NOON + 1)) is None
    assert not pilot.is_changing("feed")


def test_a_reading_older_than_the_request_says_nothing_of_it() -> None:
    pilot = make_pilot(describe(FEED))
    request(pilot, write=400, at=NOON + 5, kind=OutcomeKind.REQUESTED)
    assert pilot.observe(describe(FEED, at=NOON + 5)) is None
    assert pilot.is_changing("feed")


def test_a_change_that_hangs_is_given_up_after_a_quarter_of_an_hour() -> None:
    pilot = make_pilot(describe(FEED))
    request(pilot, write=400, at=NOON, kind=OutcomeKind.REQUESTED)
    pilot.observe(describe(FEED, at=NOON + 900, status=UPDATING))
    assert pilot.is_changing("feed")
    pilot.observe(describe(FEED, at=NOON + 901, status=UPDATING))
    assert not pilot.is_changing("feed")


def test_nothing_is_planned_for_a_table_while_its_plan_is_on_its_way_or_requested() -> None:
    pilot = make_pilot(describe(FEED))
    (plan,) = run(pilot, {FEED: 300.0}, since=NOON, seconds=20).plans
    pilot.begin(plan)
    assert pilot.step(told(NOON + 21, {FEED: 300.0}), NOON + 21).plans == ()
    requested = Outcome(
        plan=plan, kind=OutcomeKind.REQUESTED, ended_at=NOON + 21, sent=plan.changes
    )
    pilot.finish("feed", requested)
    assert pilot.step(told(NOON + 22, {FEED: 300.0}), NOON + 22).plans == ()


@pytest.mark.parametrize("kind", [None, OutcomeKind.BUSY, OutcomeKind.DENIED, OutcomeKind.EXPIRED])
def test_a_plan_that_came_to_nothing_is_made_again(kind: OutcomeKind | None) -> None:
    pilot = make_pilot(describe(FEED))
    (plan,) = run(pilot, {FEED: 300.0}, since=NOON, seconds=20).plans
    pilot.begin(plan)
    outcome = kind and Outcome(plan=plan, kind=kind, ended_at=NOON + 20)
    pilot.finish("feed", outcome)
    assert pilot.step(told(NOON + 21, {FEED: 300.0}), NOON + 21).plans != ()


def test_a_learned_apply_time_reaches_further_ahead() -> None:
    """A climb is sized for when a change would be in force: slow tables are raised higher."""
    sizes = []
    for took_s in (2.0, 600.0):
        pilot = make_pilot(describe(FEED))
        pilot.step({}, NOON)
        at = NOON
        for write in (101, 102, 103, 104, 105, 106):
            request(pilot, write=write, at=at, kind=OutcomeKind.REQUESTED)
            at += took_s
            pilot.observe(describe(FEED, at=at, write=write))
        for second in range(300):
            step = pilot.step(told(at + second, {FEED: 40.0 + second / 4}), at + second)
        sizes.append(float(step.decisions.expected[1]))
    assert sizes[1] > sizes[0]


def test_a_new_table_leaves_what_is_known_of_the_others() -> None:
    pilot = make_pilot(describe(FEED))
    run(pilot, {FEED: 80.0}, since=NOON, seconds=40)
    pilot.observe(describe(Resource("feed-a"), at=NOON + 40))
    pilot.observe(describe(USERS, at=NOON + 40))
    step = pilot.step({}, NOON + 41)
    assert len(step.fleet) == 6
    assert demand_of(step, FEED) == pytest.approx(80.0)
    assert str(demand_of(step, USERS)) == "nan", "a new table's demand is unknown, not zero"


def test_a_table_that_is_gone_takes_nothing_of_the_others_along() -> None:
    pilot = make_pilot(describe(FEED, BY_DAY), describe(USERS))
    run(pilot, {FEED: 80.0, BY_DAY: 30.0, USERS: 60.0}, since=NOON, seconds=40)
    pilot.forget("feed")
    step = pilot.step(told(NOON + 41, {FEED: 80.0, USERS: 60.0}), NOON + 41)
    assert step.fleet.resources == (USERS,)
    assert step.unmanaged == 1
    assert demand_of(step, USERS) == pytest.approx(60.0)


def test_an_index_that_comes_keeps_its_tables_past_and_one_that_goes_too() -> None:
    pilot = make_pilot(describe(FEED))
    run(pilot, {FEED: 80.0}, since=NOON, seconds=40)
    pilot.observe(describe(FEED, BY_DAY, at=NOON + 40))
    step = run(pilot, {FEED: 80.0, BY_DAY: 20.0}, since=NOON + 40, seconds=20)
    assert demand_of(step, FEED) == pytest.approx(80.0)
    assert demand_of(step, BY_DAY) == pytest.approx(20.0)
    pilot.observe(describe(FEED, at=NOON + 60))
    step = pilot.step({}, NOON + 61)
    assert demand_of(step, FEED) == pytest.approx(80.0)


def test_a_slower_answer_to_an_earlier_question_is_ignored() -> None:
    pilot = make_pilot(describe(FEED, at=NOON + 10, write=400))
    assert pilot.observe(describe(FEED, at=NOON + 9, write=100)) is None
    assert pilot.step({}, NOON + 11).decisions.provisioned[1] == 400


@pytest.mark.parametrize(
    "undriven",
    [describe(FEED, at=NOON + 5, billing=BillingMode.PAY_PER_REQUEST), describe(Resource("other"))],
)
def test_on_demand_tables_and_those_without_a_policy_have_no_slots(
    undriven: TableDescription,
) -> None:
    pilot = make_pilot(describe(FEED))
    pilot.observe(undriven)
    assert undriven.table not in {r.table for r in pilot.step({}, NOON + 6).fleet.resources}


def test_a_global_table_is_watched_and_left_alone() -> None:
    pilot = make_pilot(describe(FEED, is_global=True))
    step = run(pilot, {FEED: 300.0}, since=NOON, seconds=30)
    assert step.plans == ()
    assert demand_of(step, FEED) == pytest.approx(300.0)


def test_what_a_local_index_serves_is_the_tables_and_writes_to_one_unknown_are_nobodys() -> None:
    pilot = make_pilot(describe(FEED, BY_DAY))
    read, write = int(Dimension.READ), int(Dimension.WRITE)
    second = int(NOON)
    samples: dict[SampleKey, Sample] = {
        ("feed", "by-length", read, second): Sample(units=30.0, requests=1),
        ("feed", "by-length", write, second): Sample(units=20.0, requests=1),
        ("feed", "by-day", read, second): Sample(units=5.0, requests=1),
        ("other", "by-length", read, second): Sample(units=7.0, requests=1),
    }
    step = pilot.step(samples, NOON + 1)
    assert step.unmanaged == 2
    demand = pilot._state.demand.units.sum(axis=0)
    slots = [pilot.fleet.slot(r, Dimension.READ) for r in (FEED, BY_DAY)]
    assert [demand[slot] for slot in slots if slot is not None] == [30.0, 5.0]


def test_told_by_slot_or_by_name_a_pilot_decides_the_same() -> None:
    by_name, by_slot = make_pilot(describe(FEED)), make_pilot(describe(FEED))
    slot = by_slot.fit(NOON).slot(FEED, Dimension.WRITE)
    assert slot is not None
    for now in range(int(NOON) + 1, int(NOON) + 60):
        units = 3.0 * (now - NOON)
        named = by_name.step(told(now, {FEED: units}), now)
        arrivals = Arrivals(
            np.array([slot]), np.array([now - 1]), np.array([units]), np.array([0.0])
        )
        slotted = by_slot.decide(arrivals, now)
        np.testing.assert_array_equal(named.decisions.units, slotted.decisions.units)
        assert named.plans == slotted.plans


@pytest.mark.parametrize(
    ("status", "is_in_motion"),
    [
        (ACTIVE, False),
        (ResourceStatus.UPDATING, True),
        (ResourceStatus.CREATING, True),
        (ResourceStatus.ARCHIVED, False),
        (ResourceStatus.INACCESSIBLE_ENCRYPTION_CREDENTIALS, False),
    ],
)
def test_a_state_that_no_waiting_ends_is_not_watched_by_the_second(
    status: ResourceStatus, *, is_in_motion: bool
) -> None:
    pilot = make_pilot(describe(FEED, status=status))
    assert pilot.is_in_motion("feed") is is_in_motion


@pytest.mark.parametrize(("minimum", "is_in_motion"), [(100, False), (101, True)])
def test_a_minimum_that_capacity_has_yet_to_follow_is_watched(
    minimum: int, *, is_in_motion: bool
) -> None:
    pilot = Pilot(policies(mode="floor"), limits=AccountLimits(), apply_time_s=30.0, now=NOON)
    at = ScalableTarget(FEED, Dimension.WRITE)
    raised = Registration(target=at, minimum=minimum, maximum=500)
    pilot.observe(replace(describe(FEED), registrations=(raised,)))
    assert pilot.is_in_motion("feed") is is_in_motion


def test_what_a_tick_was_told_of_capacity_stays_as_it_was() -> None:
    pilot = make_pilot(describe(FEED))
    before = pilot.step({}, NOON + 1).decisions
    pilot.observe(describe(FEED, at=NOON + 2, write=700))
    after = pilot.step({}, NOON + 3).decisions
    assert (before.provisioned[1], after.provisioned[1]) == (100, 700)


def test_a_clock_put_back_does_not_leave_the_pilot_deaf_until_it_has_caught_up() -> None:
    pilot = make_pilot(describe(FEED))
    run(pilot, {FEED: 20.0}, since=NOON, seconds=120)
    ahead = NOON + 120 + 600
    pilot.step({}, ahead)
    pilot.observe(describe(FEED, at=ahead))
    request(pilot, write=120, at=ahead, kind=OutcomeKind.REQUESTED)

    step = run(pilot, {FEED: 300.0}, since=NOON + 121, seconds=40)
    assert demand_of(step, FEED) == pytest.approx(300.0, rel=0.1)
    assert pilot.is_changing("feed")
    pilot.observe(describe(FEED, at=NOON + 162, write=120))
    assert not pilot.is_changing("feed"), "what is read now is newer, and closes what is under way"
    (plan,) = run(pilot, {FEED: 300.0}, since=NOON + 162, seconds=1).plans
    assert plan.direction is Direction.OUT


def test_a_clock_put_back_a_little_costs_the_pilot_nothing_it_knows() -> None:
    pilot = make_pilot(describe(FEED))
    before = run(pilot, {FEED: 20.0}, since=NOON, seconds=120)
    after = pilot.step(told(NOON + 119, {FEED: 20.0}), NOON + 119)
    assert demand_of(after, FEED) == pytest.approx(demand_of(before, FEED), rel=0.2)
    slot = after.fleet.slot(FEED, Dimension.WRITE) or 0
    assert after.decisions.burst_units[slot] > 0
