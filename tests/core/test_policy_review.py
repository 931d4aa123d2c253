"""Policies that hold, and can hardly be meant."""

from __future__ import annotations

from typing import Any

import pytest

from capacity_pilot.core.model import AccountLimits
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.policy_review import review

WRITES = {"min": 50, "max": 12_000}
NOTICE = {"name": "notice", "cron": "0 8 * * *"}


def policy(*tables: str, **keys: Any) -> dict[str, Any]:
    return {"name": tables[0], "match": {"tables": list(tables)}, "write": WRITES} | keys


def remarks(*policies: dict[str, Any], **top: Any) -> list[tuple[str, str]]:
    said = PolicySet.model_validate({"version": 1, "policies": list(policies)} | top)
    found = review(said, limits=AccountLimits(), apply_time_s=30.0)
    return [(".".join(map(str, path)), message) for path, message in found]


def test_nothing_is_said_of_what_is_meant() -> None:
    """A policy for all that is left is the usual last one, whatever it overlaps with."""
    event = NOTICE | {"lead": "5m", "write": {"at_least": 3000, "multiplier": "8x"}}
    assert remarks(policy("prod-feed-*", events=[event]), policy("prod-*"), policy("*")) == []


def test_a_policy_that_no_table_reaches_is_named_with_those_before_it() -> None:
    assert remarks(policy("prod-*"), policy("dev-*"), policy("prod-feed", "dev-[ab]*")) == [
        (
            "policies.2.match.tables",
            "never reached: every table it names is taken by 'prod-*' and 'dev-*' before",
        )
    ]
    assert remarks(policy("prod-*"), policy("prod-feed", "test-feed")) == [
        ("policies.1.match.tables.0", "'prod-feed' is taken by 'prod-*' before")
    ]


def test_tables_with_other_tags_are_left_for_later_policies() -> None:
    social = {"match": {"tables": ["prod-*"], "tags": {"team": "social"}}}
    assert remarks(policy("x", **social), policy("prod-feed")) == []
    narrower = {"match": {"tags": {"team": "social", "env": "prod"}, "tables": ["prod-feed"]}}
    found = remarks(policy("x", **social), policy("y", **narrower))
    assert [path for path, _ in found] == ["policies.1.match.tables"]


def test_a_pattern_that_no_name_can_have_is_named() -> None:
    assert remarks(policy("table/prod")) == [
        (
            "policies.0.match.tables.0",
            "no table can be named 'table/prod': names have letters, digits and _.-",
        )
    ]


def test_ceilings_under_what_is_reserved_are_named_where_all_tables_are() -> None:
    said = policy("feed", "orders"), policy("users")
    assert remarks(*said, reserved={"read": 0, "write": 36_000}) == []
    assert remarks(*said, reserved={"read": 1, "write": 36_001}) == [
        ("reserved.read", "reserves 1, and all tables, indexes apart, have 0 at most"),
        ("reserved.write", "reserves 36001, and all tables, indexes apart, have 36000 at most"),
    ]
    assert remarks(policy("prod-*"), reserved={"write": 90_000}) == []


def test_a_maximum_above_the_quota_is_named_of_tables_and_indexes() -> None:
    indexes = {"by-author": {"read": {"min": 1, "max": 50_000}}}
    said = policy("feed", write={"min": 1, "max": 40_001}, indexes=indexes)
    quota = "is above the account's quota: a table or index has at most 40000"
    assert remarks(said) == [
        ("policies.0.write.max", f"max 40001 {quota} write units"),
        ("policies.0.indexes.by-author.read.max", f"max 50000 {quota} read units"),
    ]


@pytest.mark.parametrize(("lead", "is_doubted"), [("29s", True), ("30s", False), (None, False)])
def test_a_lead_shorter_than_a_change_says_nothing(lead: str | None, *, is_doubted: bool) -> None:
    """Capacity is ordered two apply times before an event at the latest."""
    found = remarks(policy("feed", events=[NOTICE | {"lead": lead}]))
    assert [path for path, _ in found] == ["policies.0.events.0.lead"] * is_doubted
    assert all("ordered 62 s before all the same" in message for _, message in found)


def test_a_load_above_the_maximum_is_named() -> None:
    event = NOTICE | {"write": {"at_least": 20_000}}
    assert remarks(policy("feed", events=[event])) == [
        (
            "policies.0.events.0.write.at_least",
            "at_least 20000 is above the max of 12000 that it may have",
        )
    ]


def test_steps_too_small_to_be_there_in_time_are_counted() -> None:
    """From 50 to 3,000 in steps of twice as much are six changes."""
    event = NOTICE | {"lead": "2m", "write": {"at_least": 3000}}
    limited = policy("feed", events=[event], limits={"largest_step": "2x"})
    message = (
        "cannot be there in time: 60 times as much in steps of 2x are 6 changes of 30 s, and the "
        "first is made 120 s before; say lead: 3m"
    )
    assert remarks(limited) == [("policies.0.events.0.write", message)]
    assert remarks(policy("feed", events=[event]), limits={"largest_step": "2x"}) == [
        ("policies.0.events.0.write", message)
    ]
    in_time = event | {"lead": "3m"}
    assert remarks(policy("feed", events=[in_time]), limits={"largest_step": "2x"}) == []


def test_what_idle_tables_are_left_with_is_no_more_than_they_may_have() -> None:
    indexes = {"by-author": {"write": {"min": 1, "max": 30}}}
    for level in (None, 1, "min", 30):
        assert remarks(policy("stage", idle={"lower_to": level}, indexes=indexes)) == []
    assert remarks(policy("stage", idle={"lower_to": 31}, indexes=indexes)) == [
        ("policies.0.idle.lower_to", "31 is above the max of 30 write units of index 'by-author'")
    ]
    assert remarks(policy("stage", idle={"lower_to": 12_001})) == [
        ("policies.0.idle.lower_to", "12001 is above the max of 12000 write units")
    ]
