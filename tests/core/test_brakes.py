"""The operator's brakes: what a freeze holds, what an override sets, and that both end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from capacity_pilot.core import guards
from capacity_pilot.core.brakes import (
    NO_BRAKES,
    Brakes,
    FreezeInForce,
    FreezeOrder,
    OverrideInForce,
    OverrideOrder,
)
from capacity_pilot.core.braking import Braking, brake, spread_brakes
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.guards import Draft, Situation
from capacity_pilot.core.model import Dimension, Direction
from capacity_pilot.core.reasons import Reason
from tests.core.scenario import BY_AUTHOR, FEED, HOLD, IN, OUT, USERS, Story, seconds
from tests.core.test_guards import CALM, NOW, one, situations

WRITE = Dimension.WRITE
WHO: dict[str, Any] = {"by": "kim@laptop", "why": "incident 7"}


def freeze(story: Story, *tables: str, until: str | None = None, **said: Any) -> Brakes:
    """One in force until a time of the story."""
    ends_at = None if until is None else story.start + seconds(until)
    order = {"tables": list(tables or ("*",)), "lasts": None, **WHO, **said}
    return Brakes(freezes=(FreezeInForce(id="f", since=story.now, until=ends_at, **order),))


def override(story: Story, until: str, **said: Any) -> Brakes:
    ends_at = story.start + seconds(until)
    order = {"table": "feed", "lasts": 60.0, **WHO, **said}
    return Brakes(overrides=(OverrideInForce(id="o", since=story.now, until=ends_at, **order),))


def test_a_freeze_holds_a_raise_until_it_is_over() -> None:
    story = Story().at("5m", demand=50)
    story.at("6m", demand=400, brakes=freeze(story, until="8m"))
    story.at("7m59s").expect(HOLD, Reason.OPERATOR_FREEZE | Reason.RISING_DEMAND)
    assert story.provisioned == 100
    story.at("8m").expect(OUT, Reason.RISING_DEMAND)


def test_a_freeze_without_an_end_holds_decreases_until_it_is_called_off() -> None:
    story = Story(provisioned=200.0, demand=180).at("10m", demand=180)
    story.at("11m", demand=10, brakes=freeze(story, direction="in"))
    story.at("2h").expect(HOLD, Reason.OPERATOR_FREEZE)
    assert story.tables.decreases == []
    story.at("2h1s", brakes=NO_BRAKES).expect_within(60, IN, Reason.TROUGH)


def test_a_freeze_of_decreases_lets_increases_through() -> None:
    story = Story().at("5m", demand=50)
    story.at("6m", demand=400, brakes=freeze(story, direction="in"))
    story.expect_within(60, OUT, Reason.RISING_DEMAND)


def test_a_freeze_concerns_the_tables_that_match_and_their_indexes() -> None:
    story = Story(resources=(FEED, BY_AUTHOR, USERS))
    braking = spread_brakes(freeze(story, "fe*"), story.fleet)
    assert braking is not None
    assert braking.is_held_out.tolist() == [True] * 4 + [False] * 2
    assert braking.is_held_in.tolist() == [True] * 4 + [False] * 2


def test_an_override_is_in_force_at_once_stands_while_it_lasts_and_ends_by_itself() -> None:
    story = Story(demand=50).at("5m", demand=50)
    story.at("6m", brakes=override(story, "26m", write=700)).expect(
        OUT, Reason.OVERRIDDEN, units=700
    )
    story.at("6m10s").expect(HOLD, Reason.OVERRIDDEN)
    assert story.provisioned == 700
    story.at("25m59s").expect_only(HOLD)
    assert story.provisioned == 700
    story.expect_within(60, IN, Reason.TROUGH)
    assert story.tables.decreases == [(FEED, story.now)]


def test_an_override_may_be_below_demand_and_the_pilot_raises_again_after_it() -> None:
    story = Story(demand=80).at("5m", demand=80)
    story.at("6m", brakes=override(story, "16m", write=30)).expect(IN, Reason.OVERRIDDEN, units=30)
    story.at("15m59s").expect(HOLD, Reason.OVERRIDDEN)
    assert story.provisioned == 30
    story.at("16m").expect(OUT, Reason.RISING_DEMAND)


def test_an_override_goes_through_a_freeze_and_capacity_stays_there_afterwards() -> None:
    story = Story(demand=50).at("5m", demand=50)
    both = override(story, "10m", write=300).with_freeze(freeze(story).freezes[0])
    story.at("6m", brakes=both).expect(OUT, Reason.OVERRIDDEN, units=300)
    story.at("30m").expect(HOLD, Reason.OPERATOR_FREEZE)
    assert story.provisioned == 300


def test_an_override_needs_no_telemetry() -> None:
    story = Story(demand=None)
    story.at("1m", brakes=override(story, "10m", write=300)).expect(OUT, units=300)


def test_an_override_leaves_the_other_dimension_and_other_resources_to_the_pilot() -> None:
    story = Story(resources=(FEED, BY_AUTHOR), read=(10, 10_000), demand=50).at("5m", demand=50)
    story.at("6m", other=(BY_AUTHOR, WRITE, 400.0), brakes=override(story, "30m", write=300))
    story.at("6m30s")
    provisioned = story.tables.provisioned.tolist()
    assert provisioned[:3] == [100, 300, 100]
    assert provisioned[3] > 400


def test_an_override_keeps_to_the_policys_bounds_unless_it_may_leave_them() -> None:
    story = Story(write=(10, 200), demand=50).at("5m", demand=50)
    story.at("6m", brakes=override(story, "9m", write=700)).expect(OUT, Reason.CEILING, units=200)
    beyond = override(story, "9m", write=700, beyond_bounds=True)
    story.at("7m", brakes=beyond).expect(OUT, Reason.OVERRIDDEN, units=700)
    story.at("8m59s").expect(HOLD, Reason.OVERRIDDEN)
    story.expect_within(600, IN, Reason.TROUGH)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"is_managed": False}, Reason.UNMANAGED),
        ({"provisioned": np.nan}, Reason.CAPACITY_UNKNOWN),
        ({"is_changeable": False}, Reason.UPDATE_IN_FLIGHT),
        ({"decreases_today": 4.0, "last_decrease_at": NOW - 3599}, Reason.DECREASE_QUOTA),
    ],
)
def test_what_even_an_override_waits_for(change: dict[str, Any], because: Reason) -> None:
    arrays: dict[str, Any] = {name: one(value) for name, value in change.items()}
    at = CALM._replace(**arrays)
    draft = brake(overriding(20.0), guards.decide(at), at)
    assert draft.units[0] == at.provisioned[0] or np.isnan(at.provisioned[0])
    assert int(draft.reasons[0]) & because
    assert int(draft.reasons[0]) & Reason.OVERRIDDEN


def test_the_reserve_of_decreases_is_spent_by_an_override() -> None:
    at = CALM._replace(decreases_today=one(3.0), last_decrease_at=one(NOW - 60))
    assert brake(overriding(20.0), guards.decide(at), at).units.tolist() == [20]


def overriding(units: float) -> Braking:
    no = np.array([False])
    return Braking(is_held_out=no, is_held_in=no, override=one(units), is_beyond=no)


@given(at=situations(), is_held_out=st.booleans(), is_held_in=st.booleans())
def test_a_freeze_only_ever_moves_a_decision_to_what_is_provisioned(
    *, at: Situation, is_held_out: bool, is_held_in: bool
) -> None:
    braking = Braking(
        is_held_out=np.array([is_held_out]),
        is_held_in=np.array([is_held_in]),
        override=one(np.nan),
        is_beyond=np.array([False]),
    )
    before = guards.decide(at)
    after = brake(braking, before, at)
    moved = action(before, at)
    if (moved > 0 and is_held_out) or (moved < 0 and is_held_in):
        assert after.units[0] == at.provisioned[0]
        assert int(after.reasons[0]) == int(before.reasons[0]) | Reason.OPERATOR_FREEZE
    else:
        assert np.array_equal(after.units, before.units, equal_nan=True)
        assert after.reasons.tolist() == before.reasons.tolist()


@given(situations(), st.integers(1, 90_000))
def test_an_override_ends_within_the_bounds_or_changes_nothing(at: Situation, units: int) -> None:
    after = brake(overriding(float(units)), guards.decide(at), at)
    if action(after, at):
        assert after.units[0] == min(max(units, at.floor[0]), at.ceiling[0])
        assert at.is_managed[0]
        assert at.is_changeable[0]
    else:
        assert np.array_equal(after.units, at.provisioned, equal_nan=True)


def action(draft: Draft, at: Situation) -> int:
    return int(np.sign(np.nan_to_num(draft.units[0] - at.provisioned[0])))


def placed(number: str, **said: Any) -> OverrideInForce:
    order = {"table": "feed", "lasts": 60.0, **WHO, **said}
    return OverrideInForce(id=number, since=NOW, until=NOW + 60, **order)


def test_a_later_override_takes_only_what_it_names_from_an_earlier_one() -> None:
    brakes = NO_BRAKES.with_override(placed("a", read=10, write=20))
    brakes = brakes.with_override(placed("b", index="by-author", write=50))
    brakes = brakes.with_override(placed("c", write=30))
    fleet = Fleet.of((FEED, BY_AUTHOR))
    braking = spread_brakes(brakes, fleet)
    assert braking is not None
    assert braking.override.tolist()[:2] == [10, 30]
    assert braking.override.tolist()[3] == 50
    brakes = brakes.with_override(placed("d", read=40))
    assert [o.id for o in brakes.overrides] == ["b", "c", "d"]


def test_a_freeze_said_again_takes_the_place_of_the_first() -> None:
    def said(number: str, *tables: str, direction: str = "both") -> FreezeInForce:
        order = {"tables": list(tables), "direction": direction, **WHO}
        return FreezeInForce.model_validate(
            {"id": number, "since": NOW, "until": None, "lasts": None, **order}
        )

    brakes = NO_BRAKES.with_freeze(said("a", "x", "y")).with_freeze(said("b", "x"))
    brakes = brakes.with_freeze(said("c", "x", direction="in")).with_freeze(said("d", "y", "x"))
    assert [f.id for f in brakes.freezes] == ["b", "c", "d"]
    assert [f.id for f in brakes.without("c").freezes] == ["b", "d"]


def test_brakes_without_anything_over_are_the_same_brakes() -> None:
    brakes = NO_BRAKES.with_override(placed("a", write=20))
    assert brakes.in_force(NOW + 59) is brakes
    assert brakes.in_force(NOW + 60) == NO_BRAKES
    assert Brakes.model_validate_json(brakes.model_dump_json()) == brakes


def test_a_freeze_holds_the_directions_it_names() -> None:
    order = FreezeOrder(direction="out", **WHO)
    assert (order.holds(Direction.OUT), order.holds(Direction.IN)) == (True, False)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"lasts": "30m"}, r"to what\? name read or write"),
        ({"lasts": "30m", "write": 0}, "greater than or equal to 1"),
        ({"lasts": "8 days", "write": 1}, "is not a duration such as 90s"),
        ({"lasts": "169h", "write": 1}, "less than or equal to 604800"),
        ({"lasts": "30m", "write": 1, "why": " "}, "at least 1 character"),
        ({"lasts": "30m", "write": 1, "by": "\x1b[2J"}, "not one line of printable text"),
    ],
)
def test_an_override_that_makes_no_sense_is_told_why(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OverrideOrder.model_validate({"table": "feed", **WHO, **said})
