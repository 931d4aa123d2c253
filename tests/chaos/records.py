"""Where the pilots of a run keep their records: a file to each machine, or one state table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from capacity_pilot.adapters.journal.dynamodb import DynamoDbJournal
from capacity_pilot.adapters.journal.sqlite import SqliteJournal, read_documents
from capacity_pilot.adapters.lease import DynamoDbLease
from capacity_pilot.core.ports import Journal
from tests.chaos import state_table
from tests.chaos.aws import Account
from tests.chaos.clients import StoreClient
from tests.chaos.pilot_process import MachineClock
from tests.chaos.schedule import Schedule
from tests.chaos.virtual_time import VirtualLoop


class Records:
    """``open_file`` is a machine's, ``None`` where pilots share a state table."""

    def __init__(
        self, schedule: Schedule, account: Account, loop: VirtualLoop, folder: Path
    ) -> None:
        self._is_shared = schedule.has_lease
        self._account = account
        self._loop = loop
        self._folder = folder

    def open_file(self, place: int) -> SqliteJournal | None:
        return None if self._is_shared else SqliteJournal(self._path(place))

    def open_for_reading(self, place: int) -> Journal:
        """A machine's, or what all have written."""
        if not self._is_shared:
            return SqliteJournal(self._path(place))
        client: Any = StoreClient(self._account, self._loop, process=0, notice=lambda *_: None)
        clock = MachineClock(self._account, self._loop, drift=0.0)
        lease = DynamoDbLease(client, state_table.NAME, pilot="reader", clock=lambda: 0.0)
        return DynamoDbJournal(client, state_table.NAME, lease=lease, keep_s=0.0, clock=clock)

    def read_now(self, place: int, name: str) -> bytes | None:
        """A document as whoever comes next finds it."""
        if not self._is_shared:
            return read_documents(self._path(place)).get(name)
        return state_table.read_document(self._account.store, name)

    def _path(self, place: int) -> Path:
        return self._folder / f"journal-{place}"
