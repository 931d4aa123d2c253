"""The account's total: who gets what is left of it, and what a refusal tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.account_quota import BELIEVED_S, REMEMBERED_S, AccountQuota
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.model import (
    AccountLimits,
    Dimension,
    Direction,
    ReservedUnits,
    Resource,
)
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Decisions

FLEET = Fleet.of([Resource("a"), Resource("b"), Resource("b", "i")])
SIZE = len(FLEET)
WRITE_OF = {"a": 1, "b": 3, "b/i": 5}
HAS = 100.0
NOW = 1e9


def decide(wanted: Mapping[str, float], *, dry_s: Mapping[str, float] | None = None) -> Decisions:
    """Writes of some targets are to be something else than the 100 they have."""
    units, soonest = np.full(SIZE, HAS), np.full(SIZE, np.nan)
    for name, value in wanted.items():
        units[WRITE_OF[name]] = value
        soonest[WRITE_OF[name]] = (dry_s or {}).get(name, np.nan)
    values: dict[str, Any] = dict.fromkeys(Decisions._fields, np.zeros(SIZE))
    values |= {
        "units": units,
        "action": np.sign(units - HAS).astype(np.int8),
        "reasons": np.zeros(SIZE, dtype=np.int64),
        "provisioned": np.full(SIZE, HAS),
        "seconds_to_throttle": soonest,
    }
    return Decisions(**values)


def hold(
    quota: AccountQuota,
    decisions: Decisions,
    *,
    committed: float = HAS,
    waiting: tuple[tuple[str, Direction], ...] = (),
    now: float = NOW,
) -> Decisions:
    return quota.hold(FLEET, decisions, np.full(SIZE, committed), waiting=waiting, now=now)


def written(decisions: Decisions) -> dict[str, float]:
    return {t: decisions.units[s] for t, s in WRITE_OF.items() if decisions.action[s]}


def quota(write: int) -> AccountQuota:
    return AccountQuota(AccountLimits(account_read=300, account_write=write))


def test_what_fits_is_left_as_it_is() -> None:
    wanted = decide({"a": 200, "b": 150})
    assert hold(quota(450), wanted) is wanted
    assert hold(quota(449), wanted) is not wanted


def test_the_most_urgent_gets_what_is_left_and_the_rest_is_cut_with_a_reason() -> None:
    wanted = decide({"a": 300, "b": 300, "b/i": 150}, dry_s={"a": 90, "b": 4})
    left = hold(quota(600), wanted)
    assert written(left) == {"b": 300, "b/i": 150, "a": 150}
    assert left.reasons[WRITE_OF["a"]] == Reason.ACCOUNT_QUOTA
    assert left.reasons[WRITE_OF["b"]] == Reason.STEADY


def test_with_nothing_left_increases_are_held_and_decreases_are_not() -> None:
    left = hold(quota(300), decide({"a": 300, "b": 50}))
    assert written(left) == {"b": 50}
    assert left.reasons[WRITE_OF["a"]] == Reason.ACCOUNT_QUOTA


def test_an_account_above_its_quota_is_not_lowered_for_it() -> None:
    assert written(hold(quota(100), decide({"a": 300}))) == {}


def test_what_was_requested_counts_and_what_waits_does_not() -> None:
    wanted = decide({"a": 200, "b": 200}, dry_s={"a": 1})
    assert written(hold(quota(500), wanted, committed=120)) == {"a": 200, "b": 140}
    left = hold(quota(400), wanted, waiting=(("a", Direction.OUT),))
    assert written(left) == {"a": 200, "b": 200}


def test_a_refusal_tells_what_others_have_for_a_while() -> None:
    told = quota(1000)
    reserved = ReservedUnits(dimension=Dimension.WRITE, units=900, most=950)
    told.note(reserved, np.full(SIZE, HAS), NOW)
    read, write = told.use(np.full(SIZE, HAS), NOW)
    assert (read.elsewhere, read.share) == (None, 1.0)
    assert (write.managed, write.elsewhere, write.most) == (300.0, 600.0, 950)
    assert written(hold(told, decide({"a": 300}))) == {"a": 150}
    assert written(hold(told, decide({"a": 300}), now=NOW + BELIEVED_S)) == {"a": 300}
    shown = [told.use(np.full(SIZE, HAS), NOW + s)[1].elsewhere for s in (BELIEVED_S, REMEMBERED_S)]
    assert shown == [600.0, None]


UNITS = st.floats(1, 1e6).map(round)


@given(
    st.dictionaries(st.sampled_from(sorted(WRITE_OF)), UNITS, min_size=1),
    st.integers(1, 2_000_000),
    st.integers(0, 2_000_000),
)
def test_nothing_goes_past_the_quota_or_below_what_is_there(
    wanted: dict[str, float], most: int, total: int
) -> None:
    held = quota(most)
    held.note(
        ReservedUnits(dimension=Dimension.WRITE, units=total, most=most), np.full(SIZE, HAS), NOW
    )
    before = decide(wanted)
    left = hold(held, before)
    others = max(total - 300, 0)
    raised = np.maximum(left.units - HAS, 0)[1::2].sum()
    assert raised <= max(most - 300 - others, 0)
    is_raise = before.units > HAS
    assert ((left.units >= HAS) & (left.units <= before.units))[is_raise].all()
    assert np.array_equal(left.units[~is_raise], before.units[~is_raise])
    assert left.units == pytest.approx(np.rint(left.units))
