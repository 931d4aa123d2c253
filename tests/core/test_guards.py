"""Guards: hard bounds first, and from there only toward what is provisioned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core import guards
from capacity_pilot.core.events.schedule import NOTHING_COMING, Schedule
from capacity_pilot.core.guards import Draft, Situation
from capacity_pilot.core.reasons import Reason, explain_reasons, name_reasons
from tests.core.scenario import MIDNIGHT

NOW = MIDNIGHT + 40_000.0

anything = st.floats(allow_nan=True, allow_infinity=True)
asked = st.one_of(anything, st.floats(0, 1e5), st.sampled_from([np.nan, np.inf, 0.0, -1.0, 1e300]))
moments = st.one_of(st.just(np.nan), st.floats(-90_000, 90_000).map(lambda s: NOW + s))


YES, NO = np.array([True]), np.array([False])


def one(value: float) -> np.ndarray[tuple[int], np.dtype[Any]]:
    return np.array([value])


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    floor = draw(st.integers(1, 40_000))
    bools: dict[str, Any] = {
        name: np.array([draw(st.booleans())])
        for name in ("is_managed", "is_fresh", "is_surging", "is_panicking", "is_changeable")
    }
    return Situation(
        now=NOW,
        provisioned=one(draw(st.one_of(st.just(np.nan), st.integers(0, 80_000).map(float)))),
        least=one(draw(asked)),
        sustained=one(draw(asked)),
        resting=one(draw(asked)),
        stabilized=one(draw(asked)),
        floor=one(float(floor)),
        ceiling=one(float(draw(st.integers(floor, 40_000)))),
        last_refused=one(draw(moments)),
        decreases_today=one(float(draw(st.integers(0, 6)))),
        last_decrease_at=one(draw(moments)),
        described_at=one(draw(moments)),
        reserve_decreases=one(float(draw(st.integers(0, 4)))),
        stabilization_s=one(600.0),
        schedule=Schedule(
            foreseen=one(draw(asked)),
            needed=one(draw(asked)),
            is_near=np.array([draw(st.booleans())]),
            is_frozen_in=np.array([draw(st.booleans())]),
            is_frozen_out=np.array([draw(st.booleans())]),
            reasons=np.zeros(1, dtype=np.int64),
        ),
        **bools,
    )


def decide(at: Situation) -> tuple[float, int]:
    """Units and the sign of the change."""
    units = float(guards.decide(at).units[0])
    return units, int(np.sign(np.nan_to_num(units - at.provisioned[0])))


@given(situations())
def test_every_change_ends_within_the_bounds(at: Situation) -> None:
    """Whatever sizing says: NaN, inf, negative or huge."""
    units, action = decide(at)
    if action:
        assert at.floor[0] <= units <= at.ceiling[0]
        assert units == int(units)
        assert at.is_managed[0]
        assert at.is_changeable[0]
    else:
        assert units == at.provisioned[0] or np.isnan(at.provisioned[0])


@given(situations())
def test_guards_leave_what_the_clamp_makes_of_the_recommendation_or_what_is_provisioned(
    at: Situation,
) -> None:
    """Every guard after the clamp only moves a decision toward what is provisioned."""
    units, action = decide(at)
    if action > 0:
        asked = max(at.provisioned[0], at.least[0])
        assert units == min(max(np.ceil(asked), at.floor[0]), at.ceiling[0])
    elif action < 0:
        asked = at.provisioned[0]
        if at.least[0] > at.provisioned[0]:
            asked = at.least[0]
        elif at.resting[0] < at.provisioned[0] and at.stabilized[0] < at.provisioned[0]:
            asked = max(at.stabilized[0], at.resting[0])
        assert units == min(max(np.ceil(asked), at.floor[0]), at.ceiling[0])


@given(situations())
def test_scale_in_needs_everything_to_allow_it(at: Situation) -> None:
    _, action = decide(at)
    if action < 0:
        assert at.is_fresh[0]
        assert not at.is_panicking[0]
        assert not NOW - at.last_refused[0] < 60
        assert not at.schedule.is_near[0]
        assert not at.schedule.is_frozen_in[0]


@given(situations())
def test_an_increase_is_held_by_a_freeze_only_where_it_was_asked_for(at: Situation) -> None:
    thawed = at._replace(schedule=replace(at.schedule, is_frozen_out=NO))
    _, action = decide(thawed)
    if action > 0:
        assert decide(at)[1] == (0 if at.schedule.is_frozen_out[0] else 1)


@given(situations(), situations())
def test_what_only_concerns_decreases_never_delays_an_increase(
    at: Situation, other: Situation
) -> None:
    units, action = decide(at)
    names = (
        "stabilized",
        "is_fresh",
        "is_panicking",
        "last_refused",
        "decreases_today",
        "last_decrease_at",
        "described_at",
        "reserve_decreases",
    )
    schedule = replace(
        at.schedule,
        is_near=other.schedule.is_near,
        is_frozen_in=other.schedule.is_frozen_in,
    )
    changed = at._replace(schedule=schedule, **{name: getattr(other, name) for name in names})
    if action > 0:
        assert decide(changed) == (units, action)
    else:
        assert decide(changed)[1] <= 0


@given(situations(), st.floats(0, 1e5), st.floats(0, 1e5))
def test_more_asked_for_never_gives_less(at: Situation, least: float, more: float) -> None:
    low = at._replace(
        least=one(least),
        sustained=one(least),
        resting=one(least),
        stabilized=one(least),
    )
    high = at._replace(
        least=one(least + more),
        sustained=one(least + more),
        resting=one(least + more),
        stabilized=one(least + more),
    )
    assert not decide(high)[0] < decide(low)[0]


CALM = Situation(
    now=NOW,
    provisioned=one(100.0),
    least=one(10.0),
    sustained=one(40.0),
    resting=one(48.0),
    stabilized=one(50.0),
    is_managed=YES,
    floor=one(5.0),
    ceiling=one(500.0),
    is_fresh=YES,
    is_surging=NO,
    is_panicking=NO,
    is_changeable=YES,
    last_refused=one(np.nan),
    decreases_today=one(0.0),
    last_decrease_at=one(np.nan),
    described_at=one(NOW),
    reserve_decreases=one(1.0),
    stabilization_s=one(600.0),
    schedule=NOTHING_COMING.over(1),
)


NOTHING = NOTHING_COMING.over(1)
COMING = replace(NOTHING, is_near=YES, reasons=np.array([Reason.EVENT.value]))


def test_with_nothing_against_it_the_trough_is_followed_to_the_stabilized_height() -> None:
    assert decide(CALM) == (50.0, -1)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"is_managed": False}, Reason.UNMANAGED),
        ({"provisioned": np.nan}, Reason.CAPACITY_UNKNOWN),
        ({"is_changeable": False}, Reason.UPDATE_IN_FLIGHT),
        ({"is_fresh": False}, Reason.STALE_TELEMETRY),
        ({"is_panicking": True}, Reason.AFTERMATH),
        ({"last_refused": NOW - 59}, Reason.THROTTLING),
        ({"stabilized": np.inf}, Reason.STABILIZING),
        ({"stabilized": 92.0, "resting": 92.0}, Reason.SMALL_SAVING),
        (
            {"stabilized": 71.0, "resting": 71.0, "last_decrease_at": NOW - 3599},
            Reason.SMALL_SAVING,
        ),
        ({"resting": 35.0}, Reason.STABILIZING),
        ({"decreases_today": 4.0, "last_decrease_at": NOW - 3599}, Reason.DECREASE_QUOTA),
        ({"decreases_today": 3.0, "last_decrease_at": NOW - 3599}, Reason.DECREASE_RESERVE),
        ({"sustained": np.nan, "resting": np.nan, "least": np.nan}, Reason.NO_TELEMETRY),
        ({"schedule": COMING}, Reason.EVENT),
        ({"schedule": replace(NOTHING, is_frozen_in=YES)}, Reason.FROZEN),
    ],
)
def test_each_guard_holds_the_trough_alone(change: dict[str, Any], because: Reason) -> None:
    arrays: dict[str, Any] = {
        name: value if isinstance(value, Schedule) else one(value) for name, value in change.items()
    }
    at = CALM._replace(**arrays)
    draft = guards.decide(at)
    assert draft.units[0] == at.provisioned[0] or np.isnan(at.provisioned[0])
    assert int(draft.reasons[0]) & because
    assert because.name is not None
    assert because.name.lower() in name_reasons(int(draft.reasons[0]))


def test_a_small_saving_is_taken_where_the_ceiling_demands_it() -> None:
    at = CALM._replace(
        ceiling=one(95.0),
        sustained=one(120.0),
        resting=one(120.0),
        stabilized=one(120.0),
    )
    assert decide(at) == (95.0, -1)


def test_every_reason_has_words() -> None:
    for reason in Reason:
        assert explain_reasons(reason)
        assert explain_reasons(reason) != explain_reasons(0) or not reason
    assert name_reasons(0) == ("steady",)
    assert set(Draft._fields) == {"units", "reasons"}
