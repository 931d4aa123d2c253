"""One process' clients of AWS, as far as the pilot uses them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import Context
from datetime import UTC, datetime
from typing import Any, ClassVar

from capacity_pilot.adapters.aws import auto_scaling, dynamodb
from capacity_pilot.adapters.aws.request import SENDABLE_PARAMETERS, refuse_unlisted
from capacity_pilot.core.errors import LeaseError
from capacity_pilot.simulator.physics.refusals import RefusedError
from tests.chaos.aws import Account, Call
from tests.chaos.mishaps import client_error
from tests.chaos.virtual_time import VirtualLoop

Notice = Callable[[str, Call], None]
"""Told of a call ``begun``, ``answered`` or ``failed`` before its sender goes on."""


class Client:
    """``may_send`` is asked before what ``changes`` something is sent, as the real client's hook
    does, which refuses what is not ``sendable`` as well.
    """

    sendable: ClassVar[Mapping[str, frozenset[str]] | None] = None
    changes: ClassVar[Mapping[str, float]] = {}

    def __init__(
        self,
        account: Account,
        loop: VirtualLoop,
        *,
        process: int,
        notice: Notice,
        may_send: Callable[[float], bool] = lambda _: True,
    ) -> None:
        self._account = account
        self._loop = loop
        self._process = process
        self._notice = notice
        self._may_send = may_send

    async def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        if self.sendable is not None:
            refuse_unlisted(operation, parameters, self.sendable)
        within_s = self.changes.get(operation)
        if within_s is not None and not self._may_send(within_s):
            raise LeaseError(f"the lease is not certain for the {within_s:g} s a change may take")
        call = Call(self._process, operation, parameters, begun_at=self._loop.time())
        self._account.note_call(call)
        self._notice("begun", call)
        try:
            answer = await self._transmit(call)
        except Exception as error:
            call.error = error
            self._end(call, "failed")
            raise
        call.answer = answer
        self._end(call, "answered")
        return answer

    def _end(self, call: Call, how: str) -> None:
        call.ended_at = self._loop.time()
        self._notice(how, call)

    async def _transmit(self, call: Call) -> dict[str, Any]:
        course = self._account.course_of(call)
        reached: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        if course.effect_s is not None:
            at = self._loop.time() + course.effect_s
            nobodys = Context()  # what was sent arrives, whatever becomes of its sender
            self._loop.call_at(at, _perform, self._account, call, reached, context=nobodys)
        await asyncio.sleep(course.ends_s)
        if course.error is not None:
            raise course.error
        try:
            return await reached
        except RefusedError as refusal:
            details = {k: v for k, v in refusal.details.items() if k == "CancellationReasons"}
            error = client_error(refusal.code, refusal.message, refusal.status)
            error.response.update(details)  # type: ignore[typeddict-item]
            raise error from refusal


class TablesClient(Client):
    """DynamoDB's control plane."""

    sendable = SENDABLE_PARAMETERS
    changes: ClassVar = {"UpdateTable": dynamodb.SENT_WITHIN_S}

    async def describe_table(self, **parameters: Any) -> dict[str, Any]:
        return _with_moments(await self.call("DescribeTable", parameters))

    async def update_table(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("UpdateTable", parameters)

    async def describe_limits(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("DescribeLimits", parameters)

    def get_paginator(self, name: str) -> Pages:
        return Pages(self, name, then="LastEvaluatedTableName", goes_on="ExclusiveStartTableName")


class ScalingClient(Client):
    """Application Auto Scaling."""

    sendable = auto_scaling.SENDABLE_PARAMETERS
    changes: ClassVar = {"RegisterScalableTarget": auto_scaling.SENT_WITHIN_S}

    async def register_scalable_target(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("RegisterScalableTarget", parameters)

    def get_paginator(self, name: str) -> Pages:
        return Pages(self, name, then="NextToken", goes_on="NextToken")


class CloudWatchClient(Client):
    """CloudWatch."""

    async def put_metric_data(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("PutMetricData", parameters)

    def get_paginator(self, name: str) -> Pages:
        return Pages(self, name, then="NextToken", goes_on="NextToken")


class StoreClient(Client):
    """DynamoDB's data plane: the state table."""

    async def get_item(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("GetItem", parameters)

    async def put_item(self, **parameters: Any) -> dict[str, Any]:
        item = {name: _to_wire(value) for name, value in parameters["Item"].items()}
        return await self.call("PutItem", {**parameters, "Item": item})

    async def update_item(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("UpdateItem", parameters)

    async def delete_item(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("DeleteItem", parameters)

    async def transact_write_items(self, **parameters: Any) -> dict[str, Any]:
        return await self.call("TransactWriteItems", parameters)

    def get_paginator(self, name: str) -> Pages:
        return Pages(self, name, then="LastEvaluatedKey", goes_on="ExclusiveStartKey")


class Pages:
    """A paginator: asks on as long as the answer has ``then``."""

    def __init__(self, client: Client, name: str, *, then: str, goes_on: str) -> None:
        self._client = client
        self._operation = name.title().replace("_", "")
        self._then = then
        self._goes_on = goes_on

    async def paginate(self, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        asked = dict(parameters)
        while True:
            page = await self._client.call(self._operation, asked)
            yield _from_wire(page)
            if self._then not in page:
                return
            asked = {**parameters, self._goes_on: page[self._then]}


def _perform(account: Account, call: Call, reached: asyncio.Future[dict[str, Any]]) -> None:
    try:
        answer = account.perform(call)
    except RefusedError as refusal:
        reached.set_exception(refusal)
        reached.exception()  # whoever does not wait for it has not overlooked it
    else:
        reached.set_result(answer)


def _with_moments(answer: dict[str, Any]) -> dict[str, Any]:
    """Moments as botocore gives them."""
    if table := answer.get("Table"):
        if summary := table.get("BillingModeSummary"):
            at = summary["LastUpdateToPayPerRequestDateTime"]
            summary["LastUpdateToPayPerRequestDateTime"] = datetime.fromtimestamp(at, UTC)
        for resource in (table, *table.get("GlobalSecondaryIndexes", ())):
            throughput = resource["ProvisionedThroughput"]
            for member in ("LastIncreaseDateTime", "LastDecreaseDateTime"):
                if member in throughput:
                    throughput[member] = datetime.fromtimestamp(throughput[member], UTC)
    return answer


def _to_wire(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value


def _from_wire(page: dict[str, Any]) -> dict[str, Any]:
    """Bytes as botocore gives them, in a page of items."""
    if "Items" not in page:
        return page
    items = [
        {name: {"B": base64.b64decode(v["B"])} if "B" in v else v for name, v in item.items()}
        for item in page["Items"]
    ]
    return {**page, "Items": items}
