"""The nouns of the domain: what has capacity, what demand was seen, what AWS reports."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capacity_pilot.core.auto_scaling import Registration


class Dimension(IntEnum):
    """Read or write. The value is the offset of a resource's slot in the fleet's arrays."""

    READ = 0
    WRITE = 1

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """A table (``index`` is ``""``) or one of its global secondary indexes."""

    table: str
    index: str = ""

    def __str__(self) -> str:
        return f"{self.table}/index/{self.index}" if self.index else self.table


@dataclass(frozen=True, slots=True, order=True)
class ScalableTarget:
    """One resource in one dimension: the thing whose capacity is decided."""

    resource: Resource
    dimension: Dimension

    def __str__(self) -> str:
        return f"{self.resource}:{self.dimension.label}"


@dataclass(slots=True)
class Sample:
    """Demand of one scalable target in one second, as telemetry told of it.

    ``units`` is everything attempted: consumed plus throttled. ``throttled`` is the part of
    ``units`` that DynamoDB refused in the end, ``estimated`` the part whose size no span
    stated. ``requests`` counts calls; ``refusals`` counts refused attempts, those hidden by a
    retry that succeeded included. All are already weighted by the spans' adjusted counts.
    """

    units: float = 0.0
    requests: float = 0.0
    throttled: float = 0.0
    estimated: float = 0.0
    refusals: float = 0.0

    def add(self, other: Sample) -> None:
        self.units += other.units
        self.requests += other.requests
        self.throttled += other.throttled
        self.estimated += other.estimated
        self.refusals += other.refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionQuery:
    """A target whose consumed minutes are asked for, and whether its throttles are as well, and
    minutes in which CloudWatch has its provisioned capacity.
    """

    target: ScalableTarget
    with_throttles: bool = False
    with_provisioned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumedMinute:
    """What CloudWatch counted of a target in a Unix minute: the whole minute's units.

    ``throttle_events`` are refused requests. ``None`` is not known, or not asked for. It
    ``has_provisioned`` where the target's provisioned capacity in that minute is there, and all
    that was asked for was answered: then units and throttles that are not known were none.
    """

    target: ScalableTarget
    minute: int
    units: float | None
    throttle_events: float | None = None
    has_provisioned: bool = False


SampleKey = tuple[str, str, int, int]
"""(table, index or ``""``, dimension, Unix second): a plain tuple, since millions are hashed."""


SignalKey = tuple[str, str, int]
"""(table whose demand alone the signal may lead or ``""``, signal, Unix second)."""


class ResourceStatus(StrEnum):
    """TableStatus and IndexStatus as DynamoDB names them."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    DELETING = "DELETING"
    INACCESSIBLE_ENCRYPTION_CREDENTIALS = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    ARCHIVING = "ARCHIVING"
    ARCHIVED = "ARCHIVED"
    REPLICATION_NOT_AUTHORIZED = "REPLICATION_NOT_AUTHORIZED"
    UNRECOGNIZED = "UNRECOGNIZED"  # a status newer than this release: not settled


_OUT_OF_SERVICE = frozenset(
    (
        ResourceStatus.ARCHIVED,
        ResourceStatus.ARCHIVING,
        ResourceStatus.DELETING,
        ResourceStatus.INACCESSIBLE_ENCRYPTION_CREDENTIALS,
        ResourceStatus.REPLICATION_NOT_AUTHORIZED,
    )
)


