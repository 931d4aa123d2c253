"""Keeps the last day's demand by the second, and tags, for ``capacity-pilot policy try``."""

from __future__ import annotations

import asyncio

import numpy as np
import structlog

from capacity_pilot.adapters.demand_record import (
    HOUR_S,
    TAGS,
    HourOfDemand,
    Seconds,
    decode_hour,
    encode_hour,
    encode_tags,
)
from capacity_pilot.core.demand import WINDOW_S
from capacity_pilot.core.errors import InputError, RetryableError
from capacity_pilot.core.fleet import Ints
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import Clock, Journal

NOTE_S = 15.0
SAVE_S = 900.0
MOST_TARGETS = 200
"""Those first seen in an hour: 3 MB of memory, and about 1 MB of the journal, for each hour."""

_SETTLED_S = 90
"""As late as the ring allows: that a second without spans was one without demand is often known
only when the next span comes.
"""

log = structlog.get_logger("capacity_pilot")


class DemandKeeping:
    """Call ``note`` every ``NOTE_S`` seconds, before the pilot forgets, and ``save`` at times."""

    def __init__(self, pilot: Pilot, journal: Journal | None, *, clock: Clock) -> None:
        self._pilot = pilot
        self._journal = journal
        self._clock = clock
        self._noted = int(clock.now()) - WINDOW_S
        self._hours: dict[int, dict[ScalableTarget, Seconds]] = {}
        self._begun: set[int] = set()
        self._tags = b""

    async def note(self) -> None:
        """Takes over the seconds that are settled since the last time."""
        if self._journal is None:
            return
        until = int(self._clock.now()) - _SETTLED_S
        first = max(self._noted + 1, self._pilot.state.demand.head - WINDOW_S + 1)
        self._noted = min(self._noted, until)  # a clock that was put back
        seconds = np.arange(first, until + 1)
        if not len(seconds):
            return
        for hour in np.unique(seconds // HOUR_S).tolist():
            self._take_over(hour, seconds[seconds // HOUR_S == hour])
        self._noted = until

    def _take_over(self, hour: int, seconds: Ints) -> None:
        demand, fleet, rows = self._pilot.state.demand, self._pilot.fleet, seconds % WINDOW_S
        is_known = self._pilot.bounds.is_managed & demand.known[rows].any(axis=0)
        for slot in np.flatnonzero(is_known).tolist():
            target, kept = fleet.target(slot), self._hours.setdefault(hour, {})
            if target not in kept and len(kept) >= MOST_TARGETS:
                continue
            row = kept.setdefault(target, np.full(HOUR_S, np.nan, dtype=np.float32))
            known = demand.known[rows, slot]
            row[seconds[known] % HOUR_S] = demand.units[rows, slot][known]

    async def save(self) -> None:
        """Keeps what has been noted; hours that are over are let go of once they are kept."""
        if self._journal is None:
            return
        await self._save_tags(self._journal)
        last = self._noted // HOUR_S
        for hour in sorted(self._hours):
            try:
                if hour not in self._begun:
                    await self._take_up(hour, self._journal)
                units = {target: row.copy() for target, row in self._hours[hour].items()}
                kept = HourOfDemand(hour * HOUR_S, units)
                content = await asyncio.to_thread(encode_hour, kept)
                await self._journal.save(kept.document, content)
            except RetryableError as error:
                log.info("demand_not_kept", error=str(error))
                self._hours = {h: rows for h, rows in self._hours.items() if h > last - 2}
                return
            if hour < last:
                del self._hours[hour]
                self._begun.discard(hour)

    async def _save_tags(self, journal: Journal) -> None:
        """Those that were read, when they are others than those kept last."""
        tags = encode_tags(known) if (known := self._pilot.policies.tags) else b""
        if not tags or tags == self._tags:
            return
        try:
            await journal.save(TAGS, tags)
        except RetryableError as error:
            log.info("tags_not_kept", error=str(error))
        else:
            self._tags = tags

    async def _take_up(self, hour: int, journal: Journal) -> None:
        """What an earlier process has kept of the same hour stays where this one knows nothing."""
        content = await journal.load(HourOfDemand(hour * HOUR_S, {}).document)
        if content is not None:
            try:
                before = await asyncio.to_thread(decode_hour, content)
            except InputError as error:
                log.warning("demand_left_aside", error=str(error))
            else:
                if before.start == hour * HOUR_S:
                    self._merge(hour, before)
        self._begun.add(hour)

    def _merge(self, hour: int, before: HourOfDemand) -> None:
        kept = self._hours[hour]
        for target, earlier in before.units.items():
            row = kept.get(target)
            if row is None and len(kept) < MOST_TARGETS:
                kept[target] = earlier.copy()
            elif row is not None:
                row[:] = np.where(np.isnan(row), earlier, row)
