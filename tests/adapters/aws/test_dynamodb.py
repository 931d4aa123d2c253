"""The gateway against a server that answers exactly what AWS answers, and not always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import cache

import pytest
from aiobotocore.session import AioSession, get_session
from aiohttp import web
from aiohttp.test_utils import unused_port

from capacity_pilot.adapters.aws import OPERATIONS, DynamoDbGateway, open_gateway
from capacity_pilot.adapters.aws.refusals import RefusedError
from capacity_pilot.core.errors import GatewayError, InvariantError
from capacity_pilot.core.model import (
    AccountLimits,
    CapacityChange,
    Direction,
    OutcomeKind,
    Plan,
    Resource,
)
from tests.adapters.aws.scripted_aws import (
    NOW,
    Answer,
    HandClock,
    ScriptedAws,
    hang_up,
    refuse,
    reply,
    serve_scripted,
)


def table(**members: object) -> Answer:
    units = {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20}
    index = {"IndexName": "by-day", "IndexStatus": "ACTIVE", "ProvisionedThroughput": units}
    return reply(
        {
            "Table": {
                "TableName": "feed",
                "TableStatus": "ACTIVE",
                "TableArn": "arn:aws:dynamodb:us-east-1:111122223333:table/feed",
                "ProvisionedThroughput": units,
                "GlobalSecondaryIndexes": [index],
                **members,
            }
        }
    )


TABLE = Resource("feed")
INDEX = Resource("feed", "by-day")
ACCEPTED = reply({"TableDescription": {"TableName": "feed", "TableStatus": "UPDATING"}})
NO_TABLE = refuse("ResourceNotFoundException", "Requested resource not found: Table: feed")


def wish(resource: Resource, read: int, write: int) -> CapacityChange:
    return CapacityChange(resource=resource, read=read, write=write)


def plan(*changes: CapacityChange, direction: Direction = Direction.OUT) -> Plan:
    return Plan(
        table="feed", direction=direction, changes=changes, decided_at=NOW, expires_at=NOW + 5.0
    )


RAISE = plan(wish(TABLE, 50, 60))


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@cache
def one_session() -> AioSession:
    """Give the same session to all, since each one parses DynamoDB's service model anew."""
    session = get_session()
    session.set_credentials("test", "test")
    return session


@pytest.fixture
async def aws() -> AsyncIterator[ScriptedAws]:
    scripted = ScriptedAws()
    scripted.script("DescribeTable", table())
    scripted.script("UpdateTable", ACCEPTED)
    async with serve_scripted(scripted):
        yield scripted


@pytest.fixture
async def gateway(aws: ScriptedAws, clock: HandClock) -> AsyncIterator[DynamoDbGateway]:
    async with open_gateway(
        region="us-east-1", clock=clock, endpoint_url=aws.url, session=one_session()
    ) as opened:
        yield opened


async def test_one_call_carries_only_what_changes_and_both_units_of_it(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    outcome = await gateway.actuate(plan(wish(TABLE, 10, 20), wish(INDEX, 5, 900)))

    assert outcome.kind is OutcomeKind.REQUESTED
    assert outcome.sent == (wish(INDEX, 10, 900),)
    assert aws.sent("UpdateTable") == [
        {
            "TableName": "feed",
            "GlobalSecondaryIndexUpdates": [
                {
                    "Update": {
                        "IndexName": "by-day",
                        "ProvisionedThroughput": {
                            "ReadCapacityUnits": 10,
                            "WriteCapacityUnits": 900,
                        },
                    }
                }
            ],
        }
    ]
    assert all("capacity-pilot/" in agent for agent in aws.user_agents)


async def test_the_outcome_shows_the_re_read_it_rests_on(gateway: DynamoDbGateway) -> None:
    outcome = await gateway.actuate(RAISE)
    assert outcome.before is not None
    assert outcome.before.described_at == NOW
    assert outcome.before == await gateway.describe("feed")


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (table(TableStatus="UPDATING"), OutcomeKind.BUSY),
        (table(TableStatus="REBALANCING"), OutcomeKind.BUSY),
        (table(BillingModeSummary={"BillingMode": "PAY_PER_REQUEST"}), OutcomeKind.UNSUPPORTED),
        (table(GlobalTableVersion="2019.11.21"), OutcomeKind.UNSUPPORTED),
        (table(GlobalSecondaryIndexes=[]), OutcomeKind.NOT_FOUND),
        (NO_TABLE, OutcomeKind.NOT_FOUND),
        (refuse("AccessDeniedException", "not authorized"), OutcomeKind.DENIED),
        (refuse("ThrottlingException", "Rate exceeded"), OutcomeKind.CONTROL_PLANE),
    ],
)
async def test_what_the_re_read_shows_may_end_it_without_a_call(
    aws: ScriptedAws, gateway: DynamoDbGateway, seen: Answer, kind: OutcomeKind
) -> None:
    aws.script("DescribeTable", seen)
    outcome = await gateway.actuate(plan(wish(TABLE, 50, 60), wish(INDEX, 50, 60)))
    assert (outcome.kind, outcome.sent) == (kind, ())
    assert outcome.message
    assert aws.sent("UpdateTable") == []


