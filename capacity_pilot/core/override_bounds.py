"""Whether an override can be carried out at all, before anybody counts on it."""

from __future__ import annotations

from collections.abc import Mapping

from capacity_pilot.core.brakes import OverrideOrder
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import AccountLimits, BillingMode, Dimension, TableDescription
from capacity_pilot.core.policy import Bounds, TablePolicy

_MOST_NAMED = 10


def check_override(
    order: OverrideOrder,
    *,
    descriptions: Mapping[str, TableDescription],
    policy: TablePolicy | None,
    limits: AccountLimits,
) -> None:
    """Raises ``InputError`` for a table, an index or units that cannot be set.

    ``descriptions`` are the tables managed, ``policy`` is the table's. Beyond the policy's bounds
    is only what the order says may be; beyond the account's limit nothing is.
    """
    description = descriptions.get(order.table)
    if description is None or policy is None:
        raise InputError(f"table: {order.table!r} is not managed; there is {_some(descriptions)}")
    if description.billing_mode is BillingMode.PAY_PER_REQUEST:
        raise InputError(f"table: {order.table!r} is on-demand, and has no capacity to set")
    indexes = [r.resource.index for r in description.resources if r.resource.index]
    if order.index is not None and order.index not in indexes:
        raise InputError(f"index: {order.table} has none named {order.index!r}; {_have(indexes)}")
    bounds = policy.bounds(order.resource)
    most = {Dimension.READ: limits.table_read, Dimension.WRITE: limits.table_write}
    for dimension in Dimension:
        units = getattr(order, dimension.label)
        if units is not None:
            _check_units(
                units,
                getattr(bounds, dimension.label),
                dimension=dimension.label,
                is_beyond=order.beyond_bounds,
                whose=f"policy {policy.name!r}",
            )
            if units > most[dimension]:
                raise InputError(
                    f"{dimension.label}: {units} is above {most[dimension]}, the account's limit "
                    "for a table or an index"
                )


def _check_units(
    units: int, bounds: Bounds | None, *, dimension: str, is_beyond: bool, whose: str
) -> None:
    if bounds is None:
        raise InputError(f"{dimension}: {whose} gives no bounds for it, so it is not managed")
    if is_beyond or bounds.min <= units <= bounds.max:
        return
    side, bound = ("above max", bounds.max) if units > bounds.max else ("below min", bounds.min)
    raise InputError(f"{dimension}: {units} is {side} {bound} of {whose}; beyond_bounds allows it")


def _some(names: Mapping[str, object]) -> str:
    named = sorted(names)
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return ", ".join(named[:_MOST_NAMED]) + more if named else "no table at all"


def _have(indexes: list[str]) -> str:
    return f"it has {', '.join(indexes)}" if indexes else "it has no index"
