"""How many switches to on-demand AWS still takes of a table.

AWS counts them over a rolling day and tells of the last one alone, so they are counted here. What
may have been taken counts as taken; that AWS says no counts for more than what was counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from capacity_pilot.core.billing import MOST_SWITCHES, SAME_SWITCH_S, SWITCHES_COUNT_S

REFUSED_S: Final = 3600.0
"""After a refusal it is not asked again for so long: there are switches nobody here knows of."""


class SwitchLedger:
    """When each table was switched to on-demand, Unix seconds."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[float, ...]] = {}
        self._refused_at: dict[str, float] = {}

    def note_sent(self, table: str, at: float) -> None:
        """AWS took a switch then, or may have."""
        self._sent[table] = (*self._sent.get(table, ()), at)

    def note_refused(self, table: str, at: float) -> None:
        """AWS said then that there were too many."""
        self._refused_at[table] = at

    def recall(self, table: str, times: Iterable[float]) -> None:
        """Takes up what an earlier pilot has sent."""
        self._sent[table] = tuple(sorted({*self._sent.get(table, ()), *times}))

    def counted(self, table: str, *, on_demand_at: float | None, now: float) -> Sequence[float]:
        """Those that AWS still counts, oldest first, with the last one it tells of
        (``on_demand_at``), whoever made that.
        """
        # One of a time that is yet to come was made before the clock was put back.
        sent = sorted(at for at in self._sent.get(table, ()) if now - at < SWITCHES_COUNT_S)
        self._sent[table] = tuple(sent)
        if on_demand_at is None or now - on_demand_at >= SWITCHES_COUNT_S:
            return sent
        is_ours = any(abs(at - on_demand_at) <= SAME_SWITCH_S for at in sent)
        return sent if is_ours else sorted((*sent, on_demand_at))

    def allowed_at(
        self, table: str, *, most: int = MOST_SWITCHES, on_demand_at: float | None, now: float
    ) -> float:
        """When the next one may be made, with ``most`` in a day; ``now`` if it may already."""
        counted = self.counted(table, on_demand_at=on_demand_at, now=now)
        at = now if len(counted) < most else counted[-most] + SWITCHES_COUNT_S
        refused_at = self._refused_at.get(table)
        if refused_at is not None and 0 <= now - refused_at < REFUSED_S:
            at = max(at, refused_at + REFUSED_S)
        return at
