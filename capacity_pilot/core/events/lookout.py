"""The events' part of a pilot: holds between ticks what the pure functions need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from capacity_pilot.core.demand import DemandState
from capacity_pilot.core.events.foresight import (
    EventState,
    Lesson,
    begin,
    foresee,
    learn_events,
    note_demand_before,
    refit_events,
    watch_events,
    watched_from,
)
from capacity_pilot.core.events.gains import SPANS, Gains
from capacity_pilot.core.events.occurrence import FreezeWindow, Occurrence
from capacity_pilot.core.events.schedule import Schedule
from capacity_pilot.core.events.watch import PolicyNumber, continue_watch
from capacity_pilot.core.fleet import Bools, Fleet, Floats, Ints
from capacity_pilot.core.ports import Agenda


class _EmptyAgenda:
    """Nothing is known to come."""

    def occurrences(self, _: float) -> tuple[Occurrence, ...]:
        return ()

    def freezes(self, _: float) -> tuple[FreezeWindow, ...]:
        return ()


EMPTY_AGENDA: Agenda = _EmptyAgenda()


@dataclass(frozen=True, slots=True)
class WatchNotes:
    """What was noted of an occurrence so far; arrays as in ``Watch``."""

    source: str
    starts_at: float
    slots: Ints
    usual: Floats
    base: Floats
    rises: Floats
    is_alone: Bools

    @classmethod
    def blank(cls, size: int) -> Self:
        unknown = np.full(size, np.nan)
        return cls(
            source="",
            starts_at=0.0,
            slots=np.arange(size),
            usual=unknown,
            base=unknown,
            rises=np.full((SPANS, size), np.nan),
            is_alone=np.ones(size, dtype=np.bool_),
        )


class Lookout:
    """Asks the agenda what comes, says what to be ready for, and learns from what came."""

    def __init__(self, agenda: Agenda, *, policy_number: PolicyNumber, now: float) -> None:
        self._agenda = agenda
        self._policy_number = policy_number
        self._fleet = Fleet(())
        self._policy_numbers = np.zeros(0, dtype=np.int64)
        self._state = EventState(settled=int(now) - 1)

    @property
    def state(self) -> EventState:
        return self._state

    def freezes(self, now: float) -> Sequence[FreezeWindow]:
        """The policies' freezes in force."""
        return self._agenda.freezes(now)

    @property
    def notes(self) -> tuple[WatchNotes, ...]:
        """What was noted of the occurrences being watched."""
        return tuple(
            WatchNotes(*w.occurrence.key, w.slots, w.usual, w.base, w.rises, w.is_alone)
            for w in self._state.watches
        )

    def recall(
        self,
        fleet: Fleet,
        gains: Mapping[Lesson, Gains],
        notes: Iterable[WatchNotes],
        now: float,
    ) -> None:
        """Takes up what was learned and noted before, by the slots of ``fleet``.

        An occurrence that is no longer on the agenda is not watched any more.
        """
        self.refit(fleet)
        state = EventState(settled=int(now) - 1, gains=gains)
        coming = {o.key: o for o in self._agenda.occurrences(now)}
        watches = []
        for noted in notes:
            occurrence = coming.get((noted.source, noted.starts_at))
            if occurrence is not None:
                fresh = begin(state, occurrence, fleet, self._policy_number)
                seen = replace(
                    fresh,
                    slots=noted.slots,
                    usual=noted.usual,
                    base=noted.base,
                    rises=noted.rises,
                    is_alone=noted.is_alone,
                )
                watches.append(continue_watch(fresh, seen, old=fleet, new=fleet))
        self._state = replace(state, watches=tuple(watches))

    def refit(self, fleet: Fleet) -> None:
        """Tables have come or gone."""
        self._state = refit_events(
            self._state, old=self._fleet, new=fleet, policy_number=self._policy_number
        )
        self._fleet = fleet
        self._number_slots()

    def adopt(self, policy_number: PolicyNumber, now: float) -> None:
        """The agenda and the numbers are other policies'. What is watched and still to come there
        goes on being watched, over the tables it concerns now; what is not is called off.
        """
        self._policy_number = policy_number
        coming = {o.key: o for o in self._agenda.occurrences(now)}
        watches = []
        for watch in self._state.watches:
            if (found := coming.get(watch.occurrence.key)) is not None:
                fresh = begin(self._state, found, self._fleet, policy_number)
                watches.append(continue_watch(fresh, watch, old=self._fleet, new=self._fleet))
            elif watch.occurrence.ends_at <= now:
                watches.append(watch)
        self._state = replace(self._state, watches=tuple(watches))
        self._number_slots()

    def _number_slots(self) -> None:
        numbers = (self._policy_number(resource.table) for resource in self._fleet.resources)
        per_resource = [-1 if number is None else number for number in numbers]
        self._policy_numbers = np.repeat(np.array(per_resource, dtype=np.int64), 2)

    def look(
        self, demand: DemandState, now: float, *, apply_time_s: Floats, burst_units: Floats
    ) -> Schedule:
        """What is known to come, before a tick; ``demand``, and the ``burst_units`` (n,) that may
        be relied on, are as the last one left them.
        """
        watched = watch_events(
            self._state,
            self._agenda.occurrences(now),
            fleet=self._fleet,
            policy_number=self._policy_number,
            apply_time_s=apply_time_s,
            now=now,
        )
        self._state = note_demand_before(watched, demand, apply_time_s=apply_time_s, now=now)
        return foresee(
            self._state,
            self.freezes(now),
            policy_numbers=self._policy_numbers,
            apply_time_s=apply_time_s,
            burst_units=burst_units,
            now=now,
        )

    def is_idle(self, now: float, last: float, apply_time_s: Floats) -> bool:
        """Whether nothing is known to come near from ``now`` to ``last``, seconds apart."""
        if self._state.watches or self._agenda.freezes(now) or self._agenda.freezes(last):
            return False
        coming = self._agenda.occurrences(now)
        return all(watched_from(occurrence, apply_time_s) > last for occurrence in coming)

    def learn(self, demand: DemandState, now: float) -> None:
        """What came, after a tick."""
        self._state = learn_events(self._state, demand, now)
