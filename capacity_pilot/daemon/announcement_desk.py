"""Announcements taken, told of and called off; what is coming and what was learned, for people."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import structlog

from capacity_pilot.adapters.agenda import Announced, RunningAgenda
from capacity_pilot.core.events.declared import Announcement, Caller
from capacity_pilot.core.events.gains import estimate_gains
from capacity_pilot.core.events.occurrence import Occurrence
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.record import RecordKind
from capacity_pilot.daemon.announcement_keeping import AnnouncementKeeping

log = structlog.get_logger("capacity_pilot")


class AnnouncementDesk:
    """The API's view of one pilot's agenda."""

    def __init__(
        self, agenda: RunningAgenda, *, pilot: Pilot, clock: Clock, keeping: AnnouncementKeeping
    ) -> None:
        self._agenda = agenda
        self._keeping = keeping
        self._pilot = pilot
        self._clock = clock

    async def announce(self, announcement: Announcement) -> tuple[dict[str, object], bool]:
        """Takes an announcement; true if it took the place of an earlier one.

        It holds before it is written down: it has to where the disk is full.
        """
        now = self._clock.now()
        managed = self._pilot.descriptions.keys()
        announced = self._agenda.announce(announcement, managed=managed, now=now)
        told = _render(announced, now)
        log.info("announced", announcement=told, is_update=announced.is_update)
        caller = Caller(by=announcement.by, why=announcement.why)
        warnings = await self._keeping.note(RecordKind.ANNOUNCED, announced, caller)
        return told | {"warnings": warnings}, announced.is_update

    def show_all(self) -> list[dict[str, object]]:
        """All that are not over."""
        now = self._clock.now()
        return [_render(announced, now) for announced in self._agenda.announced(now)]

    async def cancel(self, number: str, caller: Caller) -> dict[str, object] | None:
        """Gives what was cancelled, if there was such an announcement."""
        now = self._clock.now()
        announced = self._agenda.cancel(number, now)
        if announced is None:
            return None
        told = _render(announced, now)
        log.info("announcement_cancelled", announcement=told, by=caller.by, why=caller.why)
        warnings = await self._keeping.note(RecordKind.CANCELLED, announced, caller)
        return told | {"warnings": warnings}

    def report(self) -> dict[str, object]:
        """What is known to come, and what earlier ones taught."""
        now = self._clock.now()
        return {
            "announcements": self.show_all(),
            "events": [_render_event(o, now) for o in self._next_events(now)],
            "gains": list(self._render_gains()),
        }

    def _next_events(self, now: float) -> list[Occurrence]:
        """The policies' events that are on, or that come next of their kind."""
        coming: dict[tuple[str, bool], Occurrence] = {}
        for occurrence in sorted(self._agenda.occurrences(now), key=lambda o: o.starts_at):
            if not occurrence.is_announced:
                coming.setdefault((occurrence.source, occurrence.starts_at > now), occurrence)
        return list(coming.values())

    def _render_gains(self) -> Iterator[dict[str, object]]:
        """Per event and target: the peak's units per second for each recipient or occurrence."""
        fleet = self._pilot.fleet
        for (name, is_counted), gains in self._pilot.lookout.state.gains.items():
            estimate = estimate_gains(gains, gains.slots)
            expected, high = estimate.expected.max(axis=0), estimate.high.max(axis=0)
            error = np.divide(high - expected, expected, where=expected > 0, out=expected * 0.0)
            for at, slot in enumerate(gains.slots):
                target = fleet.target(int(slot))
                yield {
                    "event": name,
                    "target": str(target),
                    "per": "recipient" if is_counted else "occurrence",
                    "units_per_s": float(f"{expected[at]:.4g}"),
                    "error": round(float(error[at]), 3),
                    "learned_from": int(estimate.learned_from[at]),
                }


def _render(announced: Announced, now: float) -> dict[str, object]:
    occurrence = announced.occurrence
    return {
        "id": announced.id,
        **announced.announcement.model_dump(mode="json", exclude_defaults=True),
        "lasts": announced.announcement.lasts,
        "state": _state(occurrence, now),
        "tables_now": announced.tables,
    }


def _render_event(occurrence: Occurrence, now: float) -> dict[str, object]:
    return {
        "name": occurrence.expected.name,
        "starts_in_s": round(occurrence.starts_at - now, 1),
        "ends_in_s": round(occurrence.ends_at - now, 1),
        "state": _state(occurrence, now),
    }


def _state(occurrence: Occurrence, now: float) -> str:
    return "coming" if now < occurrence.starts_at else "on"
