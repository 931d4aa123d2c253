"""Cost against throttling: AWS auto scaling's trade-off over its targets, ours over risks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from capacity_pilot.simulator.report.figure import GRID, Figure, break_lines, caption, quote
from capacity_pilot.simulator.report.strategies import (
    BLUE,
    CLAIRVOYANT,
    GREEN,
    PILOT,
    VERMILION,
    aws_target,
    label_of,
    look_of,
    order,
    pilot_risk,
    say_risk,
)
from capacity_pilot.simulator.report.wording import TIMES, say_count, say_ppm, say_ratio

_HEIGHT = 380
_RATIO_TICKS = (0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)
_SYMBOLS = {PILOT: "star", CLAIRVOYANT: "diamond"}


class _Scored(Protocol):
    """What a trace's and the fleet's scores have in common."""

    @property
    def throttled_ppm(self) -> float: ...
    @property
    def unit_hours(self) -> float | None: ...
    @property
    def cost_vs_clairvoyant(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    name: str
    cost: float
    ppm: float
    risk_ppm: float | None


def draw_frontier(
    scores: Mapping[str, _Scored], *, of: str, risk_ppm: float | None = None
) -> Figure:
    """Cost is relative to the clairvoyant where it ran along, else in unit-hours.

    ``risk_ppm`` is the pilot's own: where it is the same on all traces, its point is part of the
    line that joins the pilot's at other risks.

    Throttled ppm is on a log scale, which has no zero: strategies that throttled nothing stand
    in a band of their own below the lowest decade, marked 0.
    """
    is_relative = CLAIRVOYANT in scores
    points = _list_points(scores, is_relative=is_relative, risk_ppm=risk_ppm)
    lowest, highest = _span_decades([point.ppm for point in points])
    zero_at = lowest - 0.7
    data = [_draw_targets(points, zero_at=zero_at)]
    if any(pilot_risk(point.name) is not None for point in points):
        data.append(_draw_risks(points, zero_at=zero_at))
    costs = [point.cost for point in points if point.cost > 0] or [1.0]
    data += [_draw_point(point, zero_at=zero_at) for point in points if _stands_alone(point)]
    return Figure(
        data=data,
        layout={
            **_lay_out(lowest, highest, zero_at=zero_at, is_relative=is_relative),
            "xaxis": _lay_costs(costs, is_relative=is_relative),
        },
        height=_HEIGHT,
        alternative=_say_points(points, of=of, is_relative=is_relative),
    )


def _list_points(
    scores: Mapping[str, _Scored], *, is_relative: bool, risk_ppm: float | None
) -> list[_Point]:
    points = []
    for name in order(scores):
        score = scores[name]
        cost = score.cost_vs_clairvoyant if is_relative else score.unit_hours
        if is_relative and name == CLAIRVOYANT:
            cost = 1.0
        if cost is not None and math.isfinite(cost) and math.isfinite(score.throttled_ppm):
            risk = risk_ppm if name == PILOT else pilot_risk(name)
            points.append(_Point(name=name, cost=cost, ppm=score.throttled_ppm, risk_ppm=risk))
    return points


def _is_target(point: _Point) -> bool:
    return aws_target(point.name) is not None


def _stands_alone(point: _Point) -> bool:
    return not _is_target(point) and pilot_risk(point.name) is None


def _span_decades(ppms: Sequence[float]) -> tuple[int, int]:
    """The lowest and highest power of ten around what is not zero; at least one decade."""
    exponents = [math.log10(ppm) for ppm in ppms if ppm > 0]
    if not exponents:
        return 0, 3
    lowest = math.floor(min(exponents))
    return lowest, max(math.ceil(max(exponents)), lowest + 1)


def _height_of(ppm: float, *, zero_at: float) -> float:
    return round(math.log10(ppm), 4) if ppm > 0 else zero_at


def _draw_targets(points: Sequence[_Point], *, zero_at: float) -> dict[str, Any]:
    targets = [point for point in points if _is_target(point)]
    return {
        **_join(targets, colour=VERMILION, size=9, zero_at=zero_at),
        "name": "AWS auto scaling",
        "text": [f"{aws_target(point.name):g} %" for point in targets],
        "textposition": "bottom left",  # under the line, where the others' labels are not
    }


def _draw_risks(points: Sequence[_Point], *, zero_at: float) -> dict[str, Any]:
    """From the least risk to the highest; only the ends are labelled, since all lie close."""
    ours = sorted(
        ((point.risk_ppm, point) for point in points if point.risk_ppm is not None),
        key=lambda pair: pair[0],
    )
    (least, _), (highest, _) = ours[0], ours[-1]
    between = len(ours) - 2
    ends = [say_risk(least), *[""] * between, say_risk(highest)]
    return {
        **_join([point for _, point in ours], colour=BLUE, size=7, zero_at=zero_at),
        "name": "Capacity Pilot by risk",
        "text": ends[-len(ours) :],
        "textposition": ["bottom right", *["top center"] * (between + 1)][-len(ours) :],
    }


def _join(points: Sequence[_Point], *, colour: str, size: int, zero_at: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers+text",
        "x": [round(point.cost, 4) for point in points],
        "y": [_height_of(point.ppm, zero_at=zero_at) for point in points],
        "customdata": [_describe(point) for point in points],
        "hovertemplate": "%{customdata}<extra></extra>",
        "line": {"color": colour, "width": 1.6},
        "marker": {"color": colour, "size": size},
        "cliponaxis": False,
    }


def _draw_point(point: _Point, *, zero_at: float) -> dict[str, Any]:
    colour = look_of(point.name).colour
    is_ours = point.name == PILOT
    label = quote(label_of(point.name))
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": label,
        "x": [round(point.cost, 4)],
        "y": [_height_of(point.ppm, zero_at=zero_at)],
        "text": [f"<b>{label}</b>" if is_ours else label],
        "textposition": "top right" if point.name != CLAIRVOYANT else "bottom right",
        "customdata": [_describe(point)],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {
            "color": colour,
            "size": 17 if is_ours else 10,
            "symbol": _SYMBOLS.get(point.name, "square"),
        },
        "cliponaxis": False,
    }


def _describe(point: _Point) -> str:
    told = [label_of(point.name), f"{say_ppm(point.ppm)} ppm throttled", f"cost {point.cost:,.3g}"]
    if point.name == PILOT and point.risk_ppm is not None:
        told.append(f"risk {say_risk(point.risk_ppm)}")
    return break_lines(told)


def _lay_out(lowest: int, highest: int, *, zero_at: float, is_relative: bool) -> dict[str, Any]:
    decades = list(range(lowest, highest + 1))
    break_at = (zero_at + lowest) / 2
    shapes: list[dict[str, Any]] = [
        {
            "type": "rect",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "y0": zero_at - 0.35,
            "y1": break_at,
            "fillcolor": "rgba(0,158,115,0.10)",
            "line": {"width": 0},
            "layer": "below",
        }
    ]
    if is_relative:
        line = {"color": GREEN, "width": 1.5, "dash": "dash"}
        shapes.append(
            {"type": "line", "x0": 1, "x1": 1, "yref": "paper", "y0": 0, "y1": 1, "line": line}
        )
    return {
        "height": _HEIGHT,
        "margin": {"l": 8, "r": 64, "t": 30, "b": 48},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "shapes": shapes,
        "annotations": [
            caption("<b>Throttled</b>, ppm of demand (log; zero in its own band)", top=1)
        ],
        "yaxis": {
            "range": [zero_at - 0.35, highest + 0.25],
            "tickvals": [zero_at, *decades],
            "ticktext": ["0", *(_say_decade(decade) for decade in decades)],
            "gridcolor": GRID,
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
        },
    }


def _lay_costs(costs: Sequence[float], *, is_relative: bool) -> dict[str, Any]:
    """Ratios on a log scale too: what counts lies close to 1, the static peak far off."""
    title = "cost, as a multiple of the clairvoyant's (log)" if is_relative else "cost, unit-hours"
    axis = {
        "title": {"text": title, "standoff": 6, "font": {"size": 12}},
        "gridcolor": GRID,
        "zeroline": False,
        "fixedrange": True,
    }
    if not is_relative:
        return {**axis, "tickformat": ",~r", "rangemode": "tozero"}
    low, high = min(costs) / 1.08, max(max(costs) * 1.12, 1.6)
    return {
        **axis,
        "type": "log",
        "range": [round(math.log10(low), 4), round(math.log10(high), 4)],
        "tickangle": 0,
        "tickvals": list(_RATIO_TICKS),
        "ticktext": [f"{ratio:g}{TIMES}" for ratio in _RATIO_TICKS],
    }


def _say_decade(decade: int) -> str:
    return f"{10**decade:,}" if decade >= 0 else f"{10.0**decade:.{-decade}f}"


def _say_points(points: Sequence[_Point], *, of: str, is_relative: bool) -> str:
    told = "; ".join(
        f"{label_of(point.name)} {say_ppm(point.ppm)} ppm at "
        + (say_ratio(point.cost) if is_relative else f"{say_count(point.cost)} unit-hours")
        for point in points
    )
    against = "cost over the clairvoyant's" if is_relative else "unit-hours"
    return f"Throttled ppm against {against} on {of}: {told or 'no strategy has both'}."
