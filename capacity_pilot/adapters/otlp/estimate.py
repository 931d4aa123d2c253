"""What a call consumes when its span does not say.

Learned per (table, index, operation, dimension) from spans that do say: the mean units of a
call, and how they divide over the table and its indexes. Both forget exponentially. Before
anything is learned, the mean item sizes tell, and before that the least AWS charges.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from capacity_pilot.adapters.otlp.capacity import Parts
from capacity_pilot.core.model import Dimension

MEMORY_CALLS = 256
"""Calls over which the weight of an observation falls to 1/e."""

MAX_LEARNED_INDEXES = 64
"""Indexes whose share one shape of call may have; DynamoDB's default quota is 20 per table."""

_PAGE_BYTES = 1 << 20
"""The most one query or scan reads (API reference, Query)."""

NEGLIGIBLE = 1e-3
"""Share of a call's units below which an index no longer takes part."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Shape(NamedTuple):
    """Calls alike enough to share a mean.

    ``is_consistent`` is not part of it: a consistent read costs exactly twice an eventual
    one, so both teach the same mean, kept in eventual units.
    """

    table: str
    read_index: str  # the index a read names, else ""
    operation: str
    dimension: Dimension


@dataclass(slots=True)
class _Learned:
    """Forgetful sums, so that ``units / calls`` is a weighted mean."""

    calls: float = 0.0
    units: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)  # index, or "" for the table -> units


class Estimator:
    """Bounded memory of what calls consume; the least recently used shapes make room."""

    def __init__(self, *, max_shapes: int = 50_000, memory_calls: int = MEMORY_CALLS) -> None:
        self._max_shapes = max_shapes
        self._memory = float(memory_calls)
        self._fade = 1.0 - 1.0 / memory_calls
        self._learned: OrderedDict[Shape, _Learned] = OrderedDict()
        self._item_bytes: OrderedDict[str, dict[str, float]] = OrderedDict()  # table -> index ->

    @property
    def known_shapes(self) -> int:
        return len(self._learned)

    def note_item_bytes(self, table: str, index: str, mean_bytes: float | None) -> None:
        """Takes the mean item size of a table or index (``""`` for the table), as DescribeTable
        tells it. ``None``, or a figure that is no size, withdraws an earlier one.
        """
        if mean_bytes is None or not (math.isfinite(mean_bytes) and mean_bytes > 0):
            self._item_bytes.get(table, {}).pop(index, None)
            return
        sizes = self._item_bytes.get(table, {})
        if index in sizes or len(sizes) <= MAX_LEARNED_INDEXES:
            sizes[index] = mean_bytes
        _put(self._item_bytes, table, sizes, self._max_shapes)

    def learn(
        self, shape: Shape, units: float, parts: Parts | None, *, calls: int, weight: float
    ) -> None:
        """Takes ``calls`` equal observations at once, which teach the same as one by one.

        ``units`` are per call, in eventual reads; ``weight`` is the calls' adjusted count.
        ``parts`` divide them, ``None`` if the span told only the total.
        """
        learned = self._learned.get(shape)
        if learned is None:
            learned = _Learned()
        _put(self._learned, shape, learned, self._max_shapes)
        remaining = self._fade**calls
        gained = (1.0 - remaining) * self._memory * weight
        learned.calls = learned.calls * remaining + gained
        learned.units = learned.units * remaining + gained * units
        if parts is not None:
            _learn_parts(learned.parts, parts, remaining=remaining, gained=gained)

    def estimate(
        self, shape: Shape, *, is_consistent: bool, is_transactional: bool, items: int = 1
    ) -> Parts:
        """Units of one call over the table and its indexes; never empty.

        ``items`` is how many a query or scan asked for, if it said.
        """
        learned = self._learned.get(shape)
        if learned is None or not learned.calls:
            return self._least(
                shape,
                is_consistent=is_consistent,
                is_transactional=is_transactional,
                items=items,
            )
        self._learned.move_to_end(shape)
        mean = learned.units / learned.calls * consistency_factor(is_consistent=is_consistent)
        return self.divide(shape, mean) or ((shape.read_index, mean),)

    def divide(self, shape: Shape, units: float) -> Parts | None:
        """Splits a stated total as such calls have divided before; ``None`` if none has.

        A write to a table whose indexes are known divides by their item sizes until then.
        """
        learned = self._learned.get(shape)
        parts = _divide(units, learned.parts) if learned is not None else None
        is_write = shape.dimension is Dimension.WRITE
        if parts is None and is_write and len(self._item_bytes.get(shape.table, ())) > 1:
            return _divide(units, dict(self._write_units(shape.table, of_table=1.0)))
        return parts

    def _least(
        self, shape: Shape, *, is_consistent: bool, is_transactional: bool, items: int
    ) -> Parts:
        """The cost by AWS's arithmetic (developer guide, "Read/write capacity mode").

        A write costs 1 unit per KiB begun, a strongly consistent read 1 per 4 KiB begun, an
        eventual one half; transactions cost twice. A query or scan is charged for the sum of
        what it read, at most 1 MiB: one with a limit is taken to fill it, as pages do. How many
        items a batch touches, or a query without a limit, is not knowable: it counts as one.
        """
        if shape.dimension is Dimension.WRITE:
            return self._write_units(shape.table, of_table=2.0 if is_transactional else 1.0)
        size = self._item_bytes.get(shape.table, {}).get(shape.read_index, 1.0)
        size = min(size * items, max(size, _PAGE_BYTES))
        units = math.ceil(size / 4096) * 0.5
        units *= 4.0 if is_transactional else consistency_factor(is_consistent=is_consistent)
        return ((shape.read_index, units),)

    def _write_units(self, table: str, *, of_table: float) -> Parts:
        """Units of one write: to the table, ``of_table`` times, and to each index known of.

        Not every write reaches every index, but an index that is too small throttles the
        table's writes, and one write with INDEXES tells better. Index writes of a transaction
        cost once.
        """
        sizes = {"": 1.0} | self._item_bytes.get(table, {})
        return tuple(
            (index, math.ceil(size / 1024) * (1.0 if index else of_table))
            for index, size in sizes.items()
        )


def consistency_factor(*, is_consistent: bool) -> float:
    """Cost relative to an eventual read."""
    return 2.0 if is_consistent else 1.0


def _learn_parts(known: dict[str, float], parts: Parts, *, remaining: float, gained: float) -> None:
    for index in known:
        known[index] *= remaining
    for index, units in parts:
        if index in known:
            known[index] += gained * units
        elif len(known) < MAX_LEARNED_INDEXES:
            known[index] = gained * units


def _divide(units: float, shares: dict[str, float]) -> Parts | None:
    total = sum(shares.values())
    if not total:
        return None
    # An index that was dropped fades away rather than being charged crumbs for ever.
    current = [(index, share) for index, share in shares.items() if share > total * NEGLIGIBLE]
    total = sum(share for _, share in current)
    return tuple((index, units * share / total) for index, share in current)


def _put(store: OrderedDict[_K, _V], key: _K, value: _V, bound: int) -> None:
    store[key] = value
    store.move_to_end(key)
    if len(store) > bound:
        store.popitem(last=False)
