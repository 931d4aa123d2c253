"""Shadow mode's switches between provisioned and on-demand: imagined, and as slow as AWS's."""

from __future__ import annotations

from dataclasses import dataclass, replace

from capacity_pilot.adapters.aws.refusals import Refusal
from capacity_pilot.core.billing import (
    MOST_SWITCHES,
    SWITCHES_COUNT_S,
    TO_PROVISIONED_S,
    expect_switch_s,
)
from capacity_pilot.core.model import (
    BillingMode,
    OutcomeKind,
    ResourceDescription,
    ResourceStatus,
    TableDescription,
)


@dataclass(frozen=True, slots=True)
class _Imagined:
    """The last switch imagined of a table, and when each one to on-demand was, Unix seconds."""

    to: BillingMode
    in_force_at: float
    on_demand_since: tuple[float, ...]


class ImaginedModes:
    """The modes that tables would be in."""

    def __init__(self) -> None:
        self._imagined: dict[str, _Imagined] = {}

    def switch(self, before: TableDescription, to: BillingMode, now: float) -> Refusal | None:
        """Imagines the switch, or says why AWS would refuse it. ``before`` is as overlaid."""
        earlier = self._imagined.get(before.table)
        since = () if earlier is None else earlier.on_demand_since
        if to is BillingMode.PROVISIONED:
            self._imagined[before.table] = _Imagined(to, now + TO_PROVISIONED_S, since)
            return None
        lately = tuple(at for at in since if now - at < SWITCHES_COUNT_S)
        if len(lately) >= MOST_SWITCHES:
            message = f"{before.table} was switched to {to} {len(lately)} times in 24 hours"
            return Refusal(kind=OutcomeKind.LIMIT, message=message)
        in_force_at = now + expect_switch_s(before.on_demand_at)
        self._imagined[before.table] = _Imagined(to, in_force_at, (*lately, now))
        return None

    def forget(self, table: str) -> None:
        """What the table really is counts again."""
        self._imagined.pop(table, None)

    def is_back(self, table: str) -> bool:
        """True where the last switch imagined was one to provisioned."""
        imagined = self._imagined.get(table)
        return imagined is not None and imagined.to is BillingMode.PROVISIONED

    def overlay(self, provisioned: TableDescription) -> TableDescription:
        """The table as the last switch would have made it by the time it was described."""
        imagined = self._imagined.get(provisioned.table)
        if imagined is None:
            return provisioned
        is_over = provisioned.described_at >= imagined.in_force_at
        to_on_demand = imagined.to is BillingMode.PAY_PER_REQUEST
        on_demand_at = provisioned.on_demand_at
        if is_over or not to_on_demand:  # AWS tells of a first one once it is over
            on_demand_at = max(imagined.on_demand_since, default=on_demand_at)
        seen = replace(provisioned, on_demand_at=on_demand_at)
        if to_on_demand == is_over:  # on demand already, or still
            seen = replace(
                seen,
                billing_mode=BillingMode.PAY_PER_REQUEST,
                resources=tuple(replace(r, read=0, write=0) for r in seen.resources),
            )
        return seen if is_over else replace(seen, resources=tuple(map(_busy, seen.resources)))


def _busy(resource: ResourceDescription) -> ResourceDescription:
    return replace(resource, status=ResourceStatus.UPDATING)
