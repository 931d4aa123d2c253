"""One trace over time: demand and provisioned, who throttled when, and the burst bucket."""

from __future__ import annotations

from typing import Any

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.report.course_layout import lay_out_courses
from capacity_pilot.simulator.report.decisions import (
    choose_changes,
    describe_change,
    find_provisioned,
)
from capacity_pilot.simulator.report.figure import (
    MINUTE_MS,
    Figure,
    break_lines,
    list_moments,
    list_numbers,
    quote,
)
from capacity_pilot.simulator.report.strategies import (
    PILOT,
    SIGNAL_COLOURS,
    label_of,
    look_of,
    order,
    pilot_risk,
)
from capacity_pilot.simulator.report.thinning import Bins, bin_minutes, trace_steps
from capacity_pilot.simulator.report.wording import say_count
from capacity_pilot.simulator.result import Course, Minutes, TraceResult

BINS = 2016
"""At most, of demand, throttles and bucket: seven days at five minutes."""
STEPS = 4000
"""At most, per provisioned line."""
SIGNALS = 6
"""At most, of the demand file's further columns."""
DECISIONS = 1200
"""At most, marked on the pilot's line."""

_STEM = 0.58
"""Of a lane's height, for the largest throttle of the trace; the lane's label stands above."""
_MOMENT = "day %-j %H:%M"


def draw_courses(trace: TraceResult) -> Figure:
    """Every strategy's lines are one ``legendgroup``, ``s0`` on in the order of ``list_drawn``."""
    names = list_drawn(trace)
    bins = bin_minutes(len(trace.demand), at_most=BINS)
    highest = max((_highest_throttle(trace.courses[name], bins) for name in names), default=0.0)
    data = _draw_demand(trace, bins)
    for index, name in enumerate(names):
        course = trace.courses[name]
        style = _style(name, f"s{index}")
        data.append(_draw_provisioned(find_provisioned(course, len(trace.demand)), style))
        if course.minutes is not None:
            lane = len(names) - 1 - index
            data.append(_draw_bucket(course.minutes, bins, style))
            data.append(_draw_throttles(course.minutes, bins, style, lane=lane, highest=highest))
        if name == PILOT:
            data.extend(_draw_decisions(course, style))
    signals = list_signals(trace)
    data.extend(_draw_signal(trace, bins, name, index) for index, name in enumerate(signals))
    layout = lay_out_courses(trace, names, signals=len(signals))
    return Figure(
        data=data,
        layout=layout,
        height=layout["height"],
        alternative=_say_what_it_shows(trace, names, bins),
    )


def list_drawn(trace: TraceResult) -> list[str]:
    """The strategies that provision something; on-demand does not, for one.

    The pilot at other risks is left to the frontier: its lines would hide the pilot's own.
    """
    minutes = len(trace.demand)
    return [
        name
        for name in order(trace.courses)
        if pilot_risk(name) is None
        and np.isfinite(find_provisioned(trace.courses[name], minutes)).any()
    ]


def list_signals(trace: TraceResult) -> list[str]:
    """The first of the demand file's further columns in which anything was counted."""
    return [name for name, values in trace.signals.items() if np.nansum(values) > 0][:SIGNALS]


