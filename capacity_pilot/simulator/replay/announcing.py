"""Announcements of a scenario: told to the pilot as an operator would, some time before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from glob import escape
from typing import Annotated

from pydantic import Field

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.events.declared import Announcement, Patterns, Told
from capacity_pilot.core.quantities import AnyDuration

Seconds = Annotated[AnyDuration, Field(ge=0)]


class PlannedAnnouncement(Told):
    """``at`` counts from the replay's beginning; the pilot is told ``ahead`` of it."""

    at: Seconds
    ahead: Seconds = 600.0
    tables: Patterns = Field(default=["*"])

    def concerns(self, table: str) -> bool:
        return any(fnmatchcase(table, pattern) for pattern in self.tables)

    @property
    def told_at(self) -> int:
        """The second in which the pilot is told."""
        return max(int(self.at - self.ahead), 0)

    def tell(self, began_at: float) -> Announcement:
        """As it reaches the API."""
        said = self.model_dump(exclude={"at", "ahead"})
        return Announcement(**said, at=datetime.fromtimestamp(began_at + self.at, UTC))


def check_announcements(planned: Iterable[PlannedAnnouncement], tables: Sequence[str]) -> None:
    """Raises ``InputError`` for one that is for no table of the replay."""
    for announcement in planned:
        if not any(map(announcement.concerns, tables)):
            raise InputError(
                f"announcement {announcement.name!r} is for {', '.join(announcement.tables)}, "
                "and no table of that name is replayed"
            )


def plan_announcements(
    planned: Iterable[PlannedAnnouncement],
    copies: Mapping[str, Sequence[str]],
    began_at: float,
) -> Mapping[int, Sequence[Announcement]]:
    """By second, those that are for one of the tables; they are for its ``copies`` as well."""
    due: defaultdict[int, list[Announcement]] = defaultdict(list)
    for announcement in planned:
        concerned = [table for table in copies if announcement.concerns(table)]
        if concerned:
            named = [escape(copy) for table in concerned for copy in copies[table]]
            told = announcement.tell(began_at)
            told = told.model_copy(update={"tables": [*announcement.tables, *named]})
            due[announcement.told_at].append(told)
    return due
