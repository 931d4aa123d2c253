"""DescribeTable's and DescribeLimits' answers, as the core's nouns.

Tolerates what emulators leave out (counters, dates, warm throughput) and what AWS may add
(statuses), but not a provisioned resource without units: there is no safe value to assume.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Resource,
    ResourceDescription,
    ResourceStatus,
    TableDescription,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from types_aiobotocore_dynamodb.type_defs import (
        DescribeLimitsOutputTypeDef,
        GlobalSecondaryIndexDescriptionTypeDef,
        ProvisionedThroughputDescriptionTypeDef,
        TableDescriptionTypeDef,
    )

_END_OF_1970 = 31_536_000.0
"""Emulators date what never happened to the epoch; DynamoDB itself is younger."""


def read_table(
    table: str, answer: TableDescriptionTypeDef, *, described_at: float
) -> TableDescription:
    """Turn the ``Table`` member of an answer into a description, indexes in AWS's order.

    Raises ``GatewayError`` when a provisioned resource comes without its units.
    """
    billing_mode = _read_billing_mode(answer)
    return TableDescription(
        table=table,
        billing_mode=billing_mode,
        resources=tuple(_read_resources(table, answer, billing_mode=billing_mode)),
        described_at=described_at,
        is_global=bool(answer.get("Replicas") or answer.get("GlobalTableVersion")),
        on_demand_at=_read_moment(
            answer.get("BillingModeSummary", {}).get("LastUpdateToPayPerRequestDateTime")
        ),
    )


def read_limits(answer: DescribeLimitsOutputTypeDef) -> AccountLimits:
    """Turn DescribeLimits' answer into limits; a member it lacks keeps AWS's default quota."""
    defaults = AccountLimits()
    return AccountLimits(
        account_read=answer.get("AccountMaxReadCapacityUnits", defaults.account_read),
        account_write=answer.get("AccountMaxWriteCapacityUnits", defaults.account_write),
        table_read=answer.get("TableMaxReadCapacityUnits", defaults.table_read),
        table_write=answer.get("TableMaxWriteCapacityUnits", defaults.table_write),
    )


def _read_billing_mode(answer: TableDescriptionTypeDef) -> BillingMode:
    # AWS leaves the summary out for tables that were created provisioned.
    named = answer.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    try:
        return BillingMode(named)
    except ValueError as error:
        raise GatewayError(f"DescribeTable reports an unknown billing mode {named!r}") from error


def _read_resources(
    table: str, answer: TableDescriptionTypeDef, *, billing_mode: BillingMode
) -> Iterator[ResourceDescription]:
    yield _read_resource(
        Resource(table),
        answer,
        status=answer.get("TableStatus", ""),
        size_bytes=answer.get("TableSizeBytes", 0),
        billing_mode=billing_mode,
    )
    for index in answer.get("GlobalSecondaryIndexes", ()):
        yield _read_resource(
            Resource(table, index.get("IndexName", "")),
            index,
            status=index.get("IndexStatus", ""),
            size_bytes=index.get("IndexSizeBytes", 0),
            billing_mode=billing_mode,
        )


def _read_resource(
    resource: Resource,
    answer: TableDescriptionTypeDef | GlobalSecondaryIndexDescriptionTypeDef,
    *,
    status: str,
    size_bytes: int,
    billing_mode: BillingMode,
) -> ResourceDescription:
    throughput = answer.get("ProvisionedThroughput", {})
    read, write = _read_units(resource, throughput, billing_mode=billing_mode)
    warm: Mapping[str, object] = answer.get("WarmThroughput", {})
    items = answer.get("ItemCount", 0)
    return ResourceDescription(
        resource=resource,
        status=_read_status(status),
        read=read,
        write=write,
        decreases_today=throughput.get("NumberOfDecreasesToday", 0),
        last_decrease_at=_read_moment(throughput.get("LastDecreaseDateTime")),
        last_increase_at=_read_moment(throughput.get("LastIncreaseDateTime")),
        warm_read=_read_warm(warm.get("ReadUnitsPerSecond")),
        warm_write=_read_warm(warm.get("WriteUnitsPerSecond")),
        backfilling=bool(answer.get("Backfilling", False)),
        mean_item_bytes=size_bytes / items if size_bytes > 0 and items > 0 else None,
    )


def _read_status(named: str) -> ResourceStatus:
    try:
        return ResourceStatus(named)
    except ValueError:
        return ResourceStatus.UNRECOGNIZED


def _read_units(
    resource: Resource,
    throughput: ProvisionedThroughputDescriptionTypeDef,
    *,
    billing_mode: BillingMode,
) -> tuple[int, int]:
    read = throughput.get("ReadCapacityUnits")
    write = throughput.get("WriteCapacityUnits")
    if read is not None and write is not None:
        return read, write
    if billing_mode is BillingMode.PAY_PER_REQUEST:
        return 0, 0  # what AWS reports for on-demand resources
    raise GatewayError(
        f"DescribeTable reports {resource} as provisioned without its units: "
        f"ReadCapacityUnits {read!r}, WriteCapacityUnits {write!r}"
    )


def _read_warm(units: object) -> int | None:
    return units if isinstance(units, int) else None


def _read_moment(moment: datetime | None) -> float | None:
    if moment is None or moment.timestamp() < _END_OF_1970:
        return None
    return moment.timestamp()
