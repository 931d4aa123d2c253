"""Where the daemon keeps what it must not lose, as its settings say."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from capacity_pilot.adapters.journal.dynamodb import DynamoDbJournal
from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.adapters.journal.state_table import check_state_table, open_state_client
from capacity_pilot.adapters.lease import DynamoDbLease
from capacity_pilot.core.ports import Clock, Journal
from capacity_pilot.settings import StoreSettings

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Store:
    """``None`` for what there is not: a lease only where pilots share a table."""

    pilot: str
    journal: Journal | None
    lease: DynamoDbLease | None


@asynccontextmanager
async def open_store(settings: StoreSettings, clock: Clock, *, role: str) -> AsyncIterator[Store]:
    """``role`` is what the process's name begins with.

    Raises ``InputError`` for a state table that is not there, or a file in another's use.
    """
    pilot = f"{role}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    if settings.state_table is not None:
        async with open_state_client(
            region=settings.region or "",
            endpoint_url=settings.state_endpoint_url or settings.endpoint_url,
        ) as client:
            await check_state_table(client, settings.state_table)
            lease = DynamoDbLease(client, settings.state_table, pilot=pilot)
            journal = DynamoDbJournal(
                client,
                settings.state_table,
                lease=lease,
                keep_s=settings.journal_days * DAY_S,
                clock=clock,
            )
            yield Store(pilot, journal, lease)
    elif settings.journal is not None:
        async with open_sqlite_journal(settings.journal) as file:
            yield Store(pilot, file, None)
    else:
        yield Store(pilot, None, None)
