"""The steps of every actuation, whoever carries out the write.

DynamoDB and the shadow take the same ones, so that shadow mode answers as active mode would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from capacity_pilot.adapters.aws.refusals import Refusal, RefusedError
from capacity_pilot.adapters.aws.request import find_fault, find_missing, remaining_changes
from capacity_pilot.core.errors import RetryableError
from capacity_pilot.core.model import (
    BillingMode,
    CapacityChange,
    Outcome,
    OutcomeKind,
    Plan,
    ResourceStatus,
    TableDescription,
)
from capacity_pilot.core.ports import CallBook, Clock

UPDATES_AT_ONCE = 8
"""Ten effective UpdateTable calls at once already meet the account's control-plane limiter."""

Describe = Callable[[str], Awaitable[TableDescription | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One UpdateTable call about to be made: the changes left of a plan and what they rest on."""

    plan: Plan
    changes: tuple[CapacityChange, ...]
    before: TableDescription


Carry = Callable[[Write], Awaitable[Refusal | None]]
"""Makes the call; ``None`` when it was accepted. Raises ``RetryableError`` if nothing was sent."""

FindChanges = Callable[[Plan, TableDescription], tuple[CapacityChange, ...]]
"""Gives what of a plan still changes something of the table as it was re-read."""


class Actuation:
    """Turns plans into outcomes: one plan in flight per table, re-read, expiry, then the write.

    ``updates_at_once`` bounds the calls in flight over all tables; plans beyond it wait, and
    may expire waiting. A second plan for a table in flight is answered ``BUSY`` at once. Where
    there is a ``book``, each call is opened in it before it is made, and closed after. What
    ``reaches_every_region`` is not done to global tables.
    """

    def __init__(
        self,
        *,
        describe: Describe,
        carry: Carry,
        clock: Clock,
        book: CallBook | None = None,
        find_changes: FindChanges = remaining_changes,
        reaches_every_region: bool = True,
        updates_at_once: int = UPDATES_AT_ONCE,
    ) -> None:
        self._describe = describe
        self._carry = carry
        self._find_changes = find_changes
        self._reaches_every_region = reaches_every_region
        self._clock = clock
        self._book = book
        self._tables_in_flight: set[str] = set()
        self._turns = asyncio.Semaphore(updates_at_once)

    async def actuate(self, plan: Plan) -> Outcome:
        """Carry out the plan, or say what keeps it from being carried out.

        Raises ``RetryableError`` only when nothing was sent: AWS could not be asked, or the call
        could not be recorded.
        """
        if fault := find_fault(plan):
            return self._end(plan, Refusal(kind=OutcomeKind.INVALID, message=fault))
        if plan.table in self._tables_in_flight:
            message = f"another plan for {plan.table} is in flight"
            return self._end(plan, Refusal(kind=OutcomeKind.BUSY, message=message))
        self._tables_in_flight.add(plan.table)
        try:
            async with self._turns:
                return await self._take_turn(plan)
        finally:
            self._tables_in_flight.discard(plan.table)

    async def _take_turn(self, plan: Plan) -> Outcome:
        if expiry := self._find_expiry(plan):
            return self._end(plan, expiry)
        try:
            before = await self._describe(plan.table)
        except RefusedError as error:
            return self._end(plan, error.refusal)
        if before is None:
            message = f"table {plan.table} does not exist"
            return self._end(plan, Refusal(kind=OutcomeKind.NOT_FOUND, message=message))
        changes = self._find_changes(plan, before)
        # The re-read may have taken its time: the clock is asked again right before the write.
        hindrance = (
            self._find_border(before)
            or _find_hindrance(plan, before, changes=changes)
            or self._find_expiry(plan)
        )
        if hindrance:
            return self._end(plan, hindrance, before=before)
        refusal = await self._make_call(Write(plan=plan, changes=changes, before=before))
        is_sent = refusal is None or refusal.kind is not OutcomeKind.EXPIRED
        return self._end(plan, refusal, before=before, sent=changes if is_sent else ())

    async def _make_call(self, write: Write) -> Refusal | None:
        if self._book is None:
            return await self._carry(write)
        call = await self._book.open_call(replace(write.plan, changes=write.changes), write.before)
        try:
            # To record it may have taken its time as well.
            refusal = self._find_expiry(write.plan) or await self._carry(write)
        except RetryableError as error:
            self._book.close_call(call, None, str(error))
            raise
        kind = OutcomeKind.REQUESTED if refusal is None else refusal.kind
        self._book.close_call(call, kind, "" if refusal is None else refusal.message)
        return refusal

    def _find_border(self, before: TableDescription) -> Refusal | None:
        if not (before.is_global and self._reaches_every_region):
            return None
        message = f"{before.table} is a global table: a change would reach every Region"
        return Refusal(kind=OutcomeKind.UNSUPPORTED, message=message)

    def _find_expiry(self, plan: Plan) -> Refusal | None:
        late_s = self._clock.now() - plan.expires_at
        if late_s < 0:
            return None
        message = f"decided at {plan.decided_at:.3f}, expired {late_s:.3f} s ago"
        return Refusal(kind=OutcomeKind.EXPIRED, message=message)

    def _end(
        self,
        plan: Plan,
        refusal: Refusal | None,
        *,
        before: TableDescription | None = None,
        sent: tuple[CapacityChange, ...] = (),
    ) -> Outcome:
        return Outcome(
            plan=plan,
            kind=refusal.kind if refusal else OutcomeKind.REQUESTED,
            ended_at=self._clock.now(),
            sent=sent,
            before=before,
            message=refusal.message if refusal else "",
            retry_at=refusal.retry_at if refusal else None,
            reserved=refusal.reserved if refusal else None,
        )


def _find_hindrance(
    plan: Plan, before: TableDescription, *, changes: tuple[CapacityChange, ...]
) -> Refusal | None:
    """Say what in the re-read keeps the call from being made, gravest first."""
    if plan.switch is not None:
        return _find_switch_hindrance(plan, before, to=plan.switch.to)
    if before.billing_mode is not BillingMode.PROVISIONED:
        message = f"{before.table} is {before.billing_mode}: it has no capacity to set"
        return Refusal(kind=OutcomeKind.UNSUPPORTED, message=message)
    if missing := find_missing(plan, before):
        message = f"not there: {', '.join(map(str, missing))}"
        return Refusal(kind=OutcomeKind.NOT_FOUND, message=message)
    if not before.is_settled:
        return Refusal(kind=OutcomeKind.BUSY, message=f"changing: {_name_unsettled(before)}")
    if not changes:
        return Refusal(kind=OutcomeKind.UNCHANGED, message="provisioned already")
    return None


def _find_switch_hindrance(
    plan: Plan, before: TableDescription, *, to: BillingMode
) -> Refusal | None:
    """As ``_find_hindrance``, of a switch; for one, an index that is backfilling is not settled."""
    if unsettled := _name_unsettled(before):
        return Refusal(kind=OutcomeKind.BUSY, message=f"changing: {unsettled}")
    if before.billing_mode is to:
        return Refusal(kind=OutcomeKind.UNCHANGED, message=f"{before.table} is {to} already")
    if missing := find_missing(plan, before):
        message = f"not there: {', '.join(map(str, missing))}"
        return Refusal(kind=OutcomeKind.NOT_FOUND, message=message)
    named = {change.resource for change in plan.changes}
    unnamed = [str(r.resource) for r in before.resources if r.resource not in named]
    if to is BillingMode.PROVISIONED and unnamed:
        message = f"no units are named for {', '.join(unnamed)}"
        return Refusal(kind=OutcomeKind.INVALID, message=message)
    return None


def _name_unsettled(before: TableDescription) -> str:
    return ", ".join(
        f"{description.resource} is {description.status}"
        for description in before.resources
        if description.status is not ResourceStatus.ACTIVE
    )
