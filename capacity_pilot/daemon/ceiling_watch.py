"""Tells of targets that have all their policy's max allows, or AWS's quota, and need more."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import structlog

from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.reasons import Reason
from capacity_pilot.daemon.narration import render_number

LOOK_S = 5.0

_MOST_TOLD = 20
"""In one look; the others are told in the next ones."""

log = structlog.get_logger("capacity_pilot")


class CeilingWatch:
    """Call ``look`` every ``LOOK_S`` seconds: each target is told once while it lasts."""

    def __init__(self, pilot: Pilot, latest: Callable[[], Step | None]) -> None:
        self._pilot = pilot
        self._latest = latest
        self._told: set[str] = set()

    async def look(self) -> None:
        """Tells of what has come to its ceiling since last looked."""
        step = self._latest()
        if step is None or step.fleet is not self._pilot.fleet:
            return
        decisions, ceiling = step.decisions, self._pilot.bounds.ceiling
        is_capped = (decisions.reasons & Reason.CEILING.value) != 0
        is_there = is_capped & (decisions.provisioned >= ceiling)
        found = {str(step.fleet.target(slot)): slot for slot in np.flatnonzero(is_there).tolist()}
        self._told &= found.keys()
        for target in sorted(found.keys() - self._told)[:_MOST_TOLD]:
            slot = found[target]
            log.warning(
                "at_ceiling",
                target=target,
                provisioned=render_number(decisions.provisioned[slot]),
                needed=render_number(decisions.least[slot]),
            )
            self._told.add(target)
