"""How true the forecasts of each target's demand are: for ``/status`` and ``/metrics``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.forecast.members import MEMBERS
from capacity_pilot.core.forecast.quantiles import APPLY, HORIZONS, LEVELS, QuantileState
from capacity_pilot.core.forecast.scores import render_scores, score_target
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.web.metrics import Metric

Labels = dict[str, str]


def report_forecasts(fleet: Fleet, state: QuantileState) -> dict[str, object]:
    """What ``/status`` says: quantiles of demand now, and how earlier ones did.

    Targets of which nothing was ever seen are left out.
    """
    return {
        "forecasts": [
            _name_target(target) | {"index": target.resource.index or None} | _report(state, slot)
            for slot, target in _list_forecast(fleet, state)
        ]
    }


def measure_forecasts(fleet: Fleet, state: QuantileState) -> Iterator[Metric]:
    """The scores at the horizon that decides, the apply time, as counters.

    Rates of two of them over any time say how true forecasts were in it: exceeded over windows
    is 0.01 where the 0.99 quantile is right.
    """
    targets = [(slot, _name_target(target)) for slot, target in _list_forecast(fleet, state)]
    forecast, tally = state.current, state.calibration.tally
    leading = state.calibration.leader[APPLY]
    yield Metric(
        name="capacity_pilot_forecast_units",
        kind="gauge",
        told="Quantile of mean demand over 10 s at the apply time from now, units per second.",
        samples=(
            (labels | _quantile(level), forecast.units[n, APPLY, slot])
            for slot, labels in targets
            for n, level in enumerate(LEVELS)
        ),
    )
    yield Metric(
        name="capacity_pilot_forecast_leading",
        kind="gauge",
        told="1 for the member whose point forecast it is.",
        samples=((labels | {"member": MEMBERS[leading[slot]]}, 1.0) for slot, labels in targets),
    )
    yield Metric(
        name="capacity_pilot_forecast_windows_total",
        kind="counter",
        told="Windows of 10 s for which a forecast at the apply time was scored.",
        samples=((labels, tally.scored[APPLY, slot]) for slot, labels in targets),
    )
    yield Metric(
        name="capacity_pilot_forecast_demand_units_total",
        kind="counter",
        told="Sum of mean demand of the windows scored, units per second.",
        samples=((labels, tally.demand[APPLY, slot]) for slot, labels in targets),
    )
    for name, told, sums in (
        (
            "exceeded_total",
            "Windows scored in which demand was above the quantile.",
            tally.exceeded,
        ),
        ("pinball_units_total", "Sum of pinball losses, units per second.", tally.pinball),
    ):
        yield Metric(
            name=f"capacity_pilot_forecast_{name}",
            kind="counter",
            told=told,
            samples=(
                (labels | _quantile(level), sums[n, APPLY, slot])
                for slot, labels in targets
                for n, level in enumerate(LEVELS)
            ),
        )


def _list_forecast(fleet: Fleet, state: QuantileState) -> list[tuple[int, ScalableTarget]]:
    known = ~np.isnan(state.current.units[0, APPLY])
    return [(slot, fleet.target(slot)) for slot in np.flatnonzero(known).tolist()]


def _name_target(target: ScalableTarget) -> Labels:
    return {
        "table": target.resource.table,
        "index": target.resource.index,
        "dimension": target.dimension.label,
    }


def _quantile(level: float) -> Labels:
    return {"quantile": str(level)}


def _report(state: QuantileState, slot: int) -> dict[str, object]:
    units, ahead_s = state.current.units[:, :, slot], state.current.ahead_s[:, slot]
    return {
        "quantiles": {
            horizon: {
                "ahead_s": round(float(ahead_s[h]), 1),
                "units": {
                    str(level): round(float(units[n, h]), 2) for n, level in enumerate(LEVELS)
                },
            }
            for h, horizon in enumerate(HORIZONS)
        },
        "scores": render_scores(score_target(state.calibration.tally.of(slot), ahead_s)),
    }