async def test_a_plan_that_changes_nothing_any_more_is_not_sent(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    outcome = await gateway.actuate(plan(wish(TABLE, 5, 20), wish(INDEX, 10, 1)))
    assert outcome.kind is OutcomeKind.UNCHANGED
    assert aws.sent("UpdateTable") == []


async def test_an_old_plan_costs_no_call_at_all(
    aws: ScriptedAws, gateway: DynamoDbGateway, clock: HandClock
) -> None:
    clock.at = RAISE.expires_at
    assert (await gateway.actuate(RAISE)).kind is OutcomeKind.EXPIRED
    assert aws.calls == []


async def test_a_plan_that_grows_old_during_the_re_read_is_not_sent(
    aws: ScriptedAws, gateway: DynamoDbGateway, clock: HandClock
) -> None:
    async def answer_late(request: web.Request) -> web.StreamResponse:
        clock.at += 60.0
        return await table()(request)

    aws.script("DescribeTable", answer_late)
    assert (await gateway.actuate(RAISE)).kind is OutcomeKind.EXPIRED
    assert aws.sent("UpdateTable") == []


async def test_a_second_plan_for_a_table_in_flight_is_turned_away(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    reached, released = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        reached.set()
        await released.wait()
        return await ACCEPTED(request)

    aws.script("UpdateTable", hold)
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(gateway.actuate(RAISE))
        await reached.wait()
        second = await gateway.actuate(plan(wish(TABLE, 70, 80)))
        released.set()

    assert second.kind is OutcomeKind.BUSY
    assert "in flight" in second.message
    assert first.result().kind is OutcomeKind.REQUESTED
    assert len(aws.sent("UpdateTable")) == 1
    assert (await gateway.actuate(RAISE)).kind is OutcomeKind.REQUESTED


async def test_calls_in_flight_over_all_tables_are_bounded(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    at_once, most = 0, 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return await ACCEPTED(request)

    aws.script("UpdateTable", count)
    plans = [
        Plan(
            table=f"table-{i}",
            direction=Direction.OUT,
            changes=(wish(Resource(f"table-{i}"), 50, 60),),
            decided_at=NOW,
            expires_at=NOW + 5.0,
        )
        for i in range(24)
    ]
    outcomes = await asyncio.gather(*map(gateway.actuate, plans))
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.REQUESTED}
    # Ten at once already meet the account's control-plane limiter.
    assert 1 < most < 10


async def test_a_cancelled_plan_leaves_its_table_free(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    reached, released = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.StreamResponse:
        reached.set()
        await released.wait()
        return await ACCEPTED(request)

    aws.script("UpdateTable", hold, ACCEPTED)
    task = asyncio.create_task(gateway.actuate(RAISE))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    released.set()
    assert (await gateway.actuate(RAISE)).kind is OutcomeKind.REQUESTED


@pytest.mark.parametrize(
    ("answer", "kind", "retry_at"),
    [
        (
            refuse("ThrottlingException", "The rate of control plane requests is too high"),
            OutcomeKind.CONTROL_PLANE,
            NOW + 1.0,
        ),
        (
            refuse(
                "LimitExceededException",
                "Subscriber limit exceeded: Provisioned throughput decreases are limited within "
                "a given UTC day. Next decrease can be made at Friday, October 9, 2026 at "
                "1:21:34 AM Coordinated Universal Time",
            ),
            OutcomeKind.DECREASE_QUOTA,
            1_791_508_894.0,
        ),
        (refuse("InternalServerError", "oops", status=500), OutcomeKind.UNKNOWN, None),
        (reply({}, status=503), OutcomeKind.UNKNOWN, None),
        (hang_up, OutcomeKind.UNKNOWN, None),
    ],
)
async def test_a_refused_call_is_made_once_and_told_apart(
    aws: ScriptedAws,
    gateway: DynamoDbGateway,
    answer: Answer,
    kind: OutcomeKind,
    retry_at: float | None,
) -> None:
    # botocore on its own would send throttled and limited calls again, with stale units.
    aws.script("UpdateTable", answer)
    outcome = await gateway.actuate(RAISE)
    assert (outcome.kind, outcome.retry_at) == (kind, retry_at)
    assert outcome.sent == RAISE.changes
    assert outcome.message
    assert len(aws.sent("UpdateTable")) == 1


@pytest.mark.parametrize(
    "answer",
    [hang_up, refuse("InternalServerError", "oops", status=500), reply({})],
)
async def test_a_re_read_without_an_answer_is_an_error_since_nothing_was_sent(
    aws: ScriptedAws, gateway: DynamoDbGateway, answer: Answer
) -> None:
    aws.script("DescribeTable", answer)
    with pytest.raises(GatewayError):
        await gateway.actuate(RAISE)
    assert aws.sent("UpdateTable") == []


async def test_where_nobody_listens_every_method_says_so(clock: HandClock) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    async with open_gateway(
        region="us-east-1", clock=clock, endpoint_url=url, session=one_session()
    ) as gateway:
        for ask in (
            gateway.list_tables(),
            gateway.describe("feed"),
            gateway.limits(),
            gateway.actuate(RAISE),
        ):
            with pytest.raises(GatewayError, match=r"127\.0\.0\.1"):
                await ask


async def test_a_write_that_found_nobody_listening_is_an_error_since_nothing_was_sent(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    async def answer_the_last_time(request: web.Request) -> web.StreamResponse:
        await aws.stop_listening()
        answer = await table()(request)
        answer.force_close()
        return answer

    aws.script("DescribeTable", answer_the_last_time)
    with pytest.raises(GatewayError, match="UpdateTable was not sent"):
        await gateway.actuate(RAISE)
    assert aws.sent("UpdateTable") == []


async def test_an_impossible_plan_is_told_so_without_a_call(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    outcome = await gateway.actuate(plan(wish(TABLE, 0, 5), direction=Direction.IN))
    assert (outcome.kind, outcome.message) == (OutcomeKind.INVALID, "feed read 0 is below 1")
    assert aws.calls == []


async def test_without_credentials_the_plan_is_denied_and_not_sent(
    aws: ScriptedAws, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with open_gateway(region="us-east-1", clock=clock, endpoint_url=aws.url) as gateway:
        outcome = await gateway.actuate(RAISE)
    assert (outcome.kind, outcome.sent) == (OutcomeKind.DENIED, ())
    assert aws.calls == []


async def test_all_pages_of_tables_are_read(aws: ScriptedAws, gateway: DynamoDbGateway) -> None:
    aws.script(
        "ListTables",
        reply({"TableNames": ["feed", "likes"], "LastEvaluatedTableName": "likes"}),
        reply({"TableNames": ["users"]}),
    )
    assert await gateway.list_tables() == ("feed", "likes", "users")
    assert aws.sent("ListTables")[1]["ExclusiveStartTableName"] == "likes"


async def test_limits_and_their_refusal(aws: ScriptedAws, gateway: DynamoDbGateway) -> None:
    aws.script(
        "DescribeLimits",
        reply(
            {
                "AccountMaxReadCapacityUnits": 80_000,
                "AccountMaxWriteCapacityUnits": 80_000,
                "TableMaxReadCapacityUnits": 50_000,
                "TableMaxWriteCapacityUnits": 40_000,
            }
        ),
        refuse("ThrottlingException", "Rate exceeded"),
    )
    assert await gateway.limits() == AccountLimits(table_read=50_000)
    with pytest.raises(RefusedError, match="Rate exceeded"):
        await gateway.limits()


async def test_the_client_itself_sends_nothing_but_what_is_listed(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    # IAM's dynamodb:UpdateTable would let these through.
    with pytest.raises(InvariantError, match="DeletionProtectionEnabled"):
        await gateway._client.update_table(TableName="feed", DeletionProtectionEnabled=False)
    with pytest.raises(InvariantError, match="DeleteTable is not among"):
        await gateway._client.delete_table(TableName="feed")
    assert aws.calls == []


async def test_every_operation_listed_is_one_the_gateway_makes(
    aws: ScriptedAws, gateway: DynamoDbGateway
) -> None:
    aws.script("ListTables", reply({"TableNames": []}))
    aws.script("DescribeLimits", reply({}))
    await gateway.list_tables()
    await gateway.limits()
    aws.script("ListTagsOfResource", reply({"Tags": []}))
    await gateway.tags("feed")
    await gateway.actuate(RAISE)
    assert {operation for operation, _ in aws.calls} == OPERATIONS
