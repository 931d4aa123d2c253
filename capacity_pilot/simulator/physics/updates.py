"""Which UpdateTable calls AWS takes: every check, in one order, before anything changes.

The order (shape, table, state, billing mode, index, unchanged values, maxima, decreases) is
the model's own; AWS documents none. All members are checked before any is applied, since AWS
takes or refuses a call whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from capacity_pilot.core.model import AccountLimits, Dimension, ResourceStatus
from capacity_pilot.simulator.physics import refusals
from capacity_pilot.simulator.physics.tables import TableState, Units

Changes = Mapping[str, Units]
"""Requested units by index name; the table itself is ``""``. Both dimensions, always."""


def check_shape(changes: Changes) -> None:
    """Raises the ValidationException of a request that is wrong whatever the table's state."""
    if not changes:
        raise refusals.invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    position = 0
    for index, units in changes.items():
        path = "provisionedThroughput"
        if index:
            position += 1
            path = f"globalSecondaryIndexUpdates.{position}.member.update.provisionedThroughput"
        for dimension in Dimension:
            if units[dimension] < 1:
                raise refusals.below_one(f"{path}.{dimension.label}CapacityUnits", units[dimension])


def check_settled(table: TableState, changes: Changes) -> None:
    """Raises ResourceInUseException while the table or any of its indexes is changing.

    Whether AWS takes a table's change while only an index is updating is not known; the model
    refuses it, which is the safe assumption.
    """
    name = table.spec.name
    match table.table.status:
        case ResourceStatus.CREATING:
            raise refusals.in_use(f"Table is being created: {name}")
        case ResourceStatus.DELETING:
            raise refusals.in_use(f"Table is being deleted: {name}")
        case ResourceStatus.UPDATING:
            raise refusals.in_use(f"Table IOPS are currently being updated. Table: {name}")
        case _:
            pass
    changing = [index for index, r in table.resources.items() if r.pending is not None]
    if changing:
        first = next((index for index in changing if index in changes), changing[0])
        raise refusals.in_use(f"Index is being updated. Table: {name} Index: {first}")


def check_changes(table: TableState, changes: Changes) -> None:
    """Raises when a member names no index of the table, or would change nothing."""
    if table.is_on_demand:
        raise refusals.invalid(
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
            "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    for index in changes:
        if index not in table.resources:
            raise refusals.index_missing(table.spec.name, index)
    for index, units in changes.items():
        current = table.resources[index].units
        if units == current:
            raise refusals.unchanged(index, current=current, requested=units)


def check_resource_maxima(changes: Changes, limits: AccountLimits, region: str) -> None:
    """Raises when one table or index would exceed what a single one may have."""
    for index, units in changes.items():
        for dimension, maximum in zip(
            Dimension, (limits.table_read, limits.table_write), strict=True
        ):
            if units[dimension] > maximum:
                raise refusals.above_resource_maximum(
                    dimension,
                    index,
                    requested=units[dimension],
                    maximum=maximum,
                    region=region,
                )


def check_account_maximum(
    table: TableState,
    changes: Changes,
    *,
    limits: AccountLimits,
    region: str,
    reserved: Units,
) -> None:
    """Raises when an increase would take what the account's resources reserve past its limit."""
    for dimension, maximum in zip(
        Dimension, (limits.account_read, limits.account_write), strict=True
    ):
        added = sum(
            max(units[dimension] - table.resources[index].reserved[dimension], 0)
            for index, units in changes.items()
        )
        if added == 0:
            continue
        if reserved[dimension] + added > maximum:
            raise refusals.above_account_maximum(
                dimension,
                reserved=reserved[dimension],
                maximum=maximum,
                requested=sum(units[dimension] for units in changes.values()),
                region=region,
            )


def check_decreases(table: TableState, changes: Changes, now: float) -> None:
    """Raises when a member lowers a dimension of a resource whose decreases are spent.

    Lowering one dimension while raising the other is a decrease, too.
    """
    for index, units in changes.items():
        resource = table.resources[index]
        quota = resource.quota
        if not is_decrease(resource.units, units) or quota.permits_decrease(now):
            continue
        assert quota.last_decrease_at is not None  # noqa: S101 - a spent quota has spent some
        raise refusals.decreases_spent(
            count=quota.decreases_today(now),
            last_at=quota.last_decrease_at,
            next_at=quota.next_decrease_at(now),
        )


def is_decrease(current: Units, requested: Units) -> bool:
    """True when either dimension gets less, whatever the other does."""
    return requested.read < current.read or requested.write < current.write


def is_increase(current: Units, requested: Units) -> bool:
    """True when either dimension gets more, whatever the other does."""
    return requested.read > current.read or requested.write > current.write