class BillingMode(StrEnum):
    """How a table pays; only PROVISIONED tables have capacity to set."""

    PROVISIONED = "PROVISIONED"
    PAY_PER_REQUEST = "PAY_PER_REQUEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDescription:
    """One resource as DescribeTable reports it. Times are Unix seconds, absence is ``None``."""

    resource: Resource
    status: ResourceStatus
    read: int
    write: int
    decreases_today: int = 0
    last_decrease_at: float | None = None
    last_increase_at: float | None = None
    warm_read: int | None = None
    warm_write: int | None = None
    backfilling: bool = False
    mean_item_bytes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDescription:
    """A table with its indexes, as read at ``described_at``; the table comes first.

    ``registrations`` are Application Auto Scaling's, ``None`` where it could not be asked.
    ``on_demand_at`` is when the table was last switched to on-demand, ``None`` for never.
    """

    table: str
    billing_mode: BillingMode
    resources: tuple[ResourceDescription, ...]
    described_at: float
    is_global: bool = False
    registrations: tuple[Registration, ...] | None = ()
    on_demand_at: float | None = None

    @property
    def is_settled(self) -> bool:
        """True when neither the table nor any index is changing, so that UpdateTable is taken.

        An index that is only backfilling counts as settled: that takes minutes to hours, and
        capacity may be changed meanwhile (AWS developer guide, GSI.OnlineOps).
        """
        return all(
            r.status is ResourceStatus.ACTIVE
            or (r.status is ResourceStatus.CREATING and r.backfilling)
            for r in self.resources
        )

    @property
    def is_in_service(self) -> bool:
        """False in a state that waiting does not end, or that ends with the table gone."""
        return self.resources[0].status not in _OUT_OF_SERVICE

    def registration(self, target: ScalableTarget) -> Registration | None:
        """What Application Auto Scaling has registered of one target."""
        return next((r for r in self.registrations or () if r.target == target), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """DescribeLimits: the largest capacity of the account and of any one table or index."""

    account_read: int = 80_000
    account_write: int = 80_000
    table_read: int = 40_000
    table_write: int = 40_000


class Direction(Enum):
    """Scale-out raises capacity, scale-in lowers it."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityChange:
    """The units one resource should have; AWS always wants both dimensions."""

    resource: Resource
    read: int
    write: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """A change of a table's billing mode, and what an hour costs in either, US dollars: on demand
    for the demand foreseen, provisioned for the capacity that is left behind or come back to.
    """

    to: BillingMode
    on_demand_usd: float
    provisioned_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """At most one UpdateTable call: changes of one table in one direction.

    With a ``switch`` it is one of the billing mode: to on-demand without any changes, as scale-out;
    to provisioned with the units of the table and of every index, as scale-in.

    ``moving`` are the targets it is about: a change names both dimensions, of which one may be to
    stay as it is. ``expires_at`` is when the decision is too old to be sent. ``urgent_s`` is in how
    many seconds the first of them runs dry, 0 where people ordered it and inf for decreases.
    """

    table: str
    direction: Direction
    changes: tuple[CapacityChange, ...]
    decided_at: float
    expires_at: float
    reasons: tuple[str, ...] = ()
    moving: tuple[ScalableTarget, ...] = ()
    urgent_s: float = math.inf
    switch: Switch | None = None

    @property
    def to(self) -> BillingMode | None:
        """The billing mode it switches to, if any."""
        return None if self.switch is None else self.switch.to


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedUnits:
    """What AWS says of an account when it refuses to go past its quota: what all its tables and
    indexes have in one dimension, and the quota.
    """

    dimension: Dimension
    units: int
    most: int


class OutcomeKind(Enum):
    """How an actuation ended."""

    REQUESTED = "requested"  # AWS took it; in force once the resources are ACTIVE again
    UNCHANGED = "unchanged"  # nothing left to send after the re-read
    EXPIRED = "expired"  # too old when its turn came
    BUSY = "busy"  # table or index is changing; ask again when it is settled
    DECREASE_QUOTA = "decrease_quota"  # the day's decreases are spent
    LIMIT = "limit"  # above the account's, table's or index's maximum
    CONTROL_PLANE = "control_plane"  # too many UpdateTable calls in the account; soon again
    NOT_FOUND = "not_found"  # the table or index is gone
    DENIED = "denied"  # credentials do not allow it
    INVALID = "invalid"  # AWS calls the request wrong
    UNSUPPORTED = "unsupported"  # on-demand or global table: never touched by this mode
    UNKNOWN = "unknown"  # no answer; it may or may not have taken effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a plan. ``sent`` is what the call carried, empty if no call was made.

    ``before`` is the re-read the call was based on; ``retry_at`` the earliest time at which the
    same plan could be accepted, where AWS says so. ``reserved`` is what a refusal told of the
    account.
    """

    plan: Plan
    kind: OutcomeKind
    ended_at: float
    sent: tuple[CapacityChange, ...] = ()
    before: TableDescription | None = None
    message: str = ""
    retry_at: float | None = None
    reserved: ReservedUnits | None = None
