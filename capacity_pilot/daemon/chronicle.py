"""What is decided and what comes of it, told once each: in the log for people, in the journal."""

from __future__ import annotations

import structlog

from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Direction,
    Outcome,
    OutcomeKind,
    Plan,
)
from capacity_pilot.core.pilot import Applied, Step
from capacity_pilot.core.record import RecordKind
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.narration import render_changes, render_plan_targets, render_switch

_FAULTS = {OutcomeKind.DENIED, OutcomeKind.INVALID, OutcomeKind.LIMIT, OutcomeKind.UNSUPPORTED}

_Said = tuple[Direction, tuple[CapacityChange, ...], BillingMode | None]

log = structlog.get_logger("capacity_pilot")


class Chronicle:
    """Tells of one loop. Calls themselves and their answers are the ``CallBook``'s to record."""

    def __init__(self, book: Bookkeeper) -> None:
        self._book = book
        self._last_decided: dict[str, _Said] = {}

    def decided(self, plan: Plan, step: Step) -> None:
        """One event per decision that changes something; a repeated try is not a new one."""
        said = (plan.direction, plan.changes, plan.to)
        if self._last_decided.get(plan.table) == said:
            return
        self._last_decided[plan.table] = said
        told: dict[str, object] = {
            "direction": plan.direction.value,
            **render_switch(plan.switch),
            "changes": render_changes(plan.changes),
            "reasons": plan.reasons,
            "targets": render_plan_targets(plan, step),
        }
        log.info("decision", table=plan.table, **told)
        self._book.note(RecordKind.DECIDED, plan.table, body=told)

    def ended(self, outcome: Outcome) -> None:
        """How an actuation came out."""
        kind = outcome.kind
        self._book.counts[f"outcome_{kind.value}"] += 1
        if kind is OutcomeKind.REQUESTED:
            self._last_decided.pop(outcome.plan.table, None)
        say = log.error if kind in _FAULTS else log.info
        say(
            "actuation",
            table=outcome.plan.table,
            direction=outcome.plan.direction.value,
            **render_switch(outcome.plan.switch),
            outcome=kind.value,
            sent=render_changes(outcome.sent),
            after_decision_s=round(outcome.ended_at - outcome.plan.decided_at, 3),
            message=outcome.message or None,
            retry_at=outcome.retry_at,
        )

    def applied(self, applied: Applied) -> None:
        """A change that was requested is in force."""
        told: dict[str, object] = {
            **({} if applied.to is None else {"billing_mode": applied.to.value}),
            "changes": render_changes(applied.changes),
            "apply_time_s": round(applied.after_s, 3),
        }
        log.info("capacity_applied", table=applied.table, **told)
        self._book.note(RecordKind.APPLIED, applied.table, body=told)

    def forget(self, table: str) -> None:
        """The table is gone: what is decided of one of its name is news."""
        self._last_decided.pop(table, None)
