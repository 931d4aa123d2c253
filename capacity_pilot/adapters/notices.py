"""Tells people: through SNS topics and webhooks."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
from aiobotocore.session import AioSession, get_session

from capacity_pilot.adapters.aws.clients import open_service
from capacity_pilot.adapters.aws.refusals import CALL_ERRORS
from capacity_pilot.core.errors import GatewayError, InputError
from capacity_pilot.core.notices import Notice, Notification

NOTICE_PERMISSIONS: Final = frozenset({"sns:Publish"})

_TIMEOUT_S: Final = 10.0
_MOST_SUBJECT: Final = 100
_MOST_BYTES: Final = 200_000
"""A message of SNS has 256 KB at most (Amazon SNS quotas)."""

_REGION_OF_ARN: Final = 3
_FIRST_FAILURE, _FIRST_OF_SERVER, _TOO_MANY = 400, 500, 429


class Messenger:
    """Tells one notice to one address at a time. ``pilot`` is who says so."""

    def __init__(
        self,
        web: aiohttp.ClientSession,
        stack: AsyncExitStack,
        *,
        pilot: str,
        sns_endpoint_url: str | None,
        session: AioSession,
    ) -> None:
        self._web = web
        self._stack = stack
        self._pilot = pilot
        self._endpoint_url = sns_endpoint_url
        self._session = session
        self._topics: dict[str, Any] = {}

    async def tell(self, notification: Notification, notice: Notice) -> None:
        """Raises ``GatewayError`` where trying again may help, ``InputError`` where it cannot."""
        body = {
            "text": notice.text,
            "occasion": notice.occasion.value,
            "subject": notice.subject,
            "at": round(notice.at, 3),
            "pilot": self._pilot,
            "repeats": notice.repeats,
            "details": dict(notice.details),
        }
        if len(json.dumps(body, default=str)) > _MOST_BYTES:
            body["details"] = {"left_out": "more than can be told"}
        content = json.dumps(body, default=str)
        if notification.sns is not None:
            await self._publish(notification.sns, notice, content)
        else:
            await self._post(notification.webhook or "", content)

    async def _publish(self, topic: str, notice: Notice, content: str) -> None:
        try:
            client = await self._open(topic.split(":")[_REGION_OF_ARN])
            occasion = {"DataType": "String", "StringValue": notice.occasion.value}
            await client.publish(
                TopicArn=topic,
                Subject=notice.text.encode("ascii", "replace").decode()[:_MOST_SUBJECT],
                Message=content,
                MessageAttributes={"occasion": occasion},
            )
        except CALL_ERRORS as error:
            raise GatewayError(f"{topic}: {error}") from error

    async def _open(self, region: str) -> Any:
        if region not in self._topics:
            self._topics[region] = await self._stack.enter_async_context(
                open_service(
                    "sns",
                    region=region,
                    endpoint_url=self._endpoint_url,
                    session=self._session,
                    connect_timeout_s=_TIMEOUT_S,
                    read_timeout_s=_TIMEOUT_S,
                    attempts=1,
                )
            )
        return self._topics[region]

    async def _post(self, address: str, content: str) -> None:
        url = address
        if address.startswith("env:"):
            url = os.environ.get(address.removeprefix("env:"), "")
            if not url:
                raise InputError(f"webhook {address}: there is no such environment variable")
        try:
            async with self._web.post(
                url, data=content.encode(), headers={"Content-Type": "application/json"}
            ) as response:
                status = response.status
        except aiohttp.InvalidURL as error:
            raise InputError(f"webhook {name_webhook(address)}: not an address") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            name = type(error).__name__
            raise GatewayError(f"webhook {name_webhook(address)}: no answer: {name}") from error
        if status >= _FIRST_OF_SERVER or status == _TOO_MANY:
            raise GatewayError(f"webhook {name_webhook(address)}: status {status}")
        if status >= _FIRST_FAILURE:
            raise InputError(f"webhook {name_webhook(address)}: refused with status {status}")


def name_webhook(address: str) -> str:
    """As far as it is no secret: paths often are."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.split('/')[0].split('@')[-1]}" if separator else address


@asynccontextmanager
async def open_messenger(
    *, pilot: str, sns_endpoint_url: str | None = None, session: AioSession | None = None
) -> AsyncIterator[Messenger]:
    """Topics' clients are opened in each one's Region, when first needed."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        yield Messenger(
            web,
            stack,
            pilot=pilot,
            sns_endpoint_url=sns_endpoint_url,
            session=session or get_session(),
        )
