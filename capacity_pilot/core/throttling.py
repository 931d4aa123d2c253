"""Which limit refused a call, and whether capacity would have served it.

DynamoDB names a reason and a resource for each refusal (API reference, ThrottlingReason):
``Table`` or ``Index``, ``Read`` or ``Write``, and one of four limits. Of these only provisioned
throughput is the pilot's to raise. A hot key range stays as hot however much its table has, and
the account's quota and an on-demand table's maximum are for people to change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from capacity_pilot.core.model import Dimension


class ThrottleLimit(StrEnum):
    """The limits as DynamoDB names them."""

    PROVISIONED = "ProvisionedThroughputExceeded"
    KEY_RANGE = "KeyRangeThroughputExceeded"
    ACCOUNT = "AccountLimitExceeded"
    ON_DEMAND_MAXIMUM = "MaxOnDemandThroughputExceeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason of a refusal. ``table`` and ``index`` are ``""``, and ``dimension`` is ``None``,
    where it does not name them; ``is_index`` may be known all the same.
    """

    limit: ThrottleLimit
    is_index: bool = False
    dimension: Dimension | None = None
    table: str = ""
    index: str = ""

    def concerns(self, table: str, index: str, dimension: Dimension) -> bool:
        """True where this may have been what refused units of a table or an index."""
        if self.table not in {"", table} or self.dimension not in {None, dimension}:
            return False
        return self.index == index if self.index else self.is_index == bool(index)


def list_scaled(causes: Iterable[Cause]) -> list[Cause]:
    """Those that more provisioned capacity ends."""
    return [cause for cause in causes if cause.limit is ThrottleLimit.PROVISIONED]


def feeds_demand(causes: tuple[Cause, ...]) -> bool:
    """True if the refused units are demand that capacity could serve: so whenever none is told."""
    return not causes or bool(list_scaled(causes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Refusals that capacity does not end: what refused, and whose call of what it was."""

    limit: ThrottleLimit
    table: str
    index: str
    dimension: Dimension | None
    operation: str
    service: str
