"""The run in three figures, above everything else."""

from __future__ import annotations

from capacity_pilot.simulator.report.markup import escape
from capacity_pilot.simulator.report.strategies import (
    AWS_AUTO_SCALING_70,
    PILOT,
    label_of,
)
from capacity_pilot.simulator.report.wording import is_absent, say_ppm, say_ratio
from capacity_pilot.simulator.result import ReplayResult, TraceResult


def draw_headline(result: ReplayResult) -> str:
    """Nothing where the pilot did not run."""
    if PILOT not in result.fleet:
        return ""
    pilot = result.fleet[PILOT]
    cards = [
        _draw_card(
            "throttled by Capacity Pilot",
            f"{say_ppm(pilot.throttled_ppm)} ppm",
            _compare_throttling(result),
        )
    ]
    if not is_absent(pilot.cost_vs_aws_auto_scaling_70):
        cards.append(
            _draw_card(
                f"the cost of {label_of(AWS_AUTO_SCALING_70)}",
                say_ratio(pilot.cost_vs_aws_auto_scaling_70),
                f"geometric mean of all traces ({len(result.traces)})",
            )
        )
    if not is_absent(pilot.cost_vs_clairvoyant):
        cards.append(
            _draw_card(
                "the clairvoyant's cost",
                say_ratio(pilot.cost_vs_clairvoyant),
                "the least that would have throttled nothing, knowing the future",
            )
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _draw_card(title: str, figure: str, note: str) -> str:
    return (
        f'<div class="card"><strong>{escape(figure)}</strong>'
        f"<span>{escape(title)}</span><small>{escape(note)}</small></div>"
    )


def _compare_throttling(result: ReplayResult) -> str:
    parts = []
    worst = max(result.traces, key=_pilot_ppm, default=None)
    if worst is not None and _pilot_ppm(worst) > 0:
        parts.append(f"worst {say_ppm(_pilot_ppm(worst))} on {worst.name}")
    if AWS_AUTO_SCALING_70 in result.fleet:
        theirs = say_ppm(result.fleet[AWS_AUTO_SCALING_70].throttled_ppm)
        parts.append(f"{label_of(AWS_AUTO_SCALING_70)}: {theirs} ppm")
    return "; ".join(parts) or "of demand"


def _pilot_ppm(trace: TraceResult) -> float:
    course = trace.courses.get(PILOT)
    return -1.0 if course is None else course.score.throttled_ppm
