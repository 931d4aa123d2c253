"""What each member makes of the past."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.members import (
    MEMBERS,
    MembersState,
    forecast_points,
    learn_window,
)

DAY = 8640
AHEAD = 6


def watch(means: Iterable[float | None]) -> tuple[MembersState, int]:
    state, window = MembersState.empty(1, 0), -1
    for window, mean in enumerate(means):
        state = learn_window(state, np.array([np.nan if mean is None else mean]), window)
    return state, window


def ahead_of(means: Iterable[float | None], steps: int = AHEAD) -> dict[str, float]:
    state, window = watch(means)
    points = forecast_points(state, window, np.array([[steps]]))
    return dict(zip(MEMBERS, points[:, 0, 0].tolist(), strict=True))


def test_of_steady_demand_all_say_the_same_from_the_first_window_on() -> None:
    for windows in (1, 2, 100, DAY + 100):
        assert ahead_of([70.0] * windows) == pytest.approx(dict.fromkeys(MEMBERS, 70.0))


def test_nothing_seen_is_nothing_forecast() -> None:
    state, window = watch([None] * 10)
    assert not state.is_known.any()
    assert not forecast_points(state, window, np.array([[1]])).any()


def test_a_climb_is_carried_on_by_the_trend_and_lagged_by_the_means() -> None:
    said = ahead_of(100.0 + 5.0 * n for n in range(200))  # now 1095, in a minute 1125
    assert said["minutes"] < said["level"] < said["last"] == 1095.0 < said["trend"]
    assert said["trend"] == pytest.approx(1125.0, rel=0.01)


def test_no_climb_goes_on_for_ever_and_no_fall_goes_below_nothing() -> None:
    climb, fall = ([100.0 + slope * n for n in range(20)] for slope in (5.0, -5.0))
    assert ahead_of(climb, 30)["trend"] == ahead_of(climb, 300)["trend"]
    assert ahead_of(fall, 300)["trend"] == 0.0


def test_unknown_windows_are_left_out() -> None:
    known = [float(n % 7) for n in range(100)]
    assert ahead_of([*known, None, None]) == ahead_of(known)


def test_the_season_repeats_yesterdays_change_on_todays_level() -> None:
    """Demand doubles at noon; today it is half of yesterday's and it is 11:50."""
    yesterday = np.where(np.arange(DAY) < DAY // 2, 100.0, 200.0)
    today = yesterday[: DAY // 2 - 60] / 2
    said = ahead_of([*yesterday, *today], steps=120)
    assert said["season"] == pytest.approx(50.0 + 100.0)
    assert said["level"] == pytest.approx(50.0)


def test_the_season_keeps_to_the_level_where_yesterday_is_unknown() -> None:
    yesterday: list[float | None] = [float(n % 900) for n in range(DAY)]
    yesterday[DAY // 2 - 90 : DAY // 2 + 90] = [None] * 180
    said = ahead_of([*yesterday, *([80.0] * (DAY // 2))])
    assert said["season"] == said["level"] == pytest.approx(80.0)


def test_every_target_has_a_horizon_of_its_own() -> None:
    state = MembersState.empty(3, 0)
    for window in range(50):
        climbing: Floats = np.array([10.0, 20.0, 30.0]) * (1 + window)
        state = learn_window(state, climbing, window)
    points = forecast_points(state, 49, np.array([[1, 1, 1], [2, 4, 8]]))
    rise = points[MEMBERS.index("trend"), 1] - points[MEMBERS.index("trend"), 0]
    assert rise == pytest.approx([10.0, 60.0, 210.0], rel=0.05)
