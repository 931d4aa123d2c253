"""How true the pilot's forecasts of one trace were, in a small table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capacity_pilot.core.forecast.scores import HorizonScore
from capacity_pilot.simulator.report.markup import Column, Row, draw_table, escape
from capacity_pilot.simulator.report.wording import say_count, say_duration, say_percent

_HORIZONS = {"soon": "soon", "apply": "apply time", "later": "later"}
_LEADERS_NAMED = 2
_EXPLANATION = (
    "Quantiles of demand's mean over 10 s, as telemetry told of it. Exceeded: how often demand was "
    "above the quantile; for 0.99 it should be 1 %. Loss: the mean pinball loss, against mean "
    "demand; less is better. Led by: whose point forecast it was, and how often."
)


def draw_forecast(scores: Sequence[HorizonScore], *, of: str) -> str:
    """Heading, explanation and table; nothing where nothing was scored."""
    if not scores:
        return ""
    levels = list(scores[0].exceeded)
    columns = (
        Column(title="Horizon", is_number=False),
        *(Column(title="Exceeded", unit=f"quantile {level}") for level in levels),
        *(Column(title="Loss", unit=f"quantile {level}") for level in levels),
        Column(title="Windows", unit="of 10 s"),
        Column(title="Led by", is_number=False),
    )
    rows = (
        Row(
            head=escape(f"{_HORIZONS[score.horizon]}, {say_duration(score.ahead_s)}"),
            cells=[
                *(say_percent(share) for share in score.exceeded.values()),
                *(say_percent(_over(loss, score.demand)) for loss in score.pinball.values()),
                say_count(score.windows),
                _name_leaders(score.led),
            ],
        )
        for score in scores
    )
    table = draw_table(f"The pilot's forecasts of {of}", columns, rows)
    return f'<h3>Forecast</h3><p class="note">{escape(_EXPLANATION)}</p>{table}'


def _over(loss: float, demand: float) -> float | None:
    return loss / demand if demand > 0 else None


def _name_leaders(led: Mapping[str, float]) -> str:
    first = sorted(led, key=lambda name: -led[name])[:_LEADERS_NAMED]
    pairs = (f"{name} {say_percent(led[name])}" for name in first if led[name] > 0)
    return ", ".join(pair.replace(" ", "\N{NO-BREAK SPACE}") for pair in pairs)
