"""What of a plan still changes something, and the one UpdateTable call that asks for it.

IAM cannot narrow ``dynamodb:UpdateTable`` to throughput: the same permission deletes indexes
and streams. So the parameters we may ever send are listed here, and the client refuses others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from capacity_pilot.core.errors import InvariantError
from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Plan,
    Resource,
    TableDescription,
)

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import (
        GlobalSecondaryIndexUpdateTypeDef,
        UpdateTableInputTypeDef,
    )

SENDABLE_PARAMETERS: Final[Mapping[str, frozenset[str]]] = {
    "DescribeLimits": frozenset(),
    "DescribeTable": frozenset({"TableName"}),
    "ListTables": frozenset({"ExclusiveStartTableName"}),
    "ListTagsOfResource": frozenset({"NextToken", "ResourceArn"}),
    "UpdateTable": frozenset(
        {"BillingMode", "GlobalSecondaryIndexUpdates", "ProvisionedThroughput", "TableName"}
    ),
}
"""The operations ever called, each with the parameters ever sent."""

MINIMUM_UNITS: Final = 1
"""DynamoDB takes no capacity below one unit (API reference, ProvisionedThroughput)."""


def refuse_unlisted(
    operation: str,
    parameters: Mapping[str, object],
    listed: Mapping[str, frozenset[str]] = SENDABLE_PARAMETERS,
) -> None:
    """Let a call through if it and its parameters are listed; ``InvariantError`` otherwise."""
    sendable = listed.get(operation)
    if sendable is None:
        raise InvariantError(f"{operation} is not among {sorted(listed)}")
    if unlisted := sorted(parameters.keys() - sendable):
        raise InvariantError(f"{operation} may send {sorted(sendable)}, not {unlisted}")
    for update in _index_updates(parameters):
        if update.keys() != {"Update"}:
            raise InvariantError(f"an index may only be updated, not {sorted(update)}")
    if (mode := parameters.get("BillingMode")) is not None:
        _refuse_half_switch(mode, parameters)


def find_fault(plan: Plan) -> str | None:
    """Say what no UpdateTable call could carry, or ``None`` when the plan can be sent."""
    if plan.switch is not None and (fault := _find_switch_fault(plan, plan.switch.to)):
        return fault
    for change in plan.changes:
        if change.resource.table != plan.table:
            return f"plan for {plan.table} names {change.resource}"
        for dimension, units in (("read", change.read), ("write", change.write)):
            if units < MINIMUM_UNITS:
                return f"{change.resource} {dimension} {units} is below {MINIMUM_UNITS}"
    return None


def find_missing(plan: Plan, before: TableDescription) -> tuple[Resource, ...]:
    """Name the resources of the plan that the re-read does not show."""
    present = {description.resource for description in before.resources}
    return tuple(change.resource for change in plan.changes if change.resource not in present)


def remaining_changes(plan: Plan, before: TableDescription) -> tuple[CapacityChange, ...]:
    """Give what of the plan still moves capacity in its direction, in the re-read's order.

    A scale-out takes the larger of wanted and provisioned in each dimension, a scale-in the
    smaller, so that no call ever raises one dimension and lowers another: AWS would count that
    as a decrease and refuse the increase with it. Unchanged resources are left out, since a
    single one makes AWS refuse the whole call. Resources the re-read lacks are ignored.

    A switch of the billing mode is sent as it was planned.
    """
    if plan.switch is not None:
        return plan.changes
    bound = max if plan.direction is Direction.OUT else min
    wanted: dict[Resource, tuple[int, int]] = {}
    provisioned = {d.resource: (d.read, d.write) for d in before.resources}
    for change in plan.changes:
        if change.resource in provisioned:
            read, write = wanted.get(change.resource, provisioned[change.resource])
            wanted[change.resource] = (bound(read, change.read), bound(write, change.write))
    return tuple(
        CapacityChange(resource=resource, read=wanted[resource][0], write=wanted[resource][1])
        for resource, units in provisioned.items()
        if wanted.get(resource, units) != units
    )


def build_update(
    table: str, changes: tuple[CapacityChange, ...], *, mode: BillingMode | None = None
) -> UpdateTableInputTypeDef:
    """Build UpdateTable's parameters; each member carries both units, as AWS demands. ``mode`` is
    the billing mode to switch to, if any.
    """
    request: UpdateTableInputTypeDef = {"TableName": table}
    if mode is not None:
        request["BillingMode"] = mode.value
    updates: list[GlobalSecondaryIndexUpdateTypeDef] = []
    for change in changes:
        if change.resource.index:
            updates.append(
                {
                    "Update": {
                        "IndexName": change.resource.index,
                        "ProvisionedThroughput": {
                            "ReadCapacityUnits": change.read,
                            "WriteCapacityUnits": change.write,
                        },
                    }
                }
            )
        else:
            request["ProvisionedThroughput"] = {
                "ReadCapacityUnits": change.read,
                "WriteCapacityUnits": change.write,
            }
    if updates:
        request["GlobalSecondaryIndexUpdates"] = updates
    return request


def _find_switch_fault(plan: Plan, mode: BillingMode) -> str | None:
    """On demand there is no capacity to name; back from it, the table's has to be named."""
    if mode is BillingMode.PAY_PER_REQUEST:
        return f"a switch of {plan.table} to on-demand names units" if plan.changes else None
    is_named = any(not change.resource.index for change in plan.changes)
    return None if is_named else f"a switch of {plan.table} to provisioned names no units for it"


def _refuse_half_switch(mode: object, parameters: Mapping[str, object]) -> None:
    """``InvariantError`` for a switch that AWS would refuse, or to a mode that nobody knows."""
    names_units = "ProvisionedThroughput" in parameters
    names_any = names_units or "GlobalSecondaryIndexUpdates" in parameters
    if mode == BillingMode.PAY_PER_REQUEST and not names_any:
        return
    if mode == BillingMode.PROVISIONED and names_units:
        return
    raise InvariantError(f"BillingMode {mode!r} may not be sent with {sorted(parameters)}")


def _index_updates(parameters: Mapping[str, object]) -> list[dict[str, object]]:
    updates = parameters.get("GlobalSecondaryIndexUpdates", [])
    return updates if isinstance(updates, list) else []
