"""Plans: one per table, one direction, both units, nothing moved that was not decided."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import Direction, Resource
from capacity_pilot.core.plan import FRESH_S, MOST, plan_changes
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Decisions

FLEET = Fleet.of([Resource("a"), Resource("a", "x"), Resource("a", "y"), Resource("b")])
SIZE = len(FLEET)
NOW = 1_700_000_000.5

counts = st.lists(st.integers(1, 500).map(float), min_size=SIZE, max_size=SIZE).map(np.array)


def decide(provisioned: np.ndarray, units: np.ndarray) -> Decisions:
    blank = np.zeros(len(units))
    return Decisions(
        units=units,
        action=np.sign(np.nan_to_num(units - provisioned)).astype(np.int8),
        reasons=np.where(units > provisioned, Reason.SURGE, Reason.TROUGH).astype(np.int64),
        provisioned=provisioned,
        demand=blank,
        expected=blank,
        least=blank,
        sustained=blank,
        resting=blank,
        burst_units=blank,
        seconds_to_throttle=blank,
        foreseen=blank,
        coverage=blank,
        upstream=blank,
    )


@given(counts, counts, st.lists(st.booleans(), min_size=SIZE, max_size=SIZE))
def test_laws_of_plans(
    provisioned: np.ndarray,
    units: np.ndarray,
    moving: list[bool],
) -> None:
    decisions = decide(provisioned, np.where(moving, units, provisioned))
    plans = plan_changes(FLEET, decisions, NOW)
    assert max(Counter(plan.table for plan in plans).values(), default=1) == 1
    acting = np.flatnonzero(decisions.action).tolist()
    assert {p.table for p in plans} == {FLEET.target(s).resource.table for s in acting}
    for plan in plans:
        sign = 1 if plan.direction is Direction.OUT else -1
        wanted = [s for s in acting if FLEET.target(s).resource.table == plan.table]
        # An increase is never put off for a decrease.
        assert sign == max(decisions.action[s] for s in wanted)
        sent = {}
        for change in plan.changes:
            for slot in range(SIZE):
                if FLEET.target(slot).resource == change.resource:
                    sent[slot] = change.write if slot % 2 else change.read
        for slot, value in sent.items():
            due = decisions.action[slot] == sign
            assert value == (decisions.units[slot] if due else provisioned[slot])
            assert sign * (value - provisioned[slot]) >= 0
        assert {s for s in wanted if decisions.action[s] == sign} <= set(sent)
        # A change that changes nothing would have AWS refuse the whole call.
        assert all(sent[2 * (s // 2)] + sent[2 * (s // 2) + 1] for s in sent)
        assert all(
            any(value != provisioned[s] for s, value in sent.items() if s // 2 == first // 2)
            for first in sent
        )
        moved = [s for s in sorted(wanted) if decisions.action[s] == sign]
        assert plan.moving == tuple(map(FLEET.target, moved))
        assert plan.decided_at == NOW
        assert plan.expires_at == NOW + FRESH_S
        assert plan.reasons == (("surge",) if sign > 0 else ("trough",))


def test_nothing_to_do_is_no_plan() -> None:
    assert plan_changes(FLEET, decide(np.ones(SIZE), np.ones(SIZE)), NOW) == ()


def test_a_neighbour_whose_capacity_is_unknown_is_no_obstacle() -> None:
    provisioned = np.array([10.0, 10.0] + [np.nan] * 6)
    raised = np.where(np.arange(SIZE) == 0, 20.0, provisioned)
    (plan,) = plan_changes(FLEET, decide(provisioned, raised), NOW)
    assert (plan.changes[0].read, plan.changes[0].write) == (20, 10)


def test_the_soonest_to_throttle_comes_first_and_decreases_last() -> None:
    fleet = Fleet.of([Resource(name) for name in "abcd"])
    provisioned = np.full(len(fleet), 100.0)
    units = np.tile([100.0, 200.0], 4)
    units[3] = 50.0
    decisions = decide(provisioned, units)
    dry_in_s = np.array([1.0, 90.0, 1.0, 1.0, 1.0, 3.0, 1.0, np.inf])
    reasons = decisions.reasons.copy()
    reasons[7] |= Reason.OVERRIDDEN
    urgent = decisions._replace(seconds_to_throttle=dry_in_s, reasons=reasons)
    plans = plan_changes(fleet, urgent, NOW)
    assert [(p.table, p.urgent_s) for p in plans] == [
        ("d", 0.0),
        ("c", 3.0),
        ("a", 90.0),
        ("b", np.inf),
    ]


def test_of_more_tables_than_can_be_under_way_the_most_urgent_are_planned_for() -> None:
    """Two indexes each, so that a table's go together; half of the tables are to be lowered."""
    count = 2 * MOST
    names = [f"t{n:04}" for n in range(count)]
    fleet = Fleet.of([Resource(name, index) for name in names for index in ("", "x")])
    table = np.arange(len(fleet)) // 4
    provisioned = np.full(len(fleet), 100.0)
    units = np.where(table % 2, 50.0, 200.0)
    units[1::4] = 100.0
    dry_in_s = np.where(table == 7, np.nan, 5000.0 - table)
    decisions = decide(provisioned, units)._replace(seconds_to_throttle=dry_in_s)
    assert len({slot.table for slot in fleet.resources}) == count
    plans = plan_changes(fleet, decisions, NOW)
    raised = names[::2]
    assert [plan.table for plan in plans] == raised[::-1]
    assert all(len(plan.moving) == 3 for plan in plans)
    waiting = {(raised[-1], Direction.OUT), (raised[-2], Direction.IN)}
    plans = plan_changes(fleet, decisions, NOW, waiting=waiting)
    assert len(plans) == MOST
    planned = {plan.table: plan.direction for plan in plans}
    assert raised[-1] not in planned, "it waits, and another may go"
    assert planned[raised[-2]] is Direction.OUT
    assert list(planned.values()).count(Direction.IN) == 1
