"""What is known to come, per slot, as a tick sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.reasons import Reasons
from capacity_pilot.core.sizing import Sizing


@dataclass(frozen=True, slots=True)
class Schedule:
    """All (n,), or without an axis where it is the same for every slot.

    ``foreseen`` is the load an event or announcement brings until a change ordered now would be
    in force and one more after it, units per second, NaN for none. ``is_near`` is true from an
    event's lead time to its end. ``reasons`` tell what is near, and what is not known of it.
    """

    foreseen: Floats
    is_near: Bools
    is_frozen_in: Bools
    is_frozen_out: Bools
    reasons: Reasons


_NO = np.zeros((), dtype=np.bool_)

NOTHING_COMING = Schedule(
    foreseen=np.array(np.nan),
    is_near=_NO,
    is_frozen_in=_NO,
    is_frozen_out=_NO,
    reasons=np.zeros((), dtype=np.int64),
)


def provide_for(sizing: Sizing, schedule: Schedule) -> Sizing:
    """No less than what is foreseen, without any help from the bucket: it may be asked for at
    once. What to come down to stays what demand has been; until an event ends a guard holds it.
    """
    if schedule.foreseen.ndim == 0 and np.isnan(schedule.foreseen):
        return sizing
    return replace(sizing, least=np.fmax(sizing.least, schedule.foreseen))
