from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from capacity_pilot.simulator.report import summarize
from capacity_pilot.simulator.result import ReplayResult
from tests.simulator.report.results import RISKS, make_result


def render(result: ReplayResult, *, width: int = 100) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(summarize(result))
    return [line.strip() for line in capture.get().splitlines() if line.strip()]


def test_the_fleet_comes_first_then_a_row_for_each_trace() -> None:
    lines = render(make_result())
    assert lines[0] == "All traces (2)"
    strategies = [line.split()[0] for line in lines[4:16]]
    assert strategies[:5] == ["pilot", *RISKS]
    assert strategies[-1] == "clairvoyant"
    assert lines[16] == "By trace"
    assert [line.split("  ")[0] for line in lines[-2:]] == ["evening feed", "quiet table"]


def test_figures_without_meaning_are_dashes() -> None:
    lines = render(make_result(strategies=("pilot", "on-demand")))
    on_demand = next(line for line in lines if line.startswith("on-demand"))
    assert on_demand.split()[3] == "\N{EN DASH}"  # unit-hours


def test_names_are_printed_as_they_are() -> None:
    assert any("[bold red]x[/]" in line for line in render(make_result(names=["[bold red]x[/]"])))


def test_a_terminal_of_80_columns_is_enough() -> None:
    lines = render(make_result(), width=80)
    assert any(line.startswith("aws-auto-scaling-50") for line in lines)
    assert not any("…" in line for line in lines)


def test_traces_of_a_day_are_summed_up_apart_where_some_are_shorter() -> None:
    long, short = make_result(names=["long"]), make_result(names=["short"], days=0.1)
    both = replace(long, traces=(*long.traces, *short.traces))
    assert "Traces of a day or more (1 of 2)" in render(both)
