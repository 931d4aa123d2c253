"""Gives back what a daemon has changed of Application Auto Scaling, without the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.lease import KEEP_S, LEASE_S, DynamoDbLease
from capacity_pilot.core.errors import InputError, LeaseError
from capacity_pilot.core.model import ScalableTarget
from capacity_pilot.daemon.bookkeeping import Bookkeeper
from capacity_pilot.daemon.driving import open_registrations
from capacity_pilot.daemon.store import open_store
from capacity_pilot.settings import StoreSettings

_FLUSH_S = 3.0
_LOOKS = int(LEASE_S / KEEP_S) + 3
"""A lease that nobody keeps is over by then."""


async def hand_back(settings: StoreSettings) -> tuple[ScalableTarget, ...]:
    """The targets that were given back.

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
        book = await stack.enter_async_context(_write(Bookkeeper(store.journal, clock=clock)))
        registrations = await open_registrations(
            settings,
            stack,
            book=book,
            clock=clock,
            may_send=lambda seconds: lease is None or lease.is_held_for(seconds),
        )
        await registrations.holds.load()
        held = tuple(sorted(registrations.holds.all))
        await registrations.give_back(held)
    return held


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
