"""All that is known to come: the policies' calendar, and what was announced while running."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

from capacity_pilot.adapters.calendar import PolicyCalendar
from capacity_pilot.core.errors import InputError, OverloadedError
from capacity_pilot.core.events.declared import Announcement
from capacity_pilot.core.events.occurrence import LOOKAHEAD_S, FreezeWindow, Occurrence
from capacity_pilot.core.policy import PolicySet

MOST_ANNOUNCEMENTS = 1000

_FARTHEST_S = 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """An announcement that was taken. ``id`` is the same whenever the same thing is announced.

    ``tables`` are those it concerned then; those that come later and match are its own too.
    """

    id: str
    announcement: Announcement
    occurrence: Occurrence
    tables: tuple[str, ...]
    is_update: bool


class RunningAgenda:
    """``Agenda`` of a running pilot. Announcements are kept in memory, so many at most."""

    def __init__(self, policies: PolicySet, *, most: int = MOST_ANNOUNCEMENTS) -> None:
        self._policies = policies
        self._calendar = PolicyCalendar(policies)
        self._most = most
        self._announced: dict[str, Announced] = {}

    def adopt(self, calendar: PolicyCalendar) -> None:
        """Other policies' events and freezes. Announcements stay; those for a policy are for the
        tables of whichever has its name by now, and for none while there is none.
        """
        self._calendar, self._policies = calendar, calendar.policies
        for number, announced in self._announced.items():
            name = announced.announcement.policy
            occurrence = replace(announced.occurrence, policies=self._numbers_named(name))
            self._announced[number] = replace(announced, occurrence=occurrence)

    def occurrences(self, now: float) -> list[Occurrence]:
        """Events and announcements that are not over and begin within ``LOOKAHEAD_S``."""
        announced = (
            a.occurrence
            for a in self._announced.values()
            if a.occurrence.starts_at - LOOKAHEAD_S <= now < a.occurrence.ends_at
        )
        return [*self._calendar.occurrences(now), *announced]

    def freezes(self, now: float) -> list[FreezeWindow]:
        """The policies' freezes in force."""
        return self._calendar.freezes(now)

    def announced(self, now: float) -> list[Announced]:
        """Announcements that are not over, in order of time."""
        self._forget_past(now)
        return sorted(self._announced.values(), key=lambda a: (a.occurrence.starts_at, a.id))

    def announce(
        self, announcement: Announcement, *, managed: Collection[str], now: float
    ) -> Announced:
        """Takes an announcement in; one of the same name, time and tables replaces the earlier.

        ``managed`` are the tables there are. Raises ``InputError`` for an announcement that cannot
        come true, ``OverloadedError`` when no more fit.
        """
        occurrence = self._place(announcement, now)
        number_for, number = self._policies.number_for, occurrence.source
        tables = sorted(t for t in managed if occurrence.concerns(t, number_for(t)))
        if not tables:
            raise InputError(
                f"{'policy' if announcement.tables is None else 'tables'}: fits none of the "
                f"{len(managed)} tables managed; nothing would be prepared"
            )
        self._forget_past(now)
        is_update = number in self._announced
        if not is_update and len(self._announced) >= self._most:
            raise OverloadedError(
                f"{self._most} announcements are waiting, which is the most; cancel some"
            )
        self._announced[number] = announced = Announced(
            id=number,
            announcement=announcement,
            occurrence=occurrence,
            tables=tuple(tables),
            is_update=is_update,
        )
        return announced

    def cancel(self, number: str, now: float) -> Announced | None:
        """Forgets an announcement and gives it back, or ``None`` where there is none."""
        self._forget_past(now)
        return self._announced.pop(number, None)

    def _place(self, announcement: Announcement, now: float) -> Occurrence:
        starts_at = announcement.at.timestamp()
        ends_at = starts_at + announcement.lasts
        if ends_at <= now:
            raise InputError(f"at: {announcement.at.isoformat()} is over by now")
        if starts_at > now + _FARTHEST_S:
            raise InputError(f"at: {announcement.at.isoformat()} is more than a year ahead")
        named = repr((announcement.name, starts_at, announcement.policy, announcement.tables))
        return Occurrence(
            source=hashlib.sha256(named.encode()).hexdigest()[:12],
            expected=announcement,
            starts_at=starts_at,
            ends_at=ends_at,
            policies=self._policies_named(announcement.policy),
            tables=tuple(announcement.tables or ()),
            is_announced=True,
        )

    def _policies_named(self, name: str | None) -> frozenset[int]:
        numbers = self._numbers_named(name)
        if name is not None and not numbers:
            known = ", ".join(sorted({policy.name for policy in self._policies.policies})[:10])
            raise InputError(f"policy: none is named {name!r}; there is {known}")
        return numbers

    def _numbers_named(self, name: str | None) -> frozenset[int]:
        policies = self._policies.policies
        return frozenset(n for n, p in enumerate(policies) if name is not None and p.name == name)

    def _forget_past(self, now: float) -> None:
        self._announced = {
            number: a for number, a in self._announced.items() if now < a.occurrence.ends_at
        }
