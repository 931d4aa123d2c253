"""The journal that several pilots share, in the state table.

A call is recorded under the condition that the lease is still this pilot's: the server refuses
the record of one that was paused and has lost it, and without its record no call is made.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from capacity_pilot.adapters.journal.state_table import LEASE_KEY, STORE_ERRORS, code_of
from capacity_pilot.core.errors import JournalError, LeaseError
from capacity_pilot.core.ports import Clock
from capacity_pilot.core.record import Record, RecordKind, first_id

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

    from capacity_pilot.adapters.lease import DynamoDbLease

PART_BYTES: Final = 350_000
"""An item may have 400 KB (Amazon DynamoDB service quotas)."""

_AT_ONCE: Final = 30
"""Records to a transaction: three items each at most, of the hundred it may have."""

_CLOCKS_S: Final = 600.0
"""An answer was recorded no longer before its call, whatever the pilots' clocks say."""

_OPEN: Final = "open"
_CURRENT: Final = "current"


class DynamoDbJournal:
    """A journal in the state table; see ``Journal`` for the port.

    Records expire after ``keep_s``, deleted by DynamoDB itself; documents stay. That the lease is
    still held is a condition of every call's record and of every document.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        lease: DynamoDbLease,
        keep_s: float,
        clock: Clock,
    ) -> None:
        self._client = client
        self._table = table
        self._lease = lease
        self._keep_s = keep_s
        self._clock = clock

    async def append(self, records: Sequence[Record]) -> None:
        for first in range(0, len(records), _AT_ONCE):
            part = records[first : first + _AT_ONCE]
            answered = {record.call for record in part}
            actions = [
                action
                for record in part
                for action in self._actions(record, is_open=record.id not in answered)
            ]
            if any(record.kind is RecordKind.CALL for record in part):
                actions.append(self._condition())
            try:
                await self._client.transact_write_items(TransactItems=actions)
            except STORE_ERRORS as error:
                raise self._explain(error) from error

    async def unanswered(self) -> tuple[Record, ...]:
        """A record that was given up may arrive after that of its answer: it opens no call."""
        opened = [_read_item(item) for item in await self._query(_OPEN)]
        if not opened:
            return ()
        since = min(call.at for call in opened) - _CLOCKS_S
        answered = {record.call for record in await self.read(since=since)}
        for call in opened:
            if call.id in answered:
                await self._delete(_OPEN, call.id)
        return tuple(call for call in opened if call.id not in answered)

    async def read(self, *, since: float, table: str | None = None) -> tuple[Record, ...]:
        found: list[Record] = []
        day = datetime.fromtimestamp(since, UTC).date()
        while day <= datetime.fromtimestamp(self._clock.now(), UTC).date():
            items = await self._query(f"day#{day}", "sk >= :sk", first_id(since))
            found += (_read_item(item) for item in items)
            day += timedelta(days=1)
        return tuple(record for record in found if table in (None, record.table))

    async def save(self, name: str, content: bytes) -> None:
        """Writes the parts, then says that they are current: whoever reads sees one or the other.

        A pilot that lost the lease may write parts, but not that.
        """
        before = await self._current(name)
        version = uuid.uuid4().hex
        parts = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
        try:
            for key, part in zip(_part_keys(name, version, len(parts)), parts, strict=True):
                item: Any = {**key, "content": {"B": part}}
                await self._client.put_item(TableName=self._table, Item=item)
            current = {"version": {"S": version}, "parts": {"N": str(len(parts))}}
            put = self._put_action({**_key(name, _CURRENT), **current})
            await self._client.transact_write_items(TransactItems=[self._condition(), put])
            for key in _part_keys(name, *(before or ("", 0))):
                await self._client.delete_item(TableName=self._table, Key=key)
        except STORE_ERRORS as error:
            raise self._explain(error) from error

    async def load(self, name: str) -> bytes | None:
        current = await self._current(name)
        if current is None:
            return None
        version, count = current
        of_version = "begins_with(sk, :sk)", f"part#{version}#"
        parts = await self._query(f"document#{name}", *of_version)
        if len(parts) != count:
            raise JournalError(f"{self._table}: {name} has {len(parts)} parts of {count}")
        return b"".join(bytes(part["content"]["B"]) for part in parts)

    async def prune(self, _: float) -> None:
        """Nothing is left to do: what is old expires."""

    def _actions(self, record: Record, *, is_open: bool) -> Iterator[Any]:
        """Of one item a transaction may make one change: a call that its own answer accompanies is
        not opened at all.
        """
        item = self._item(record)
        day = datetime.fromtimestamp(record.at, UTC).date()
        yield self._put_action({**item, "pk": {"S": f"day#{day}"}})
        if record.kind is RecordKind.CALL and is_open:
            yield self._put_action({**item, "pk": {"S": _OPEN}})
        if record.kind is RecordKind.ANSWER and record.call is not None:
            key = {"pk": {"S": _OPEN}, "sk": {"S": record.call}}
            yield {"Delete": {"TableName": self._table, "Key": key}}

    def _put_action(self, item: dict[str, Any]) -> Any:
        return {"Put": {"TableName": self._table, "Item": item}}

    def _condition(self) -> Any:
        return {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": LEASE_KEY,
                "ConditionExpression": "holder = :pilot AND #token = :token",
                "ExpressionAttributeNames": {"#token": "token"},
                "ExpressionAttributeValues": {
                    ":pilot": {"S": self._lease.pilot},
                    ":token": self._term(),
                },
            }
        }

    def _term(self) -> dict[str, str]:
        token = self._lease.token
        if token is None:
            raise LeaseError(f"{self._table}: the lease is not this pilot's")
        return {"N": str(token)}

    def _item(self, record: Record) -> dict[str, Any]:
        item = {
            "sk": {"S": record.id},
            "at": {"N": repr(record.at)},
            "kind": {"S": record.kind.value},
            "table": {"S": record.table},
            "body": {"S": json.dumps(record.body)},
            "expires_at": {"N": str(int(record.at + self._keep_s))},
        }
        return item if record.call is None else {**item, "call": {"S": record.call}}

    async def _delete(self, pk: str, sk: str) -> None:
        key: Any = {"pk": {"S": pk}, "sk": {"S": sk}}
        try:
            await self._client.delete_item(TableName=self._table, Key=key)
        except STORE_ERRORS as error:
            raise self._explain(error) from error

    async def _current(self, name: str) -> tuple[str, int] | None:
        """A document's version and how many parts it has."""
        try:
            answer = await self._client.get_item(
                TableName=self._table, Key=_key(name, _CURRENT), ConsistentRead=True
            )
        except STORE_ERRORS as error:
            raise self._explain(error) from error
        item: Any = answer.get("Item")
        return None if item is None else (item["version"]["S"], int(item["parts"]["N"]))

    async def _query(self, pk: str, condition: str = "", value: str = "") -> list[Any]:
        """The items of ``pk`` whose ``sk`` fulfils the condition on ``:sk``, in order."""
        values = {":pk": {"S": pk}} | ({":sk": {"S": value}} if condition else {})
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"pk = :pk{' AND ' if condition else ''}{condition}",
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        try:
            return [item async for page in pages for item in page["Items"]]
        except STORE_ERRORS as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> JournalError | LeaseError:
        if isinstance(error, ClientError):
            reasons = error.response.get("CancellationReasons", [])
            lost = any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons)
            if lost or code_of(error) == "ConditionalCheckFailedException":
                return LeaseError(f"{self._table}: the lease is another pilot's by now")
        return JournalError(f"{self._table}: {error or 'timed out'}")


def _key(name: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": f"document#{name}"}, "sk": {"S": sk}}


def _part_keys(name: str, version: str, count: int) -> list[dict[str, Any]]:
    return [_key(name, f"part#{version}#{number:04d}") for number in range(count)]


def _read_item(item: Any) -> Record:
    call = item.get("call")
    return Record(
        id=item["sk"]["S"],
        at=float(item["at"]["N"]),
        kind=RecordKind(item["kind"]["S"]),
        table=item["table"]["S"],
        call=None if call is None else call["S"],
        body=json.loads(item["body"]["S"]),
    )
