"""Names of tables and indexes: what DynamoDB takes for one, and how many are let in."""

from __future__ import annotations

import re
from typing import TypeVar

_N = TypeVar("_N", str, tuple[str, str])

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,255}")
_TABLE_ARN = re.compile(r"arn:[^:]+:dynamodb:[^:]*:[^:]*:table/([^/]+)(?:/index/([^/]+))?(?:/.*)?")

TURNOVER_SECONDS = 3600.0
"""Names unseen for one to two of these make room for others."""


def parse_table(text: str) -> tuple[str, str]:
    """Table and index (``""`` if none) named by a plain name, a table ARN or an index ARN.

    DynamoDB names have at most 255 characters of A-Z, a-z, 0-9, ``_``, ``-`` and ``.``
    (developer guide, "Naming rules"). Raises ``ValueError`` for anything else.
    """
    table, index = text, ""
    if text.startswith("arn:") and (arn := _TABLE_ARN.fullmatch(text)):
        table, index = arn[1], arn[2] or ""
    return check_name(table), check_name(index) if index else ""


def check_name(name: str) -> str:
    """The name itself; ``ValueError`` if DynamoDB would not take it for a table or an index."""
    if not _NAME.fullmatch(name):
        msg = f"{name[:80]!r} is no DynamoDB name: expected 1-255 of A-Z a-z 0-9 _ . -"
        raise ValueError(msg)
    return name


class NameRegistry:
    """Bounds the distinct tables and indexes that telemetry may bring up.

    Names live in two generations that turn over with time, so that tables long gone, or a
    flood of invented ones, do not keep new ones out for good.
    """

    def __init__(self, *, max_tables: int, max_indexes: int) -> None:
        self._max = (max_tables, max_indexes)
        # One set for tables and one for (table, index) pairs, in each generation.
        self._young: tuple[set[str], set[tuple[str, str]]] = (set(), set())
        self._old: tuple[set[str], set[tuple[str, str]]] = (set(), set())
        self._turned_at: float | None = None

    def turn(self, now: float) -> bool:
        """Starts a new generation when one is due; True if it did."""
        if self._turned_at is None:
            self._turned_at = now
        if now - self._turned_at < TURNOVER_SECONDS:
            return False
        self._turned_at = now
        self._old, self._young = self._young, (set(), set())
        return True

    def admit(self, table: str, index: str) -> bool:
        """True if demand of this table or index may be kept."""
        if not _admit(table, self._young[0], self._old[0], self._max[0]):
            return False
        return not index or _admit((table, index), self._young[1], self._old[1], self._max[1])


def _admit(name: _N, young: set[_N], old: set[_N], bound: int) -> bool:
    if name in young:
        return True
    if name in old:
        old.discard(name)
    elif len(young) + len(old) >= bound:
        return False
    young.add(name)
    return True
