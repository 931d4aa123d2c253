"""AWS's decrease quota against times worked out by hand (developer guide, ServiceQuotas)."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.quota import decreases_counted, keeps_reserve, next_decrease_at
from tests.core.scenario import MIDNIGHT

NOON = MIDNIGHT + 43_200
NEXT = MIDNIGHT + 86_400
NEVER = np.nan


@pytest.mark.parametrize(
    ("counted", "last", "now", "expected"),
    [
        pytest.param(0, NEVER, NOON, NOON, id="never decreased"),
        pytest.param(3, NOON - 1, NOON, NOON, id="the fourth is free, a second after the third"),
        pytest.param(4, NOON, NOON, NOON + 3600, id="the fifth comes an hour after the fourth"),
        pytest.param(4, NOON, NOON + 3599, NOON + 3600, id="a second short of the hour"),
        pytest.param(4, NOON, NOON + 3600, NOON + 3600, id="the hour is over"),
        pytest.param(9, NOON, NOON + 9000, NOON + 9000, id="hours do not accumulate"),
        pytest.param(7, NEXT - 1800, NEXT - 60, NEXT, id="midnight comes before the hour"),
        pytest.param(4, NEVER, NOON, NEXT, id="four counted, none dated: only midnight is sure"),
    ],
)
def test_next_decrease(counted: float, last: float, now: float, expected: float) -> None:
    assert next_decrease_at(counted, last, now) == expected


@pytest.mark.parametrize(
    ("described_at", "now", "expected"),
    [
        (NEXT - 1, NEXT - 0.5, 4.0),
        (NEXT - 1, NEXT, 0.0),
        (NEXT, NEXT, 4.0),
        (NEXT, NEXT + 86_399, 4.0),
        (MIDNIGHT, NEXT + 5, 0.0),
    ],
)
def test_a_count_read_before_midnight_is_over(
    described_at: float, now: float, expected: float
) -> None:
    assert decreases_counted(4.0, described_at, now) == expected


@pytest.mark.parametrize(
    ("counted", "last", "reserve", "kept"),
    [
        (0, NEVER, 4, True),  # nothing within the hour: the hourly pace takes from no reserve
        (2, NOON - 60, 1, True),
        (3, NOON - 60, 1, False),
        (3, NOON - 60, 0, True),
        (3, NOON - 3600, 1, True),
        (3, NOON - 3599, 1, False),
        (0, NOON - 60, 4, False),
    ],
)
def test_reserve(counted: float, last: float, reserve: float, *, kept: bool) -> None:
    assert keeps_reserve(counted, last, reserve, NOON) == kept
