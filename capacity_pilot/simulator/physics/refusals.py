"""DynamoDB's refusals: exact codes and, as far as they were observed on AWS, exact texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from capacity_pilot.core.errors import PilotError
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.throttling import ThrottleLimit
from capacity_pilot.simulator.physics.tables import Units

_SEE_GUIDE: Final = (
    "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher "
    "limits."
)
_UNIT_NAMES: Final = {Dimension.READ: "ReadCapacityUnits", Dimension.WRITE: "WriteCapacityUnits"}


class RefusedError(PilotError):
    """A call DynamoDB refuses: ``code`` and ``message`` as AWS words them.

    ``details`` are further members of the error's body; ``status`` is the HTTP status.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.status = status


def invalid(message: str) -> RefusedError:
    """A request that is wrong in itself, or would be pointless."""
    return RefusedError("ValidationException", message)


def below_one(path: str, value: int) -> RefusedError:
    """A capacity below 1; ``path`` is the member as AWS names it."""
    return invalid(
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    )


def absent_member(path: str) -> RefusedError:
    """A member AWS requires is not there."""
    return invalid(
        f"1 validation error detected: Value null at '{path}' failed to satisfy constraint: "
        "Member must not be null"
    )


def table_missing(table: str) -> RefusedError:
    """No table of that name."""
    return RefusedError(
        "ResourceNotFoundException", f"Requested resource not found: Table: {table} not found"
    )


def index_missing(table: str, index: str) -> RefusedError:
    """The table has no such index."""
    return RefusedError(
        "ResourceNotFoundException",
        f"Requested resource not found: Index {index} for table {table}",
    )


def table_exists(table: str) -> RefusedError:
    """CreateTable for a name that is taken."""
    return RefusedError("ResourceInUseException", f"Table already exists: {table}")


def in_use(what: str) -> RefusedError:
    """The table or an index is changing; ``what`` says which and how."""
    return RefusedError(
        "ResourceInUseException", f"Attempt to change a resource which is still in use: {what}"
    )


def unchanged(index: str, *, current: Units, requested: Units) -> RefusedError:
    """A member equals what is in force, which fails the whole call."""
    kind = "index" if index else "table"
    named = f"index {index}" if index else "table"
    members = " ".join(
        f"Current {_UNIT_NAMES[d]} provisioned for the {kind}: {current[d]}. "
        f"Requested {_UNIT_NAMES[d]}: {requested[d]}."
        for d in Dimension
    )
    return invalid(
        f"The provisioned throughput for the {named} will not change. "
        f"The requested value equals the current value. {members} {_SEE_GUIDE}"
    )


def above_resource_maximum(
    dimension: Dimension, index: str, *, requested: int, maximum: int, region: str
) -> RefusedError:
    """More than one table or index may have."""
    kind = "index" if index else "table"
    of_index = f" for index {index}" if index else ""
    return limit_exceeded(
        f"The requested {_UNIT_NAMES[dimension]}{of_index}, {requested}, is above the per {kind} "
        f"maximum for the account in {region}. Per {kind} maximum: {maximum}. {_SEE_GUIDE}"
    )


def above_account_maximum(
    dimension: Dimension, *, reserved: int, maximum: int, requested: int, region: str
) -> RefusedError:
    """More than all tables and indexes of the account may have together."""
    units = _UNIT_NAMES[dimension]
    return limit_exceeded(
        f"This request would have caused the {units} limit to be exceeded for the account in "
        f"{region}. Current {units} reserved by the account: {reserved}. Limit: {maximum}. "
        f"Requested: {requested}. {_SEE_GUIDE}"
    )


def limit_exceeded(message: str) -> RefusedError:
    """LimitExceededException: some limits pass with time, others do not."""
    return RefusedError("LimitExceededException", message)


def decreases_spent(*, count: int, last_at: float, next_at: float) -> RefusedError:
    """The day's decreases of a table or index are spent until ``next_at``."""
    return limit_exceeded(
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given "
        "UTC day. After the first 4 decreases, each subsequent decrease in the same UTC day can "
        "be performed at most once every 3600 seconds. "
        f"Number of decreases today: {count}. Last decrease at {spell_time(last_at)}. "
        f"Next decrease can be made at {spell_time(next_at)}"
    )


def control_plane_throttled() -> RefusedError:
    """Too many UpdateTable calls in the account; a second later it may pass."""
    return RefusedError(
        "ThrottlingException",
        "The rate of control plane requests made by this account is too high",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottlingReason:
    """Which limit of which resource refused a request (API reference, ThrottlingReason)."""

    limit: ThrottleLimit
    dimension: Dimension
    is_index: bool
    arn: str

    @property
    def name(self) -> str:
        kind = "Index" if self.is_index else "Table"
        return f"{kind}{self.dimension.label.capitalize()}{self.limit}"


def throttled(reasons: Iterable[ThrottlingReason], *, is_on_demand: bool = False) -> RefusedError:
    """A data-plane throttle. Code and message are the first reason's. They are the same for a hot
    partition as for a table without capacity, which only the reasons tell apart; the account's
    quota and a maximum of its own have their own (API reference, RequestLimitExceeded; developer
    guide, diagnosing throttling).
    """
    listed = tuple(reasons)
    told = [{"reason": reason.name, "resource": reason.arn} for reason in listed]
    if listed[0].limit is ThrottleLimit.ACCOUNT:
        return RefusedError(
            "RequestLimitExceeded",
            "Throughput exceeds the current throughput limit for your account. Please contact AWS "
            "Support at https://aws.amazon.com/support to request a limit increase.",
            details={"ThrottlingReasons": told},
        )
    if listed[0].limit is ThrottleLimit.ON_DEMAND_MAXIMUM:
        return RefusedError(
            "ThrottlingException",
            "Throughput exceeds the maximum OnDemandThroughput configured on table or index",
            details={"throttlingReasons": told},
        )
    if is_on_demand:
        return RefusedError(
            "ThrottlingException",
            "Throughput exceeds the current capacity of your table or index. DynamoDB is "
            "automatically scaling your table or index so please try again shortly. If exceptions "
            "persist, check if you have a hot key: https://docs.aws.amazon.com/amazondynamodb/"
            "latest/developerguide/bp-partition-key-design.html",
            details={"throttlingReasons": told},
        )
    by_index = any(reason.is_index for reason in listed)
    where = "one or more global secondary indexes of the table was" if by_index else "the table was"
    remedy = " for the under-provisioned global secondary indexes" if by_index else ""
    return RefusedError(
        "ProvisionedThroughputExceededException",
        f"The level of configured provisioned throughput for {where} exceeded. Consider "
        f"increasing your provisioning level{remedy} with the UpdateTable API.",
        details={"ThrottlingReasons": told},
    )


def spell_time(at: float) -> str:
    """``Friday, October 9, 2026 at 12:21:34 AM Coordinated Universal Time``."""
    moment = datetime.fromtimestamp(at, UTC)
    hour = moment.hour % 12 or 12
    return (
        f"{moment:%A, %B} {moment.day}, {moment.year} at {hour}:{moment:%M:%S} "
        f"{'AM' if moment.hour < 12 else 'PM'} Coordinated Universal Time"
    )
