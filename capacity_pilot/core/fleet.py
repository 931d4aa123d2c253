"""The fleet: which slot of every array belongs to which scalable target.

A resource has two neighbouring slots, read at ``2 * r`` and write at ``2 * r + 1``, so that
"the other dimension of the same resource" is ``slot ^ 1`` and a per-resource view of any array
is ``values.reshape(-1, 2)``. All slots of a table are one contiguous run.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.model import Dimension, Resource, ScalableTarget

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

State = TypeVar("State")
Values = TypeVar("Values", Floats, Ints, Bools)


class ArrayState:
    """A frozen dataclass of arrays, numbers and others like it, all kept from tick to tick."""

    __slots__ = ()

    def copy(self) -> Self:
        """The same with arrays of its own, so that they may be written to."""
        names = _name_fields(type(self))  # type: ignore[arg-type]  # classes can be hashed
        return type(self)(*[_copy(getattr(self, name)) for name in names])

    @property
    def arrays(self) -> Self:
        """What compiled code takes in its place, and writes to: the very arrays, in a named tuple
        of the same attributes. Only of kinds that ``name_arrays`` was told of.
        """
        names = _name_fields(type(self))  # type: ignore[arg-type]  # classes can be hashed
        return _TUPLES[type(self)](*[_arrays(getattr(self, name)) for name in names])  # type: ignore[no-any-return]


_TUPLES: dict[type[ArrayState], Any] = {}


def name_arrays(kind: type[ArrayState]) -> Any:
    """The named tuple for ``kind``. Its module must keep it as ``{kind}Arrays``: machine code that
    is kept on disk finds it by that name.
    """
    _TUPLES[kind] = made = namedtuple(f"{kind.__name__}Arrays", _name_fields(kind))  # type: ignore[arg-type]  # noqa: PYI024
    made.__module__ = kind.__module__
    return made


def _arrays(value: Any) -> Any:
    return value.arrays if isinstance(value, ArrayState) else value


@cache
def _name_fields(kind: type[ArrayState]) -> tuple[str, ...]:
    """In the order of the constructor's arguments; asked for in every tick."""
    return tuple(item.name for item in fields(kind))  # type: ignore[arg-type]  # all are dataclasses


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray | ArrayState) else value


@dataclass(frozen=True, slots=True)
class Fleet:
    """The managed resources in slot order: table by table, each table before its indexes."""

    resources: tuple[Resource, ...]
    _first_slot: dict[tuple[str, str], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        first_slot = {(r.table, r.index): 2 * i for i, r in enumerate(self.resources)}
        object.__setattr__(self, "_first_slot", first_slot)

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Fleet:
        """Orders and deduplicates; ``""`` sorts a table before its indexes."""
        return cls(tuple(sorted(set(resources))))

    def __len__(self) -> int:
        """Number of slots: two per resource."""
        return 2 * len(self.resources)

    @property
    def table_of(self) -> Ints:
        """A number per slot, (n,), the same for all slots of a table."""
        numbers: dict[str, int] = {}
        per_resource = [numbers.setdefault(r.table, len(numbers)) for r in self.resources]
        return np.repeat(np.array(per_resource, dtype=np.int64), 2)

    def slot(self, resource: Resource, dimension: Dimension) -> int | None:
        """The target's slot, or ``None`` when the resource is not managed."""
        first = self.first_slot(resource.table, resource.index)
        return None if first is None else first + dimension

    def first_slot(self, table: str, index: str) -> int | None:
        """The slot of a resource's reads, by names alone: asked for every sample."""
        return self._first_slot.get((table, index))

    def target(self, slot: int) -> ScalableTarget:
        return ScalableTarget(self.resources[slot // 2], Dimension(slot % 2))


def put(values: Values, slots: Ints, news: npt.NDArray[Any] | float) -> Values:
    """A copy of ``values`` (.., n) with ``news`` at ``slots``."""
    values = values.copy()
    values[..., slots] = news
    return values


def carry_over(state: State, *, fresh: State, old: Fleet, new: Fleet) -> State:
    """``fresh`` (sized for ``new``) with everything ``state`` knew of targets in both fleets.

    Works on any (nested) frozen dataclass whose arrays have the slot as their last axis with
    ``len(old)`` entries; scalars and arrays of other lengths, which concern the whole fleet, are
    taken from ``state``. (A fleet never has one slot, so (.., 1) arrays are the fleet's.)
    """
    kept = [
        (old_slot, new_slot)
        for old_slot in range(len(old))
        if (new_slot := new.slot(*_pair(old.target(old_slot)))) is not None
    ]
    sources, destinations = np.array(kept, dtype=np.int64).reshape(-1, 2).T
    return _carry(state, fresh, sources, destinations, len(old))


def _pair(target: ScalableTarget) -> tuple[Resource, Dimension]:
    return target.resource, target.dimension


def _carry(state: State, fresh: State, sources: Ints, destinations: Ints, size: int) -> State:
    changes: dict[str, object] = {}
    for item in fields(state):  # type: ignore[arg-type]  # every state is a dataclass
        before, after = getattr(state, item.name), getattr(fresh, item.name)
        if isinstance(before, np.ndarray) and before.shape[-1] == size:
            # Rows that have been added meanwhile begin like the first.
            rows = before.shape[:-1]
            grown = after if after.shape[:-1] == rows else after[:1]
            carried = np.broadcast_to(grown, (*rows, after.shape[-1])).copy()
            carried[..., destinations] = before[..., sources]
            changes[item.name] = carried
        elif hasattr(before, "__dataclass_fields__"):
            changes[item.name] = _carry(before, after, sources, destinations, size)
        else:
            changes[item.name] = before
    return replace(fresh, **changes)  # type: ignore[type-var]
