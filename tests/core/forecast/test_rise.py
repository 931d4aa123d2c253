"""How steep a surge is: what one second of it added, less what noise may have."""

from __future__ import annotations

import numpy as np

from capacity_pilot.core.fleet import Floats
from tests.core.forecast.watching import watch

PUSH = (66.0, 140.0, 220.0, 264.0)


def calm(noise: float) -> Floats:
    draw = np.random.default_rng(4)
    return np.maximum(44.0 + noise * draw.standard_normal(120), 0.0)


def test_no_surge_no_rise() -> None:
    ahead = watch(calm(3.0))
    assert not ahead.is_surging[0]
    assert ahead.rise[0] == 0.0


def test_a_push_rises_by_half_of_what_two_seconds_added() -> None:
    """From (66 + 140) / 2 to (140 + 220) / 2, less what its own steps make look like noise."""
    ahead = watch(np.r_[calm(1.0), PUSH[:3]])
    assert ahead.is_surging[0]
    assert 50.0 < ahead.rise[0] <= 77.0


def test_a_push_that_has_arrived_rises_no_more() -> None:
    ahead = watch(np.r_[calm(1.0), PUSH, [264.0, 200.0, 210.0, 205.0, 208.0, 206.0, 203.0, 204.0]])
    assert ahead.is_surging[0]
    assert ahead.rise[0] < 40.0


def test_what_noise_may_have_added_is_no_rise() -> None:
    quiet, noisy = (watch(np.r_[calm(noise), PUSH[:3]]) for noise in (1.0, 12.0))
    assert noisy.rise[0] < quiet.rise[0] - 10.0
