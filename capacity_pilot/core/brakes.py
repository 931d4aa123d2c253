"""What operators order by hand: freezes, and overrides that end by themselves.

Who ordered it and why is part of every order. What an order does to a tick stands in
``core/braking``.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from capacity_pilot.core.events.declared import Patterns
from capacity_pilot.core.model import Direction, Resource
from capacity_pilot.core.quantities import AnyDuration, Strict, Words

_DAY_S = 86_400.0
_MOST_UNITS = 10_000_000


_FreezeLength = Annotated[AnyDuration, Field(gt=0, le=366 * _DAY_S)]
_OverrideLength = Annotated[AnyDuration, Field(gt=0, le=7 * _DAY_S)]
_Units = Annotated[int, Field(ge=1, le=_MOST_UNITS)]


class Order(Strict):
    """Who asks, and why: both are kept with what comes of it."""

    by: Words
    why: Words


class FreezeOrder(Order):
    """Capacity of the tables that match is not moved: until ``lasts`` is over, or called off."""

    tables: Patterns = Field(default_factory=lambda: ["*"])
    direction: Literal["in", "out", "both"] = "both"
    lasts: _FreezeLength | None = None

    def holds(self, direction: Direction) -> bool:
        return self.direction in ("both", direction.value)

    def concerns(self, table: str) -> bool:
        return any(fnmatchcase(table, pattern) for pattern in self.tables)


class OverrideOrder(Order):
    """Capacity of one table or index is what is said here until ``lasts`` is over.

    Outside of the policy's bounds only with ``beyond_bounds``. A dimension that is not named is
    left to the pilot.
    """

    table: str = Field(min_length=1, max_length=255)
    index: str | None = Field(default=None, min_length=1, max_length=255)
    read: _Units | None = None
    write: _Units | None = None
    lasts: _OverrideLength
    beyond_bounds: bool = False

    @model_validator(mode="after")
    def _names_units(self) -> Self:
        if self.read is None and self.write is None:
            raise ValueError("to what? name read or write")
        return self

    @property
    def resource(self) -> Resource:
        return Resource(self.table, self.index or "")


class FreezeInForce(FreezeOrder):
    """A freeze that was taken. Unix seconds; one without ``until`` is called off by hand."""

    id: str
    since: float
    until: float | None


class OverrideInForce(OverrideOrder):
    """An override that was taken; Unix seconds."""

    id: str
    since: float
    until: float


Brake = FreezeInForce | OverrideInForce


class Brakes(Strict):
    """All that is ordered. Nothing in it changes: orders give new ones."""

    freezes: tuple[FreezeInForce, ...] = ()
    overrides: tuple[OverrideInForce, ...] = ()

    def in_force(self, now: float) -> Brakes:
        """Without those that are over; itself where none is."""
        if not self.over(now):
            return self
        return Brakes(
            freezes=tuple(f for f in self.freezes if not _is_over(f, now)),
            overrides=tuple(o for o in self.overrides if not _is_over(o, now)),
        )

    def over(self, now: float) -> tuple[Brake, ...]:
        """Those whose time has come."""
        brakes: tuple[Brake, ...] = (*self.freezes, *self.overrides)
        return tuple(brake for brake in brakes if _is_over(brake, now))

    def with_freeze(self, freeze: FreezeInForce) -> Brakes:
        """A freeze of the same tables in the same direction takes the place of the earlier."""
        kept = (
            f
            for f in self.freezes
            if (set(f.tables), f.direction) != (set(freeze.tables), freeze.direction)
        )
        return Brakes(freezes=(*kept, freeze), overrides=self.overrides)

    def with_override(self, override: OverrideInForce) -> Brakes:
        """A dimension has one override: what an earlier one says of it is over."""
        kept = _yield_to(override, self.overrides)
        return Brakes(freezes=self.freezes, overrides=(*kept, override))

    def joined(self, later: Brakes) -> Brakes:
        """These and those that were ordered later."""
        brakes = self
        for freeze in later.freezes:
            brakes = brakes.with_freeze(freeze)
        for override in later.overrides:
            brakes = brakes.with_override(override)
        return brakes

    def without(self, number: str) -> Brakes:
        """The same without the freeze or override of this id."""
        return Brakes(
            freezes=tuple(f for f in self.freezes if f.id != number),
            overrides=tuple(o for o in self.overrides if o.id != number),
        )


NO_BRAKES = Brakes()


def _is_over(brake: Brake, now: float) -> bool:
    return brake.until is not None and now >= brake.until


def _yield_to(
    later: OverrideInForce, earlier: Iterable[OverrideInForce]
) -> Iterable[OverrideInForce]:
    for override in earlier:
        if override.resource != later.resource:
            yield override
            continue
        left = {
            "read": override.read if later.read is None else None,
            "write": override.write if later.write is None else None,
        }
        if left["read"] is not None or left["write"] is not None:
            yield override.model_copy(update=left)
