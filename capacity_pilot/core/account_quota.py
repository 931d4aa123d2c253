"""What the account may have provisioned in total, and who gets what is left of it.

AWS refuses a call whole that would take the account's read or write units past its quota (API
reference, Limits). So an increase is cut to what is left, most urgent first, and goes out. What
tables have that no policy names is not read; a refusal tells the account's total, and for a while
the rest of it is taken to stay.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from capacity_pilot.core.blast_radius import by_urgency
from capacity_pilot.core.fleet import Fleet, Floats
from capacity_pilot.core.model import AccountLimits, Dimension, Direction, ReservedUnits
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Decisions, compare_units

REMEMBERED_S: Final = 900.0
"""What a refusal said that others have is shown for as long."""

BELIEVED_S: Final = 120.0
"""And decided by for as long: after that, an increase is tried in full again. A try costs a call
that is refused whole; believing in what others have since let go of throttles.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountUse:
    """Units of the managed tables, provisioned or requested, and of others as far as known."""

    dimension: Dimension
    managed: float
    elsewhere: float | None
    most: int

    @property
    def share(self) -> float:
        """Of the quota, at least."""
        return (self.managed + (self.elsewhere or 0.0)) / self.most


class AccountQuota:
    """The account's limits, and what refusals told of it."""

    def __init__(self, limits: AccountLimits) -> None:
        self.limits = limits
        self._elsewhere: dict[Dimension, tuple[float, float]] = {}  # units, and when told

    def most(self, dimension: Dimension) -> int:
        is_read = dimension is Dimension.READ
        return self.limits.account_read if is_read else self.limits.account_write

    def note(self, reserved: ReservedUnits, committed: Floats, now: float) -> None:
        """Takes a refusal's word for the account's total and its quota; ``committed`` (n,) is
        what the managed tables had then.
        """
        dimension = reserved.dimension
        managed = float(np.nansum(committed[dimension::2]))
        self._elsewhere[dimension] = (max(reserved.units - managed, 0.0), now)
        name = "account_read" if dimension is Dimension.READ else "account_write"
        self.limits = replace(self.limits, **{name: reserved.most})

    def use(self, committed: Floats, now: float) -> tuple[AccountUse, AccountUse]:
        """Reads and writes, ``committed`` (n,) as for ``hold``."""
        read, write = (
            AccountUse(
                dimension=dimension,
                managed=float(np.nansum(committed[dimension::2])),
                elsewhere=self._recall(dimension, now, within_s=REMEMBERED_S),
                most=self.most(dimension),
            )
            for dimension in Dimension
        )
        return read, write

    def left(self, committed: Floats, now: float) -> tuple[float, float]:
        """Units that increases may take, reads and writes, ``committed`` (n,) as for ``hold``."""
        read, write = (
            use.most - use.managed - (self._recall(d, now, within_s=BELIEVED_S) or 0.0)
            for d, use in zip(Dimension, self.use(committed, now), strict=True)
        )
        return read, write

    def hold(
        self,
        fleet: Fleet,
        decisions: Decisions,
        committed: Floats,
        *,
        waiting: Collection[tuple[str, Direction]],
        now: float,
    ) -> Decisions:
        """The decisions with increases cut to what the quota leaves; a person's order as well,
        since AWS would refuse it. ``committed`` (n,) is provisioned or requested, whichever is
        more, NaN for unknown. What is ``waiting`` is not sent now and takes nothing.
        """
        left = list(self.left(committed, now))
        wanted = np.where(decisions.action > 0, decisions.units - decisions.provisioned, 0.0)
        if all(wanted[dimension::2].sum() <= left[dimension] for dimension in Dimension):
            return decisions
        units, reasons = decisions.units.copy(), decisions.reasons.copy()
        for table, slots in by_urgency(fleet, decisions):
            if (table, Direction.OUT) in waiting:
                continue
            for slot in slots[wanted[slots] > 0].tolist():
                gain = min(float(wanted[slot]), max(math.floor(left[slot % 2]), 0))
                if gain < wanted[slot]:
                    units[slot] = decisions.provisioned[slot] + gain
                    reasons[slot] |= Reason.ACCOUNT_QUOTA.value
                left[slot % 2] -= gain
        action = compare_units(units, decisions.provisioned)
        return decisions._replace(units=units, reasons=reasons, action=action)

    def _recall(self, dimension: Dimension, now: float, *, within_s: float) -> float | None:
        units, told_at = self._elsewhere.get(dimension, (0.0, -math.inf))
        return units if now - told_at < within_s else None
