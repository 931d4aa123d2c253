"""The DynamoDB table that several pilots share: its keys, its items, how it is made and asked.

| ``pk``            | ``sk``                | what                                              |
|-------------------|-----------------------|---------------------------------------------------|
| ``day#2026-11-25``| a record's id         | the records of a UTC day                          |
| ``open``          | a call's id           | the calls without an answer, records as well      |
| ``document#NAME`` | ``current``           | which parts a document has                        |
| ``document#NAME`` | ``part#VERSION#0000`` | at most ``PART_BYTES`` of it                      |
| ``lease``         | ``lease``             | who may change capacity                           |

``expires_at`` (Unix seconds) is the table's TTL attribute; the lease has none.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError

from capacity_pilot import __version__
from capacity_pilot.adapters.aws.refusals import CALL_ERRORS
from capacity_pilot.core.errors import GatewayError, InputError

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

STATE_PERMISSIONS: Final = frozenset(
    f"dynamodb:{name}"
    for name in ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
)
"""What the process's IAM role needs on the table. Transactions are allowed by their parts."""

LEASE_KEY: Final = {"pk": {"S": "lease"}, "sk": {"S": "lease"}}

STORE_ERRORS = (*CALL_ERRORS, TimeoutError)

CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 2.0
_TTL_ATTRIBUTE: Final = "expires_at"
_MADE_WITHIN_S: Final = 120
_KEYS: Final = (("pk", "HASH"), ("sk", "RANGE"))


@asynccontextmanager
async def open_state_client(
    *,
    region: str,
    endpoint_url: str | None = None,
    session: AioSession | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> AsyncIterator[DynamoDBClient]:
    """A client for the state table alone. Nothing is retried: who asks does so every second."""
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 1},
        user_agent_extra=f"capacity-pilot/{__version__}",
    )
    async with (session or get_session()).create_client(
        "dynamodb", region_name=region, endpoint_url=endpoint_url, config=config
    ) as client:
        yield client


async def check_state_table(client: DynamoDBClient, table: str) -> None:
    """Raises ``InputError`` if there is no such table; whatever else is wrong may pass."""
    try:
        await client.get_item(TableName=table, Key=LEASE_KEY)
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            raise InputError(
                f"state-table: there is no table {table}; make it with capacity-pilot init"
            ) from error
    except STORE_ERRORS:
        return


async def make_state_table(client: DynamoDBClient, table: str) -> tuple[str, ...]:
    """Makes what is missing of the table and its TTL, and says what it found and did.

    Raises ``InputError`` for a table of another schema, ``GatewayError`` if AWS refuses.
    """
    try:
        is_new = await _create(client, table)
        described = await _wait_until_active(client, table)
        if differences := _differences(described):
            raise InputError(
                f"state-table: {table} is no state table: {'; '.join(differences)}; "
                "name another, or one that is not there yet"
            )
        found = "made" if is_new else "there already, with the keys it should have"
        return f"table {table}: {found}", await _make_ttl(client, table)
    except STORE_ERRORS as error:
        raise GatewayError(f"state-table: {table}: {error}") from error


def _differences(described: Any) -> list[str]:
    types = {a["AttributeName"]: a["AttributeType"] for a in described["AttributeDefinitions"]}
    keys = [
        (k["AttributeName"], k["KeyType"], types[k["AttributeName"]])
        for k in described["KeySchema"]
    ]
    wanted = [(name, kind, "S") for name, kind in _KEYS]
    return [] if keys == wanted else [f"its keys are {_say(keys)}, not {_say(wanted)}"]


def _say(keys: list[tuple[str, str, str]]) -> str:
    return ", ".join(f"{name} ({kind} {type_})" for name, kind, type_ in keys)


async def _make_ttl(client: DynamoDBClient, table: str) -> str:
    ttl: Any = (await client.describe_time_to_live(TableName=table))["TimeToLiveDescription"]
    attribute = ttl.get("AttributeName")
    if ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        if attribute == _TTL_ATTRIBUTE:
            return f"time to live: on already, by {attribute}"
        raise InputError(
            f"state-table: {table} is no state table: its items expire by {attribute}, "
            f"not by {_TTL_ATTRIBUTE}"
        )
    await client.update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"Enabled": True, "AttributeName": _TTL_ATTRIBUTE},
    )
    return f"time to live: turned on, by {_TTL_ATTRIBUTE}"


async def _create(client: DynamoDBClient, table: str) -> bool:
    try:
        await client.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n, _ in _KEYS],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if code_of(error) == "ResourceInUseException":
            return False
        raise
    return True


async def _wait_until_active(client: DynamoDBClient, table: str) -> Any:
    for _ in range(_MADE_WITHIN_S):
        described = (await client.describe_table(TableName=table))["Table"]
        if described["TableStatus"] == "ACTIVE":
            return described
        await asyncio.sleep(1.0)
    raise GatewayError(f"state-table: {table} is not active after {_MADE_WITHIN_S} s")


def code_of(error: ClientError) -> str:
    """The error's code as AWS names it."""
    return str(error.response.get("Error", {}).get("Code", ""))
