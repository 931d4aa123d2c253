"""The capacity gateway on DynamoDB's control plane, or on anything that speaks its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import ClientError

from capacity_pilot import __version__
from capacity_pilot.adapters.aws.actuation import Actuation, Write
from capacity_pilot.adapters.aws.describe import read_limits, read_table
from capacity_pilot.adapters.aws.refusals import (
    CALL_ERRORS,
    Refusal,
    classify,
    classify_update,
    is_certainly_unsent,
    translate_read,
)
from capacity_pilot.adapters.aws.request import SENDABLE_PARAMETERS, build_update
from capacity_pilot.adapters.aws.sending import guard_sending
from capacity_pilot.adapters.aws.sockets import impatient_sockets
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import AccountLimits, Outcome, OutcomeKind, Plan, TableDescription
from capacity_pilot.core.ports import CallBook, Clock

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import TableDescriptionTypeDef

CONNECT_TIMEOUT_S: Final = 2.0
READ_TIMEOUT_S: Final = 5.0
"""UpdateTable is asynchronous and answers in tens of milliseconds. Waiting longer than this
only delays the re-read that tells whether a call without an answer took effect."""

CONNECTIONS: Final = 32

SENT_WITHIN_S: Final = CONNECT_TIMEOUT_S + READ_TIMEOUT_S
"""An update is on its way no longer than this; the lease has to be held for so long."""


class DynamoDbGateway:
    """Provisioned capacity through one DynamoDB client; see ``CapacityGateway`` for the port."""

    def __init__(
        self, client: DynamoDBClient, *, clock: Clock, book: CallBook | None = None
    ) -> None:
        self._client = client
        self._clock = clock
        self._arn_prefix: str | None = None
        self._actuation = Actuation(
            describe=self.describe, carry=self._carry, clock=clock, book=book
        )

    async def list_tables(self) -> tuple[str, ...]:
        """Name every table of the account in the Region, page by page."""
        names: list[str] = []
        try:
            async for page in self._client.get_paginator("list_tables").paginate():
                names.extend(page.get("TableNames", ()))
        except CALL_ERRORS as error:
            raise translate_read(error, now=self._clock.now()) from error
        return tuple(names)

    async def describe(self, table: str) -> TableDescription | None:
        """Read the table; ``described_at`` is when it was asked, so never newer than the facts."""
        asked_at = self._clock.now()
        answer = await self._describe_table(table)
        return None if answer is None else read_table(table, answer, described_at=asked_at)

    async def limits(self) -> AccountLimits:
        """Ask for the account's quotas; AWS wants this asked at most once a minute."""
        try:
            return read_limits(await self._client.describe_limits())
        except CALL_ERRORS as error:
            raise translate_read(error, now=self._clock.now()) from error

    async def tags(self, table: str) -> Mapping[str, str] | None:
        """Read the table's tags, page by page; ``None`` when it does not exist.

        They are asked for by ARN, which DescribeTable tells; one table's says all others'. AWS
        answers ten such calls a second in an account (ListTagsOfResource, API reference).
        """
        if self._arn_prefix is None:
            description = await self._describe_table(table)
            if description is None:
                return None
            self._arn_prefix = description.get("TableArn", "").removesuffix(table)
        tags: dict[str, str] = {}
        try:
            pages = self._client.get_paginator("list_tags_of_resource").paginate(
                ResourceArn=f"{self._arn_prefix}{table}"
            )
            async for page in pages:
                tags |= {tag["Key"]: tag["Value"] for tag in page.get("Tags", ())}
        except CALL_ERRORS as error:
            now = self._clock.now()
            if _is_not_found(error, now=now):
                return None
            raise translate_read(error, now=now) from error
        return tags

    async def actuate(self, plan: Plan) -> Outcome:
        """Carry out the plan; raises ``RetryableError`` only if certainly nothing was sent."""
        return await self._actuation.actuate(plan)

    async def _describe_table(self, table: str) -> TableDescriptionTypeDef | None:
        try:
            answer = await self._client.describe_table(TableName=table)
        except CALL_ERRORS as error:
            now = self._clock.now()
            if _is_not_found(error, now=now):
                return None
            raise translate_read(error, now=now) from error
        description = answer.get("Table")
        if not description:
            raise GatewayError(f"DescribeTable answered without a description of {table}")
        return description

    async def _carry(self, write: Write) -> Refusal | None:
        request = build_update(write.plan.table, write.changes, mode=write.plan.to)
        try:
            # Its answer echoes the old units and counters: nothing in it is worth reading.
            async with asyncio.timeout(SENT_WITHIN_S):
                await self._client.update_table(**request)
        except TimeoutError:
            message = f"no answer within {SENT_WITHIN_S:g} s"
            return Refusal(kind=OutcomeKind.UNKNOWN, message=message)
        except CALL_ERRORS as error:
            if is_certainly_unsent(error):
                raise GatewayError(f"UpdateTable was not sent: {error}") from error
            return classify_update(error, write.plan, now=self._clock.now())
        return None


@asynccontextmanager
async def open_gateway(
    *,
    region: str,
    clock: Clock,
    endpoint_url: str | None = None,
    session: AioSession | None = None,
    book: CallBook | None = None,
    may_send: Callable[[float], bool] = lambda _: True,
) -> AsyncIterator[DynamoDbGateway]:
    """Open a gateway to the Region, or to ``endpoint_url`` where another world listens.

    Credentials come from the environment, the container or the ``session`` given. ``may_send``
    says if an update may be on its way for so many seconds, and is asked when all that is left to
    do is to hand the signed request to the connection. ``book`` is told of every update.
    """
    session = session or get_session()
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=CONNECTIONS,
        connector_args={"socket_factory": impatient_sockets(READ_TIMEOUT_S)},
        # botocore would send a plan again with the units of seconds ago, up to 25 s long, and
        # its standard mode retries an exhausted decrease quota as well. We re-read first.
        retries={"total_max_attempts": 1},
        user_agent_extra=f"capacity-pilot/{__version__}",
    )
    async with session.create_client(
        "dynamodb", region_name=region, endpoint_url=endpoint_url, config=config
    ) as client:
        guard_sending(
            client,
            "dynamodb",
            sendable=SENDABLE_PARAMETERS,
            changes_by="UpdateTable",
            within_s=SENT_WITHIN_S,
            may_send=may_send,
        )
        yield DynamoDbGateway(client, clock=clock, book=book)


def _is_not_found(error: Exception, *, now: float) -> bool:
    return isinstance(error, ClientError) and classify(error, now=now).kind is OutcomeKind.NOT_FOUND
