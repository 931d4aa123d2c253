"""What was lately done about each table, and what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from capacity_pilot.core.model import Direction, Outcome, OutcomeKind, Plan, TableDescription

KEPT = 5
"""Per table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A plan begun at ``plan.decided_at``, for a table as it was ``before``.

    Once it ``is_over``, ``outcome`` is ``None`` where nothing was sent. ``in_force_after_s`` is
    ``None`` until it is seen in force. Of plans that say the same and were not taken only the last
    is kept, with how many ``tries`` there were.
    """

    plan: Plan
    before: TableDescription | None = None
    is_over: bool = False
    outcome: Outcome | None = None
    in_force_after_s: float | None = None
    tries: int = 1

    @property
    def counts(self) -> bool:
        """False where certainly nothing was changed."""
        may_be = self.outcome is not None and self.outcome.kind is OutcomeKind.UNKNOWN
        return not self.is_over or self.is_taken or may_be

    @property
    def is_taken(self) -> bool:
        return self.outcome is not None and self.outcome.kind is OutcomeKind.REQUESTED


class Deeds:
    """Remembers the last few of every table."""

    def __init__(self) -> None:
        self._deeds: dict[str, deque[Deed]] = {}

    def of(self, table: str) -> Sequence[Deed]:
        """Oldest first."""
        return tuple(self._deeds.get(table, ()))

    def last(self, table: str) -> Deed | None:
        deeds = self._deeds.get(table)
        return deeds[-1] if deeds else None

    def begin(self, plan: Plan, before: TableDescription | None) -> None:
        deeds = self._deeds.setdefault(plan.table, deque(maxlen=KEPT))
        tries = 1
        if deeds and not deeds[-1].is_taken and _say_same(deeds[-1].plan, plan):
            tries += deeds.pop().tries
        deeds.append(Deed(plan=plan, before=before, tries=tries))

    def finish(self, table: str, outcome: Outcome | None) -> None:
        self._amend(table, is_over=True, outcome=outcome)

    def note_in_force(self, table: str, after_s: float) -> None:
        self._amend(table, in_force_after_s=after_s)

    def changed_since(self, at: float) -> dict[str, Direction]:
        """The tables changed since then, or maybe changed, and whether up or only down."""
        changed: dict[str, Direction] = {}
        for table, deeds in self._deeds.items():
            directions = {d.plan.direction for d in deeds if d.plan.decided_at > at and d.counts}
            if directions:
                is_raised = Direction.OUT in directions
                changed[table] = Direction.OUT if is_raised else Direction.IN
        return changed

    def forget(self, table: str) -> None:
        self._deeds.pop(table, None)

    def _amend(self, table: str, **news: object) -> None:
        if deeds := self._deeds.get(table):
            deeds[-1] = replace(deeds[-1], **news)  # type: ignore[arg-type]  # its own fields


def _say_same(one: Plan, other: Plan) -> bool:
    return (one.direction, one.changes, one.to) == (other.direction, other.changes, other.to)
