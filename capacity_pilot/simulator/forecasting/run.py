"""Every model on every workload, spread over processes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.forecasting.case import Case, forecast_cases
from capacity_pilot.simulator.forecasting.comparison import CaseScore, score_case
from capacity_pilot.simulator.forecasting.models import (
    Model,
    forecast_naive,
    forecast_seasonal_naive,
)
from capacity_pilot.simulator.forecasting.statistical import (
    forecast_auto_ets,
    forecast_holt_winters,
    forecast_mstl,
)
from capacity_pilot.simulator.workload import Workload

Progress = Callable[[int], None]

LEAST_S = 3600
"""Of a workload: shorter ones leave too little to learn errors from."""

SIMPLE: Mapping[str, Model] = {
    "naive": forecast_naive,
    "seasonal-naive": forecast_seasonal_naive,
}
"""Models that need nothing more than NumPy."""

STATISTICAL: Mapping[str, Model] = {
    "holt-winters": forecast_holt_winters,
    "auto-ets": forecast_auto_ets,
    "mstl": forecast_mstl,
}
"""Models that need statsforecast and statsmodels."""


def count_work(workloads: Sequence[Workload], models: Mapping[str, Model]) -> int:
    """Seconds of workloads to go through, by the pilot and by each model."""
    return (1 + len(models)) * sum(w.seconds for w in workloads)


def compare(
    workloads: Sequence[Workload],
    *,
    models: Mapping[str, Model],
    horizon_s: float,
    lag_s: int,
    processes: int,
    on_progress: Progress = lambda _: None,
) -> list[CaseScore]:
    """Scores in the workloads' order. ``on_progress`` hears of seconds, ``count_work`` in all.

    Raises ``InputError`` where two workloads have one name, or one is too short to score.
    """
    _check(workloads)
    cases = _forecast(workloads, horizon_s=horizon_s, lag_s=lag_s, on_progress=on_progress)
    points: defaultdict[str, dict[str, Floats]] = defaultdict(dict)
    seconds = {w.name: w.seconds for w in workloads}
    for case, name, found in _apply(models, cases, processes):
        points[case][name] = found
        on_progress(seconds[case])
    return [score_case(case, {name: points[case.name][name] for name in models}) for case in cases]


def _apply(
    models: Mapping[str, Model], cases: Sequence[Case], processes: int
) -> Iterator[tuple[str, str, Floats]]:
    """Every model's points for every case, as they come: names of case and model with them."""
    if processes == 1:
        for case in cases:
            for name, model in models.items():
                yield case.name, name, model(case)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        tasks = {
            pool.submit(model, case): (case.name, name)
            for case in cases
            for name, model in models.items()
        }
        for task in as_completed(tasks):
            yield *tasks[task], task.result()


def _forecast(
    workloads: Sequence[Workload], *, horizon_s: float, lag_s: int, on_progress: Progress
) -> list[Case]:
    """Equally long ones side by side: a second of many costs little more than one of one."""
    alike: defaultdict[int, list[Workload]] = defaultdict(list)
    for workload in workloads:
        alike[workload.seconds].append(workload)
    cases = {
        case.name: case
        for each in alike.values()
        for case in forecast_cases(each, horizon_s=horizon_s, lag_s=lag_s, on_progress=on_progress)
    }
    return [cases[workload.name] for workload in workloads]


def _check(workloads: Sequence[Workload]) -> None:
    for name, count in Counter(w.name for w in workloads).items():
        if count > 1:
            raise InputError(f"{count} demand files are called {name}; names must differ")
    for w in workloads:
        if w.seconds < LEAST_S:
            raise InputError(f"{w.name} has {w.seconds} s; forecasts are scored from {LEAST_S} on")
