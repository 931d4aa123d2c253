"""The report's tables: every figure the charts show stands here in digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capacity_pilot.simulator.report.decisions import choose_changes, list_reasons
from capacity_pilot.simulator.report.markup import (
    Column,
    Row,
    draw_swatch,
    draw_table,
    escape,
)
from capacity_pilot.simulator.report.strategies import (
    AWS_AUTO_SCALING_70,
    CLAIRVOYANT,
    PILOT,
    label_of,
    order,
    short_label_of,
)
from capacity_pilot.simulator.report.wording import (
    ABSENT,
    say_count,
    say_days,
    say_duration,
    say_moment,
    say_ppm,
    say_ratio,
    say_share,
    say_usd,
)
from capacity_pilot.simulator.result import Change, FleetScore, ReplayResult, Score, TraceResult

DECISIONS_LISTED = 60
"""Of the pilot's, per trace: the ones that moved most."""

_COMPARED = (PILOT, AWS_AUTO_SCALING_70, CLAIRVOYANT)


def draw_fleet_table(fleet: Mapping[str, FleetScore], *, caption: str) -> str:
    """Strategies over several traces."""
    columns = (
        Column(title="Strategy", is_number=False),
        Column(title="Throttled", unit="ppm, in total"),
        Column(title="Worst trace", unit="ppm"),
        Column(title="Capacity", unit="unit-hours"),
        Column(title="Cost", unit="USD, pro rata"),
        Column(title="Cost", unit="USD, hourly maximum"),
        Column(title="Cost / clairvoyant", unit="geometric mean"),
        Column(title="Cost / AWS at 70 %", unit="geometric mean"),
    )
    rows = (
        Row(
            head=_name(name),
            cells=_list_fleet_figures(fleet[name]),
            is_ours=name == PILOT,
        )
        for name in order(fleet)
    )
    return draw_table(caption, columns, rows)


def _list_fleet_figures(score: FleetScore) -> list[str]:
    return [
        say_ppm(score.throttled_ppm),
        say_ppm(score.worst_throttled_ppm),
        say_count(score.unit_hours),
        say_usd(score.usd),
        say_usd(score.usd_by_hourly_maximum),
        say_ratio(score.cost_vs_clairvoyant),
        say_ratio(score.cost_vs_aws_auto_scaling_70),
    ]


def _name(strategy: str) -> str:
    return f"{draw_swatch(strategy)}{escape(label_of(strategy))}"


def draw_overview_table(result: ReplayResult) -> str:
    """One row per trace, which leads to its section."""
    short = {name: "pilot" if name == PILOT else short_label_of(name) for name in _COMPARED}
    columns = (
        Column(title="Trace", is_number=False),
        *(Column(title="Throttled, ppm", unit=short[name]) for name in _COMPARED[:2]),
        *(Column(title="Cost / clairv.", unit=short[name]) for name in _COMPARED[:2]),
        *(Column(title="Unit-hours", unit=short[name]) for name in _COMPARED),
        Column(title="Demand", unit="mean units/s"),
        Column(title="Length"),
    )
    rows = (
        Row(
            head=f'<a href="#trace-{index}">{escape(trace.name)}</a>',
            cells=_list_overview_figures(trace),
        )
        for index, trace in enumerate(result.traces)
    )
    return draw_table("Trace by trace", columns, rows)


def _list_overview_figures(trace: TraceResult) -> list[str]:
    scores = [trace.courses[name].score if name in trace.courses else None for name in _COMPARED]
    return [
        *(ABSENT if score is None else say_ppm(score.throttled_ppm) for score in scores[:2]),
        *(
            ABSENT if score is None else say_ratio(score.cost_vs_clairvoyant)
            for score in scores[:2]
        ),
        *(ABSENT if score is None else say_count(score.unit_hours) for score in scores),
        say_count(trace.mean),
        say_days(trace.days),
    ]


def draw_trace_table(trace: TraceResult) -> str:
    """Every figure of every strategy on one trace."""
    columns = (
        Column(title="Strategy", is_number=False),
        Column(title="Throttled", unit="units"),
        Column(title="Throttled", unit="ppm"),
        Column(title="Throttling", unit="seconds"),
        Column(title="Longest", unit="in a row"),
        Column(title="Capacity", unit="unit-hours"),
        Column(title="Utilization", unit="mean"),
        Column(title="Cost", unit="USD, pro rata"),
        Column(title="Cost", unit="USD, hourly max."),
        Column(title="Cost", unit="/ clairvoyant"),
        Column(title="Raised", unit="times"),
        Column(title="Lowered", unit="times"),
    )
    rows = (
        Row(
            head=_name(name),
            cells=_list_figures(trace.courses[name].score),
            is_ours=name == PILOT,
        )
        for name in order(trace.courses)
    )
    return draw_table(f"Every strategy on {trace.name}", columns, rows)


def _list_figures(score: Score) -> list[str]:
    return [
        say_count(score.throttled_units),
        say_ppm(score.throttled_ppm),
        say_count(score.seconds_throttled),
        say_duration(score.longest_throttle_s) if score.longest_throttle_s else "0",
        say_count(score.unit_hours),
        say_share(score.utilization),
        say_usd(score.usd),
        say_usd(score.usd_by_hourly_maximum),
        say_ratio(score.cost_vs_clairvoyant),
        say_count(score.increases),
        say_count(score.decreases),
    ]


def draw_decisions_table(changes: Sequence[Change]) -> str:
    """The pilot's changes with their reasons, folded away; nothing where it made none."""
    if not changes:
        return ""
    listed = choose_changes(changes, at_most=DECISIONS_LISTED)
    count = f"{len(changes):,}"
    which = (
        f"all {count}" if len(listed) == len(changes) else f"the {len(listed)} largest of {count}"
    )
    columns = (
        Column(title="When", is_number=False),
        Column(title="From", unit="units/s"),
        Column(title="To", unit="units/s"),
        Column(title="Why", is_number=False),
    )
    rows = (
        Row(
            head=say_moment(change.at_s),
            cells=[f"{change.before:,}", f"{change.after:,}", "; ".join(list_reasons(change))],
        )
        for change in listed
    )
    table = draw_table(f"The pilot's decisions, {which}", columns, rows)
    return f"<details><summary>The pilot's decisions ({which})</summary>{table}</details>"
