"""What is learned of a recipient: peaks, their decay, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.events.gains import (
    SPANS,
    SPANS_END_S,
    Gains,
    estimate_gains,
    learn_gains,
    move_gains,
    span_of,
)
from capacity_pilot.core.fleet import Fleet, Floats
from capacity_pilot.core.model import Resource

PEAK = 3
FLEET = Fleet.of(Resource(table) for table in "abc")


def decaying(peak: float) -> Floats:
    """Gains that rise for a minute and ebb away, (SPANS,)."""
    spans = np.arange(SPANS)
    return np.asarray(peak * np.exp(-np.abs(spans - PEAK) / 2.0))


def learned(*peaks: float, slot: int = 0) -> Gains:
    gains = Gains.none()
    for peak in peaks:
        gains = learn_gains(gains, np.array([slot]), decaying(peak)[:, None])
    return gains


gains_of = st.lists(st.floats(0.001, 1000), min_size=1, max_size=12)


@given(gains_of)
def test_what_is_expected_lies_within_what_was_seen_and_below_what_is_prepared_for(
    peaks: list[float],
) -> None:
    estimate = estimate_gains(learned(*peaks), np.array([0]))
    recent = peaks[-8:]
    assert min(recent) * 0.999 <= estimate.expected[PEAK, 0] <= max(recent) * 1.001
    assert (estimate.high >= estimate.expected).all()
    assert estimate.learned_from[0] == len(recent)


@given(gains_of, st.floats(0.01, 100))
def test_recipients_who_do_k_times_as_much_are_expected_to(peaks: list[float], k: float) -> None:
    once = estimate_gains(learned(*peaks), np.array([0]))
    more = estimate_gains(learned(*(k * peak for peak in peaks)), np.array([0]))
    assert more.high == pytest.approx(k * once.high)
    assert more.expected == pytest.approx(k * once.expected)


@given(gains_of, st.integers(0, 11), st.floats(1, 10))
def test_an_occurrence_that_came_to_more_never_makes_less_be_expected(
    peaks: list[float], which: int, factor: float
) -> None:
    raised = [p * factor if n == which % len(peaks) else p for n, p in enumerate(peaks)]
    before, after = (estimate_gains(learned(*p), np.array([0])) for p in (peaks, raised))
    assert (after.expected >= before.expected * 0.999).all()


def test_the_shape_is_learned_with_the_peak() -> None:
    estimate = estimate_gains(learned(2.0, 2.0, 2.0), np.array([0]))
    assert estimate.expected[:, 0] == pytest.approx(decaying(2.0))


def test_the_more_alike_occurrences_were_the_less_is_prepared_for_beyond_them() -> None:
    error = [
        estimate_gains(learned(*[1.0] * times), np.array([0])).high[PEAK, 0] - 1.0
        for times in (1, 2, 4, 8)
    ]
    assert error == sorted(error, reverse=True)
    assert 0.2 < error[0] < 0.5
    assert error[-1] < 0.15


def test_one_wild_occurrence_among_many_is_not_taken_for_the_rule() -> None:
    usual = estimate_gains(learned(*[1.0] * 7), np.array([0]))
    wild = estimate_gains(learned(*[1.0] * 6, 50.0), np.array([0]))
    assert wild.expected == pytest.approx(usual.expected)
    assert wild.high[PEAK, 0] < 2


def test_a_span_nobody_saw_is_taken_to_be_as_high_as_the_highest() -> None:
    seen = decaying(5.0)
    seen[: PEAK - 1] = np.nan
    gains = learn_gains(Gains.none(), np.array([0]), seen[:, None])
    assert estimate_gains(gains, np.array([0])).expected[0, 0] == pytest.approx(5.0)


def test_slots_are_learned_apart_and_of_others_nothing_is_known() -> None:
    both = np.stack([decaying(1.0), np.full(SPANS, np.nan)], axis=1)
    gains = learn_gains(learned(7.0, slot=3), np.array([1, 2]), both)
    estimate = estimate_gains(gains, np.array([0, 1, 2, 3]))
    assert estimate.learned_from.tolist() == [0, 1, 0, 1]
    assert estimate.expected[PEAK].tolist() == pytest.approx([np.nan, 1, np.nan, 7], nan_ok=True)


def test_gains_move_with_their_targets() -> None:
    """Slots 0 and 1 are table a's, 4 and 5 table c's; then a is gone and A has come first."""
    gains = learn_gains(learned(1.0, slot=0), np.array([5]), decaying(9.0)[:, None])
    new = Fleet.of(Resource(table) for table in "Abc")
    moved = move_gains(gains, FLEET, new)
    assert moved.slots.tolist() == [5]
    assert moved.samples[0, PEAK, 0] == pytest.approx(9.0)
    back = move_gains(moved, new, FLEET)
    assert back.samples[0, PEAK, 0] == pytest.approx(9.0)


@given(st.floats(0, 200_000))
def test_every_moment_of_an_event_is_in_one_span(since_s: float) -> None:
    span = span_of(since_s)
    assert span == SPANS - 1 or since_s < SPANS_END_S[span]
    assert span == 0 or since_s >= SPANS_END_S[span - 1]
