"""Known load with its times worked out: what the calendar and the API make of what was declared."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from capacity_pilot.core.events.declared import Expected
from capacity_pilot.core.model import Direction

LOOKAHEAD_S = 8 * 3600.0
"""How far ahead occurrences are wanted: the longest lead a policy may name, and apply times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One time an event takes place, or one announcement. Times are Unix seconds.

    ``source`` tells the events and announcements of one name apart. It is for the tables of the
    ``policies`` with these numbers, and for the policies' tables that match one of ``tables``.
    """

    source: str
    expected: Expected
    starts_at: float
    ends_at: float
    policies: frozenset[int] = frozenset()
    tables: tuple[str, ...] = ()
    is_announced: bool = False

    @property
    def key(self) -> tuple[str, float]:
        return self.source, self.starts_at

    def concerns(self, table: str, policy: int | None) -> bool:
        """True for a table under the policy of this number."""
        if policy is None:
            return False
        return policy in self.policies or any(fnmatchcase(table, p) for p in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeWindow:
    """A time, in Unix seconds, in which the policy's tables are not moved in these directions."""

    policy: int
    starts_at: float
    ends_at: float
    directions: frozenset[Direction]
