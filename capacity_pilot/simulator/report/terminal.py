"""What ``capacity-pilot simulate`` ends with on a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from capacity_pilot.simulator.report.strategies import (
    AWS_AUTO_SCALING_70,
    CLAIRVOYANT,
    PILOT,
    order,
)
from capacity_pilot.simulator.report.wording import (
    ABSENT,
    say_count,
    say_ppm,
    say_ratio,
    say_usd,
)
from capacity_pilot.simulator.result import LEAST_DAYS, FleetScore, ReplayResult, Score, TraceResult

_COMPARED = (PILOT, AWS_AUTO_SCALING_70, CLAIRVOYANT)
_HEADS = {PILOT: "pilot", AWS_AUTO_SCALING_70: "AWS 70 %", CLAIRVOYANT: "clairv."}


def summarize(result: ReplayResult) -> RenderableType:
    """The fleet by strategy, then every trace in one row. Names are printed as they are."""
    count = len(result.traces)
    of_days = sum(trace.days >= LEAST_DAYS for trace in result.traces)
    tables = [_draw_fleet(result.fleet, title=f"All traces ({count})")]
    if 0 < of_days < count:
        title = f"Traces of a day or more ({of_days} of {count})"
        tables.append(_draw_fleet(result.fleet_of_days, title=title))
    tables.append(_draw_traces(result))
    return Group(*(part for table in tables for part in (table, Text())))


def _draw_fleet(fleet: Mapping[str, FleetScore], *, title: str) -> Table:
    table = _start(title, "strategy")
    for heading in (
        "throttled\nppm",
        "worst\nppm",
        "\nunit-hours",
        "\nUSD",
        "cost /\nclairv.",
        "cost /\nAWS 70",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in order(fleet):
        score = fleet[name]
        table.add_row(
            Text(name),
            say_ppm(score.throttled_ppm),
            say_ppm(score.worst_throttled_ppm),
            say_count(score.unit_hours),
            say_usd(score.usd),
            say_ratio(score.cost_vs_clairvoyant),
            say_ratio(score.cost_vs_aws_auto_scaling_70),
            style="bold" if name == PILOT else None,
        )
    return table


def _draw_traces(result: ReplayResult) -> Table:
    table = _start("By trace", "trace")
    for name in _COMPARED:
        table.add_column(f"{_HEADS[name]}\nppm", justify="right", no_wrap=True)
    for name in _COMPARED:
        table.add_column(f"{_HEADS[name]}\nunit-hours", justify="right", no_wrap=True)
    for trace in result.traces:
        scores = _list_compared(trace)
        table.add_row(
            Text(trace.name),
            *(ABSENT if score is None else say_ppm(score.throttled_ppm) for score in scores),
            *(ABSENT if score is None else say_count(score.unit_hours) for score in scores),
        )
    return table


def _start(title: str, first: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(f"\n{first}", overflow="fold")
    return table


def _list_compared(trace: TraceResult) -> list[Score | None]:
    return [trace.courses[name].score if name in trace.courses else None for name in _COMPARED]
