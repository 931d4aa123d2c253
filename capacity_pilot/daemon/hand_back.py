"""Gives back what a daemon has changed of Application Auto Scaling, without the daemon, and raises
what has nobody else to scale it to the level that is safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from capacity_pilot.adapters.aws.dynamodb import DynamoDbGateway, open_gateway
from capacity_pilot.adapters.aws.registrations import Registrations
from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.lease import KEEP_S, LEASE_S, DynamoDbLease
from capacity_pilot.adapters.otlp.estimate import Estimator
from capacity_pilot.adapters.otlp.intake import Intake
from capacity_pilot.core.errors import InputError, LeaseError
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Clock
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.brake_keeping import BrakeKeeping
from capacity_pilot.daemon.control_loop import ControlLoop, Surroundings
from capacity_pilot.daemon.driving import open_registrations, route_tables
from capacity_pilot.daemon.safe_levels import load_policies_in_force, pause_for, raise_to_safe
from capacity_pilot.daemon.store import open_store
from capacity_pilot.settings import StoreSettings

_APPLY_TIME_S = 30.0
_DESCRIBE_S = 30.0
_FLUSH_S = 3.0
_LOOKS = int(LEASE_S / KEEP_S) + 3
"""A lease that nobody keeps is over by then."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """``given_back`` to Application Auto Scaling, and ``raised`` to what is safe."""

    given_back: tuple[ScalableTarget, ...] = ()
    raised: tuple[ScalableTarget, ...] = ()


async def hand_back(settings: StoreSettings) -> HandedBack:
    """Gives back what was held, then raises what has no scalable target to what is safe, by the
    policies that the daemon had in force, if it changed tables at all.

    Raises ``InputError`` where there is no journal or a daemon is at work on it, ``LeaseError``
    where one holds the lease, and ``GatewayError`` for what could not be given back.
    """
    if settings.state_table is None and (settings.journal is None or not settings.journal.exists()):
        raise InputError(f"journal {settings.journal}: there is no such file, and no --state-table")
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings, clock, role="hand-back"))
        lease = store.lease
        if lease is not None:
            await stack.enter_async_context(_take(lease))

        def may_send(seconds: float) -> bool:
            return lease is None or lease.is_held_for(seconds)

        book = await stack.enter_async_context(_write(Bookkeeper(store.journal, clock=clock)))
        registrations = await open_registrations(
            settings, stack, book=book, clock=clock, may_send=may_send
        )
        await registrations.holds.load()
        held = tuple(sorted(registrations.holds.all))
        await registrations.give_back(held)
        policies = await load_policies_in_force(store.journal)
        if policies is None:
            return HandedBack(held)
        dynamodb = await stack.enter_async_context(
            open_gateway(
                region=settings.region or "",
                endpoint_url=settings.endpoint_url,
                clock=clock,
                book=book,
                may_send=may_send,
            )
        )
        return HandedBack(held, await _raise(policies, dynamodb, registrations, book, clock))


async def _raise(
    policies: PolicySet,
    dynamodb: DynamoDbGateway,
    registrations: Registrations,
    book: Bookkeeper,
    clock: Clock,
) -> tuple[ScalableTarget, ...]:
    policies = await _read_tags(policies, dynamodb)
    pilot = Pilot(
        policies, limits=await dynamodb.limits(), apply_time_s=_APPLY_TIME_S, now=clock.now()
    )
    pilot.heed(await BrakeKeeping(book).read())
    calls: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        calls.add(task)
        task.add_done_callback(calls.discard)

    gateway = route_tables(
        dynamodb,
        registrations,
        mode_of=pilot.mode_for,
        is_shadow=False,
        apply_time_s=_APPLY_TIME_S,
        clock=clock,
    )
    around = Surroundings(
        gateway=gateway,
        intake=Intake(),
        item_sizes=Estimator(),
        clock=clock,
        book=book,
        spawn=spawn,
        is_active=lambda: True,
    )
    loop = ControlLoop(pilot, around, describe_s=_DESCRIBE_S)
    await loop.discover()
    await registrations.read(pilot.resources)
    await loop.reread(pilot.descriptions)
    return await raise_to_safe(loop, clock=clock, pause=lambda: pause_for(calls))


async def _read_tags(policies: PolicySet, dynamodb: DynamoDbGateway) -> PolicySet:
    """The policies over tables whose tags are known, where they go by tags."""
    tables = [t for t in await dynamodb.list_tables() if policies.hangs_on_tags(t)]
    known = {table: await dynamodb.tags(table) for table in tables}
    return policies.knowing({table: tags for table, tags in known.items() if tags is not None})


@asynccontextmanager
async def _write(book: Bookkeeper) -> AsyncIterator[Bookkeeper]:
    """The book, with someone who writes it."""
    writing = asyncio.create_task(book.write_on())
    try:
        yield book
    finally:
        await book.flush(within_s=_FLUSH_S)
        writing.cancel()


@asynccontextmanager
async def _take(lease: DynamoDbLease) -> AsyncIterator[None]:
    """Holds the lease meanwhile, once nobody else does."""
    for _ in range(_LOOKS):
        await lease.keep()
        if lease.token is not None:
            break
        await asyncio.sleep(KEEP_S)
    else:
        raise LeaseError(f"{lease.holder} is at work: stop it, then it gives back by itself")
    keeping = asyncio.create_task(_keep(lease))
    try:
        yield
    finally:
        keeping.cancel()
        await lease.release()


async def _keep(lease: DynamoDbLease) -> None:
    while True:
        await asyncio.sleep(KEEP_S)
        await lease.keep()
