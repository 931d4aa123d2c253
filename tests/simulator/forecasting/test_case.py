"""The pilot's forecasts of recorded demand, fed as by telemetry."""

from __future__ import annotations

import numpy as np
import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.simulator.forecasting.case import forecast_cases
from capacity_pilot.simulator.forecasting.run import SIMPLE, compare, count_work
from capacity_pilot.simulator.workload import Workload

HOUR_S = 3600


def make_workload(
    name: str = "feed", *, seconds: int = 2 * HOUR_S, seed: int = 0, recorded: Bools | None = None
) -> Workload:
    demand: Floats = np.random.default_rng(seed).poisson(50.0, seconds).astype(np.float64)
    return Workload(
        name=name,
        demand=demand,
        requests=demand,
        is_recorded=np.ones(seconds, dtype=np.bool_) if recorded is None else recorded,
        factor=1.0,
        bin_s=1,
        is_seconds_real=True,
    )


def test_each_window_is_forecast_once_from_what_was_known_then() -> None:
    [case] = forecast_cases([make_workload()], horizon_s=60.0, lag_s=6)
    forecast = np.flatnonzero(case.origins >= 0)
    assert np.array_equal(forecast, np.arange(forecast[0], 720))
    # 60 s ahead and 6 to 7 s late: the window is 7 after the newest known one.
    assert (forecast - case.origins[forecast] == 7).all()
    assert np.isfinite(case.quantiles[:, forecast]).all()
    assert case.truth[3] == pytest.approx(make_workload().demand[30:40].mean())


@pytest.mark.parametrize(("horizon_s", "lag_s", "behind"), [(10, 6, 2), (10, 0, 1), (300, 20, 32)])
def test_a_longer_horizon_and_later_news_leave_less_known(
    horizon_s: float, lag_s: int, behind: int
) -> None:
    [case] = forecast_cases([make_workload()], horizon_s=horizon_s, lag_s=lag_s)
    assert 719 - case.origins[719] == behind


def test_what_was_not_recorded_is_neither_told_nor_held_against_anyone() -> None:
    recorded = np.ones(2 * HOUR_S, dtype=np.bool_)
    recorded[HOUR_S : HOUR_S + 600] = False
    workload = make_workload(recorded=recorded)
    workload.demand[~recorded] = 1e6
    [case] = forecast_cases([workload], horizon_s=60.0, lag_s=6)
    assert np.isnan(case.truth[360:420]).all()
    assert np.nanmax(case.quantiles) < 200


def test_no_forecast_depends_on_the_future() -> None:
    changed = make_workload()
    changed.demand[HOUR_S:] *= 5
    before, after = (
        forecast_cases([workload], horizon_s=60.0, lag_s=6)[0]
        for workload in (make_workload(), changed)
    )
    made_before = after.origins < HOUR_S // 10 - 1
    assert np.array_equal(
        before.quantiles[:, made_before], after.quantiles[:, made_before], equal_nan=True
    )


def test_all_models_are_scored_and_progress_is_told() -> None:
    workloads = [make_workload("a"), make_workload("b", seed=1), make_workload("c", seconds=4000)]
    told: list[int] = []
    scores = compare(
        workloads, models=SIMPLE, horizon_s=60.0, lag_s=6, processes=1, on_progress=told.append
    )
    assert [score.name for score in scores] == ["a", "b", "c"]
    assert sum(told) == count_work(workloads, SIMPLE)
    for score in scores:
        assert list(score.models) == ["pilot", "naive"]  # there is no day before
        assert score.models["pilot"].exceeded[0.5] == pytest.approx(0.5, abs=0.1)


def test_two_processes_find_what_one_finds() -> None:
    workloads = [make_workload("a"), make_workload("b", seed=1)]
    one, two = (
        compare(workloads, models=SIMPLE, horizon_s=60.0, lag_s=6, processes=n) for n in (1, 2)
    )
    assert one == two


def test_what_cannot_be_compared_is_refused() -> None:
    for workloads, why in (
        ([make_workload(), make_workload()], "2 demand files are called feed; names must differ"),
        ([make_workload(seconds=600)], "feed has 600 s; forecasts are scored from 3600 on"),
    ):
        with pytest.raises(InputError, match=why):
            compare(workloads, models=SIMPLE, horizon_s=60.0, lag_s=6, processes=1)
