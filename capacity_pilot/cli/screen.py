"""Text that fits a terminal: numbers, times and lines as an operator reads them."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from capacity_pilot.core.model import Resource

_MINUTE_S = 60
_HOUR_S = 3600
_LONG_S = 100 * _HOUR_S
_MOST_NAMED = 5

HELD: Final = {"both": "not moved", "in": "not lowered", "out": "not raised"}
"""What a freeze does, by its direction."""


class Size(NamedTuple):
    """Columns, and lines where their number matters."""

    width: int
    height: int | None


def measure_terminal(*, is_whole: bool) -> Size:
    """The terminal's size less the line of the next prompt; what is piped on is not cut."""
    columns, lines = shutil.get_terminal_size()
    is_cut = sys.stdout.isatty() and not is_whole
    return Size(max(columns, 60), lines - 1 if is_cut else None)


def write_lines(lines: Sequence[str]) -> None:
    """The lines, on standard output."""
    sys.stdout.write("\n".join(lines) + "\n")


def say_number(value: float | None) -> str:
    """Units: ``1,234``, ``0.4``, ``-`` where nothing is known."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def say_seconds(seconds: float | None) -> str:
    """``12 s``, ``4 m``, ``2 h``; ``-`` for never, or not soon."""
    if seconds is None or seconds >= _LONG_S:
        return "-"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} m"
    return f"{seconds / _HOUR_S:.0f} h"


def say_time(moment: str | None, now: float) -> str:
    """An API's moment in UTC: the time of a day near, else with its date."""
    if moment is None:
        return "resumed"
    at = datetime.fromisoformat(moment)
    is_near = abs(at.timestamp() - now) < 12 * _HOUR_S
    return f"{at.astimezone(UTC):%H:%M:%SZ}" if is_near else f"{at.astimezone(UTC):%d %b %H:%MZ}"


def say_reasons(names: Sequence[str]) -> str:
    """``rising_demand`` and ``surge`` as ``rising demand, surge``."""
    return ", ".join(name.replace("_", " ") for name in names)


def say_some(tables: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(tables) - _MOST_NAMED} more" if len(tables) > _MOST_NAMED else ""
    return ", ".join(tables[:_MOST_NAMED]) + more


def say_target(told: Mapping[str, Any]) -> str:
    """``feed/index/by-day:read``, of what an API says of a target."""
    return f"{_say_resource(told)}:{told['dimension']}"


def say_ordered(told: Mapping[str, Any]) -> str:
    """Which capacity an override sets."""
    units = [f"{d} {told[d]:,}" for d in ("read", "write") if told[d] is not None]
    return f"{_say_resource(told)} at {', '.join(units)}"


def say_override(told: Mapping[str, Any], now: float) -> str:
    """Which capacity is set until when."""
    return f"{say_ordered(told)} until {say_time(told['until'], now)}"


def _say_resource(told: Mapping[str, Any]) -> str:
    return str(Resource(told["table"], told["index"] or ""))


def cut(text: str, width: int) -> str:
    """At most so wide."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def cut_middle(text: str, width: int) -> str:
    """At most so wide, both ends kept: names often differ there."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def hang(text: str, width: int) -> list[str]:
    """Wrapped, all lines after the first one set in."""
    return textwrap.wrap(text, width, subsequent_indent="    ")


def label(name: str, texts: Sequence[str], width: int, *, indent: int) -> list[str]:
    """``name`` in a column of its own before texts, each wrapped."""
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(text, max(width - indent, 20)) or [""]
    return [f"{name if n == 0 else '':{indent}}{line}".rstrip() for n, line in enumerate(lines)]
