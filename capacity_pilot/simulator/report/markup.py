"""HTML with everything from outside escaped, and tables a screen reader can walk."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from capacity_pilot.simulator.report.strategies import look_of

_BORDERS = {"solid": "solid", "dash": "dashed", "dot": "dotted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A heading, and below it in small print what its figures are in."""

    title: str
    unit: str = ""
    is_number: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``head`` is markup already; ``cells`` are plain text."""

    head: str
    cells: Sequence[str]
    is_ours: bool = False


def escape(text: object) -> str:
    """Fit for an element and for a quoted attribute."""
    return html.escape(str(text), quote=True)


def draw_table(caption: str, columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """In a region that scrolls sideways by itself, by keyboard too; its first column stays."""
    head = "".join(_draw_heading(column) for column in columns)
    body = "".join(_draw_row(row, columns[1:]) for row in rows)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _draw_heading(column: Column) -> str:
    unit = f"<small>{escape(column.unit)}</small>" if column.unit else ""
    return f'<th scope="col"{_mark_number(column)}>{escape(column.title)}{unit}</th>'


def _mark_number(column: Column) -> str:
    return ' class="number"' if column.is_number else ""


def _draw_row(row: Row, columns: Sequence[Column]) -> str:
    ours = ' class="ours"' if row.is_ours else ""
    cells = "".join(
        f"<td{_mark_number(column)}>{escape(cell)}</td>"
        for column, cell in zip(columns, row.cells, strict=True)
    )
    return f'<tr{ours}><th scope="row">{row.head}</th>{cells}</tr>'


def draw_swatch(name: str) -> str:
    """A bit of the strategy's line."""
    look = look_of(name)
    return draw_line(look.colour, _BORDERS[look.dash])


def draw_line(colour: str, border: str = "solid") -> str:
    """A bit of any line, as beside its name."""
    return f'<span class="swatch" style="border-top:3px {border} {colour}"></span>'
