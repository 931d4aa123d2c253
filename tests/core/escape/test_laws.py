"""Whatever demand does and whatever AWS answers: never a fifth switch in a day, and no way back
that leaves out an index or the bounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.escape.switching import Switching
from capacity_pilot.core.escape.view import View
from capacity_pilot.core.escape.weighing import Seen
from capacity_pilot.core.events.schedule import NOTHING_COMING
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.ladder import Rung
from capacity_pilot.core.model import (
    AccountLimits,
    Dimension,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
)
from capacity_pilot.core.policy_arrays import spread_policies
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Capacity, Decisions
from tests.core.escape.stage import BY_DAY, FEED, NOON, ON_DEMAND, PROVISIONED, make_policies
from tests.core.feed_table import describe_table

DAY_S = 86_400.0
BY_USER = Resource("feed", "by-user")
FLOOR, CEILING = 50, 1000


class Moment(NamedTuple):
    """``level`` is what everything is asked for, NaN for unknown."""

    after_s: float
    level: float
    rung: Rung
    answer: OutcomeKind
    has_third: bool
    is_clock_put_back: bool


moments = st.builds(
    Moment,
    after_s=st.sampled_from([1.0, 20.0, 60.0, 300.0, 900.0, 3600.0, 20_000.0, 90_000.0]),
    level=st.sampled_from([0.0, 90.0, 700.0, 801.0, 1001.0, 9000.0, 1e12, float("nan")]),
    rung=st.sampled_from([Rung.FULL, Rung.FULL, Rung.NO_UPSTREAM, Rung.CLOUDWATCH, Rung.HOLD]),
    answer=st.sampled_from(
        [
            OutcomeKind.REQUESTED,
            OutcomeKind.REQUESTED,
            OutcomeKind.REQUESTED,
            OutcomeKind.UNKNOWN,
            OutcomeKind.BUSY,
            OutcomeKind.LIMIT,
        ]
    ),
    has_third=st.booleans(),
    is_clock_put_back=st.just(value=False) | st.booleans(),
)


class World:
    """One table that does at once what is taken. ``sent_at`` are real times of switches away."""

    def __init__(self, per_day: int) -> None:
        rules = {"after": "20s", "return_after": "5m", "switches_per_day": per_day}
        self.policies = make_policies(on_demand_escape=rules)
        self.switching = Switching()
        self.table = describe_table(FEED, BY_DAY, at=NOON)
        self.real, self.off_by_s = NOON, 0.0
        self.sent_at: list[float] = []
        self.backs: list[Plan] = []

    def pass_on(self, moment: Moment) -> None:
        self.real += moment.after_s
        if moment.is_clock_put_back:
            self.off_by_s -= 1800.0
        now = self.real + self.off_by_s
        resources = [FEED, BY_DAY, BY_USER] if moment.has_third else [FEED, BY_DAY]
        self.table = replace(
            describe_table(*resources, at=now),
            billing_mode=self.table.billing_mode,
            on_demand_at=self.table.on_demand_at,
        )
        self.switching.see(self.table)
        for plan in self.look(moment, now):
            self.carry_out(plan, moment, now)

    def look(self, moment: Moment, now: float) -> tuple[Plan, ...]:
        fleet = Fleet.of(r.resource for r in self.table.resources)
        limits, size = AccountLimits(), len(fleet)
        policy = spread_policies(self.policies, fleet, limits)
        self.switching.refit(fleet, policy, self.policies.policy_for)
        level = np.full(size, moment.level)
        nothing = np.full(size, np.nan)
        decisions = Decisions(
            units=nothing,
            action=np.zeros(size, dtype=np.int8),
            reasons=np.zeros(size, dtype=np.int64),
            provisioned=nothing,
            demand=level,
            expected=level,
            least=level,
            sustained=level,
            resting=level,
            burst_units=np.zeros(size),
            seconds_to_throttle=np.full(size, np.inf),
            foreseen=nothing,
            coverage=nothing,
            upstream=nothing,
        )
        capacity = Capacity.unknown(size)
        capacity.is_changeable[:] = True
        rung = np.full(size, int(moment.rung))
        view = View(
            now=now,
            seen=Seen(fleet, decisions, policy, rung, np.full(size, 5.0)),
            plans=(),
            descriptions={"feed": self.table},
            capacity=capacity,
            schedule=NOTHING_COMING.over(size),
            braking=None,
            waiting=(),
            limits=limits,
            account_left=(80_000.0, 80_000.0),
            admit=lambda _table, _direction, _usd: Reason.STEADY,
        )
        return self.switching.decide(view)[1]

    def carry_out(self, plan: Plan, moment: Moment, now: float) -> None:
        is_out = plan.to is ON_DEMAND
        if is_out:
            self.sent_at.append(self.real)
        else:
            self.backs.append(plan)
            self.judge_return(plan)
        is_done = moment.answer in (OutcomeKind.REQUESTED, OutcomeKind.UNKNOWN)
        before = self.table
        if is_done:
            at = now if is_out else self.table.on_demand_at
            self.table = replace(self.table, billing_mode=plan.to or PROVISIONED, on_demand_at=at)
        outcome = Outcome(plan=plan, kind=moment.answer, ended_at=now, before=before)
        self.switching.finish(outcome)
        if not is_done and is_out:
            self.sent_at.pop()  # AWS said no: it counts for nothing

    def judge_return(self, plan: Plan) -> None:
        assert {c.resource for c in plan.changes} == {r.resource for r in self.table.resources}
        assert all(FLOOR <= change.write <= CEILING for change in plan.changes)
        assert all(change.read >= 1 for change in plan.changes)


@given(per_day=st.integers(1, 4), story=st.lists(moments, min_size=5, max_size=60))
def test_no_more_switches_are_made_in_a_day_than_the_policy_and_aws_allow(
    per_day: int, story: list[Moment]
) -> None:
    world = World(per_day)
    for moment in story:
        world.pass_on(moment)
    for at in world.sent_at:
        lately = [each for each in world.sent_at if at - DAY_S < each <= at]
        assert len(lately) <= per_day


@given(st.integers(1, 12))
def test_a_table_that_goes_to_and_fro_is_stopped_by_the_ledger_alone(rounds: int) -> None:
    """So that the law above is not kept by nothing ever happening."""
    world = World(4)
    rush = Moment(30.0, 9000.0, Rung.FULL, OutcomeKind.REQUESTED, True, False)  # noqa: FBT003
    calm = rush._replace(after_s=310.0, level=90.0)
    for _ in range(rounds):
        for moment in (rush, rush, calm, calm):
            world.pass_on(moment)
    assert len(world.sent_at) == min(rounds, 4)
    assert len(world.backs) == min(rounds, 3), "the day's last one stays"


def test_a_return_names_both_dimensions_of_what_was_never_heard() -> None:
    world = World(4)
    for level in (9000.0, 9000.0, 90.0, 90.0):
        world.pass_on(
            Moment(310.0, level, Rung.FULL, OutcomeKind.REQUESTED, True, False)  # noqa: FBT003
        )
    (back,) = world.backs
    assert [c.resource for c in back.changes] == [FEED, BY_DAY, BY_USER]
    assert [c.read for c in back.changes] == [100, 100, 100]
    assert world.table.billing_mode is PROVISIONED
    assert Dimension.READ.label not in world.policies.policies[0].model_fields_set
