"""The items of one table and its indexes, in key order, and what a write would cost.

Our own, not moto's: moto's table sorts and scans every item for each Query, which is linear in
the table and far too slow for a server under load. Here each partition is a sorted list, so that
a Query costs what it reads. moto still evaluates expressions (see ``expressions``).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.physics import refusals
from capacity_pilot.simulator.physics.sizes import (
    LARGEST_ITEM_BYTES,
    Item,
    decode_binary,
    index_write_units,
    item_bytes,
    parse_number,
    write_units,
)
from capacity_pilot.simulator.physics.tables import IndexSpec, KeySchema, TableSpec
from capacity_pilot.simulator.physics.world import Charge

Orderable = bytes | Decimal
Order = tuple[Orderable, ...]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item, never changed in place, with its size in bytes."""

    attributes: Item
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands: its partition, and its order within it."""

    partition: Orderable
    order: Order


@dataclass(slots=True)
class Partition:
    """The items of one partition key; ``orders`` is sorted, ``items`` has the same keys."""

    orders: list[Order] = field(default_factory=list)
    items: dict[Order, StoredItem] = field(default_factory=dict)


@dataclass(slots=True)
class OrderedItems:
    """A table's or an index's items by partition, with their count and bytes."""

    partitions: dict[Orderable, Partition] = field(default_factory=dict)
    count: int = 0
    size: int = 0

    def get(self, place: Place) -> StoredItem | None:
        partition = self.partitions.get(place.partition)
        return None if partition is None else partition.items.get(place.order)

    def put(self, place: Place, item: StoredItem) -> None:
        partition = self.partitions.setdefault(place.partition, Partition())
        former = partition.items.get(place.order)
        if former is None:
            insort(partition.orders, place.order)
            self.count += 1
        else:
            self.size -= former.size
        partition.items[place.order] = item
        self.size += item.size

    def remove(self, place: Place) -> None:
        partition = self.partitions[place.partition]
        self.size -= partition.items.pop(place.order).size
        self.count -= 1
        del partition.orders[bisect_left(partition.orders, place.order)]
        if not partition.orders:
            del self.partitions[place.partition]


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index holds of an item."""

    place: Place
    item: StoredItem


@dataclass(frozen=True, slots=True)
class Write:
    """A write worked out but not yet done: what it costs, and what it will leave behind."""

    place: Place
    before: StoredItem | None
    after: StoredItem | None
    entries: tuple[tuple[str, Entry | None, Entry | None], ...]
    charges: tuple[Charge, ...]


