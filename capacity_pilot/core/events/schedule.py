"""What is known to come, per slot, as a tick sees it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.reasons import Reasons
from capacity_pilot.core.sizing import Sizing


@dataclass(frozen=True, slots=True)
class Schedule:
    """All (n,), or without an axis where it is the same for every slot.

    ``foreseen`` is the demand an event or announcement brings until a change ordered now would be
    in force and one more after it, ``needed`` the capacity for it, both units per second and NaN
    for none. ``is_near`` is true from an
    event's lead time to its end. ``reasons`` tell what is near, and what is not known of it.
    """

    foreseen: Floats
    needed: Floats
    is_near: Bools
    is_frozen_in: Bools
    is_frozen_out: Bools
    reasons: Reasons

    def over(self, size: int) -> Schedule:
        """The same with an axis of ``size`` slots everywhere."""
        if self is NOTHING_COMING:
            return _nothing_coming(size)
        return self._spread(size)

    def _spread(self, size: int) -> Schedule:
        arrays = (getattr(self, item.name) for item in fields(self))
        return Schedule(*(np.full(size, a) if a.ndim == 0 else a for a in arrays))


_NO = np.zeros((), dtype=np.bool_)

NOTHING_COMING = Schedule(
    foreseen=np.array(np.nan),
    needed=np.array(np.nan),
    is_near=_NO,
    is_frozen_in=_NO,
    is_frozen_out=_NO,
    reasons=np.zeros((), dtype=np.int64),
)


@lru_cache(maxsize=4)
def _nothing_coming(size: int) -> Schedule:
    """Needed at every tick, while fleets seldom change."""
    return NOTHING_COMING._spread(size)  # noqa: SLF001


def provide_for(sizing: Sizing, schedule: Schedule) -> Sizing:
    """No less than what is needed for what is foreseen. What to come down to stays what demand has
    been; until an event ends a guard holds that back.
    """
    if schedule.needed.ndim == 0 and np.isnan(schedule.needed):
        return sizing
    return sizing._replace(least=np.fmax(sizing.least, schedule.needed))
