"""Whether provisioned capacity reaches what is needed, what to come back to, and the price of both.

The pure half of an escape: arrays of one table's slots in, verdicts out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.billing import expect_switch_s
from capacity_pilot.core.fleet import Bools, Fleet, Floats, Ints
from capacity_pilot.core.ladder import Rung
from capacity_pilot.core.model import (
    AccountLimits,
    CapacityChange,
    Dimension,
    Resource,
    TableDescription,
)
from capacity_pilot.core.policy_arrays import PolicyArrays
from capacity_pilot.core.prices import USD_PER_MILLION_REQUEST_UNITS, Prices
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Decisions

RETURN_SHARE: Final = 0.8
"""A need is within reach again below this part of what is allowed at most, so that what hovers
about the maximum does not go to and fro."""

WORTH_S: Final = 60.0
"""A switch in place of a raise has to save as many seconds of throttling: it can be made four times
a day, a raise at any time."""

_HOUR_S = 3600.0


class Seen(NamedTuple):
    """The fleet as a tick left it, by slot: what was decided, the policy's bounds, where each
    target stands on the ladder, and how long a raise takes, seconds.
    """

    fleet: Fleet
    decisions: Decisions
    policy: PolicyArrays
    rung: Ints
    apply_time_s: Floats

    def heard(self, slots: Ints) -> Bools:
        """Where spans tell of demand."""
        is_told: Bools = self.rung[slots] <= Rung.NO_UPSTREAM
        return is_told & np.isfinite(self.decisions.sustained[slots])

    def wanted(self, slots: Ints) -> Floats:
        """Units/s that demand comes to by what is forecast and known, NaN where nothing is."""
        d = self.decisions
        known = np.fmax(d.foreseen[slots], d.upstream[slots])
        return np.fmax(d.expected[slots], known)


def find_beyond(seen: Seen, slots: Ints, limits: AccountLimits) -> Bools:
    """Which of ``slots`` need more than they may ever be provisioned with.

    That is the policy's maximum, or what the account's quota leaves. A quota of the table itself
    holds on demand as well (developer guide, Quotas): of that there is no escape. Neither the
    bucket nor suspicion counts: it is demand itself that has to be out of reach, and a bucket that
    bears it keeps the table.
    """
    d = seen.decisions
    is_cut = (d.reasons[slots] & Reason.ACCOUNT_QUOTA.value) != 0
    reach = np.where(is_cut, d.units[slots], seen.policy.ceiling[slots])
    need = np.minimum(d.least[slots], seen.wanted(slots))  # NaN, where nothing is known, is not
    most = np.where(slots % 2 == Dimension.READ, limits.table_read, limits.table_write)
    is_beyond: Bools = (need > reach) & (reach < most) & seen.heard(slots)
    return np.logical_and(is_beyond, seen.policy.is_managed[slots])


def find_late(seen: Seen, slots: Ints, on_demand_at: float | None) -> Bools:
    """Which of ``slots`` would throttle for long before a raise is in force, and not with a switch.

    Only of a table that was on-demand before: the first switch takes minutes, later ones seconds.
    """
    d = seen.decisions
    takes_s = np.maximum(d.seconds_to_throttle[slots], expect_switch_s(on_demand_at))
    is_slow: Bools = takes_s + WORTH_S <= seen.apply_time_s[slots]
    is_surging: Bools = (d.reasons[slots] & Reason.SURGE.value) != 0
    is_short: Bools = (d.action[slots] > 0) & (seen.wanted(slots) > d.provisioned[slots])
    return is_slow & is_surging & is_short & seen.heard(slots)


def fits_again(seen: Seen, slots: Ints) -> bool:
    """Whether all that ``slots`` need would fit provisioned capacity, and any of them is heard.

    Who has fallen silent is reckoned with what was forecast when it was last heard: silence takes
    nothing back.
    """
    need = np.fmax(seen.wanted(slots), seen.decisions.sustained[slots])
    is_too_much = need > RETURN_SHARE * seen.policy.ceiling[slots]  # NaN, never heard, is not
    return bool(seen.heard(slots).any() and not is_too_much.any())


def size_return(
    seen: Seen, description: TableDescription, had: Mapping[Resource, tuple[int, int]]
) -> tuple[CapacityChange, ...]:
    """Units for the table and every index, which AWS wants all of in the one call back.

    What is managed gets what it needs without any burst, since nobody knows what is in the bucket
    of a table that comes back, within its bounds; a dimension without bounds has what it had.
    """
    changes = []
    for r in description.resources:
        before = recall_units(had, r.resource)
        slot = seen.fleet.slot(r.resource, Dimension.READ)
        read, write = (
            _size_slot(seen, None if slot is None else slot + d, before[d]) for d in Dimension
        )
        changes.append(CapacityChange(resource=r.resource, read=read, write=write))
    return tuple(changes)


def recall_units(had: Mapping[Resource, tuple[int, int]], resource: Resource) -> tuple[int, int]:
    """What a resource had before. An index that was added since takes what its table had, whose
    writes are its own.
    """
    return had.get(resource, had.get(Resource(resource.table), (1, 1)))


def price_on_demand(seen: Seen, slots: Sequence[int] | Ints) -> float:
    """US dollars an hour for what ``slots`` are wanted for; what is not known costs nothing."""
    wanted = np.nan_to_num(seen.wanted(np.asarray(slots, dtype=np.int64)))
    prices = [USD_PER_MILLION_REQUEST_UNITS[Dimension(int(slot) % 2)] for slot in slots]
    return float(wanted @ np.array(prices)) * _HOUR_S / 1e6


def price_provisioned(units: Sequence[tuple[int, int]], prices: Prices) -> float:
    """US dollars an hour for (read, write) units."""
    return sum(pair[d] * prices.usd(d) for pair in units for d in Dimension)


def _size_slot(seen: Seen, slot: int | None, before: int) -> int:
    if slot is None or not seen.policy.is_managed[slot]:
        return max(before, 1)
    slots = np.array([slot])
    need = float(np.fmax(seen.decisions.least[slot], seen.decisions.sustained[slot]))
    if not seen.heard(slots)[0]:
        need = float(np.fmax(need, before))
    floor, ceiling = float(seen.policy.floor[slot]), float(seen.policy.ceiling[slot])
    return math.ceil(min(max(need, floor), ceiling))
