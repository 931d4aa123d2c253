"""What an earlier pilot's records and its tables say together, before anything is decided."""

from __future__ import annotations

from dataclasses import replace

from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Plan,
    Resource,
    ResourceStatus,
    Switch,
    TableDescription,
)
from capacity_pilot.core.reconcile import (
    Findings,
    Foreign,
    Miscounted,
    Resumed,
    reconcile,
    records_since,
    tables_concerned,
)
from capacity_pilot.core.record import Record, RecordKind, Verdict, describe_call, first_id
from tests.core.feed_table import describe_table
from tests.core.scenario import MIDNIGHT

FEED = Resource("feed")
NOW = MIDNIGHT + 3600.0


def call(at: float, write: int, *, direction: Direction = Direction.OUT) -> Record:
    change = CapacityChange(resource=FEED, read=100, write=write)
    plan = Plan(
        table="feed", direction=direction, changes=(change,), decided_at=at, expires_at=at + 5
    )
    body = describe_call(plan, describe_table(FEED, at=at))
    return Record(id=f"{first_id(at)}-1", at=at, kind=RecordKind.CALL, table="feed", body=body)


def answer(to: Record, outcome: str, *, after_s: float = 0.1) -> Record:
    at = to.at + after_s
    return Record(
        id=f"{first_id(at)}-2",
        at=at,
        kind=RecordKind.ANSWER,
        table=to.table,
        call=to.id,
        body={"outcome": outcome},
    )


def applied(at: float) -> Record:
    return Record(id=f"{first_id(at)}-3", at=at, kind=RecordKind.APPLIED, table="feed")


def feed(write: int, *, decreases: int = 0, is_changing: bool = False) -> TableDescription:
    described = describe_table(FEED, at=NOW, write=write)
    (resource,) = described.resources
    status = ResourceStatus.UPDATING if is_changing else ResourceStatus.ACTIVE
    changed = replace(resource, decreases_today=decreases, status=status)
    return replace(described, resources=(changed,))


def look(*records: Record, table: TableDescription | None) -> Findings:
    answered = {record.call for record in records}
    unanswered = [r for r in records if r.kind is RecordKind.CALL and r.id not in answered]
    return reconcile(records, unanswered, {"feed": table}, NOW)


RESUMED = CapacityChange(resource=FEED, read=100, write=300)


def test_a_call_that_took_effect_and_is_under_way_is_resumed_with_its_time() -> None:
    sent = call(NOW - 3, 300)
    found = look(sent, table=feed(100, is_changing=True))
    assert found.resumed == (Resumed(table="feed", changes=(RESUMED,), at=sent.at),)
    assert (found.open, found.verdicts, found.foreign) == ((sent,), (), ())


def test_a_call_that_did_not_take_effect_is_closed_as_such() -> None:
    sent = call(NOW - 3, 300)
    assert look(sent, table=feed(100)) == Findings(verdicts=((sent, Verdict.WITHOUT_EFFECT),))


def test_a_call_that_is_in_force_is_closed_as_such() -> None:
    sent = call(NOW - 3, 300)
    assert look(sent, table=feed(300)) == Findings(verdicts=((sent, Verdict.IN_FORCE),))


def test_a_table_that_is_gone_ends_its_call_and_one_that_was_not_read_does_not() -> None:
    sent = call(NOW - 3, 300)
    assert look(sent, table=None).verdicts == ((sent, Verdict.UNKNOWN),)
    assert reconcile([sent], [sent], {}, NOW) == Findings(open=(sent,))


def test_a_change_whose_answer_came_but_not_its_end_is_resumed_from_its_answer() -> None:
    sent = call(NOW - 20, 300)
    taken = answer(sent, "requested")
    found = look(sent, taken, table=feed(100, is_changing=True))
    assert found == Findings(
        resumed=(Resumed(table="feed", changes=(RESUMED,), at=taken.at),),
    )
    assert look(sent, taken, table=feed(300)) == Findings()
    seen = look(sent, taken, applied(NOW - 10), table=feed(300, is_changing=True))
    assert seen.resumed == ()


def test_a_change_requested_long_ago_is_not_resumed() -> None:
    sent = call(NOW - 1000, 300)
    found = look(sent, answer(sent, "requested"), table=feed(300, is_changing=True))
    assert found.resumed == ()


def test_units_that_no_call_of_ours_gave_are_a_third_partys() -> None:
    first, last = call(NOW - 2000, 300), call(NOW - 1000, 400)
    records = (first, answer(first, "requested"), last, answer(last, "requested"))
    found = look(*records, table=feed(250))
    assert found.foreign == (Foreign(resource=FEED, ours=(100, 400), found=(100, 250)),)
    assert look(*records, table=feed(400)).foreign == ()
    refused = look(first, answer(first, "busy"), table=feed(250))
    assert refused.foreign == ()


def test_decreases_that_aws_counts_and_nobody_recorded_are_named() -> None:
    lowered = call(NOW - 1000, 50, direction=Direction.IN)
    records = (lowered, answer(lowered, "requested"))
    found = look(*records, table=feed(50, decreases=2))
    assert found.miscounted == (Miscounted(resource=FEED, recorded=1, counted=2),)
    assert look(*records, table=feed(50, decreases=1)).miscounted == ()


def test_a_decrease_found_in_force_counts_and_one_of_yesterday_does_not() -> None:
    lost = call(NOW - 10, 50, direction=Direction.IN)
    assert look(lost, table=feed(50, decreases=1)).miscounted == ()
    yesterdays = call(MIDNIGHT - 500, 50, direction=Direction.IN)
    records = (yesterdays, answer(yesterdays, "requested"))
    assert look(*records, table=feed(50, decreases=0)).miscounted == ()


def test_what_has_to_be_read_reaches_over_midnight() -> None:
    assert records_since(NOW) == MIDNIGHT
    assert records_since(MIDNIGHT + 60) == MIDNIGHT + 60 - 900
    sent = call(NOW - 3, 300)
    old = call(NOW - 2000, 300)
    assert tables_concerned([sent], [sent], NOW) == {"feed"}
    assert tables_concerned([sent, answer(sent, "requested")], [], NOW) == {"feed"}
    assert tables_concerned([old, answer(old, "requested")], [], NOW) == frozenset()


def leave(at: float) -> Record:
    switch = Switch(to=BillingMode.PAY_PER_REQUEST, on_demand_usd=1.0, provisioned_usd=1.0)
    plan = Plan(
        table="feed",
        direction=Direction.OUT,
        changes=(),
        decided_at=at,
        expires_at=at + 5,
        switch=switch,
    )
    body = describe_call(plan, describe_table(FEED, at=at, write=300))
    return Record(id=f"{first_id(at)}-1", at=at, kind=RecordKind.CALL, table="feed", body=body)


def test_a_switch_that_is_under_way_is_resumed_as_one() -> None:
    sent = leave(NOW - 100)
    (resumed,) = look(sent, table=feed(300, is_changing=True)).resumed
    assert (resumed.to, resumed.changes) == (BillingMode.PAY_PER_REQUEST, ())


def test_an_on_demand_tables_lack_of_units_is_nobodys_change() -> None:
    raised, sent = call(NOW - 2000, 300), leave(NOW - 1000)
    records = (raised, answer(raised, "requested"), sent, answer(sent, "requested"))
    table = replace(feed(0), billing_mode=BillingMode.PAY_PER_REQUEST)
    assert look(*records, table=table).foreign == ()
