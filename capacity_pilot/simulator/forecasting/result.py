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
_EXPLANATION = (
    "loss: mean pinball loss against mean demand, by quantile\n"
    "/ pilot: the same over the pilot's on the same windows\n"
    "above: how often demand was above the 0.99 quantile; 1 % is right"
)


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
    tables = [_draw_means(scores), *map(_draw_trace, scores)]
    return Group(*(part for table in tables for part in (table, Text())), Text(_EXPLANATION))


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
    table = _start(f"All traces ({len(scores)}), geometric means")
    table.add_column("\ntraces", justify="right")
    _add_columns(table, *(f"/ pilot\n{level}" for level in _SHOWN))
    _add_columns(table, "above,\nleast", "above,\nmost")
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


def _draw_trace(score: CaseScore) -> Table:
    table = _start(score.name)
    _add_columns(table, *(f"loss\n{level}" for level in _SHOWN))
    _add_columns(table, *(f"/ pilot\n{level}" for level in _SHOWN), "\nabove")
    for name, model in score.models.items():
        table.add_row(
            name,
            *(_say_loss(model, level) for level in _SHOWN),
            *(say_ratio(model.against_pilot[level]) for level in _SHOWN),
            say_percent(model.exceeded[0.99]),
            style="bold" if name == PILOT else None,
        )
    return table


def _say_loss(model: ModelScore, level: float) -> str:
    return say_percent(model.pinball[level] / model.demand) if model.demand else ABSENT


def _start(title: str) -> Table:
    table = Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
    )
    table.add_column("\nmodel", no_wrap=True)
    return table


def _add_columns(table: Table, *headings: str) -> None:
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
