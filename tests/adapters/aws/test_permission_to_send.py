"""Recorded before it is sent, and sent only while nobody else may send."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from capacity_pilot.adapters.aws import auto_scaling
from capacity_pilot.adapters.aws.auto_scaling import AutoScalingClient, open_auto_scaling
from capacity_pilot.adapters.aws.dynamodb import (
    CONNECT_TIMEOUT_S,
    SENT_WITHIN_S,
    DynamoDbGateway,
    open_gateway,
)
from capacity_pilot.core.errors import JournalError, LeaseError
from capacity_pilot.core.model import (
    Dimension,
    OutcomeKind,
    Plan,
    Resource,
    ScalableTarget,
    TableDescription,
)
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
from tests.moto_server import serve_moto


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
    given_up_s = give_up_s(urlsplit(desk.aws.url).port)
    assert given_up_s
    assert all(0 < seconds <= SENT_WITHIN_S - CONNECT_TIMEOUT_S for seconds in given_up_s)


FEED_WRITES = ScalableTarget(Resource("feed"), Dimension.WRITE)


@asynccontextmanager
async def open_scaling(
    permission: Callable[[float], bool],
) -> AsyncIterator[tuple[AutoScalingClient, int | None]]:
    """A client of Application Auto Scaling that has one registration, and its server's port."""
    with serve_moto() as url:
        session = one_session()
        async with (
            open_auto_scaling(
                region="us-east-1",
                clock=HandClock(),
                endpoint_url=url,
                session=session,
                may_send=permission,
            ) as client,
            session.create_client(
                "application-autoscaling", region_name="us-east-1", endpoint_url=url
            ) as operator,
        ):
            await operator.register_scalable_target(
                ServiceNamespace="dynamodb",
                ResourceId="table/feed",
                ScalableDimension="dynamodb:table:WriteCapacityUnits",
                MinCapacity=20,
                MaxCapacity=500,
            )
            yield client, urlsplit(url).port


async def test_nothing_is_registered_while_the_lease_is_not_certain() -> None:
    asked: list[float] = []

    def refuse(seconds: float) -> bool:
        asked.append(seconds)
        return False

    async with open_scaling(refuse) as (client, _):
        with pytest.raises(LeaseError):
            await client.register(FEED_WRITES, minimum=100)
        (found,) = await client.read([FEED_WRITES.resource])
    assert found.minimum == 20
    assert asked == [auto_scaling.SENT_WITHIN_S]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
async def test_a_registration_nobody_acknowledges_is_not_delivered_later_either() -> None:
    async with open_scaling(lambda _: True) as (client, port):
        await client.register(FEED_WRITES, minimum=100)
        # The operator's own client has connections to the server as well, patient ones.
        assert any(0 < s <= auto_scaling.SENT_WITHIN_S for s in give_up_s(port))


def give_up_s(port: int | None) -> list[float]:
    """After how long the kernel gives up what was sent there, 0 for its own time, by connection."""
    return [
        opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
        for opened in sockets_to(port)
    ]


def sockets_to(port: int | None) -> Iterator[socket.socket]:
    """This process's connections to a port of this machine."""
    for name in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(name.name))) as found:
            if found.family == socket.AF_INET and found.getpeername()[1] == port:
                yield found
