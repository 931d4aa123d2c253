"""Pinball loss and coverage of every model on the windows it forecast, beside the pilot's there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, fsum, log

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.forecast.members import WINDOW_S
from capacity_pilot.core.forecast.quantiles import LEVELS
from capacity_pilot.core.forecast.tally import pinball
from capacity_pilot.simulator.forecasting.case import Case

PILOT = "pilot"

_DAY = 86_400 // WINDOW_S
_QUARTERS = 4
_KNOWN_BY_THEN = 60  # windows: truth is known that long before a day's first forecast is made
_LEAST_ERRORS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelScore:
    """One model on one workload: ``windows`` scored and their mean ``demand``, units/s.

    ``exceeded`` is per level the share of windows above the forecast, ``pinball`` the mean loss in
    units/s, and ``against_pilot`` that loss over the pilot's on the same windows, ``None`` where
    the pilot's is 0.
    """

    windows: int
    demand: float
    exceeded: Mapping[float, float]
    pinball: Mapping[float, float]
    against_pilot: Mapping[float, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseScore:
    """All models on one workload; one that could forecast nothing is missing."""

    name: str
    models: Mapping[str, ModelScore]


def score_case(case: Case, points: Mapping[str, Floats]) -> CaseScore:
    """The pilot's quantiles and those made of each model's ``points`` (windows,).

    Scored from the second day on, in recordings of less than two days from their second quarter.
    """
    block = _block(len(case.truth))
    scored = ~np.isnan(case.truth) & (case.origins >= 0)
    scored[:block] = False
    quantiles = {PILOT: case.quantiles}
    for name, values in points.items():
        quantiles[name] = add_own_errors(values, case.truth, block=block)
    return CaseScore(
        name=case.name,
        models={
            name: _score(case, values, where)
            for name, values in quantiles.items()
            if (where := scored & ~np.isnan(values[0])).any()
        },
    )


def add_own_errors(points: Floats, truth: Floats, *, block: int) -> Floats:
    """Quantiles (levels, windows): points and the quantiles of their errors one block before.

    Errors of the last ten minutes before a block are left out, since its first forecasts are made
    before they are known. NaN in the first block.
    """
    errors = truth - points
    quantiles = np.full((len(LEVELS), len(points)), np.nan)
    for first in range(block, len(points), block):
        until = first - _KNOWN_BY_THEN
        known = errors[max(until - block, 0) : until]
        known = known[~np.isnan(known)]
        if len(known) >= _LEAST_ERRORS:
            margins = np.quantile(known, LEVELS)
            now = slice(first, first + block)
            quantiles[:, now] = np.maximum(points[now] + margins[:, None], 0.0)
    return quantiles


def mean_ratios(scores: Iterable[CaseScore]) -> dict[str, dict[float, float]]:
    """Geometric means of ``against_pilot`` by model and level, over the cases that have it."""
    logs: dict[str, dict[float, list[float]]] = {}
    for score in scores:
        for name, model in score.models.items():
            for level, ratio in model.against_pilot.items():
                if ratio:
                    logs.setdefault(name, {}).setdefault(level, []).append(log(ratio))
    return {
        name: {level: exp(fsum(each) / len(each)) for level, each in by_level.items()}
        for name, by_level in logs.items()
    }


def _block(windows: int) -> int:
    return _DAY if windows >= 2 * _DAY else max(windows // _QUARTERS, 1)


def _score(case: Case, quantiles: Floats, where: Bools) -> ModelScore:
    truth = case.truth[where]
    levels = np.array(LEVELS)[:, None]
    loss, pilots = (
        pinball(truth - each[:, where], levels).mean(axis=1) for each in (quantiles, case.quantiles)
    )
    exceeded = (truth > quantiles[:, where]).mean(axis=1)
    return ModelScore(
        windows=len(truth),
        demand=float(truth.mean()),
        exceeded=_by_level(exceeded),
        pinball=_by_level(loss),
        against_pilot={
            level: float(own / pilot) if pilot > 0 else None
            for level, own, pilot in zip(LEVELS, loss, pilots, strict=True)
        },
    )


def _by_level(values: Sequence[float] | Floats) -> dict[float, float]:
    return {level: float(value) for level, value in zip(LEVELS, values, strict=True)}
