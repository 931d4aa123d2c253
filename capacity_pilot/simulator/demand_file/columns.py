"""A file's numbers, column by column, before anybody asks whether they make sense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats

NEEDED = ("t_s", "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is read at most: a leap year of seconds, and the text that takes with some signals."""

    rows: int = 366 * 86_400
    text_bytes: int = 1 << 30
    columns: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """``values`` is (rows, columns). ``place`` says where a row stands, for error messages."""

    names: tuple[str, ...]
    values: Floats
    place: Callable[[int], str]


def check_names(names: Sequence[str], limits: Limits, *, place: str) -> None:
    """Raises ``InputError`` unless the two needed columns are there and no name is taken twice."""
    shown = ", ".join(map(quote, names[:8])) + (", ..." if len(names) > 8 else "")
    for needed in NEEDED:
        if needed not in names:
            raise InputError(f"{place}: no column '{needed}'; the columns are {shown}")
    for column, name in enumerate(names):
        if not name:
            raise InputError(f"{place}: column {column + 1} has no name; the columns are {shown}")
        if name in names[:column]:
            raise InputError(f"{place}: two columns are named {quote(name)}")
    if len(names) > limits.columns:
        raise InputError(f"{place}: {len(names)} columns; at most {limits.columns} are read")


def quote(value: str) -> str:
    """The value as an error message shows it, cut when it is long."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
