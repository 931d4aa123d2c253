"""What an on-demand table or index serves in a second, before DynamoDB throttles it.

That is the maximum it was given, or else the account's quota of a single table, which holds for
each index by itself (developer guide, throttling of on-demand tables). Both are held to second by
second here; AWS calls the maximum a target that it may let pass. That a table serves no more than
twice its earlier peak is not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from capacity_pilot.core.model import AccountLimits, Dimension
from capacity_pilot.core.throttling import ThrottleLimit
from capacity_pilot.simulator.physics import refusals, updates
from capacity_pilot.simulator.physics.tables import (
    UNLIMITED,
    OnDemandMaximum,
    ResourceState,
    TableState,
)

NO_MAXIMUM: Final = -1
"""What takes a maximum away (API reference, OnDemandThroughput)."""

PROVISIONED_WITH_MAXIMUM: Final = (
    "One or more parameter values were invalid: OnDemandThroughput can only be specified when "
    "BillingMode is PAY_PER_REQUEST"
)

Maxima = Mapping[str, OnDemandMaximum]
"""What is asked for by index name; the table itself is ``""``."""


def find_limit(
    resource: ResourceState, dimension: Dimension, units: float, limits: AccountLimits
) -> ThrottleLimit | None:
    """What keeps the resource from serving so many units in one second; ``None`` for nothing."""
    own = resource.on_demand_maximum[dimension]
    if own is not None and units > own:
        return ThrottleLimit.ON_DEMAND_MAXIMUM
    quota = (limits.table_read, limits.table_write)[dimension]
    return ThrottleLimit.ACCOUNT if units > quota else None


def check_maxima(table: TableState, maxima: Maxima) -> None:
    """Raises what AWS answers to maxima it does not take; how it words most of that is not known,
    that an empty one is an error of its own was measured.
    """
    updates.check_settled(table, {})
    if not table.is_on_demand:
        raise refusals.invalid(PROVISIONED_WITH_MAXIMUM)
    for index, maximum in maxima.items():
        if index not in table.resources:
            raise refusals.index_missing(table.spec.name, index)
        if maximum == UNLIMITED:
            raise refusals.RefusedError("InternalServerError", "Internal server error", status=500)


def set_maximum(resource: ResourceState, asked: OnDemandMaximum) -> None:
    """At once; what is not named stays, and ``NO_MAXIMUM`` takes it away."""
    merged = (
        known if new is None else None if new == NO_MAXIMUM else new
        for known, new in zip(resource.on_demand_maximum, asked, strict=True)
    )
    resource.on_demand_maximum = OnDemandMaximum(*merged)
