"""When a refused plan may be tried again: per table and direction.

Per direction, since an increase must never wait for anything that only concerns decreases.
"""

from __future__ import annotations

from dataclasses import dataclass

from capacity_pilot.core.model import Direction, Outcome, OutcomeKind

_BASE_S = {
    OutcomeKind.BUSY: 1.0,
    OutcomeKind.CONTROL_PLANE: 1.0,
    OutcomeKind.UNKNOWN: 2.0,
    OutcomeKind.DECREASE_QUOTA: 60.0,
    OutcomeKind.LIMIT: 30.0,
    OutcomeKind.NOT_FOUND: 30.0,
    OutcomeKind.DENIED: 30.0,
    OutcomeKind.INVALID: 30.0,
    OutcomeKind.UNSUPPORTED: 60.0,
}
_NOT_SENT_S = 1.0
_MOST_DOUBLINGS = 4


@dataclass(frozen=True, slots=True)
class _Wait:
    kind: OutcomeKind | None
    since: float
    until: float
    doublings: int


class Backoffs:
    """Remembers refusals; a table that fails waits alone."""

    def __init__(self) -> None:
        self._waits: dict[tuple[str, Direction], _Wait] = {}

    def is_due(self, table: str, direction: Direction, now: float) -> bool:
        """False while it has to wait; a clock put back to before the refusal ends the wait."""
        wait = self._waits.get((table, direction))
        return wait is None or not wait.since <= now < wait.until

    def waiting(self, now: float) -> frozenset[tuple[str, Direction]]:
        """What is not due yet."""
        return frozenset(key for key, wait in self._waits.items() if now < wait.until)

    def note(
        self, table: str, direction: Direction, outcome: Outcome | None, *, now: float
    ) -> None:
        """Takes an outcome into account; ``None`` is a call that was certainly not sent.

        Only the same refusal again waits longer: that the account was busy says nothing of how
        long to wait after a lost answer.
        """
        key = (table, direction)
        kind = None if outcome is None else outcome.kind
        base_s = _NOT_SENT_S if kind is None else _BASE_S.get(kind)
        if base_s is None:  # taken, or nothing to do
            self._waits.pop(key, None)
            return
        earlier = self._waits.get(key)
        doublings = 0
        if earlier is not None and earlier.kind is kind:
            doublings = min(earlier.doublings + 1, _MOST_DOUBLINGS)
        until = now + base_s * 2**doublings
        if outcome is not None and outcome.retry_at is not None:
            until = max(outcome.retry_at, now)
        self._waits[key] = _Wait(kind, now, until, doublings)

    def forget(self, table: str) -> None:
        for direction in Direction:
            self._waits.pop((table, direction), None)
