"""Both journals keep the same promises, SQLite's in a file and DynamoDB's in moto's server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import get_session

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.journal.dynamodb import DynamoDbJournal
from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.adapters.journal.state_table import (
    check_state_table,
    make_state_table,
    open_state_client,
)
from capacity_pilot.adapters.lease import DynamoDbLease
from capacity_pilot.core.errors import InputError, JournalError, LeaseError
from capacity_pilot.core.ports import Journal
from capacity_pilot.core.record import Record, RecordKind, first_id
from tests.moto_server import serve_moto

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

STATE = "pilot-state"
NOW = time.time()  # items expire by the server's clock


def record(number: int, kind: RecordKind = RecordKind.CALL, call: str | None = None) -> Record:
    name = f"{first_id(NOW)}-{number}"
    return Record(id=name, at=NOW, kind=kind, table="feed", call=call, body={"n": number})


class HandMovedClock:
    """Seconds since boot, as a lease counts them."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def wait_for_lease(standby: DynamoDbLease, clock: HandMovedClock) -> None:
    """Looks once a second until the lease is the standby's, at most 15 s."""
    began = clock.seconds
    while standby.token is None:
        clock.seconds += 1.0
        assert clock.seconds - began <= 15.0
        await standby.keep()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
async def client(endpoint: str) -> AsyncIterator[DynamoDBClient]:
    session = get_session()
    session.set_credentials("an-id", "a-secret")
    async with open_state_client(
        region="eu-west-1", endpoint_url=endpoint, session=session
    ) as opened:
        yield opened


@pytest.fixture
async def state(client: DynamoDBClient) -> AsyncIterator[str]:
    await make_state_table(client, STATE)
    yield STATE
    await client.delete_table(TableName=STATE)


@pytest.fixture(params=["sqlite", "dynamodb"])
async def journal(
    request: pytest.FixtureRequest, tmp_path: Path, client: DynamoDBClient, state: str
) -> AsyncIterator[Journal]:
    async with AsyncExitStack() as stack:
        if request.param == "sqlite":
            yield await stack.enter_async_context(open_sqlite_journal(tmp_path / "journal.db"))
        else:
            lease = DynamoDbLease(client, state, pilot="a", clock=HandMovedClock())
            await lease.keep()
            yield DynamoDbJournal(client, state, lease=lease, keep_s=86_400.0, clock=SystemClock())


async def test_a_call_stays_open_until_its_answer_is_recorded(journal: Journal) -> None:
    call = record(1)
    await journal.append([call])
    await journal.append([call])  # a write whose answer was lost is written again
    assert [open_call.id for open_call in await journal.unanswered()] == [call.id]
    await journal.append([record(2, RecordKind.ANSWER, call.id)])
    assert await journal.unanswered() == ()
    told = await journal.read(since=NOW, table="feed")
    assert [entry.body["n"] for entry in told] == [1, 2]
    assert await journal.read(since=NOW, table="another") == ()


async def test_a_record_that_reaches_the_table_after_its_answers_opens_no_call(
    client: DynamoDBClient, state: str
) -> None:
    """The first write was given up, and is carried out when all is over."""
    lease = DynamoDbLease(client, state, pilot="a", clock=HandMovedClock())
    await lease.keep()
    journal = DynamoDbJournal(client, state, lease=lease, keep_s=86_400.0, clock=SystemClock())
    call = record(1)
    await journal.append([call, record(2, RecordKind.ANSWER, call.id)])
    await journal.append([call])
    assert await journal.unanswered() == ()
    assert await journal.unanswered() == ()
    await journal.append([record(3)])
    assert [open_call.id for open_call in await journal.unanswered()] == [record(3).id]


async def test_a_document_is_the_last_one_saved_whatever_its_size(journal: Journal) -> None:
    assert await journal.load("pilot") is None
    large = bytes(range(256)) * 4000  # several items of DynamoDB's 400 kB
    for content in (b"old", large, b"", large):
        await journal.save("pilot", content)
        assert await journal.load("pilot") == content


async def test_a_second_pilot_on_the_same_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    async with open_sqlite_journal(file):
        with pytest.raises(InputError, match=r"journal\.db"):
            async with open_sqlite_journal(file):
                pass


async def test_what_was_recorded_is_there_in_the_next_process(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    async with open_sqlite_journal(file) as first:
        await first.append([record(1)])
    async with open_sqlite_journal(file) as second:
        assert [call.id for call in await second.unanswered()] == [record(1).id]
        await second.prune(NOW + 1)
        assert await second.read(since=0) == ()


async def test_a_journal_that_cannot_be_written_says_so_at_every_record(tmp_path: Path) -> None:
    async with open_sqlite_journal(tmp_path / "missing" / "journal.db") as journal:
        for number in range(2):
            with pytest.raises(JournalError):
                await journal.append([record(number)])


async def test_a_missing_state_table_is_named(client: DynamoDBClient) -> None:
    with pytest.raises(InputError, match="not-there"):
        await check_state_table(client, "not-there")


async def test_a_standby_takes_over_from_a_dead_holder_within_15_s(
    client: DynamoDBClient, state: str
) -> None:
    """And what the dead one still would write, had it only been paused, the server refuses."""
    clock = HandMovedClock()
    holder = DynamoDbLease(client, state, pilot="a", clock=clock)
    standby = DynamoDbLease(client, state, pilot="b", clock=clock)
    await holder.keep()
    await standby.keep()
    assert (holder.token, standby.token) == (1, None)
    stale = DynamoDbJournal(client, state, lease=holder, keep_s=86_400.0, clock=SystemClock())
    await stale.append([record(1)])
    await wait_for_lease(standby, clock)
    assert standby.token == 2
    assert not holder.is_held_for(0.0)
    for write in (stale.append([record(2)]), stale.save("pilot", b"stale")):
        with pytest.raises(LeaseError):
            await write
    own = DynamoDbJournal(client, state, lease=standby, keep_s=86_400.0, clock=SystemClock())
    await own.append([record(3)])
    assert [call.id for call in await own.unanswered()] == [record(1).id, record(3).id]


async def test_a_holder_paused_after_it_looked_at_its_lease_is_refused_by_the_server(
    client: DynamoDBClient, state: str
) -> None:
    """Its clock stands still, as a process's does that was stopped before its write."""
    stopped, running = HandMovedClock(), HandMovedClock()
    holder = DynamoDbLease(client, state, pilot="a", clock=stopped)
    standby = DynamoDbLease(client, state, pilot="b", clock=running)
    await holder.keep()
    await wait_for_lease(standby, running)
    assert holder.is_held_for(5.0)  # so it still believes
    late = DynamoDbJournal(client, state, lease=holder, keep_s=86_400.0, clock=SystemClock())
    for write in (late.append([record(1)]), late.save("pilot", b"late")):
        with pytest.raises(LeaseError):
            await write
    assert await late.load("pilot") is None
    await holder.keep()
    assert holder.token is None


async def test_a_holder_that_ends_gives_the_lease_away_at_once(
    client: DynamoDBClient, state: str
) -> None:
    clock = HandMovedClock()
    holder = DynamoDbLease(client, state, pilot="a", clock=clock)
    standby = DynamoDbLease(client, state, pilot="b", clock=clock)
    await holder.keep()
    await holder.release()
    await standby.keep()
    assert (holder.token, standby.token) == (None, 2)
