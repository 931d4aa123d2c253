"""What a daemon's journal keeps that policies can be tried on, wherever the journal is."""

from __future__ import annotations

import asyncio
from pathlib import Path

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.demand_record import DOCUMENTS, TAGS
from capacity_pilot.adapters.journal.dynamodb import DynamoDbJournal
from capacity_pilot.adapters.journal.sqlite import read_documents
from capacity_pilot.adapters.journal.state_table import check_state_table, open_state_client
from capacity_pilot.adapters.lease import DynamoDbLease
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.snapshot import decode
from capacity_pilot.daemon.policy_versions import DOCUMENT
from capacity_pilot.daemon.snapshots import DOCUMENT as SNAPSHOT

_NAMES = (DOCUMENT, TAGS, *DOCUMENTS)
_READ_TIMEOUT_S = 20.0


def read_file(path: Path) -> dict[str, bytes]:
    """The documents of a file, which a daemon may be writing to. Raises ``InputError``."""
    kept = read_documents(path)
    return {name: kept[name] for name in _NAMES if name in kept}


def read_signals(path: Path, now: float) -> frozenset[str]:
    """Names of the signals that the file's daemon heard until it last saved what it knows. Raises
    ``InputError``, as of one that has saved nothing yet or is of another release.
    """
    kept = read_documents(path)
    if SNAPSHOT not in kept:
        raise InputError(f"{path}: nothing is known of signals yet: a daemon saves it every minute")
    known = decode(kept[SNAPSHOT], now).signals
    return frozenset(name for _, name in (*known.names, *known.busiest))


def read_table(name: str, *, region: str, endpoint_url: str | None) -> dict[str, bytes]:
    """Those of a state table. Raises ``InputError`` for one that is none, ``JournalError``."""
    return asyncio.run(_read_table(name, region=region, endpoint_url=endpoint_url))


async def _read_table(name: str, *, region: str, endpoint_url: str | None) -> dict[str, bytes]:
    async with open_state_client(
        region=region, endpoint_url=endpoint_url, read_timeout_s=_READ_TIMEOUT_S
    ) as client:
        await check_state_table(client, name)
        lease = DynamoDbLease(client, name, pilot="reader")  # never asked for: nothing is written
        journal = DynamoDbJournal(client, name, lease=lease, keep_s=0.0, clock=SystemClock())
        found = {document: await journal.load(document) for document in _NAMES}
    return {document: content for document, content in found.items() if content is not None}
