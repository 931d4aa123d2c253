"""Tables and indexes: what was declared, and the state their capacity is in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.model import (
    BillingMode,
    Dimension,
    Resource,
    ResourceDescription,
    ResourceStatus,
    TableDescription,
)
from capacity_pilot.simulator.physics.quota import DecreaseQuota


class Units(NamedTuple):
    """Capacity units per second in both dimensions."""

    read: int
    write: int


class OnDemandMaximum(NamedTuple):
    """Request units a second that an on-demand table or index may be asked for, ``None`` where it
    has no limit of its own.
    """

    read: int | None = None
    write: int | None = None


UNLIMITED: Final = OnDemandMaximum()


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The attributes that identify and order items."""

    hash_name: str
    range_name: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.hash_name,) if self.range_name is None else (self.hash_name, self.range_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSpec:
    """A global secondary index as declared; ``projected`` is ``None`` for projection ALL."""

    name: str
    key: KeySchema
    projection: str
    projected: frozenset[str] | None
    units: Units
    non_key_attributes: tuple[str, ...] = ()
    on_demand_maximum: OnDemandMaximum = UNLIMITED


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table as declared. On-demand tables have ``Units(0, 0)`` everywhere."""

    name: str
    key: KeySchema
    units: Units
    attribute_types: tuple[tuple[str, str], ...] = ()
    indexes: tuple[IndexSpec, ...] = ()
    billing_mode: BillingMode = BillingMode.PROVISIONED
    on_demand_maximum: OnDemandMaximum = UNLIMITED


@dataclass(frozen=True, slots=True)
class PendingChange:
    """Capacity that was requested and is not yet in force."""

    units: Units
    applies_at: float


@dataclass(slots=True, kw_only=True)
class ResourceState:
    """A table's or an index's capacity now. ``first_slot`` is its read slot, +1 its write slot."""

    resource: Resource
    units: Units
    warm: Units
    first_slot: int
    status: ResourceStatus = ResourceStatus.CREATING
    pending: PendingChange | None = None
    quota: DecreaseQuota = field(default_factory=DecreaseQuota)
    last_increase_at: float | None = None
    on_demand_maximum: OnDemandMaximum = UNLIMITED

    def slot(self, dimension: Dimension) -> int:
        return self.first_slot + dimension

    @property
    def reserved(self) -> Units:
        """What counts against the account's limit: the larger of in force and requested."""
        if self.pending is None:
            return self.units
        return Units(
            max(self.units.read, self.pending.units.read),
            max(self.units.write, self.pending.units.write),
        )

    def describe(self, now: float) -> ResourceDescription:
        return ResourceDescription(
            resource=self.resource,
            status=self.status,
            read=self.units.read,
            write=self.units.write,
            decreases_today=self.quota.decreases_today(now),
            last_decrease_at=self.quota.last_decrease_at,
            last_increase_at=self.last_increase_at,
            warm_read=self.warm.read,
            warm_write=self.warm.write,
        )


@dataclass(slots=True, kw_only=True)
class TableState:
    """A table with its indexes; ``resources`` is keyed by index name, the table under ``""``.

    ``draws`` is where its apply times come from. ``switching_to`` is the mode of a switch that is
    under way, ``on_demand_since`` when switches to on-demand were asked for. ``turns`` goes up with
    every change that is requested and with every one that takes force.
    """

    spec: TableSpec
    arn: str
    table_id: str
    created_at: float
    resources: dict[str, ResourceState]
    draws: np.random.Generator
    tags: dict[str, str] = field(default_factory=dict)
    switching_to: BillingMode | None = None
    on_demand_since: list[float] = field(default_factory=list)
    was_on_demand: bool = False
    turns: int = 0

    @property
    def table(self) -> ResourceState:
        return self.resources[""]

    @property
    def is_on_demand(self) -> bool:
        return self.spec.billing_mode is BillingMode.PAY_PER_REQUEST

    @property
    def on_demand_at(self) -> float | None:
        """When it was last switched to on-demand, or made so; ``None`` for never."""
        if not self.was_on_demand:
            return None
        return max(self.on_demand_since, default=self.created_at)

    @property
    def is_in_flux(self) -> bool:
        return any(r.status is not ResourceStatus.ACTIVE for r in self.resources.values())

    def indexes(self) -> Iterator[tuple[IndexSpec, ResourceState]]:
        for spec in self.spec.indexes:
            yield spec, self.resources[spec.name]

    def arn_of(self, index: str) -> str:
        return f"{self.arn}/index/{index}" if index else self.arn

    def describe(self, now: float) -> TableDescription:
        """The table in the core's words."""
        return TableDescription(
            table=self.spec.name,
            billing_mode=self.spec.billing_mode,
            resources=tuple(r.describe(now) for r in self.resources.values()),
            described_at=now,
            on_demand_at=self.on_demand_at,
        )
