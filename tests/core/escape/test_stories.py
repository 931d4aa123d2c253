"""A table that needs more than it may ever have leaves for on-demand, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from capacity_pilot.core.brakes import Brakes, FreezeInForce, OverrideInForce
from capacity_pilot.core.escape.escaped import Escape
from capacity_pilot.core.model import AccountLimits, Direction, OutcomeKind, Resource
from capacity_pilot.core.reasons import Reason
from tests.core.escape.stage import (
    BY_DAY,
    CALM,
    FEED,
    INDEX_WRITES,
    NOON,
    ON_DEMAND,
    PROVISIONED,
    RUSH,
    WRITES,
    Stage,
    make_policies,
    set_stage,
)


def escaped(stage: Stage | None = None) -> Stage:
    """The table is on-demand, and the rush goes on."""
    stage = stage or set_stage()
    stage.pass_seconds(120, RUSH)
    assert stage.table.billing_mode is ON_DEMAND
    return stage


def test_a_need_above_the_maximum_is_met_on_demand_once_it_has_lasted() -> None:
    stage = set_stage()
    stage.pass_seconds(15, RUSH)
    assert stage.plans[-1].changes[0].write == 1000, "what can be had at once comes first"
    assert Reason.OUT_OF_REACH | Reason.SWITCH_WAITS in stage.reasons()
    assert not stage.switches
    stage.pass_seconds(15, RUSH)
    (away,) = stage.switches
    assert (away.to, away.changes, away.direction) == (ON_DEMAND, (), Direction.OUT)
    assert away.reasons == ("out_of_reach",)
    assert set(away.moving) == {WRITES, INDEX_WRITES}


def test_what_either_costs_is_told_with_the_switch() -> None:
    (away,) = escaped().switches
    assert away.switch is not None
    # 3,000 writes a second to table and index at 0.625 $ a million; 1,000 units each at 0.00065 $
    # an hour, and 30 reads each at 0.00013 $.
    assert away.switch.on_demand_usd == pytest.approx(2 * 3000 * 3600 * 0.625e-6, rel=0.9)
    assert away.switch.on_demand_usd > 2 * 3000 * 3600 * 0.625e-6
    assert away.switch.provisioned_usd == pytest.approx(2 * (1000 * 0.00065 + 30 * 0.00013))


def test_it_comes_back_with_units_for_the_table_and_every_index_when_it_is_long_over() -> None:
    stage = escaped()
    stage.pass_seconds(590, CALM)
    assert Reason.ON_DEMAND | Reason.WITHIN_REACH | Reason.SWITCH_WAITS in stage.reasons()
    assert len(stage.switches) == 1
    stage.pass_seconds(200, CALM)
    _, back = stage.switches
    assert (back.to, back.direction) == (PROVISIONED, Direction.IN)
    assert [c.resource for c in back.changes] == [FEED, BY_DAY]
    assert all(100 <= change.write <= 1000 for change in back.changes)
    assert all(change.read == 30 for change in back.changes), "no bounds: as it was"
    stage.pass_seconds(60, CALM)
    assert stage.table.billing_mode is PROVISIONED
    assert not stage.pilot.has_escaped("feed")
    stage.pass_seconds(600, CALM)
    assert any(p.direction is Direction.IN and p.switch is None for p in stage.plans), "as ever"


def test_a_rush_that_comes_again_begins_the_wait_anew() -> None:
    stage = escaped()
    stage.pass_seconds(500, CALM)
    stage.pass_seconds(30, RUSH)
    stage.pass_seconds(500, CALM)
    assert len(stage.switches) == 1


def test_a_rush_that_is_soon_over_is_no_reason_to_leave() -> None:
    stage = set_stage()
    stage.pass_seconds(15, RUSH)
    stage.pass_seconds(300, CALM)
    assert not stage.switches
    assert Reason.OUT_OF_REACH not in stage.reasons()


@pytest.mark.parametrize("written", [None, False])
def test_without_the_policys_word_no_mode_is_switched(written: object) -> None:
    stage = set_stage(make_policies(on_demand_escape=written))
    stage.pass_seconds(300, RUSH)
    assert not stage.switches
    assert Reason.OUT_OF_REACH not in stage.reasons()


def test_what_the_accounts_quota_leaves_is_no_more_than_what_may_be_had() -> None:
    limits = AccountLimits(account_write=1200)
    stage = set_stage(make_policies(write={"min": 50, "max": 30_000}), limits=limits)
    stage = escaped(stage)
    raised = [change.write for change in stage.plans[-2].changes]
    assert sum(raised) <= 1200


def test_from_a_quota_of_the_table_itself_on_demand_is_no_escape() -> None:
    limits = AccountLimits(table_write=1000)
    stage = set_stage(make_policies(write={"min": 50, "max": 30_000}), limits=limits)
    stage.pass_seconds(120, RUSH)
    assert Reason.CEILING in stage.reasons()
    assert not stage.switches


def test_on_demand_the_table_takes_nothing_of_the_accounts_quota() -> None:
    stage = escaped()
    _, write = stage.pilot.weigh_account(stage.now)
    assert write.managed == 0


def test_silence_takes_nothing_back() -> None:
    stage = escaped()
    stage.pass_seconds(60, CALM)
    stage.is_telling = False
    stage.pass_seconds(1500, CALM)
    assert len(stage.switches) == 1
    stage.is_telling = True
    stage.pass_seconds(900, CALM)
    assert len(stage.switches) == 2


def test_an_index_that_fell_silent_comes_back_with_no_less_than_it_had() -> None:
    stage = set_stage()
    stage.pass_seconds(120, {**RUSH, INDEX_WRITES: 100.0})
    assert stage.table.billing_mode is ON_DEMAND
    stage.pass_seconds(200, {WRITES: 100.0})
    escape = stage.pilot.switching.escape("feed")
    assert escape is not None
    had = escape.had[BY_DAY][1]
    stage.pass_seconds(700, {WRITES: 100.0})
    _, back = stage.switches
    assert back.changes[1].write >= had > 100


def test_an_index_added_meanwhile_is_named_as_well() -> None:
    stage = escaped()
    by_user = Resource("feed", "by-user")
    added = replace(stage.table.resources[1], resource=by_user)
    stage.table = replace(stage.table, resources=(*stage.table.resources, added))
    stage.pass_seconds(900, CALM)
    _, back = stage.switches
    assert [c.resource for c in back.changes] == [FEED, BY_DAY, by_user]
    assert back.changes[-1].read == 30, "as the table had"


def test_the_last_switch_of_a_day_is_not_undone_before_another_is_allowed() -> None:
    rules = {"after": "20s", "return_after": "10m", "switches_per_day": 1}
    stage = escaped(set_stage(make_policies(on_demand_escape=rules)))
    stage.pass_seconds(1200, CALM)
    assert Reason.SWITCHES_SPENT in stage.reasons()
    assert len(stage.switches) == 1


def test_once_aws_has_refused_a_switch_it_is_not_asked_for_an_hour() -> None:
    stage = set_stage()
    stage.refuse = lambda plan: OutcomeKind.LIMIT if plan.to is ON_DEMAND else None
    stage.pass_seconds(900, RUSH)
    assert len(stage.switches) == 1
    assert Reason.SWITCHES_SPENT in stage.reasons()


def test_a_switch_whose_answer_is_lost_is_the_pilots_when_it_shows_late() -> None:
    stage = set_stage()
    stage.refuse = lambda plan: OutcomeKind.UNKNOWN if plan.to is ON_DEMAND else None
    stage.pass_seconds(30, RUSH)
    assert len(stage.switches) == 1
    stage.refuse = lambda _: None
    on_demand = [replace(r, read=0, write=0) for r in stage.table.resources]
    stage.table = replace(stage.table, billing_mode=ON_DEMAND, resources=tuple(on_demand))
    stage.pass_seconds(5, RUSH)
    assert stage.pilot.has_escaped("feed")
    stage.pass_seconds(1200, CALM)
    assert stage.switches[-1].to is PROVISIONED


def test_a_table_that_somebody_else_made_on_demand_is_not_the_pilots() -> None:
    stage = set_stage()
    stage.table = replace(stage.table, billing_mode=ON_DEMAND)
    stage.pass_seconds(900, CALM)
    assert not stage.switches
    assert len(stage.pilot.fleet) == 0


def test_one_that_somebody_else_takes_back_is_provisioned_and_no_more() -> None:
    stage = escaped()
    units = [replace(r, read=30, write=1000) for r in stage.table.resources]
    stage.table = replace(stage.table, billing_mode=PROVISIONED, resources=tuple(units))
    stage.pass_seconds(5, CALM)
    assert not stage.pilot.has_escaped("feed")
    assert Reason.ON_DEMAND not in stage.reasons()


def test_a_table_that_changes_in_minutes_and_switches_in_seconds_leaves_at_once() -> None:
    """It was on-demand before, and the last raises took six minutes."""
    stage = set_stage(make_policies(write={"min": 50, "max": 30_000}))
    stage.apply_s, stage.switch_s = 360.0, 5.0
    for level in (300.0, 500.0, 800.0):
        stage.pass_seconds(800, {WRITES: level, INDEX_WRITES: level})
    stage.table = replace(stage.table, on_demand_at=NOON - 5 * 86_400.0)
    while not stage.table.is_settled:
        stage.pass_seconds(1, {WRITES: 800.0, INDEX_WRITES: 800.0})
    assert not stage.switches
    stage.pass_seconds(20, {WRITES: 9000.0, INDEX_WRITES: 9000.0})
    assert [plan.to for plan in stage.switches] == [ON_DEMAND]


ORDER = {"by": "kim", "why": "a test"}


def freeze(direction: str) -> Brakes:
    frozen = {"direction": direction, "id": "f1", "since": NOON, "until": None}
    return Brakes(freezes=(FreezeInForce.model_validate({**ORDER, **frozen}),))


def test_a_freeze_holds_a_switch_in_its_direction_and_no_other() -> None:
    stage = set_stage()
    stage.pilot.heed(freeze("out"))
    stage.pass_seconds(120, RUSH)
    assert Reason.OPERATOR_FREEZE in stage.reasons()
    assert not stage.switches
    stage.pilot.heed(freeze("in"))
    stage = escaped(stage)
    stage.pass_seconds(1200, CALM)
    assert Reason.OPERATOR_FREEZE in stage.reasons()
    assert len(stage.switches) == 1
    stage.pilot.heed(Brakes())
    stage.pass_seconds(5, CALM)
    assert len(stage.switches) == 2


def test_while_a_person_has_set_capacity_nobody_switches() -> None:
    stage = set_stage()
    order = {**ORDER, "table": "feed", "write": 800, "lasts": 3600.0}
    times = {"id": "o1", "since": NOON, "until": NOON + 7200}
    stage.pilot.heed(Brakes(overrides=(OverrideInForce.model_validate({**order, **times}),)))
    stage.pass_seconds(120, RUSH)
    assert not stage.switches
    assert Reason.OVERRIDDEN in stage.reasons()


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ({"spend_per_hour": 5.0}, Reason.SPEND_PER_HOUR),
        ({"spend_per_hour": 50.0}, None),
    ],
)
def test_a_limit_on_spending_holds_what_on_demand_would_cost(
    limit: dict[str, object], reason: Reason | None
) -> None:
    stage = set_stage(make_policies(limits=limit))
    stage.pass_seconds(120, RUSH)
    assert bool(stage.switches) is (reason is None)
    assert reason is None or reason in stage.reasons()


def recalled(stage: Stage, escape: Escape | None) -> Iterator[Stage]:
    """The next process, over the same table."""
    later = set_stage()
    later.table, later.now = stage.table, stage.now
    later.pilot.recall_switches("feed", [stage.switches[0].decided_at], escape)
    yield later


def test_the_next_process_brings_back_what_the_last_one_switched() -> None:
    stage = escaped()
    later = next(recalled(stage, stage.pilot.switching.escape("feed")))
    later.pass_seconds(1000, CALM)
    assert [plan.to for plan in later.switches] == [PROVISIONED]
    assert all(change.read == 30 for change in later.switches[0].changes)
