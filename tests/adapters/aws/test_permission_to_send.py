"""Recorded before it is sent, and sent only while nobody else may send."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from capacity_pilot.adapters.aws.dynamodb import (
    CONNECT_TIMEOUT_S,
    SENT_WITHIN_S,
    DynamoDbGateway,
    open_gateway,
)
from capacity_pilot.core.errors import JournalError, LeaseError
from capacity_pilot.core.model import OutcomeKind, Plan, TableDescription
from capacity_pilot.core.record import Record, RecordKind
from tests.adapters.aws.scripted_aws import HandClock, ScriptedAws, serve_scripted
from tests.adapters.aws.test_dynamodb import (
    ACCEPTED,
    INDEX,
    RAISE,
    TABLE,
    one_session,
    plan,
    table,
    wish,
)


@dataclass
class Book:
    """Notes what it is told and how many updates had been sent by then."""

    aws: ScriptedAws
    clock: HandClock
    slow_s: float = 0.0
    fault: JournalError | None = None
    opened: list[tuple[Plan, int]] = field(default_factory=list)
    closed: list[tuple[OutcomeKind | None, int]] = field(default_factory=list)

    async def open_call(self, plan: Plan, before: TableDescription) -> Record:
        assert before.table == plan.table
        self.opened.append((plan, len(self.aws.sent("UpdateTable"))))
        self.clock.at += self.slow_s
        if self.fault is not None:
            raise self.fault
        return Record(id="1", at=0.0, kind=RecordKind.CALL, table=plan.table)

    def close_call(self, call: Record, kind: OutcomeKind | None, _: str) -> None:
        assert call.id == "1"
        self.closed.append((kind, len(self.aws.sent("UpdateTable"))))


@dataclass
class Permission:
    """``asked`` is for how long, and how often the table had been re-read by then."""

    aws: ScriptedAws
    is_given: bool = True
    asked: list[tuple[float, int]] = field(default_factory=list)

    def __call__(self, seconds: float) -> bool:
        self.asked.append((seconds, len(self.aws.sent("DescribeTable"))))
        return self.is_given


@dataclass
class Desk:
    aws: ScriptedAws
    gateway: DynamoDbGateway
    book: Book
    permission: Permission


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    aws, clock = ScriptedAws(), HandClock()
    aws.script("DescribeTable", table())
    aws.script("UpdateTable", ACCEPTED)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_scripted(aws))
        book, permission = Book(aws, clock), Permission(aws)
        gateway = await stack.enter_async_context(
            open_gateway(
                region="us-east-1",
                clock=clock,
                endpoint_url=aws.url,
                session=one_session(),
                book=book,
                may_send=permission,
            )
        )
        yield Desk(aws, gateway, book, permission)


async def test_what_is_left_of_a_plan_is_recorded_then_sent_then_answered(desk: Desk) -> None:
    await desk.gateway.actuate(plan(wish(TABLE, 10, 20), wish(INDEX, 5, 900)))
    ((recorded, sent_before),) = desk.book.opened
    assert (recorded.changes, sent_before) == ((wish(INDEX, 10, 900),), 0)
    assert desk.book.closed == [(OutcomeKind.REQUESTED, 1)]


async def test_permission_is_asked_after_the_re_read_for_as_long_as_a_call_may_take(
    desk: Desk,
) -> None:
    await desk.gateway.actuate(RAISE)
    assert desk.permission.asked == [(SENT_WITHIN_S, 1)]


async def test_without_permission_nothing_is_sent_and_the_record_says_so(desk: Desk) -> None:
    desk.permission.is_given = False
    with pytest.raises(LeaseError):
        await desk.gateway.actuate(RAISE)
    assert desk.aws.sent("UpdateTable") == []
    assert desk.book.closed == [(None, 0)]


async def test_what_must_not_be_recorded_is_not_sent(desk: Desk) -> None:
    desk.book.fault = JournalError("the disk is full")
    with pytest.raises(JournalError):
        await desk.gateway.actuate(RAISE)
    assert desk.aws.sent("UpdateTable") == []
    assert desk.book.closed == []


async def test_a_decision_that_aged_while_it_was_recorded_is_not_sent(desk: Desk) -> None:
    desk.book.slow_s = 60.0
    outcome = await desk.gateway.actuate(RAISE)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.EXPIRED, ())
    assert desk.aws.sent("UpdateTable") == []
    assert desk.book.closed == [(OutcomeKind.EXPIRED, 0)]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
async def test_what_nobody_acknowledges_is_not_delivered_after_the_permission_is_over(
    desk: Desk,
) -> None:
    await desk.gateway.actuate(RAISE)
    port = urlsplit(desk.aws.url).port
    given_up_ms = [
        opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        for opened in sockets_to(port)
    ]
    assert given_up_ms
    assert all(0 < ms / 1000 <= SENT_WITHIN_S - CONNECT_TIMEOUT_S for ms in given_up_ms)


def sockets_to(port: int | None) -> Iterator[socket.socket]:
    """This process's connections to a port of this machine."""
    for name in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name.name))) as found:
            if found.family == socket.AF_INET and found.getpeername()[1] == port:
                yield found
