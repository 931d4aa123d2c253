"""Where the holds on Application Auto Scaling's registrations are kept: in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from capacity_pilot.core.errors import JournalError
from capacity_pilot.core.holds import Hold, decode_holds, encode_holds
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.ports import Journal

DOCUMENT: Final = "auto-scaling-holds"


class KeptHolds:
    """Holds by target, durable before they count; nothing is kept before they were loaded."""

    def __init__(self, journal: Journal | None) -> None:
        self.is_loaded = False
        self._journal = journal
        self._holds: dict[ScalableTarget, Hold] = {}
        self._turn = asyncio.Lock()

    @property
    def all(self) -> Mapping[ScalableTarget, Hold]:
        return MappingProxyType(self._holds)

    async def load(self) -> None:
        """Takes up what an earlier pilot, or this one, has kept.

        Raises ``JournalError`` where it cannot be read and ``InputError`` where it makes no sense.
        """
        if self._journal is None:
            return
        async with self._turn:
            content = await self._journal.load(DOCUMENT)
            holds = () if content is None else decode_holds(content)
            self._holds = {hold.target: hold for hold in holds}
            self.is_loaded = True

    async def keep(self, *holds: Hold) -> None:
        """Returns once they are durable. Raises ``JournalError`` where they cannot be made so."""
        changes = {h.target: h for h in holds if self._holds.get(h.target) != h}
        if changes:
            await self._save(changes)

    async def let_go(self, *targets: ScalableTarget) -> None:
        """What was held of these is given back. Raises as ``keep`` does."""
        changes = dict.fromkeys(target for target in targets if target in self._holds)
        if changes:
            await self._save(changes)

    async def _save(self, changes: Mapping[ScalableTarget, Hold | None]) -> None:
        if self._journal is None:
            raise JournalError("there is no journal to keep what is to be given back")
        if not self.is_loaded:
            raise JournalError("what is to be given back was not read yet")
        async with self._turn:
            changed = {**self._holds, **changes}
            holds = {target: hold for target, hold in changed.items() if hold is not None}
            await self._journal.save(DOCUMENT, encode_holds(holds.values()))
            self._holds = holds
