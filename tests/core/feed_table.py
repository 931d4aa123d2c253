"""A pilot and its tables, ``feed`` above all, for stories told second by second."""

from __future__ import annotations

from math import inf

from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Dimension,
    Resource,
    ResourceDescription,
    ResourceStatus,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet

FEED = ScalableTarget(Resource("feed"), Dimension.WRITE)


def make_pilot(
    now: float,
    *,
    usd_per_month: float = inf,
    minimum: int = 1,
    safe: int | None = None,
    **more: object,
) -> Pilot:
    """A pilot that may set writes to anything, and knows nothing yet; ``more`` of its policy."""
    bounds = {"min": minimum, "max": 40_000, "safe": safe}
    policy = {"name": "all", "match": {"tables": ["*"]}, "write": bounds, **more}
    return Pilot(
        PolicySet.model_validate({"version": 1, "policies": [policy]}),
        limits=AccountLimits(),
        apply_time_s=10.0,
        now=now,
        cloudwatch_usd_per_month=usd_per_month,
    )


def describe_feed(write: int, *, at: float) -> TableDescription:
    return describe_table(FEED.resource, read=10, write=write, at=at)


def describe_table(
    *resources: Resource, at: float, read: int = 100, write: int = 100
) -> TableDescription:
    """A settled table, with its indexes after it."""
    return TableDescription(
        table=resources[0].table,
        billing_mode=BillingMode.PROVISIONED,
        resources=tuple(
            ResourceDescription(
                resource=resource, status=ResourceStatus.ACTIVE, read=read, write=write
            )
            for resource in resources
        ),
        described_at=at,
    )


def slot_of_feed(pilot: Pilot) -> int:
    slot = pilot.fleet.slot(FEED.resource, FEED.dimension)
    assert slot is not None
    return slot
