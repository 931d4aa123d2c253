"""Where the rows of a trace's course lie, their axes and their labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from capacity_pilot.simulator.report.figure import GRID, MINUTE_MS, caption, quote
from capacity_pilot.simulator.report.strategies import short_label_of
from capacity_pilot.simulator.report.wording import say_count, say_ppm
from capacity_pilot.simulator.result import TraceResult

_MAIN_PX, _LANE_PX, _BUCKET_PX, _GAP_PX, _TOP_PX, _BOTTOM_PX = 340, 36, 120, 44, 30, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Where each row lies, from 0 at the bottom to 1, and the height of all in pixels."""

    main: tuple[float, float]
    lanes: tuple[float, float]
    bucket: tuple[float, float]
    height: int


def lay_out_courses(trace: TraceResult, names: list[str], *, signals: int) -> dict[str, Any]:
    """One time axis below all rows: y is units/s, y2 the lanes of ``names``, y3 the bucket.

    From y4 on come the scales of ``signals``, over y and unseen.
    """
    rows = _lay_rows(len(names))
    plain = {"gridcolor": GRID, "zeroline": False, "fixedrange": True, "automargin": True}
    return {
        "height": rows.height,
        "margin": {"l": 8, "r": 10, "t": _TOP_PX, "b": _BOTTOM_PX},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": "zoom",
        "xaxis": {
            "type": "date",
            "anchor": "y3",
            "range": [0, len(trace.demand) * MINUTE_MS],
            "gridcolor": GRID,
            "zeroline": False,
            "tickformatstops": [
                {"dtickrange": [None, 60_000], "value": "%H:%M:%S\nday %-j"},
                {"dtickrange": [60_000, 86_400_000 - 1], "value": "%H:%M\nday %-j"},
                {"dtickrange": [86_400_000, None], "value": "day %-j"},
            ],
            "title": {"text": "time since the replay began", "standoff": 6, "font": {"size": 12}},
        },
        "yaxis": {**plain, "domain": list(rows.main), "rangemode": "tozero", "tickformat": ",~r"},
        "yaxis2": {
            **plain,
            "domain": list(rows.lanes),
            "range": [0, max(len(names), 1)],
            "tickvals": list(range(len(names) + 1)),
            "showticklabels": False,
        },
        "yaxis3": {
            **plain,
            "domain": list(rows.bucket),
            "range": [-8, 308],
            "tickvals": [0, 100, 200, 300],
        },
        **{
            f"yaxis{4 + index}": {
                **plain,
                "overlaying": "y",
                "visible": False,
                "rangemode": "tozero",
            }
            for index in range(signals)
        },
        "annotations": [
            caption("<b>Demand and provisioned</b>, units/s", top=rows.main[1]),
            caption("<b>Throttled</b>, stems on a log scale", top=rows.lanes[1]),
            caption("<b>Burst bucket</b>, seconds of provisioned", top=rows.bucket[1]),
            *(_label_lane(trace, names, index) for index in range(len(names))),
        ],
    }


def _label_lane(trace: TraceResult, names: list[str], index: int) -> dict[str, Any]:
    score = trace.courses[names[index]].score
    if score.throttled_units == 0:
        told = "nothing"
    else:
        told = f"{say_count(score.throttled_units)} units, {say_ppm(score.throttled_ppm)} ppm"
    return {
        "text": f"{quote(short_label_of(names[index]))}: {told}",
        "x": 0.004,
        "xref": "paper",
        "xanchor": "left",
        "y": len(names) - index,
        "yref": "y2",
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": 11},
        "yshift": -2,
        "borderpad": 0,
    }


def _lay_rows(lanes: int) -> _Rows:
    lanes_px = _LANE_PX * max(lanes, 1)
    inner = _MAIN_PX + lanes_px + _BUCKET_PX + 2 * _GAP_PX
    lanes_from = _BUCKET_PX + _GAP_PX
    main_from = lanes_from + lanes_px + _GAP_PX
    return _Rows(
        main=(main_from / inner, 1.0),
        lanes=(lanes_from / inner, (lanes_from + lanes_px) / inner),
        bucket=(0.0, _BUCKET_PX / inner),
        height=inner + _TOP_PX + _BOTTOM_PX,
    )
