"""What DescribeTable answers, on AWS and on emulators, and what we make of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from capacity_pilot.adapters.aws.describe import read_limits, read_table
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
    from types_aiobotocore_dynamodb.type_defs import (
        DescribeLimitsOutputTypeDef,
        TableDescriptionTypeDef,
    )

DECREASED = datetime(2026, 10, 9, 0, 21, 34, tzinfo=UTC)
INCREASED = datetime(2026, 10, 8, 20, 0, 0, tzinfo=UTC)


def read(**members: Any) -> TableDescription:
    answer = {
        "TableName": "feed",
        "TableStatus": "ACTIVE",
        "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20},
        **members,
    }
    return read_table("feed", cast("TableDescriptionTypeDef", answer), described_at=1.5)


def test_aws_tells_everything() -> None:
    table = read(
        TableStatus="UPDATING",
        ProvisionedThroughput={
            "ReadCapacityUnits": 10,
            "WriteCapacityUnits": 20,
            "NumberOfDecreasesToday": 3,
            "LastDecreaseDateTime": DECREASED,
            "LastIncreaseDateTime": INCREASED,
        },
        WarmThroughput={
            "ReadUnitsPerSecond": 12_000,
            "WriteUnitsPerSecond": 4_000,
            "Status": "ACTIVE",
        },
        TableSizeBytes=3_000,
        ItemCount=4,
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-day",
                "IndexStatus": "CREATING",
                "Backfilling": True,
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
                "IndexSizeBytes": 0,
                "ItemCount": 0,
            }
        ],
    )
    assert table == TableDescription(
        table="feed",
        billing_mode=BillingMode.PROVISIONED,
        described_at=1.5,
        resources=(
            ResourceDescription(
                resource=Resource("feed"),
                status=ResourceStatus.UPDATING,
                read=10,
                write=20,
                decreases_today=3,
                last_decrease_at=DECREASED.timestamp(),
                last_increase_at=INCREASED.timestamp(),
                warm_read=12_000,
                warm_write=4_000,
                mean_item_bytes=750.0,
            ),
            ResourceDescription(
                resource=Resource("feed", "by-day"),
                status=ResourceStatus.CREATING,
                read=1,
                write=2,
                backfilling=True,
            ),
        ),
    )


def test_emulators_date_to_1970_what_never_happened() -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    throughput = {
        "ReadCapacityUnits": 10,
        "WriteCapacityUnits": 20,
        "LastDecreaseDateTime": epoch,
        "LastIncreaseDateTime": epoch,
    }
    (resource,) = read(ProvisionedThroughput=throughput).resources
    assert resource.last_decrease_at is None
    assert resource.last_increase_at is None
    assert resource.decreases_today == 0


def test_an_on_demand_table_has_no_units_to_speak_of() -> None:
    table = read(
        BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"},
        ProvisionedThroughput={},
        GlobalSecondaryIndexes=[{"IndexName": "by-day", "IndexStatus": "ACTIVE"}],
    )
    assert table.billing_mode is BillingMode.PAY_PER_REQUEST
    assert [(r.read, r.write) for r in table.resources] == [(0, 0), (0, 0)]


def test_a_provisioned_index_without_units_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(GatewayError, match="feed/index/by-day as provisioned without its units"):
        read(
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-day",
                    "IndexStatus": "ACTIVE",
                    "ProvisionedThroughput": {"ReadCapacityUnits": 5},
                }
            ]
        )


def test_an_unknown_billing_mode_is_not_taken_for_provisioned() -> None:
    with pytest.raises(GatewayError, match="unknown billing mode 'PREPAID'"):
        read(BillingModeSummary={"BillingMode": "PREPAID"})


@pytest.mark.parametrize("status", ["CREATING", "DELETING", "ARCHIVED", "REBALANCING"])
def test_any_status_but_active_is_unsettled_and_a_new_one_is_no_accident(status: str) -> None:
    assert not read(TableStatus=status).is_settled


@pytest.mark.parametrize(
    ("index", "is_settled"),
    [
        ({"IndexStatus": "ACTIVE"}, True),
        ({"IndexStatus": "UPDATING"}, False),
        ({"IndexStatus": "DELETING"}, False),
        # An index being added first allots resources, then backfills; AWS takes capacity
        # changes in the second phase only.
        ({"IndexStatus": "CREATING", "Backfilling": False}, False),
        ({"IndexStatus": "CREATING", "Backfilling": True}, True),
        ({"IndexStatus": "DELETING", "Backfilling": True}, False),
    ],
)
def test_a_table_is_settled_when_none_of_its_indexes_is_in_the_way(
    index: dict[str, object], *, is_settled: bool
) -> None:
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    answer = {"IndexName": "by-day", "ProvisionedThroughput": throughput, **index}
    assert read(GlobalSecondaryIndexes=[answer]).is_settled is is_settled


@pytest.mark.parametrize(
    "members",
    [{"Replicas": [{"RegionName": "eu-west-1"}]}, {"GlobalTableVersion": "2019.11.21"}],
)
def test_a_global_table_is_known_by_its_replicas_or_its_version(members: dict[str, Any]) -> None:
    assert read(**members).is_global
    assert not read(Replicas=[]).is_global


def test_limits_keep_the_default_quota_where_the_answer_is_silent() -> None:
    answer = {"AccountMaxReadCapacityUnits": 120_000, "TableMaxWriteCapacityUnits": 60_000}
    assert read_limits(cast("DescribeLimitsOutputTypeDef", answer)) == AccountLimits(
        account_read=120_000, account_write=80_000, table_read=40_000, table_write=60_000
    )
