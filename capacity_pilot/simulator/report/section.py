"""One trace's section: what it is, its figures, its charts and the pilot's decisions."""

from __future__ import annotations

import math

from capacity_pilot.simulator.report.course_figure import (
    BINS,
    DECISIONS,
    draw_courses,
    list_drawn,
    list_signals,
)
from capacity_pilot.simulator.report.figure import Figure
from capacity_pilot.simulator.report.forecast_table import draw_forecast
from capacity_pilot.simulator.report.frontier_figure import draw_frontier
from capacity_pilot.simulator.report.markup import draw_line, draw_swatch, escape
from capacity_pilot.simulator.report.strategies import (
    PILOT,
    SIGNAL_COLOURS,
    look_of,
    short_label_of,
)
from capacity_pilot.simulator.report.tables import draw_decisions_table, draw_trace_table
from capacity_pilot.simulator.report.thinning import bin_minutes
from capacity_pilot.simulator.report.wording import TIMES, say_count, say_days, say_duration
from capacity_pilot.simulator.result import TraceResult


def draw_section(trace: TraceResult, index: int) -> str:
    """The ``index``-th trace, at the anchor ``trace-INDEX``."""
    pilot = trace.courses.get(PILOT)
    decisions = pilot.changes if pilot else ()
    scores = {name: course.score for name, course in trace.courses.items()}
    frontier = draw_frontier(scores, of=trace.name, risk_ppm=trace.risk_ppm)
    heading = f"trace-{index}"
    return (
        f'<section id="{heading}" aria-labelledby="{heading}-title">'
        f'<h2 id="{heading}-title">{escape(trace.name)}</h2>'
        f'<p class="facts">{escape(_tell(trace))}</p>'
        f"{draw_trace_table(trace)}"
        f'<h3>Course</h3><p class="note">{escape(_explain_courses(trace, len(decisions)))}</p>'
        f'<div class="course">{_draw_controls(trace, heading)}'
        f"{draw_chart(f'{heading}-course', draw_courses(trace))}</div>"
        f"{draw_decisions_table(decisions)}"
        "<h3>Cost and throttling</h3>"
        f"{draw_chart(f'{heading}-frontier', frontier)}"
        f"{draw_forecast(pilot.forecast if pilot else (), of=trace.name)}"
        '<p class="top"><a href="#top">Back to the top</a></p></section>'
    )


def draw_chart(name: str, figure: Figure) -> str:
    """A place of the figure's height, and its specification for the page's script to draw."""
    return (
        f'<div class="chart" id="{name}" role="img" aria-label="{escape(figure.alternative)}" '
        f'style="height:{figure.height}px"></div>'
        f'<script type="application/json" data-chart="{name}">{figure.to_json()}</script>'
    )


def _tell(trace: TraceResult) -> str:
    seconds = (
        f"counted every {trace.bin_s} s"
        if trace.is_seconds_real
        else f"seconds drawn from bins of {say_duration(trace.bin_s)}, seeded"
    )
    facts = [
        say_days(trace.days),
        f"{say_count(trace.demand_units)} units",
        f"mean {say_count(trace.mean)} units/s",
        f"counts {TIMES} {trace.factor:.4g}",
        seconds,
        _tell_policy(trace),
    ]
    if trace.clairvoyant_bound is not None:
        bound = say_count(trace.clairvoyant_bound)
        facts.append(f"throttling nothing takes {bound} unit-hours or more (proven)")
    if trace.missing_seconds:
        facts.append(f"not recorded, so unseen by the pilot: {say_duration(trace.missing_seconds)}")
    return " · ".join(facts)


def _tell_policy(trace: TraceResult) -> str:
    bounds = f"{trace.least:,} to {trace.most:,} units/s"
    if trace.is_policy_own:
        return f"policy {trace.policy}, {bounds}"
    return f"policy {trace.policy}, borrowed without its bounds: {bounds}"


def _explain_courses(trace: TraceResult, decisions: int) -> str:
    width = bin_minutes(len(trace.demand), at_most=BINS).width
    each = "each minute" if width == 1 else f"each {width} min"
    told = (
        f"Grey: mean demand of {each}; its band reaches from the lowest minute to the highest "
        "second. Steps: provisioned capacity. Triangles: the pilot's decisions, with reasons. "
        "Stems: units throttled, on one log scale for all strategies. Below: the lowest level "
        f"of the burst bucket in {each}; the clairvoyant's is not kept."
    )
    if list_signals(trace):
        told += " The file's further columns, each on a scale of its own, are shown when chosen."
    if decisions > DECISIONS:
        told += f" Of {decisions:,} decisions the {DECISIONS:,} largest are marked."
    return told


def _draw_controls(trace: TraceResult, heading: str) -> str:
    """What to show, by strategy (each also reads out its capacity under the pointer), and when."""
    chips = (
        '<span class="chip plain"><span class="swatch band"></span>demand<output></output></span>'
    )
    for index, name in enumerate(list_drawn(trace)):
        pressed = "true" if look_of(name).is_main else "false"
        chips += (
            f'<button type="button" class="chip" data-group="s{index}" aria-pressed="{pressed}">'
            f"{draw_swatch(name)}{escape(short_label_of(name))}<output></output></button>"
        )
    for index, name in enumerate(list_signals(trace)):
        chips += (
            f'<button type="button" class="chip" data-group="u{index}" aria-pressed="false">'
            f"{draw_line(SIGNAL_COLOURS[index % len(SIGNAL_COLOURS)])}{escape(name)}"
            "<output></output></button>"
        )
    return f'<div class="controls">{chips}{_draw_day_choice(trace, heading)}</div>'


def _draw_day_choice(trace: TraceResult, heading: str) -> str:
    days = math.ceil(trace.days)
    if days < 2:
        return '<span class="moment" aria-hidden="true"></span>'
    options = "".join(f'<option value="{day}">day {day + 1}</option>' for day in range(days))
    return (
        f'<label class="days">Show <select id="{heading}-days">'
        f'<option value="">the whole replay</option>{options}</select></label>'
        '<span class="moment" aria-hidden="true"></span>'
    )
