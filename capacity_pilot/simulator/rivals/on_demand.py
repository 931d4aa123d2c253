"""On-demand capacity: nothing to scale, a price per request unit, and a limit by previous peak.

AWS developer guide, "On-demand capacity mode": a new table serves 4,000 write and 12,000 read
request units a second at once, and any table instantly serves up to double its previous peak;
throttling can occur when double the previous peak is exceeded within 30 minutes. "Can" is taken
as "does": the highest second served counts as previous peak once it is 30 minutes old, and what
exceeds both double of it and a new table's limit is throttled. There is no burst on top. Real
tables may do better, by an amount AWS does not promise.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.model import Dimension

NEW_TABLE_UNITS: Final = {Dimension.WRITE: 4_000.0, Dimension.READ: 12_000.0}
PEAK_AGE_S: Final = 1_800
GROWTH: Final = 2.0


class Served(NamedTuple):
    """Units of each second that were served and throttled, both (seconds,); they add to demand."""

    served: Floats
    throttled: Floats


def serve_on_demand(demand: Floats, *, dimension: Dimension) -> Served:
    """What a new on-demand table does with ``demand`` (seconds,), units/s.

    A second's limit depends on what was served 30 minutes and more before, so the seconds are
    taken in blocks of that length. ``InputError`` where demand is negative or not finite.
    """
    is_wrong = ~(np.isfinite(demand) & (demand >= 0.0))
    if is_wrong.any():
        second = int(np.argmax(is_wrong))
        raise InputError(
            f"demand of second {second} is {demand[second]} units; it must be finite and >= 0"
        )
    served = np.empty_like(demand)
    new_table = NEW_TABLE_UNITS[dimension]
    peaks = np.zeros(PEAK_AGE_S)  # the highest second served up to 30 minutes before each
    for begins in range(0, demand.size, PEAK_AGE_S):
        block = slice(begins, begins + PEAK_AGE_S)
        length = demand[block].size
        limit = np.maximum(new_table, GROWTH * peaks[:length])
        served[block] = np.minimum(demand[block], limit)
        peaks = np.maximum(peaks[-1], np.maximum.accumulate(served[block]))
    return Served(served, demand - served)
