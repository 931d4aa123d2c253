"""Stabilization against a sliding maximum computed the slow way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.stabilization import StabilizationState, stabilize
from tests.core.scenario import MIDNIGHT


class Watch:
    """One slot's stabilization, fed value by value."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.state = StabilizationState.empty(1)

    def see(self, value: float, now: float) -> float:
        self.state, highest = stabilize(
            self.state,
            np.array([value]),
            is_known=np.array([True]),
            window_s=np.array([self.window_s]),
            now=now,
        )
        return float(highest[0])


values = st.one_of(st.floats(0, 1e6), st.just(np.nan))


@given(
    st.lists(st.tuples(values, st.floats(0.1, 5.0)), min_size=1, max_size=150),
    st.sampled_from([20.0, 40.0, 100.0]),
)
def test_never_below_the_window_nor_above_a_quarter_more(
    told: list[tuple[float, float]], window_s: float
) -> None:
    watch, now, seen = Watch(window_s), MIDNIGHT, []
    for value, wait in told:
        now += wait
        seen.append((now, np.inf if np.isnan(value) else value))
        highest = watch.see(value, now)
        if now - seen[0][0] < window_s:
            assert highest == np.inf
            continue
        assert highest >= max(v for at, v in seen if at > now - window_s + 1e-6)
        assert highest <= max(v for at, v in seen if at >= now - 1.25 * window_s - 1e-6)


def test_no_window_lets_every_value_through() -> None:
    watch = Watch(0.0)
    told = (9.0, 4.0, 7.0)
    assert [watch.see(v, MIDNIGHT + second) for second, v in enumerate(told)] == list(told)


def test_time_nobody_watched_is_not_known_to_be_low() -> None:
    """The process slept for an hour: the window starts anew."""
    watch = Watch(600.0)
    for second in range(1200):
        watch.see(900.0, MIDNIGHT + second)
    wakes = MIDNIGHT + 4800
    assert watch.see(100.0, wakes) == np.inf
    later = [watch.see(100.0, wakes + second) for second in range(1, 602)]
    assert later[598] == np.inf
    assert later[600] == 100.0


def test_a_longer_window_in_the_policy_is_watched_through_first() -> None:
    watch = Watch(60.0)
    for second in range(3600):
        watch.see(900.0 if second < 3500 else 100.0, MIDNIGHT + second)
    watch.window_s = 600.0
    assert watch.see(100.0, MIDNIGHT + 3600) == np.inf
    later = [watch.see(100.0, MIDNIGHT + 3600 + s) for s in range(1, 800)]
    assert later[598] == np.inf
    assert later[-1] == 100.0


def test_a_shorter_window_in_the_policy_holds_soon() -> None:
    watch = Watch(600.0)
    for second in range(1200):
        watch.see(900.0, MIDNIGHT + second)
    watch.window_s = 60.0
    later = [watch.see(100.0, MIDNIGHT + 1200 + second) for second in range(300)]
    assert later[50] == 900.0
    assert later[-1] == pytest.approx(100.0)
