"""Seconds that stand out from those around them, and what they say of the next high one."""

from __future__ import annotations

import numpy as np

from tests.core.forecast.watching import watch

CALM = np.full(120, 100.0)
CLUMP = np.full(2, 900.0)


def test_two_high_seconds_between_low_ones_are_a_spike() -> None:
    assert watch(CALM, CLUMP, CALM[:20]).spike[0] > 790.0


def test_neither_the_beginning_of_a_rise_nor_its_end_is_one() -> None:
    risen = watch(CALM, np.full(120, 900.0))
    assert risen.spike[0] == 0.0
    assert watch(CALM, np.full(120, 900.0), CALM).spike[0] < 1.0


def test_the_first_high_seconds_are_a_surge_and_others_like_them_are_not() -> None:
    """Nobody can tell the first from a push; a target that has done so before is known to."""
    like_it = np.full(2, 750.0)
    assert watch(CALM, CLUMP).is_surging[0]
    assert watch(CALM, CALM, CALM, like_it).is_surging[0]
    assert not watch(CALM, CLUMP, CALM, CALM, like_it).is_surging[0]


def test_a_push_higher_than_any_spike_is_a_surge_all_the_same() -> None:
    assert watch(CALM, CLUMP, CALM, np.full(2, 2_000.0)).is_surging[0]
