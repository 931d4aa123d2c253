"""Which tags tables have, where policies go by them; DescribeTable does not tell."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

import structlog

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.matching import Tags
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Clock

WATCH_S: Final = 10.0
_KEEP_S: Final = 600.0
_MOST_READ: Final = 50
"""Between two looks: half of what AWS answers in an account."""

log = structlog.get_logger("capacity_pilot")


class TagReader(Protocol):
    """Whoever can be asked for a table's tags; raises ``GatewayError``."""

    async def tags(self, table: str, /) -> Tags | None:
        """``None`` where the table does not exist."""
        ...


class TagWatch:
    """Call ``look`` every ``WATCH_S`` seconds. Tags that could not be read again are kept.

    A table whose tags were never read is nobody's until they are; ``on_change`` is told all that
    is known when anything of it has changed.
    """

    def __init__(
        self,
        reader: TagReader,
        *,
        policies: Callable[[], PolicySet],
        listed: Callable[[], frozenset[str]],
        on_change: Callable[[Mapping[str, Tags]], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._policies = policies
        self._listed = listed
        self._on_change = on_change
        self._clock = clock
        self._known: dict[str, Tags] = {}
        self._read_at: dict[str, float] = {}
        self._fault: str | None = None

    async def look(self) -> None:
        """Reads what was not read lately, the longest ago first."""
        now, policies = self._clock.now(), self._policies()
        wanted = [table for table in self._listed() if policies.hangs_on_tags(table)]
        known = {table: self._known[table] for table in wanted if table in self._known}
        self._read_at = {t: at for t, at in self._read_at.items() if t in known}
        due = [t for t in wanted if not 0 <= now - self._read_at.get(t, -_KEEP_S) < _KEEP_S]
        due.sort(key=lambda table: (self._read_at.get(table, 0.0), table))
        for table in due[:_MOST_READ]:
            try:
                tags = await self._reader.tags(table)
            except GatewayError as error:
                self._tell(table, str(error), waiting=len(due))
                break  # the next one would fare no better, and a limit be pressed on
            self._fault = None
            self._read_at[table] = now
            if tags is None:
                known.pop(table, None)
            else:
                known[table] = tags
        if known != self._known:
            self._known = known
            await self._on_change(known)

    def _tell(self, table: str, fault: str, *, waiting: int) -> None:
        """Once, until tags could be read again."""
        if self._fault is None:
            log.warning("tags_not_read", table=table, error=fault, tables_waiting=waiting)
        self._fault = fault
