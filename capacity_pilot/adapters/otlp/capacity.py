"""ConsumedCapacity as spans carry it: JSON text per table, in three degrees of detail.

``TOTAL`` gives one number; ``INDEXES`` adds ``Table``, ``GlobalSecondaryIndexes`` and
``LocalSecondaryIndexes``; transactions add ``ReadCapacityUnits`` and ``WriteCapacityUnits``
(API reference, "ConsumedCapacity"). Local indexes have no capacity of their own: the table pays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from capacity_pilot.adapters.otlp.names import check_name, parse_table
from capacity_pilot.core.model import Dimension

MAX_UNITS = 10_000_000.0
"""More than any single call can consume; a larger figure is damage, not demand."""

MAX_INDEXES = 64
"""Indexes one ConsumedCapacity may list; DynamoDB's default quota is 20 per table."""

Parts = tuple[tuple[str, float], ...]
"""(index, or ``""`` for the table itself; units)."""


# Named tuples rather than dataclasses: varied traffic makes one of each per span.


class Stated(NamedTuple):
    """Units one call consumed of one table in one dimension.

    ``parts`` splits them over the table and its indexes, zero parts left out; ``None`` when
    only the total was stated.
    """

    table: str
    dimension: Dimension
    units: float
    parts: Parts | None


class _Figures(NamedTuple):
    """One Capacity object: units of unsaid dimension, and those of a stated one."""

    units: float | None
    read: float | None
    write: float | None

    def of(self, dimension: Dimension) -> float | None:
        tagged = self.read if dimension is Dimension.READ else self.write
        if tagged is None and self.read is None and self.write is None:
            return self.units
        return tagged


class Consumed(NamedTuple):
    """One ConsumedCapacity element, dimension not yet decided. ``table`` may be unsaid."""

    table: str | None
    total: _Figures
    own: tuple[_Figures, ...]  # the table's, and those of its local indexes
    indexes: tuple[tuple[str, _Figures], ...]

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Those it states itself, which only transactions do."""
        figures = (self.total, *self.own, *(f for _, f in self.indexes))
        reads = any(f.read is not None for f in figures)
        writes = any(f.write is not None for f in figures)
        return (Dimension.READ,) * reads + (Dimension.WRITE,) * writes


def parse_capacity(texts: Iterable[str]) -> tuple[Consumed, ...]:
    """Reads the attribute's elements. Raises ``ValueError`` if any cannot be what AWS says."""
    try:
        return tuple(_parse_element(json.loads(text)) for text in texts)
    except RecursionError as error:
        msg = "consumed capacity is nested too deeply"
        raise ValueError(msg) from error


def state(consumed: Consumed, *, table: str, dimension: Dimension) -> Stated | None:
    """The units in one dimension; ``None`` when the element does not state any there."""
    total = consumed.total.of(dimension)
    indexes = tuple((name, units) for name, f in consumed.indexes if (units := f.of(dimension)))
    of_indexes = sum(units for _, units in indexes)
    if not consumed.own and not consumed.indexes:
        return None if total is None else Stated(table, dimension, total, None)
    own = sum(units for f in consumed.own if (units := f.of(dimension)))
    if total is not None:
        # The parts add up to the total. Emulators list a local index's units twice.
        rest = max(total - of_indexes, 0.0)
        own = min(own, rest) if consumed.own else rest
    parts = (("", own), *indexes) if own else indexes
    return Stated(table, dimension, own + of_indexes, parts)


def _parse_element(element: Any) -> Consumed:
    if not isinstance(element, dict):
        msg = f"consumed capacity must be an object, not {type(element).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - every defect of the text is a ValueError
    name = element.get("TableName")
    table = parse_table(name)[0] if isinstance(name, str) else None
    local = _parse_indexes(element.get("LocalSecondaryIndexes"))
    own = tuple(figures for _, figures in local)
    if (of_table := element.get("Table")) is not None:
        own = (_parse_figures(of_table), *own)
    return Consumed(
        table=table,
        total=_parse_figures(element),
        own=own,
        indexes=_parse_indexes(element.get("GlobalSecondaryIndexes")),
    )


def _parse_indexes(indexes: Any) -> tuple[tuple[str, _Figures], ...]:
    if indexes is None:
        return ()
    if not isinstance(indexes, dict) or len(indexes) > MAX_INDEXES:
        msg = f"indexes of consumed capacity must be an object of at most {MAX_INDEXES} members"
        raise ValueError(msg)
    return tuple((check_name(name), _parse_figures(value)) for name, value in indexes.items())


def _parse_figures(value: Any) -> _Figures:
    if not isinstance(value, dict):
        msg = f"capacity must be an object, not {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - every defect of the text is a ValueError
    return _Figures(
        units=_parse_units(value.get("CapacityUnits")),
        read=_parse_units(value.get("ReadCapacityUnits")),
        write=_parse_units(value.get("WriteCapacityUnits")),
    )


def _parse_units(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = f"capacity units must be a number, not {value!r:.40}"
        raise ValueError(msg)  # noqa: TRY004 - every defect of the text is a ValueError
    if not (math.isfinite(value) and 0 <= value <= MAX_UNITS):
        msg = f"capacity units must be within 0-{MAX_UNITS:.0f}, not {value!r:.40}"
        raise ValueError(msg)
    return float(value)
