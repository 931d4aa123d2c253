"""AWS as a pilot's client meets it: the physics behind botocore's calls, and what goes wrong there.

What a call does to the account happens there whether or not its sender still lives to see it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from numpy.random import Generator

from capacity_pilot.adapters.aws.request import refuse_unlisted
from capacity_pilot.simulator.physics.database import Database
from capacity_pilot.simulator.physics.refusals import RefusedError
from capacity_pilot.simulator.physics.table_operations import TABLE_OPERATIONS
from capacity_pilot.simulator.physics.world import World
from tests.chaos.mishaps import Course, Mishap, client_error, go_well
from tests.chaos.virtual_time import VirtualLoop

Units = dict[str, tuple[int, int]]
"""(read, write) by index name; the table is ``""``."""


@dataclass(slots=True)
class Call:
    """One call, as an omniscient observer sees it. Times are the loop's.

    ``had`` is the table's capacity when the call reached it, ``answer`` what DescribeTable gave.
    """

    process: int
    operation: str
    parameters: Mapping[str, Any]
    begun_at: float
    reached_at: float | None = None
    ended_at: float | None = None
    refusal: RefusedError | None = None
    had: Units = field(default_factory=dict)
    was_settled: bool = True
    answer: Mapping[str, Any] | None = None
    error: Exception | None = None

    @property
    def table(self) -> str:
        return str(self.parameters.get("TableName", ""))

    @property
    def is_accepted(self) -> bool:
        return self.reached_at is not None and self.refusal is None

    @property
    def asked(self) -> Units:
        """What an UpdateTable call asks for."""
        asked: Units = {}
        if throughput := self.parameters.get("ProvisionedThroughput"):
            asked[""] = _pair(throughput)
        for update in self.parameters.get("GlobalSecondaryIndexUpdates", ()):
            if changed := update.get("Update"):
                asked[changed["IndexName"]] = _pair(changed["ProvisionedThroughput"])
        return asked


class Account:
    """One account of AWS: its world, every call it saw, and who meddles with it.

    ``epoch`` is the Unix time at which the loop's time began; ``mishaps`` are asked for each call
    in turn, and the first that has something decides how it goes.
    """

    def __init__(self, world: World, loop: VirtualLoop, *, epoch: float, draw: Generator) -> None:
        self.world = world
        self.calls: list[Call] = []
        self.changed_at: dict[str, list[float]] = defaultdict(list)  # by anybody, by table
        self.mishaps: list[Callable[[Call], Mishap | None]] = []
        self.epoch = epoch
        self._loop = loop
        self._database = Database(world)
        self._draw = draw

    @property
    def now(self) -> float:
        """Unix seconds, as AWS has them."""
        return self.epoch + self._loop.time()

    def course_of(self, call: Call) -> Course:
        for mishap in self.mishaps:
            if (go := mishap(call)) is not None:
                return go(self._draw)
        return go_well(self._draw)

    def perform(self, call: Call) -> dict[str, Any]:
        """Carries the call out now. Raises ``RefusedError`` where the physics does."""
        self.world.advance(self.now)
        call.reached_at = self._loop.time()
        if call.operation == "UpdateTable":
            call.had, call.was_settled = self._look_at(call.table)
        try:
            answer = TABLE_OPERATIONS[call.operation](
                self._database, dict(call.parameters), self.now
            )
        except RefusedError as refusal:
            call.refusal = refusal
            raise
        if call.operation == "UpdateTable":
            self.note_change(call.table)
        return answer

    def note_change(self, table: str) -> None:
        """Somebody has changed the table."""
        self.changed_at[table].append(self._loop.time())

    def _look_at(self, table: str) -> tuple[Units, bool]:
        try:
            state = self.world.table(table)
        except RefusedError:
            return {}, True
        units = {index: (r.units.read, r.units.write) for index, r in state.resources.items()}
        return units, state.describe(self.now).is_settled


Notice = Callable[[str, Call], None]
"""Told of a call ``begun``, ``answered`` or ``failed`` before its sender goes on."""


class Client:
    """One process' DynamoDB client, as far as the pilot uses one."""

    def __init__(
        self, account: Account, loop: VirtualLoop, *, process: int, notice: Notice
    ) -> None:
        self._account = account
        self._loop = loop
        self._process = process
        self._notice = notice

    async def describe_table(self, **parameters: Any) -> dict[str, Any]:
        return await self._call("DescribeTable", parameters)

    async def update_table(self, **parameters: Any) -> dict[str, Any]:
        return await self._call("UpdateTable", parameters)

    async def describe_limits(self, **parameters: Any) -> dict[str, Any]:
        return await self._call("DescribeLimits", parameters)

    def get_paginator(self, name: str) -> Client:
        assert name == "list_tables"
        return self

    async def paginate(self) -> AsyncIterator[dict[str, Any]]:
        parameters: dict[str, Any] = {}
        while True:
            page = await self._call("ListTables", parameters)
            yield page
            if "LastEvaluatedTableName" not in page:
                return
            parameters = {"ExclusiveStartTableName": page["LastEvaluatedTableName"]}

    async def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        refuse_unlisted(operation, parameters)  # as the real client's hook does
        call = Call(self._process, operation, parameters, begun_at=self._loop.time())
        self._account.calls.append(call)
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
            self._loop.call_later(course.effect_s, _perform, self._account, call, reached)
        await asyncio.sleep(course.ends_s)
        if course.error is not None:
            raise course.error
        try:
            return _parse(await reached)
        except RefusedError as refusal:
            raise client_error(refusal.code, refusal.message, refusal.status) from refusal


def _perform(account: Account, call: Call, reached: asyncio.Future[dict[str, Any]]) -> None:
    try:
        answer = account.perform(call)
    except RefusedError as refusal:
        reached.set_exception(refusal)
        reached.exception()  # whoever does not wait for it has not overlooked it
    else:
        reached.set_result(answer)


def _parse(answer: dict[str, Any]) -> dict[str, Any]:
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


def _pair(throughput: Mapping[str, int]) -> tuple[int, int]:
    return throughput.get("ReadCapacityUnits", 0), throughput.get("WriteCapacityUnits", 0)
