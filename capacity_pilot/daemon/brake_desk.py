"""Freezes and overrides taken, ended and told of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import structlog

from capacity_pilot.core.brakes import (
    NO_BRAKES,
    Brake,
    Brakes,
    FreezeInForce,
    FreezeOrder,
    Order,
    OverrideInForce,
    OverrideOrder,
)
from capacity_pilot.core.errors import InputError, OverloadedError, RetryableError
from capacity_pilot.core.override_bounds import check_override
from capacity_pilot.core.pilot import Pilot, Step
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.record import RecordKind
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_keeping import BrakeKeeping
from capacity_pilot.daemon.brake_rendering import render_brake
from capacity_pilot.daemon.override_warnings import warn_of_override

MOST_IN_FORCE = 1000

_SELF = "capacity-pilot"
_IN_SHADOW = "this process runs in shadow: nothing is changed"

Told = dict[str, object]

log = structlog.get_logger("capacity_pilot")


class BrakeDesk:
    """The API's view of one pilot's brakes. ``latest`` gives the last tick, ``None`` before it.

    An order is in force before it is written down: a brake has to work where the disk is full.
    While ``is_active`` says no, another pilot's orders count, and none is taken.
    """

    def __init__(
        self,
        pilot: Pilot,
        *,
        clock: Clock,
        latest: Callable[[], Step | None],
        book: Bookkeeper,
        is_active: Callable[[], bool],
        is_shadow: bool = False,
    ) -> None:
        self._pilot = pilot
        self._clock = clock
        self._latest = latest
        self._keeping = BrakeKeeping(book)
        self._is_active = is_active
        self._is_shadow = is_shadow
        self._brakes = NO_BRAKES
        self._is_unread = False

    async def restore(self) -> None:
        """Takes up what was in force when the last holder of the lease ended.

        Raises ``RetryableError`` where that cannot be read; call it again then, and nothing ordered
        meanwhile is lost.
        """
        try:
            brakes = await self._keeping.read()
        except RetryableError:
            self._is_unread = True
            raise
        if self._is_unread:
            self._is_unread = False
            brakes = brakes.joined(self._brakes)
            await self._keeping.keep(brakes)
        self._put(brakes)
        if brakes != NO_BRAKES:
            log.info("brakes_restored", **self.report())

    async def freeze(self, order: FreezeOrder) -> tuple[Told, bool]:
        """Gives the freeze as taken, and whether it took the place of an earlier one.

        Raises ``InputError`` where it would freeze nothing, ``OverloadedError`` for one too many.
        """
        self._refuse_on_standby()
        now = self._clock.now()
        if not self._frozen_by(order):
            raise InputError(
                f"tables: fits none of the {len(self._pilot.descriptions)} tables managed; "
                "nothing would be frozen"
            )
        freeze = FreezeInForce(
            **order.model_dump(),
            id=f"f{_number(order, now)}",
            since=now,
            until=None if order.lasts is None else now + order.lasts,
        )
        before = self._brakes.in_force(now)
        _refuse_too_many(before.freezes)
        self._put(before.with_freeze(freeze))
        is_update = len(self._brakes.freezes) == len(before.freezes)
        warnings = [_IN_SHADOW] if self._is_shadow else []
        warnings += await self._note(RecordKind.FROZEN, freeze, order, now)
        return self._render(freeze, now) | {"warnings": warnings}, is_update

    async def override(self, order: OverrideOrder) -> tuple[Told, bool]:
        """Gives the override as taken, and whether it took the place of an earlier one.

        Raises ``InputError`` for one that cannot be carried out, ``OverloadedError`` for one too
        many.
        """
        self._refuse_on_standby()
        now = self._clock.now()
        descriptions = self._pilot.descriptions
        policy = self._pilot.policies.policy_for(order.table)
        check_override(order, descriptions=descriptions, policy=policy, limits=self._pilot.limits)
        override = OverrideInForce(
            **order.model_dump(),
            id=f"o{_number(order, now)}",
            since=now,
            until=now + order.lasts,
        )
        before = self._brakes.in_force(now)
        _refuse_too_many(before.overrides)
        self._put(before.with_override(override))
        is_update = len(self._brakes.overrides) == len(before.overrides)
        warnings = [_IN_SHADOW] if self._is_shadow else []
        warnings += warn_of_override(
            order, descriptions[order.table], policy=policy, step=self._latest(), now=now
        )
        warnings += await self._note(RecordKind.OVERRIDDEN, override, order, now)
        return self._render(override, now) | {"warnings": warnings}, is_update

    async def end_freeze(self, number: str, order: Order) -> Told | None:
        """Gives the freeze that was called off, ``None`` where there is none of this id."""
        return await self._end(self._brakes.freezes, number, order)

    async def end_override(self, number: str, order: Order) -> Told | None:
        """Gives the override that was called off, ``None`` where there is none of this id."""
        return await self._end(self._brakes.overrides, number, order)

    def show_freezes(self) -> list[Told]:
        now = self._clock.now()
        return [self._render(freeze, now) for freeze in self._brakes.in_force(now).freezes]

    def show_overrides(self) -> list[Told]:
        now = self._clock.now()
        return [self._render(override, now) for override in self._brakes.in_force(now).overrides]

    def report(self) -> Told:
        """What is in force, for ``/status``."""
        return {"freezes": self.show_freezes(), "overrides": self.show_overrides()}

    async def note_ends(self) -> None:
        """Notes which are over by themselves. Call it regularly; they are over without it."""
        now = self._clock.now()
        over = self._brakes.over(now)
        self._put(self._brakes.in_force(now))
        if not self._is_active():
            return
        for brake in over:
            self._keeping.note(RecordKind.RELEASED, brake, by=_SELF, why="it is over", now=now)

    async def _end(self, brakes: Iterable[Brake], number: str, order: Order) -> Told | None:
        self._refuse_on_standby()
        now = self._clock.now()
        brake = next((b for b in brakes if b.id == number), None)
        if brake is None or brake in self._brakes.over(now):
            return None
        self._put(self._brakes.without(number))
        warnings = await self._note(RecordKind.RELEASED, brake, order, now)
        return self._render(brake, now) | {"warnings": warnings}

    def _refuse_on_standby(self) -> None:
        if not self._is_active():
            raise OverloadedError("this pilot is on standby: order it of the one with the lease")

    def _put(self, brakes: Brakes) -> None:
        self._brakes = brakes
        self._pilot.heed(brakes)

    async def _note(self, kind: RecordKind, brake: Brake, order: Order, now: float) -> list[str]:
        self._keeping.note(kind, brake, by=order.by, why=order.why, now=now)
        if self._is_unread:
            return ["done, but not kept yet: what was kept before could not be read"]
        return await self._keeping.keep(self._brakes)

    def _render(self, brake: Brake, now: float) -> Told:
        told = render_brake(brake, now)
        if isinstance(brake, FreezeInForce):
            told["tables_now"] = self._frozen_by(brake)
        return told

    def _frozen_by(self, order: FreezeOrder) -> list[str]:
        return sorted(table for table in self._pilot.descriptions if order.concerns(table))


def _refuse_too_many(brakes: tuple[Brake, ...]) -> None:
    if len(brakes) >= MOST_IN_FORCE:
        raise OverloadedError(f"{len(brakes)} are in force, which is the most; end some")


def _number(order: Order, now: float) -> str:
    return hashlib.sha256(repr((order, now)).encode()).hexdigest()[:6]