class TableStore:
    """All items of a table. ``plan`` a write, have its charges admitted, then ``commit`` it."""

    def __init__(self, spec: TableSpec) -> None:
        self.spec = spec
        self.items = OrderedItems()
        self.indexes = {index.name: OrderedItems() for index in spec.indexes}
        self._types = dict(spec.attribute_types)

    def place_of_key(self, key: Mapping[str, Any]) -> Place:
        """Where a request's ``Key`` points; raises when it is not exactly the table's key."""
        if set(key) != set(self.spec.key.names):
            raise refusals.invalid("The provided key element does not match the schema")
        for name in self.spec.key.names:
            if not isinstance(key[name], Mapping) or set(key[name]) != {self._types[name]}:
                raise refusals.invalid("The provided key element does not match the schema")
        return self._place(key)

    def place_of_item(self, item: Item) -> Place:
        """Where a whole item belongs; raises when its key is missing or of another type."""
        for name in self.spec.key.names:
            if name not in item:
                raise refusals.invalid(
                    f"One or more parameter values were invalid: Missing the key {name} in the item"
                )
            actual = next(iter(item[name]), None)
            if actual != self._types[name]:
                raise refusals.invalid(
                    "One or more parameter values were invalid: Type mismatch for key "
                    f"{name} expected: {self._types[name]} actual: {actual}"
                )
        return self._place(item)

    def weigh(self, item: Item) -> StoredItem:
        """The item with its size; raises when it is malformed or above 400 KB."""
        size = item_bytes(item)
        if size > LARGEST_ITEM_BYTES:
            raise refusals.invalid("Item size has exceeded the maximum allowed size")
        return StoredItem(item, size)

    def plan(self, place: Place, after: StoredItem | None) -> Write:
        """Replaces what stands at ``place``; ``None`` deletes it. Nothing changes yet."""
        before = self.items.get(place)
        units = write_units(before.size if before else 0, after.size if after else 0)
        charges = [Charge("", Dimension.WRITE, units, place.partition)]
        entries = []
        for index in self.spec.indexes:
            old = self._entry(index, before)
            new = self._entry(index, after)
            entries.append((index.name, old, new))
            cost = index_write_units(
                before=old.item.size if old else None,
                after=new.item.size if new else None,
                is_moved=bool(old and new and old.place != new.place),
                is_changed=bool(old and new and old.item.attributes != new.item.attributes),
            )
            if cost:
                entry = new or old
                partition = entry.place.partition if entry else None
                charges.append(Charge(index.name, Dimension.WRITE, cost, partition))
        return Write(place, before, after, tuple(entries), tuple(charges))

    def commit(self, write: Write) -> None:
        if write.after is not None:
            self.items.put(write.place, write.after)
        elif write.before is not None:
            self.items.remove(write.place)
        for name, old, new in write.entries:
            if old is not None and (new is None or new.place != old.place):
                self.indexes[name].remove(old.place)
            if new is not None:
                self.indexes[name].put(new.place, new.item)

    def key_of(self, item: Item) -> dict[str, Any]:
        return {name: item[name] for name in self.spec.key.names}

    def place_in(self, index: IndexSpec | None, item: Mapping[str, Any]) -> Place:
        """Where an item (or a page's start key) stands in the table or in one index."""
        if index is None:
            return self._place(item)
        partition, *rest = (orderable(item[name]) for name in index.key.names)
        own = tuple(orderable(item[name]) for name in self.spec.key.names)
        return Place(partition, (*rest, *own))

    def _place(self, item: Mapping[str, Any]) -> Place:
        partition, *rest = (self._key_value(item, name) for name in self.spec.key.names)
        return Place(partition, tuple(rest))

    def _key_value(self, item: Mapping[str, Any], name: str) -> Orderable:
        value = orderable(item[name])
        if value == b"":
            raise refusals.invalid(
                "One or more parameter values are not valid. The AttributeValue for a key "
                f"attribute cannot contain an empty string value. Key: {name}"
            )
        return value

    def _entry(self, index: IndexSpec, item: StoredItem | None) -> Entry | None:
        if item is None or not all(name in item.attributes for name in index.key.names):
            return None
        self._check_index_key(index, item.attributes)
        place = self.place_in(index, item.attributes)
        if index.projected is None:
            return Entry(place, item)
        attributes = {n: v for n, v in item.attributes.items() if n in index.projected}
        return Entry(place, StoredItem(attributes, item_bytes(attributes)))

    def _check_index_key(self, index: IndexSpec, item: Item) -> None:
        for name in index.key.names:
            actual = next(iter(item[name]))
            if actual != self._types[name]:
                raise refusals.invalid(
                    "One or more parameter values were invalid: Type mismatch for Index Key "
                    f"{name} Expected: {self._types[name]} Actual: {actual} "
                    f"IndexName: {index.name}"
                )
            if item[name][actual] == "":
                raise refusals.invalid(
                    "One or more parameter values are not valid. A value specified for a "
                    "secondary index key is not supported. The AttributeValue for a key "
                    "attribute cannot contain an empty string value. "
                    f"IndexName: {index.name}, IndexKey: {name}"
                )


def projected_attributes(
    table_key: KeySchema, index_key: KeySchema, *, kind: str, non_key: tuple[str, ...]
) -> frozenset[str] | None:
    """The attributes an index holds; ``None`` is all of them."""
    if kind == "ALL":
        return None
    return frozenset((*table_key.names, *index_key.names, *non_key))


def orderable(value: Mapping[str, Any]) -> Orderable:
    """A key attribute in DynamoDB's order: strings by UTF-8 bytes, numbers by value."""
    match value:
        case {"S": str(content)}:
            return content.encode()
        case {"N": str(content)}:
            return parse_number(content)
        case {"B": str(content)}:
            return decode_binary(content)
        case _:
            raise refusals.invalid(
                f"One or more parameter values were invalid: {value!r:.80} cannot be a key"
            )
