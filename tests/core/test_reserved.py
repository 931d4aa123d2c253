"""Decreases below what is reserved, which would save nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.limits import Reserved
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.reserved import keep_reserved
from capacity_pilot.core.tick import Decisions

HAS = 1000.0
SIZE = 8  # reads and writes of four tables


def decide(wanted: Mapping[int, float], *, ordered: int | None = None) -> Decisions:
    """Every slot has a thousand units; some are to have something else."""
    units, reasons = np.full(SIZE, HAS), np.zeros(SIZE, dtype=np.int64)
    for slot, value in wanted.items():
        units[slot] = value
    if ordered is not None:
        reasons[ordered] = Reason.OVERRIDDEN
    values: dict[str, Any] = dict.fromkeys(Decisions._fields, np.zeros(SIZE))
    values |= {
        "units": units,
        "action": np.sign(units - HAS).astype(np.int8),
        "reasons": reasons,
        "provisioned": np.full(SIZE, HAS),
    }
    return Decisions(**values)


def keep(decisions: Decisions, *, committed: float = HAS, **reserved: int) -> dict[int, float]:
    """What is still to be lowered, and to what."""
    kept = keep_reserved(Reserved(**reserved), decisions, np.full(SIZE, committed))
    is_held = (decisions.action < 0) & (kept.units > decisions.units)
    assert ((kept.reasons & Reason.RESERVED.value != 0) == is_held).all()
    assert (kept.action == np.sign(kept.units - HAS)).all()
    return {n: float(kept.units[n]) for n in np.flatnonzero(kept.action < 0).tolist()}


def test_decreases_go_as_far_as_units_are_above_the_reservation() -> None:
    """Of 4,000 write units 3,200 are reserved: 800 can be saved, the largest decrease first."""
    decisions = decide({1: 700.0, 3: 400.0, 5: 900.0})
    assert keep(decisions, write=3200) == {3: 400.0, 1: 800.0}
    assert keep(decisions, write=4000) == {}
    assert keep(decisions, write=100) == {1: 700.0, 3: 400.0, 5: 900.0}


def test_what_is_left_of_a_decrease_has_to_be_worth_it() -> None:
    """There are few decreases: 80 units of a thousand are not what to spend one on."""
    assert keep(decide({1: 500.0}), write=3920) == {}
    assert keep(decide({1: 500.0}), write=3900) == {1: 900.0}


def test_reads_and_writes_are_reserved_apart() -> None:
    assert keep(decide({0: 500.0, 1: 500.0}), read=4000) == {1: 500.0}


def test_what_a_person_ordered_is_done() -> None:
    assert keep(decide({1: 500.0}, ordered=1), write=4000) == {1: 500.0}


@given(
    wanted=st.dictionaries(st.integers(0, SIZE - 1), st.floats(1.0, 2000.0), max_size=SIZE),
    write=st.integers(0, 6000),
)
def test_nothing_is_lowered_below_it_and_no_increase_is_touched(
    wanted: dict[int, float], write: int
) -> None:
    decisions = decide({slot: float(np.ceil(units)) for slot, units in wanted.items()})
    kept = keep_reserved(Reserved(write=write), decisions, np.full(SIZE, HAS))
    raised = decisions.action > 0
    assert (kept.units[raised] == decisions.units[raised]).all()
    assert (kept.units[0::2] == decisions.units[0::2]).all()
    saved = np.maximum(HAS - kept.units[1::2], 0.0).sum()
    assert saved == 0 or 4 * HAS - saved >= write
