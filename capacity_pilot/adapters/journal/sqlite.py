"""The journal of a single pilot, in a SQLite file.

Write-ahead log, synced at every commit, so that what was appended survives a loss of power. All
of it runs in one thread beside the event loop. The file is opened at first use and again after
every failure, since the disk may be full or missing for a while.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from capacity_pilot.core.errors import InputError, JournalError
from capacity_pilot.core.record import Record, RecordKind, first_id

SCHEMA_VERSION: Final = 1

_BUSY_S: Final = 1.0
_PRUNED_AT_ONCE: Final = 10_000
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS records (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    table_name TEXT NOT NULL,
    call TEXT,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS records_of_table ON records (table_name, id);
CREATE TABLE IF NOT EXISTS open_calls (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS documents (name TEXT PRIMARY KEY, content BLOB NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
"""
_COLUMNS: Final = "id, at, kind, table_name, call, body"

Answer = TypeVar("Answer")


class SqliteJournal:
    """A journal in the file at ``path``, made where it is missing; see ``Journal`` for the port."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._database: sqlite3.Connection | None = None

    async def append(self, records: Sequence[Record]) -> None:
        rows = [(r.id, r.at, r.kind, r.table, r.call, json.dumps(r.body)) for r in records]
        calls = [(r.id,) for r in records if r.kind is RecordKind.CALL]
        answered = [(r.call,) for r in records if r.kind is RecordKind.ANSWER]

        def write(database: sqlite3.Connection) -> None:
            insert = f"INSERT OR IGNORE INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608
            database.executemany(insert, rows)
            database.executemany("INSERT OR IGNORE INTO open_calls VALUES (?)", calls)
            database.executemany("DELETE FROM open_calls WHERE id = ?", answered)

        await self._run(write)

    async def unanswered(self) -> tuple[Record, ...]:
        return await self._select("WHERE id IN (SELECT id FROM open_calls) ORDER BY id")

    async def read(self, *, since: float, table: str | None = None) -> tuple[Record, ...]:
        if table is None:
            return await self._select("WHERE id >= ? ORDER BY id", first_id(since))
        where = "WHERE table_name = ? AND id >= ? ORDER BY id"
        return await self._select(where, table, first_id(since))

    async def save(self, name: str, content: bytes) -> None:
        await self._run(
            lambda d: d.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (name, content))
        )

    async def load(self, name: str) -> bytes | None:
        select = "SELECT content FROM documents WHERE name = ?"
        found = await self._run(lambda d: d.execute(select, (name,)).fetchone())
        return None if found is None else bytes(found[0])

    async def prune(self, before: float) -> None:
        """Deletes in parts, so that no call waits for long."""
        oldest = "SELECT id FROM records WHERE id < ? ORDER BY id LIMIT ?"
        delete = f"DELETE FROM records WHERE id IN ({oldest})"  # noqa: S608 (no value is in it)
        arguments = (first_id(before), _PRUNED_AT_ONCE)
        while await self._run(lambda d: d.execute(delete, arguments).rowcount) == _PRUNED_AT_ONCE:
            pass
        orphans = "DELETE FROM open_calls WHERE id < ?"
        await self._run(lambda d: d.execute(orphans, (first_id(before),)))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _select(self, where: str, *arguments: object) -> tuple[Record, ...]:
        select = f"SELECT {_COLUMNS} FROM records {where}"  # noqa: S608 (no value is in it)
        rows = await self._run(lambda d: d.execute(select, arguments).fetchall())
        return tuple(_read_row(*row) for row in rows)

    async def _run(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """One transaction, in the journal's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, work)

    def _transact(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        try:
            self._database = database = self._database or self._open()
            with _transaction(database):
                return work(database)
        except (sqlite3.Error, OSError) as error:
            self._close()
            raise JournalError(f"{self._path}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(database, self._path)
        except BaseException:
            database.close()
            raise
        return database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


@asynccontextmanager
async def open_sqlite_journal(path: Path) -> AsyncIterator[SqliteJournal]:
    """A journal for this process alone. Raises ``InputError`` if another one writes to it.

    A path that cannot be written to is no reason to raise: every append says so.
    """
    with _claim(path.with_name(f"{path.name}.lock")):
        journal = SqliteJournal(path)
        try:
            yield journal
        finally:
            await journal.close()


@contextmanager
def _claim(path: Path) -> Iterator[None]:
    """A lock that ends with the process, however it ends."""
    try:
        lock: IO[Any] | None = path.open("w")
    except OSError:
        lock = None
    if lock is None:
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"journal: another pilot writes to {path.with_suffix('')}; several pilots share a "
                "--state-table"
            ) from error
        yield


def read_documents(path: Path) -> dict[str, bytes]:
    """All documents of a journal, which a pilot may be writing to. Raises ``InputError``."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return dict(database.execute("SELECT name, content FROM documents"))
        finally:
            database.close()
    except sqlite3.Error as error:
        raise InputError(f"journal: {path}: {error}") from error


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    version = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} has schema {version}, a later release's; this one knows {SCHEMA_VERSION}"
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    if version < SCHEMA_VERSION:
        database.executescript(_SCHEMA)


def _read_row(
    identifier: str, at: float, kind: str, table: str, call: str | None, body: str
) -> Record:
    return Record(
        id=identifier,
        at=at,
        kind=RecordKind(kind),
        table=table,
        call=call,
        body=json.loads(body),
    )
