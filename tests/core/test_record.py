"""What became of a call whose answer the journal does not hold, by a later look at its table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Plan,
    Resource,
    ResourceStatus,
    Switch,
)
from capacity_pilot.core.record import (
    Record,
    RecordKind,
    Verdict,
    count_decreases,
    describe_call,
    judge_call,
    switched_to,
)
from tests.core.feed_table import describe_table

FEED, BY_DAY = Resource("feed"), Resource("feed", "by-day")
BEFORE = describe_table(FEED, BY_DAY, at=0.0)


def call(direction: Direction, *changes: CapacityChange, name: str = "1") -> Record:
    plan = Plan(
        table="feed",
        direction=direction,
        changes=changes,
        decided_at=1.0,
        expires_at=6.0,
        reasons=("rising_demand",),
    )
    body = describe_call(plan, BEFORE)
    return Record(id=name, at=1.0, kind=RecordKind.CALL, table="feed", body=body)


def answer(to: Record, outcome: str) -> Record:
    return Record(
        id=f"{to.id}a", at=2.0, kind=RecordKind.ANSWER, call=to.id, body={"outcome": outcome}
    )


RAISE = call(Direction.OUT, CapacityChange(resource=FEED, read=100, write=300))
LOWER = call(Direction.IN, CapacityChange(resource=FEED, read=100, write=50))


@pytest.mark.parametrize(
    ("sent", "write", "verdict"),
    [
        pytest.param(RAISE, 300, Verdict.IN_FORCE, id="as it was sent"),
        pytest.param(RAISE, 400, Verdict.IN_FORCE, id="somebody raised it further"),
        pytest.param(RAISE, 100, Verdict.WITHOUT_EFFECT, id="as it was before"),
        pytest.param(RAISE, 200, Verdict.UNKNOWN, id="neither: a third party's"),
        pytest.param(LOWER, 50, Verdict.IN_FORCE, id="lowered as it was sent"),
        pytest.param(LOWER, 100, Verdict.WITHOUT_EFFECT, id="not lowered"),
        pytest.param(LOWER, 70, Verdict.UNKNOWN, id="lowered by less"),
    ],
)
def test_a_settled_table_tells_what_a_call_came_to(
    sent: Record, write: int, verdict: Verdict
) -> None:
    assert judge_call(sent, describe_table(FEED, at=9.0, write=write)) is verdict


def test_a_table_that_is_changing_tells_nothing_yet() -> None:
    (feed,) = describe_table(FEED, at=9.0).resources
    changing = replace(feed, status=ResourceStatus.UPDATING)
    assert judge_call(RAISE, replace(BEFORE, resources=(changing,))) is None


def test_what_became_of_a_call_to_a_table_that_is_gone_is_unknown() -> None:
    assert judge_call(RAISE, None) is Verdict.UNKNOWN


def test_an_index_that_is_gone_leaves_its_call_unknown() -> None:
    sent = call(Direction.OUT, CapacityChange(resource=BY_DAY, read=100, write=300))
    assert judge_call(sent, describe_table(FEED, at=9.0, write=300)) is Verdict.UNKNOWN


def test_decreases_count_where_they_were_accepted() -> None:
    taken, found, refused = (replace(LOWER, id=name) for name in ("2", "3", "4"))
    records = [RAISE, answer(RAISE, "requested"), taken, answer(taken, "requested")]
    records += [found, answer(found, "in_force"), refused, answer(refused, "refused")]
    assert count_decreases(records) == {FEED: 2}


ON_DEMAND, PROVISIONED = BillingMode.PAY_PER_REQUEST, BillingMode.PROVISIONED


def switch(to: BillingMode, *changes: CapacityChange) -> Record:
    plan = Plan(
        table="feed",
        direction=Direction.OUT if to is ON_DEMAND else Direction.IN,
        changes=changes,
        decided_at=1.0,
        expires_at=6.0,
        switch=Switch(to=to, on_demand_usd=1.0, provisioned_usd=2.0),
    )
    body = describe_call(plan, BEFORE)
    return Record(id=to.value, at=1.0, kind=RecordKind.CALL, table="feed", body=body)


LEAVE = switch(ON_DEMAND)
COME_BACK = switch(
    PROVISIONED,
    CapacityChange(resource=FEED, read=100, write=300),
    CapacityChange(resource=BY_DAY, read=5, write=300),
)


@pytest.mark.parametrize(("sent", "to"), [(LEAVE, ON_DEMAND), (COME_BACK, PROVISIONED)])
def test_what_a_switch_came_to_the_settled_tables_mode_tells(sent: Record, to: BillingMode) -> None:
    modes = {mode: replace(BEFORE, billing_mode=mode) for mode in BillingMode}
    other = next(mode for mode in BillingMode if mode is not to)
    assert judge_call(sent, modes[to]) is Verdict.IN_FORCE
    assert judge_call(sent, modes[other]) is Verdict.WITHOUT_EFFECT
    changing = [replace(r, status=ResourceStatus.UPDATING) for r in BEFORE.resources]
    assert judge_call(sent, replace(modes[to], resources=tuple(changing))) is None
    assert switched_to(sent) is to


def test_a_switch_is_recorded_with_what_every_resource_had() -> None:
    had = [{"index": "", "units": [100, 100]}, {"index": "by-day", "units": [100, 100]}]
    assert (LEAVE.body["had"], LEAVE.body["changes"]) == (had, [])


def test_leaving_for_on_demand_counts_as_a_decrease_of_each_index_and_coming_back_as_none() -> None:
    assert count_decreases([LEAVE, answer(LEAVE, "requested")]) == {BY_DAY: 1}
    assert count_decreases([COME_BACK, answer(COME_BACK, "requested")]) == {}
