"""How bursts go on: as earlier ones that lasted as long did."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.upstream.bursts import BurstsState, expect_burst, note_burst


def learned(*lengths: int, rate: float = 10.0) -> BurstsState:
    state = BurstsState.empty(1)
    for length in lengths:
        note_burst(state.arrays, 0, np.full(length, rate))
    return state


def expect(state: BurstsState, *, come: float, age_s: int, seconds: int) -> Floats:
    return expect_burst(state.arrays, 0, come, age_s, seconds, 0.0)


def test_a_burst_goes_on_as_long_as_the_earlier_ones_did() -> None:
    to_come = expect(learned(64, 64, 64), come=3.0, age_s=3, seconds=100)
    assert to_come.sum() == pytest.approx(61.0, rel=0.2)
    np.testing.assert_allclose(to_come[10:61], to_come[10])
    np.testing.assert_allclose(to_come[61:], 0.0, atol=1e-9)


def test_one_that_outlasts_short_ones_goes_on_as_the_long_ones_did() -> None:
    state = learned(8, 8, 8, 8, 128)
    early = expect(state, come=2.0, age_s=2, seconds=300).sum()
    late = expect(state, come=16.0, age_s=16, seconds=300).sum()
    assert late == pytest.approx(112.0, rel=0.4)
    assert 8 < early < 60


def test_one_that_is_sent_faster_and_faster_goes_on_like_that() -> None:
    ramp = np.arange(64.0)
    state = BurstsState.empty(1)
    note_burst(state.arrays, 0, ramp)
    to_come = expect(state, come=ramp[:9].sum(), age_s=9, seconds=100).sum()
    assert to_come == pytest.approx(ramp[9:].sum(), rel=0.5)


def test_what_was_never_seen_to_last_so_long_lasts_half_as_long_again() -> None:
    for state in (BurstsState.empty(1), learned(16)):
        to_come = expect(state, come=400.0, age_s=40, seconds=100)
        assert to_come.sum() == pytest.approx(200.0)
        assert np.count_nonzero(to_come) == 20


def test_signals_learn_apart() -> None:
    state = BurstsState.empty(2)
    note_burst(state.arrays, 1, np.full(32, 5.0))
    assert not state.come[:, :, 0].any()


@given(
    lengths=st.lists(st.integers(1, 600), max_size=6),
    age_s=st.integers(1, 600),
    come=st.floats(0, 1e9),
    seconds=st.integers(1, 400),
)
def test_nothing_is_ever_taken_back(
    lengths: list[int], age_s: int, come: float, seconds: int
) -> None:
    to_come = expect(learned(*lengths), come=come, age_s=age_s, seconds=seconds)
    assert to_come.shape == (seconds,)
    assert (to_come >= -1e-9 * come).all()
    assert np.isfinite(to_come).all()