def _draw_signal(trace: TraceResult, bins: Bins, name: str, index: int) -> dict[str, Any]:
    """On a scale of its own, since it counts something else; hidden until it is chosen."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": quote(name),
        "legendgroup": f"u{index}",
        "meta": "signal",
        "visible": False,
        "yaxis": f"y{4 + index}",
        "line": {"color": SIGNAL_COLOURS[index % len(SIGNAL_COLOURS)], "width": 1.2},
        **_bin_centres(bins),
        "y": list_numbers(bins.mean(trace.signals[name])),
        "hovertemplate": f"%{{y:,.1f}} a second<br>%{{x|{_MOMENT}}}"
        "<extra>%{fullData.name}</extra>",
    }


def _style(name: str, group: str) -> dict[str, Any]:
    look = look_of(name)
    return {
        "name": quote(label_of(name)),
        "legendgroup": group,
        "visible": look.is_main,
        "line": {"color": look.colour, "dash": look.dash, "width": look.width},
    }


def _draw_demand(trace: TraceResult, bins: Bins) -> list[dict[str, Any]]:
    shared = {
        "type": "scatter",
        "mode": "lines",
        "legendgroup": "demand",
        **_bin_centres(bins),
    }
    band = {**shared, "line": {"width": 0}, "hoverinfo": "skip"}
    low = list_numbers(bins.low(trace.demand))
    high = list_numbers(bins.high(trace.demand_peak))
    mean = list_numbers(bins.mean(trace.demand))
    return [
        {**band, "y": low},
        {**band, "y": high, "fill": "tonexty", "fillcolor": "rgba(128,132,140,0.32)"},
        {
            **shared,
            "name": "demand",
            "y": mean,
            "line": {"color": "#7d828b", "width": 1.2},
            "fill": "tozeroy",
            "fillcolor": "rgba(128,132,140,0.14)",
            "hovertemplate": f"%{{y:,.1f}} units/s<br>%{{x|{_MOMENT}}}<extra>demand, mean</extra>",
        },
    ]


def _bin_centres(bins: Bins) -> dict[str, Any]:
    width = bins.width * MINUTE_MS
    return {"x0": width // 2, "dx": width}


def _draw_provisioned(provisioned: Floats, style: dict[str, Any]) -> dict[str, Any]:
    kept, values = trace_steps(provisioned, at_most=STEPS)
    # The last minute lasts a minute too.
    ends = np.append(kept, len(provisioned))
    return {
        **style,
        "type": "scatter",
        "mode": "lines",
        "line": {**style["line"], "shape": "hv"},
        "meta": "provisioned",
        "x": list_moments(ends),
        "y": list_numbers(np.append(values, values[-1:])),
        "hovertemplate": f"%{{y:,.0f}} units/s<br>from %{{x|{_MOMENT}}}"
        "<extra>%{fullData.name}</extra>",
    }


def _draw_bucket(minutes: Minutes, bins: Bins, style: dict[str, Any]) -> dict[str, Any]:
    return {
        **style,
        "type": "scatter",
        "mode": "lines",
        "yaxis": "y3",
        **_bin_centres(bins),
        "y": list_numbers(bins.low(minutes.burst)),
        "hovertemplate": f"%{{y:,.0f}} s of provisioned<br>%{{x|{_MOMENT}}}"
        "<extra>%{fullData.name}</extra>",
    }


def _highest_throttle(course: Course, bins: Bins) -> float:
    if course.minutes is None:
        return 0.0
    return float(bins.total(course.minutes.throttled).max(initial=0.0))


def _draw_throttles(
    minutes: Minutes, bins: Bins, style: dict[str, Any], *, lane: int, highest: float
) -> dict[str, Any]:
    """A stem per bin that throttled, its height the logarithm of the units; always shown."""
    totals = bins.total(minutes.throttled)
    hit = np.flatnonzero(totals > 0)
    units = totals[hit]
    tops = lane + 0.1 + (_STEM - 0.1) * _log_share(units, highest)
    return {
        **style,
        "type": "scatter",
        "mode": "lines",
        "visible": True,
        "legendgroup": "throttles",
        "yaxis": "y2",
        "line": {"color": style["line"]["color"], "width": 1.5},
        "connectgaps": False,
        "x": _thrice(list_moments(bins.starts[hit])),
        "y": _stems(lane, [round(float(top), 3) for top in tops]),
        "customdata": _thrice([say_count(float(amount)) for amount in units]),
        "hovertemplate": f"%{{customdata}} units throttled in {_say_width(bins)}<br>"
        f"%{{x|{_MOMENT}}}<extra>%{{fullData.name}}</extra>",
    }


def _log_share(units: Floats, highest: float) -> Floats:
    share: Floats = np.log1p(units) / np.log1p(max(highest, 1e-9))
    return share


def _thrice(values: list[Any]) -> list[Any]:
    return [value for each in values for value in (each, each, None)]


def _stems(lane: int, tops: list[float]) -> list[float | None]:
    return [value for top in tops for value in (lane, top, None)]


def _draw_decisions(course: Course, style: dict[str, Any]) -> list[dict[str, Any]]:
    shown = choose_changes(course.changes, at_most=DECISIONS)
    drawn = []
    for symbol, is_raised in (("triangle-up", True), ("triangle-down", False)):
        some = [change for change in shown if (change.after > change.before) is is_raised]
        drawn.append(
            {
                **style,
                "type": "scatter",
                "mode": "markers",
                "meta": "decisions",
                "marker": {
                    "symbol": symbol,
                    "size": 6,
                    "color": style["line"]["color"] if is_raised else "rgba(255,255,255,0.85)",
                    "line": {"color": style["line"]["color"], "width": 1.2},
                },
                "x": [round(change.at_s * 1000) for change in some],
                "y": [change.after for change in some],
                "text": [break_lines(describe_change(change)) for change in some],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    return drawn


def _say_width(bins: Bins) -> str:
    return "the minute" if bins.width == 1 else f"{bins.width} min"


def _say_what_it_shows(trace: TraceResult, names: list[str], bins: Bins) -> str:
    several = ", ".join(label_of(name) for name in names)
    return (
        f"Demand on {trace.name} over time with the capacity provisioned by {several}, "
        f"in steps of {_say_width(bins)}; below it when each throttled, and the level of its "
        "burst bucket. The totals are in the table of this trace."
    )
