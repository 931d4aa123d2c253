"""When a refused plan may be tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.backoff import Backoffs
from capacity_pilot.core.model import Direction, Outcome, OutcomeKind, Plan

NOW = 1_000_000.0
IN, OUT = Direction.IN, Direction.OUT
TAKEN = {OutcomeKind.REQUESTED, OutcomeKind.UNCHANGED, OutcomeKind.EXPIRED}
REFUSED = set(OutcomeKind) - TAKEN


def outcome(kind: OutcomeKind, *, retry_at: float | None = None) -> Outcome:
    plan = Plan(table="feed", direction=OUT, changes=(), decided_at=NOW, expires_at=NOW + 5)
    return Outcome(plan=plan, kind=kind, ended_at=NOW, retry_at=retry_at)


def wait_s(backoffs: Backoffs, direction: Direction, *, now: float) -> int:
    """Whole seconds until the next try."""
    return next(s for s in range(100_000) if backoffs.is_due("feed", direction, now + s))


@pytest.mark.parametrize("kind", sorted(REFUSED, key=str))
def test_every_refusal_waits_longer_each_time_up_to_sixteen_times(kind: OutcomeKind) -> None:
    backoffs, waits, now = Backoffs(), [], NOW
    for _ in range(7):
        backoffs.note("feed", OUT, outcome(kind), now=now)
        waits.append(wait_s(backoffs, OUT, now=now))
        now += waits[-1]
    first = waits[0]
    assert first >= 1
    assert waits == [first * factor for factor in (1, 2, 4, 8, 16, 16, 16)]


@pytest.mark.parametrize("kind", sorted(TAKEN, key=str))
def test_whatever_is_no_refusal_ends_the_wait(kind: OutcomeKind) -> None:
    backoffs = Backoffs()
    backoffs.note("feed", OUT, outcome(OutcomeKind.DENIED), now=NOW)
    backoffs.note("feed", OUT, outcome(kind), now=NOW)
    assert backoffs.is_due("feed", OUT, NOW)
    backoffs.note("feed", OUT, outcome(OutcomeKind.DENIED), now=NOW)
    assert wait_s(backoffs, OUT, now=NOW) == 30, "and the next refusal starts over"


def test_another_kind_of_refusal_starts_with_its_own_first_wait() -> None:
    backoffs = Backoffs()
    for _ in range(5):
        backoffs.note("feed", OUT, outcome(OutcomeKind.CONTROL_PLANE), now=NOW)
    backoffs.note("feed", OUT, outcome(OutcomeKind.UNKNOWN), now=NOW)
    assert wait_s(backoffs, OUT, now=NOW) == 2


def test_a_call_that_was_certainly_not_sent_waits_a_second() -> None:
    backoffs = Backoffs()
    backoffs.note("feed", OUT, None, now=NOW)
    assert wait_s(backoffs, OUT, now=NOW) == 1


def test_a_time_stated_by_aws_is_kept_to() -> None:
    backoffs = Backoffs()
    spent = outcome(OutcomeKind.DECREASE_QUOTA, retry_at=NOW + 1800)
    backoffs.note("feed", IN, spent, now=NOW)
    assert wait_s(backoffs, IN, now=NOW) == 1800


def test_a_stated_time_that_is_past_means_now() -> None:
    backoffs = Backoffs()
    backoffs.note("feed", IN, outcome(OutcomeKind.BUSY, retry_at=NOW - 9), now=NOW)
    assert backoffs.is_due("feed", IN, NOW)


def test_a_table_that_is_gone_leaves_nothing_behind() -> None:
    backoffs = Backoffs()
    for direction in Direction:
        backoffs.note("feed", direction, outcome(OutcomeKind.NOT_FOUND), now=NOW)
    backoffs.forget("feed")
    assert all(backoffs.is_due("feed", direction, NOW) for direction in Direction)


@given(kinds=st.lists(st.sampled_from(OutcomeKind)), table=st.sampled_from(["feed", "users"]))
def test_no_refusal_of_a_decrease_ever_delays_an_increase(
    kinds: list[OutcomeKind], table: str
) -> None:
    backoffs = Backoffs()
    for kind in kinds:
        backoffs.note(table, IN, outcome(kind), now=NOW)
        assert backoffs.is_due("feed", OUT, NOW)
        assert table == "feed" or backoffs.is_due("feed", IN, NOW)


def test_a_clock_put_back_does_not_prolong_a_wait() -> None:
    backoffs = Backoffs()
    backoffs.note("feed", OUT, outcome(OutcomeKind.CONTROL_PLANE), now=NOW + 600)
    assert backoffs.is_due("feed", OUT, NOW)
