"""Which holds are worth a record: those that have stood a while and are other than before.

Reasons flicker with demand. A target's are recorded once they have stood for a minute, so that a
record tells why nothing was done for some time, and a day of a target is tens of records.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from capacity_pilot.core.fleet import Floats, Ints
from capacity_pilot.core.reasons import Reasons
from capacity_pilot.core.tick import Decisions

STOOD_S = 60.0


@dataclass(frozen=True, slots=True)
class HoldState:
    """All (n,): the ``reasons`` of the last tick, ``since`` when they stand (Unix seconds, NaN for
    a change under way) and those ``recorded`` last, -1 for none.
    """

    reasons: Reasons
    since: Floats
    recorded: Reasons

    @classmethod
    def empty(cls, size: int) -> HoldState:
        none = np.full(size, -1, dtype=np.int64)
        return cls(reasons=none, since=np.full(size, np.nan), recorded=none)


def watch_holds(state: HoldState, decisions: Decisions, now: float) -> tuple[HoldState, Ints]:
    """The slots whose hold is to be recorded now; they count as recorded."""
    holding = decisions.action == 0
    stands = holding & (decisions.reasons == state.reasons)
    since = np.where(holding, np.where(stands, state.since, now), np.nan)
    is_due = (now - since >= STOOD_S) & (decisions.reasons != state.recorded)
    recorded = np.where(is_due, decisions.reasons, state.recorded)
    reasons = np.where(holding, decisions.reasons, -1)
    return HoldState(reasons=reasons, since=since, recorded=recorded), np.flatnonzero(is_due)
