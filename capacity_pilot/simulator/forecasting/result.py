"""A comparison as JSON and as tables on a terminal.

::

    {"version": 1,
     "settings": {command, versions, mean, days, horizon, telemetry_lag, seed, demand},
     "traces": [{name, "models": {NAME: {windows, mean_demand, exceeded: {LEVEL: share},
                 pinball: {LEVEL: units}, pinball_vs_pilot: {LEVEL: ratio}}}}],
     "pinball_vs_pilot": {NAME: {LEVEL: geometric mean of the traces' ratios}}}

Models are ``pilot`` and those asked for. ``null`` is a ratio to a loss of nothing. Keys are only
ever added within a version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.forecasting.comparison import (
    PILOT,
    CaseScore,
    ModelScore,
    mean_ratios,
)
from capacity_pilot.simulator.report.wording import ABSENT, say_percent, say_ratio

VERSION = 1
_SHOWN = (0.5, 0.9, 0.99)


def render_json(scores: Sequence[CaseScore], told: Mapping[str, object]) -> dict[str, Any]:
    """The comparison in JSON's own types; ``told`` is how it came about."""
    return {
        "version": VERSION,
        "settings": dict(told),
        "traces": [
            {
                "name": score.name,
                "models": {name: _render_model(model) for name, model in score.models.items()},
            }
            for score in scores
        ],
        "pinball_vs_pilot": {
            name: _name_levels(ratios) for name, ratios in mean_ratios(scores).items()
        },
    }


def write_comparison(scores: Sequence[CaseScore], told: Mapping[str, object], path: Path) -> None:
    """Raises ``InputError`` when the file cannot be written."""
    try:
        path.write_text(json.dumps(render_json(scores, told), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def draw_comparison(scores: Sequence[CaseScore]) -> RenderableType:
    """The models over all traces, then trace by trace."""
    return Group(_draw_means(scores), Text(), _draw_traces(scores))


def _render_model(model: ModelScore) -> dict[str, Any]:
    return {
        "windows": model.windows,
        "mean_demand": model.demand,
        "exceeded": _name_levels(model.exceeded),
        "pinball": _name_levels(model.pinball),
        "pinball_vs_pilot": _name_levels(model.against_pilot),
    }


def _name_levels(values: Mapping[float, float | None]) -> dict[str, float | None]:
    return {str(level): value for level, value in values.items()}


def _draw_means(scores: Sequence[CaseScore]) -> Table:
    table = _start("Pinball loss over the pilot's, geometric means over the traces", "model")
    table.add_column("\ntraces", justify="right")
    for level in _SHOWN:
        table.add_column(f"quantile\n{level}", justify="right")
    table.add_column("0.99 exceeded\nfrom", justify="right")
    table.add_column("\nto", justify="right")
    for name, ratios in mean_ratios(scores).items():
        models = [score.models[name] for score in scores if name in score.models]
        exceeded = [model.exceeded[0.99] for model in models]
        table.add_row(
            name,
            str(len(models)),
            *(say_ratio(ratios.get(level)) for level in _SHOWN),
            say_percent(min(exceeded)),
            say_percent(max(exceeded)),
            style="bold" if name == PILOT else None,
        )
    return table


def _draw_traces(scores: Sequence[CaseScore]) -> Table:
    table = _start("Pinball loss against mean demand, and over the pilot's then", "trace, model")
    for level in _SHOWN:
        table.add_column(f"loss\n{level}", justify="right", no_wrap=True)
    for level in _SHOWN:
        table.add_column(f"/ pilot\n{level}", justify="right", no_wrap=True)
    table.add_column("exceeded\n0.99", justify="right", no_wrap=True)
    for score in scores:
        table.add_row(Text(score.name), style="bold")
        for name, model in score.models.items():
            table.add_row(
                f"  {name}",
                *(_say_loss(model, level) for level in _SHOWN),
                *(say_ratio(model.against_pilot[level]) for level in _SHOWN),
                say_percent(model.exceeded[0.99]),
            )
    return table


def _say_loss(model: ModelScore, level: float) -> str:
    return say_percent(model.pinball[level] / model.demand) if model.demand else ABSENT


def _start(title: str, first: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False
    )
    table.add_column(f"\n{first}", overflow="fold", min_width=16)
    return table
