"""Capacity that is paid for whether there is any or not: to lower below it saves nothing.

AWS counts a reservation against all provisioned units of an account's Standard tables in a Region,
read and write apart (developer guide, reserved capacity).
"""

from __future__ import annotations

import math

import numpy as np

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.guards import LEAST_SAVING
from capacity_pilot.core.limits import Reserved
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.reasons import Reason
from capacity_pilot.core.tick import Decisions, compare_units


def keep_reserved(reserved: Reserved, decisions: Decisions, committed: Floats) -> Decisions:
    """Decreases only as far as the units of all, ``committed`` (n,), are above what is reserved.

    The largest first; what is left of one that saves too little is held. What a person has
    ordered is let through.
    """
    if not np.count_nonzero(decisions.action < 0):
        return decisions
    units, reasons = decisions.units.copy(), decisions.reasons.copy()
    for dimension, kept in zip(Dimension, (reserved.read, reserved.write), strict=True):
        if not kept:
            continue
        above = float(np.nansum(committed[dimension::2])) - kept
        lowered = [n for n in np.flatnonzero(decisions.action < 0) if n % 2 == dimension]
        for slot in sorted(lowered, key=lambda n: units[n] - decisions.provisioned[n]):
            has, wanted = decisions.provisioned[slot], decisions.provisioned[slot] - units[slot]
            is_ordered = reasons[slot] & Reason.OVERRIDDEN.value
            if wanted > above and not is_ordered:
                reasons[slot] |= Reason.RESERVED.value
                least = math.floor(above)
                units[slot] = has - least if least >= has * LEAST_SAVING else has
            above -= has - units[slot]
    action = compare_units(units, decisions.provisioned)
    return decisions._replace(units=units, reasons=reasons, action=action)
