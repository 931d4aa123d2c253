"""What the figures share: plotly.js specifications as plain data, with bounded numbers."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints

MINUTE_MS = 60_000
GRID = "rgba(128,128,128,0.22)"
"""Reads on a light and on a dark page."""

_SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """``data`` and ``layout`` as plotly.js takes them; ``alternative`` says what is shown."""

    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int
    alternative: str

    def to_json(self) -> str:
        """Fit for a ``<script>`` element: no ``<`` can end it, whatever the names say."""
        text = json.dumps(
            {"data": self.data, "layout": self.layout}, separators=(",", ":"), allow_nan=False
        )
        return (
            text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        )


def list_numbers(values: Floats) -> list[float | int | None]:
    """JSON-ready, rounded to what can be seen beside the largest of them; gaps are ``None``."""
    known = np.abs(values[np.isfinite(values)])
    largest = float(known.max()) if len(known) else 0.0
    magnitude = math.floor(math.log10(largest)) if largest > 0 else 0
    rounded = np.round(values, max(0, _SIGNIFICANT_DIGITS - magnitude)).tolist()
    return [_shorten(value) for value in rounded]


def _shorten(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


def list_moments(minutes: Ints) -> list[int]:
    """Minutes of the replay on plotly's date axis: day 1 of its calendar is the replay's first."""
    return [int(ms) for ms in (minutes * MINUTE_MS).tolist()]


def quote(text: str) -> str:
    """Names as text: plotly.js reads a little HTML in every string it draws."""
    return html.escape(text, quote=False)


def break_lines(parts: Iterable[str]) -> str:
    """One part a line, each quoted."""
    return "<br>".join(quote(part) for part in parts)


def caption(text: str, *, top: float) -> dict[str, Any]:
    """A row's title, at the left above ``top`` (paper coordinate)."""
    return {
        "text": text,
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": top,
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
        "align": "left",
    }
