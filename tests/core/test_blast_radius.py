"""Limits on what the pilot changes: what is cut short, what is held, and who comes first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.blast_radius import Past, limit_blast, spread_limits
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.limits import Limits, strictest
from capacity_pilot.core.model import Direction, Resource
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Decisions

FLEET = Fleet.of([Resource("a"), Resource("b"), Resource("c"), Resource("d")])
SIZE = len(FLEET)
WRITE_OF = {"a": 1, "b": 3, "c": 5, "d": 7}
HAS = 100.0


def policies(limits: Mapping[str, object], **own: Mapping[str, object]) -> PolicySet:
    """One policy a table, each between the same bounds."""
    bounds = {"read": {"min": 1, "max": 9000}, "write": {"min": 1, "max": 9000}}
    named = [
        {"name": t, "match": {"tables": [t]}, "limits": own.get(t, {}), **bounds} for t in WRITE_OF
    ]
    return PolicySet.model_validate({"version": 1, "limits": limits, "policies": named})


def decide(
    wanted: Mapping[str, float],
    *,
    dry_s: Mapping[str, float] | None = None,
    ordered: tuple[str, ...] = (),
) -> Decisions:
    """Writes of some tables are to be something else than the 100 they have."""
    units, soonest = np.full(SIZE, HAS), np.full(SIZE, np.nan)
    reasons = np.zeros(SIZE, dtype=np.int64)
    for table, value in wanted.items():
        units[WRITE_OF[table]] = value
        soonest[WRITE_OF[table]] = (dry_s or {}).get(table, np.nan)
        if table in ordered:
            reasons[WRITE_OF[table]] = Reason.OVERRIDDEN
    values: dict[str, Any] = dict.fromkeys(Decisions._fields, np.zeros(SIZE))
    values |= {
        "units": units,
        "action": np.sign(units - HAS).astype(np.int8),
        "reasons": reasons,
        "provisioned": np.full(SIZE, HAS),
        "seconds_to_throttle": soonest,
    }
    return Decisions(**values)


def limit(
    policy_set: PolicySet,
    decisions: Decisions,
    *,
    changed: Mapping[str, Direction] | None = None,
    committed: float = HAS,
    waiting: tuple[tuple[str, Direction], ...] = (),
) -> Decisions:
    radius = spread_limits(policy_set, FLEET)
    assert radius is not None
    past = Past(changed=changed or {}, committed=np.full(SIZE, committed), waiting=waiting)
    return limit_blast(radius, decisions, past)


def written(decisions: Decisions) -> dict[str, float]:
    """What is left to be changed."""
    return {t: decisions.units[s] for t, s in WRITE_OF.items() if decisions.action[s]}


def reasons(decisions: Decisions, table: str) -> Reason:
    return Reason(int(decisions.reasons[WRITE_OF[table]]))


def test_without_limits_there_is_nothing_to_ask() -> None:
    assert spread_limits(policies({}), FLEET) is None


def test_an_increase_by_more_than_the_largest_step_is_cut_short_not_dropped() -> None:
    policy_set = policies({"largest_step": "8x"}, b={"largest_step": "2.5x"}, c={"largest_step": 9})
    left = limit(policy_set, decide({"a": 900, "b": 900, "c": 900, "d": 800}))
    assert written(left) == {"a": 800, "b": 250, "c": 800, "d": 800}
    assert reasons(left, "a") == reasons(left, "b") == Reason.LARGEST_STEP
    assert reasons(left, "d") == Reason.STEADY


def test_the_tables_changed_in_a_minute_are_the_most_urgent() -> None:
    policy_set = policies({"tables_changed_per_minute": 2})
    wanted = decide({"a": 50, "b": 300, "c": 300, "d": 300}, dry_s={"b": 90, "c": 4, "d": 30})
    left = limit(policy_set, wanted)
    assert written(left) == {"c": 300, "d": 300}
    assert reasons(left, "a") == reasons(left, "b") == Reason.TABLES_PER_MINUTE
    later = limit(policy_set, wanted, changed={"c": Direction.OUT, "d": Direction.OUT})
    assert written(later) == {"c": 300, "d": 300}
    last = limit(policy_set, wanted, changed={"x": Direction.OUT, "d": Direction.OUT})
    assert written(last) == {"c": 300, "d": 300}, "a table of another policy set is not counted"


def test_decreases_leave_room_for_increases() -> None:
    policy_set = policies({"tables_changed_per_minute": 3})
    assert written(limit(policy_set, decide(dict.fromkeys("abcd", 50)))) == {"a": 50, "b": 50}
    lowered = {"a": Direction.IN, "b": Direction.IN}
    assert written(limit(policy_set, decide({"c": 50, "d": 900}), changed=lowered)) == {"d": 900}


def test_what_waits_to_be_tried_again_takes_no_room() -> None:
    policy_set = policies({"tables_changed_per_minute": 1})
    wanted = decide({"a": 900, "b": 300}, dry_s={"a": 1, "b": 60})
    waiting = (("a", Direction.OUT),)
    assert written(limit(policy_set, wanted)) == {"a": 900}
    assert written(limit(policy_set, wanted, waiting=waiting)) == {"a": 900, "b": 300}


def test_what_the_money_does_not_reach_for_is_cut_short_the_most_urgent_last() -> None:
    """100 reads and writes on each of four tables are 0.312 dollars an hour."""
    policy_set = policies({"spend_per_hour": 0.312 + 300 * 0.00065})
    wanted = decide({"a": 300, "b": 300, "c": 300, "d": 50}, dry_s={"a": 9, "b": 60, "c": 90})
    left = limit(policy_set, wanted)
    assert written(left) == {"a": 300, "b": 200, "d": 50}
    assert reasons(left, "b") == reasons(left, "c") == Reason.SPEND_PER_HOUR
    over = limit(policy_set, decide({"a": 600, "d": 50}), committed=500)
    assert written(over) == {"d": 50}, "what is requested already is spent"


def test_money_reaches_as_far_as_the_policys_prices_let_it() -> None:
    """100 reads and writes of one table at ten cents a unit are twenty dollars an hour."""
    own = {"read": "0.1 USD", "write": "0.1 USD"}
    policy_set = policies({}, a={"spend_per_hour": "30 USD"}).model_dump()
    policy_set["policies"][0]["prices"] = own
    left = limit(PolicySet.model_validate(policy_set), decide({"a": 300, "b": 300}))
    assert written(left) == {"a": 200, "b": 300}


def test_a_policys_limits_are_its_own_tables_alone() -> None:
    policy_set = policies({}, a={"tables_changed_per_minute": 1, "spend_per_hour": 0.1})
    left = limit(policy_set, decide({"a": 300, "b": 300}))
    assert written(left) == {"a": 133, "b": 300}


def test_what_a_person_ordered_is_let_through_and_counts() -> None:
    limits = {"tables_changed_per_minute": 1, "largest_step": 2, "spend_per_hour": 0.01}
    wanted = decide({"a": 900, "b": 300}, dry_s={"b": 1}, ordered=("a",))
    left = limit(policies(limits), wanted)
    assert written(left) == {"a": 900}
    assert reasons(left, "b") == Reason.LARGEST_STEP | Reason.TABLES_PER_MINUTE


units = st.lists(st.integers(1, 5000).map(float), min_size=4, max_size=4)


@given(
    units,
    st.integers(1, 4),
    st.sampled_from([1.5, 3.0, 50.0]),
    st.floats(0.001, 5),
    st.lists(st.sampled_from("abcd"), unique=True),
)
def test_limits_hold_and_only_move_a_decision_toward_what_is_there(
    wanted: list[float], most: int, step: float, usd: float, changed: list[str]
) -> None:
    limits = {"tables_changed_per_minute": most, "largest_step": step, "spend_per_hour": usd}
    before = decide(dict(zip("abcd", wanted, strict=True)))
    past = dict.fromkeys(changed, Direction.OUT)
    after = limit(policies(limits), before, changed=past)
    low, high = np.minimum(before.units, HAS), np.maximum(before.units, HAS)
    assert (after.units >= low).all()
    assert (after.units <= high).all()
    assert (after.units <= np.ceil(HAS * step)).all()
    assert len(set(changed) | written(after).keys()) <= max(most, len(changed))
    raised = np.maximum(after.units - HAS, 0)
    assert raised.sum() * 0.00065 <= max(usd - 0.312, 0) + 1e-9
    assert (after.action == np.sign(after.units - HAS)).all()
    held = (after.units != before.units) & (after.reasons == before.reasons)
    assert not held.any(), "a reason for each"


def test_of_several_files_limits_the_strictest_holds() -> None:
    several = [
        Limits(largest_step=8.0),
        Limits(largest_step=4.0, spend_per_hour=3.0),
        Limits(tables_changed_per_minute=9, spend_per_hour=7.0),
    ]
    assert strictest(several) == Limits(
        largest_step=4.0, spend_per_hour=3.0, tables_changed_per_minute=9
    )
    assert strictest([]) == Limits()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"largest_step": "8"}, "'8' is not a multiple such as 8x"),
        ({"largest_step": "1x"}, "greater than 1"),
        ({"tables_changed_per_minute": 0}, "greater than or equal to 1"),
        ({"spend_per_hour": 0}, "greater than 0"),
        ({"spend": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_limit_that_makes_no_sense_is_told_why(limits: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policies(limits)
