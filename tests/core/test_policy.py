"""What a policy may say, what it means, and the words that reject it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from capacity_pilot.core.escape.rules import EscapeRules
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import AccountLimits, Dimension, Resource
from capacity_pilot.core.modes import Mode, Rivalry
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.policy_arrays import caution_for, spread_policies

READ, WRITE = Dimension.READ, Dimension.WRITE


def table(**changes: Any) -> dict[str, Any]:
    base = {"name": "all", "match": {"tables": ["*"]}, "write": {"min": 5, "max": 100}}
    return {key: value for key, value in (base | changes).items() if value is not None}


def policies(*tables: dict[str, Any]) -> PolicySet:
    return PolicySet.model_validate({"version": 1, "policies": list(tables)})


def complaint(raw: object) -> str:
    """Where the first error is, and what it says."""
    with pytest.raises(ValidationError) as rejected:
        PolicySet.model_validate(raw)
    first = rejected.value.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wirte": {}}, "policies.0.wirte: Extra inputs are not permitted"),
        (
            {"write": {"min": 9, "max": 5}},
            "policies.0.write: Value error, min 9 is above max 5",
        ),
        (
            {"write": {"min": 5, "max": 9, "safe": 10}},
            "policies.0.write: Value error, safe 10 is not within 5 to 9",
        ),
        (
            {"hand_back_after": "30s"},
            "policies.0.hand_back_after: Input should be greater than or equal to 60",
        ),
        (
            {"on_demand_escape": {"after": "2h"}},
            "policies.0.on_demand_escape.after: Input should be less than or equal to 3600",
        ),
        (
            {"on_demand_escape": {"switches_per_day": 5}},
            ("policies.0.on_demand_escape.switches_per_day: "
             "Input should be less than or equal to 4"),
        ),
        (
            {"on_demand_escape": True, "mode": "floor"},
            ("policies.0: Value error, on_demand_escape has no use in mode floor: "
             "the table is not driven"),
        ),
        (
            {"write": {"min": 0, "max": 5}},
            "policies.0.write.min: Input should be greater than or equal to 1",
        ),
        ({"write": {"min": 3}}, "policies.0.write.max: Field required"),
        (
            {"write": {"min": 1.5, "max": 5}},
            ("policies.0.write.min: "
             "Input should be a valid integer, got a number with a fractional part"),
        ),
        (
            {"scale_in": {"stabilization": "10 minutes"}},
            ("policies.0.scale_in.stabilization: Value error, "
             "'10 minutes' is not a duration such as 90s, 10m, 2h or 7d"),
        ),
        (
            {"scale_in": {"stabilization": "7h"}},
            "policies.0.scale_in.stabilization: Input should be less than or equal to 21600",
        ),
        (
            {"scale_in": {"stabilization": float("nan")}},
            "policies.0.scale_in.stabilization: Input should be greater than or equal to 0",
        ),
        (
            {"scale_in": {"reserve_decreases": 5}},
            "policies.0.scale_in.reserve_decreases: Input should be less than or equal to 4",
        ),
        (
            {"risk": "10 percent"},
            ("policies.0.risk: Value error, "
             "'10 percent' is not a number of parts per million such as 10ppm"),
        ),
        ({"risk": "0ppm"}, "policies.0.risk: Input should be greater than or equal to 0.1"),
        (
            {"burst_reliance": 1.1},
            "policies.0.burst_reliance: Input should be less than or equal to 1",
        ),
        (
            {"match": {"tables": []}},
            "policies.0.match.tables: List should have at least 1 item after validation, not 0",
        ),
        (
            {"write": None},
            "policies.0: Value error, gives no bounds: name read, write or indexes",
        ),
        (
            {"write": None, "indexes": {"by-author": {}}},
            "policies.0: Value error, gives no bounds: name read, write or indexes",
        ),
    ],
)  # fmt: skip
def test_what_cannot_hold_is_rejected_with_its_place(changes: Any, message: str) -> None:
    assert complaint({"version": 1, "policies": [table(**changes)]}) == message


def test_an_unknown_version_is_rejected() -> None:
    assert complaint({"version": 2, "policies": [table()]}) == "version: Input should be 1"


@pytest.mark.parametrize(
    ("said", "meant"), [("90s", 90.0), ("10m", 600.0), ("1.5 h", 5400.0), (45, 45.0)]
)
def test_durations(said: object, meant: float) -> None:
    (policy,) = policies(table(scale_in={"stabilization": said})).policies
    assert policy.scale_in.stabilization == meant


def test_risk_says_how_cautious_to_be() -> None:
    """A fifth for every factor of ten, and never less than none."""
    cautions = [caution_for(ppm) for ppm in (1.0, 10.0, 100.0, 1_000.0, 1e6)]
    assert cautions == pytest.approx([1.2, 1.0, 0.8, 0.6, 0.0])
    assert caution_for(0.0) == caution_for(0.01)


def test_the_first_match_wins_whole_and_case_counts() -> None:
    chosen = policies(
        table(name="feed", match={"tables": ["users", "prod-feed-*"]}),
        table(name="rest"),
    )
    names = [
        policy.name
        for name in ("prod-feed-1", "users", "Prod-Feed-1")
        if (policy := chosen.policy_for(name))
    ]
    assert names == ["feed", "feed", "rest"]
    assert policies(table(match={"tables": ["a"]})).policy_for("b") is None


def test_an_index_inherits_what_is_not_said_of_it() -> None:
    fleet = Fleet.of([Resource("t"), Resource("t", "by-author"), Resource("t", "other")])
    said = table(
        read={"min": 1, "max": 10},
        indexes={"by-*": {"write": {"min": 7, "max": 70}}, "by-author": {"read": None}},
        burst_reliance=0.25,
        scale_in={"stabilization": "5m", "reserve_decreases": 3},
    )
    arrays = spread_policies(policies(said), fleet, AccountLimits())
    expected = {
        ("", READ): (1, 10),
        ("", WRITE): (5, 100),
        ("by-author", READ): (1, 10),
        ("by-author", WRITE): (7, 70),
        ("other", READ): (1, 10),
        ("other", WRITE): (5, 100),
    }
    for (index, dimension), bounds in expected.items():
        slot = fleet.slot(Resource("t", index), dimension)
        assert slot is not None
        assert (arrays.floor[slot], arrays.ceiling[slot]) == bounds
    assert arrays.is_managed.all()
    assert set(arrays.burst_reliance) == {0.25}
    assert set(arrays.stabilization_s) == {300.0}
    assert set(arrays.reserve_decreases) == {3.0}


def test_only_what_is_bounded_is_managed_and_never_above_the_account() -> None:
    fleet = Fleet.of([Resource("t"), Resource("u")])
    wide = table(match={"tables": ["t"]}, write={"min": 50_000, "max": 90_000})
    arrays = spread_policies(policies(wide), fleet, AccountLimits(table_write=40_000))
    assert arrays.is_managed.tolist() == [False, True, False, False]
    assert (arrays.floor[1], arrays.ceiling[1]) == (40_000, 40_000)


def test_a_policy_drives_unless_it_or_its_file_says_otherwise() -> None:
    said = {
        "version": 1,
        "defaults": {"mode": "shadow", "auto_scaling": "suspend", "risk": "50ppm"},
        "policies": [
            table(name="a", match={"tables": ["a"]}, mode="floor", risk="5ppm"),
            table(name="b"),
        ],
    }
    first, second = PolicySet.model_validate(said).policies
    assert (first.mode, first.auto_scaling, first.risk) == (Mode.FLOOR, Rivalry.SUSPEND, 5.0)
    assert (second.mode, second.auto_scaling, second.risk) == (Mode.SHADOW, Rivalry.SUSPEND, 50.0)
    assert policies(table()).policies[0].mode is Mode.ACTIVE


def test_a_wrong_default_is_told_where_it_stands() -> None:
    said = {"version": 1, "defaults": {"mode": "on"}, "policies": [table()]}
    assert complaint(said).startswith("defaults.mode: Input should be 'off', 'shadow', 'floor'")


def test_tables_that_are_off_need_no_bounds() -> None:
    off = policies(table(mode="off", write=None, match={"tables": ["a"]}), table())
    assert off.mode_for("a") is Mode.OFF
    assert off.mode_for("b") is Mode.ACTIVE
    assert policies(table(match={"tables": ["a"]})).mode_for("b") is Mode.OFF


def test_a_process_in_shadow_never_writes_whatever_policies_say() -> None:
    left = {mode: mode.capped(is_shadow=True) for mode in Mode}
    assert not any(mode.writes for mode in left.values())
    assert left[Mode.OFF] is Mode.OFF
    assert {mode: mode.capped(is_shadow=False) for mode in Mode} == {m: m for m in Mode}


def test_tags_have_to_fit_beside_the_name_and_unknown_ones_leave_a_table_to_nobody() -> None:
    said = policies(
        table(name="social", match={"tables": ["prod-*"], "tags": {"team": "so*", "env": "prod"}}),
        table(name="rest", match={"tables": ["prod-*"]}),
    )
    known = said.knowing(
        {"prod-a": {"team": "social", "env": "prod"}, "prod-b": {"team": "social"}, "dev": {}}
    )
    chosen = {t: known.policy_for(t) for t in ("prod-a", "prod-b", "prod-c", "dev")}
    assert {t: p and p.name for t, p in chosen.items()} == {
        "prod-a": "social",
        "prod-b": "rest",
        "prod-c": None,
        "dev": None,
    }
    assert [said.hangs_on_tags(t) for t in ("prod-a", "dev")] == [True, False]
    assert said.policy_for("prod-a") is None
    first = policies(table(match={"tables": ["prod-*"]}), table(match={"tags": {"team": "a"}}))
    assert [first.hangs_on_tags(t) for t in ("prod-a", "dev")] == [False, True]


def test_a_match_of_nothing_is_no_match_of_everything() -> None:
    assert complaint({"version": 1, "policies": [table(match={})]}) == (
        "policies.0.match: Value error, fits every table there is: say so by tables: ['*']"
    )


def test_an_escape_is_off_unless_written_and_true_is_all_of_it_as_it_comes() -> None:
    def rules(**written: object) -> EscapeRules | None:
        return policies(table(**written)).policies[0].on_demand_escape

    assert rules() is None
    assert rules(on_demand_escape=False) is None
    whole = EscapeRules(after=30.0, return_after=1800.0, switches_per_day=4)
    assert rules(on_demand_escape=True) == rules(on_demand_escape={}) == whole
    assert rules(on_demand_escape={"after": "1m"}) == EscapeRules(after=60.0)
