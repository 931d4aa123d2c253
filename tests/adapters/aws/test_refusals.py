"""Every way a control-plane call ends badly, in AWS's words, and what each means."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.adapters.aws.refusals import (
    RefusedError,
    classify,
    classify_switch,
    is_certainly_unsent,
    parse_next_decrease_at,
    parse_reserved,
    translate_read,
)
from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import Dimension, OutcomeKind, ReservedUnits

NOW = datetime(2026, 10, 9, 0, 30, tzinfo=UTC).timestamp()

DECREASES_ARE_LIMITED = (
    "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC "
    "day. After the first 4 decreases, each subsequent decrease in the same UTC day can be "
    "performed at most once every 3600 seconds. Number of decreases today: 4. Last decrease at "
    "Friday, October 9, 2026 at 12:21:34 AM Coordinated Universal Time. Next decrease can be "
    "made at Friday, October 9, 2026 at 1:21:34 AM Coordinated Universal Time"
)


def refused(code: str, text: str = "", *, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": text},
            "ResponseMetadata": {
                "RequestId": "r",
                "HostId": "",
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "UpdateTable",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            refused(
                "ResourceInUseException",
                "Attempt to change a resource which is still in use: Table IOPS are currently "
                "being updated. Table: feed",
            ),
            OutcomeKind.BUSY,
        ),
        (
            refused(
                "LimitExceededException",
                "The requested ReadCapacityUnits, 40001, is above the per table maximum for the "
                "account in us-east-1. Per table maximum: 40000.",
            ),
            OutcomeKind.LIMIT,
        ),
        (
            refused(
                "LimitExceededException",
                "This request would have caused the ReadCapacityUnits limit to be exceeded for "
                "the account in us-east-1",
            ),
            OutcomeKind.LIMIT,
        ),
        (
            refused(
                "ResourceNotFoundException",
                "Requested resource not found: Index by-day for table feed",
            ),
            OutcomeKind.NOT_FOUND,
        ),
        (refused("AccessDeniedException", "User is not authorized"), OutcomeKind.DENIED),
        (refused("ExpiredTokenException", "The security token is expired"), OutcomeKind.DENIED),
        (refused("UnrecognizedClientException", "Token is invalid"), OutcomeKind.DENIED),
        (NoCredentialsError(), OutcomeKind.DENIED),
        (
            refused(
                "ValidationException",
                "The provisioned throughput for the table will not change. The requested value "
                "equals the current value. Current ReadCapacityUnits provisioned for the table: 1.",
            ),
            OutcomeKind.UNCHANGED,
        ),
        (
            refused("ValidationException", "TableName must be at least 3 characters long"),
            OutcomeKind.INVALID,
        ),
        (ParamValidationError(report="ReadCapacityUnits 0 below 1"), OutcomeKind.INVALID),
        (refused("SerializationException"), OutcomeKind.INVALID),
        (refused("InternalServerError", "Internal error", status=500), OutcomeKind.UNKNOWN),
        (refused("ServiceUnavailable", status=503), OutcomeKind.UNKNOWN),
        (ReadTimeoutError(endpoint_url="https://aws"), OutcomeKind.UNKNOWN),
        (ConnectionClosedError(endpoint_url="https://aws"), OutcomeKind.UNKNOWN),
        (BotoCoreError(), OutcomeKind.UNKNOWN),
    ],
)
def test_a_refusal_is_classed_by_what_the_caller_does_next(
    error: Exception, kind: OutcomeKind
) -> None:
    refusal = classify(error, now=NOW)
    assert (refusal.kind, refusal.retry_at) == (kind, None)
    assert refusal.message


@pytest.mark.parametrize(
    "error",
    [
        refused(
            "ThrottlingException",
            "The rate of control plane requests made by this account is too high",
        ),
        refused("RequestLimitExceeded", "Throughput exceeds the current limit"),
        refused(
            "LimitExceededException",
            "Subscriber limit exceeded: 500 tables can be created, updated or deleted "
            "simultaneously",
        ),
        refused("SomethingNew", status=429),
    ],
)
def test_a_crowded_control_plane_is_asked_again_a_second_later(error: ClientError) -> None:
    refusal = classify(error, now=NOW)
    assert (refusal.kind, refusal.retry_at) == (OutcomeKind.CONTROL_PLANE, NOW + 1.0)


def test_an_unknown_limit_of_a_switch_is_no_matter_of_a_second() -> None:
    spent = refused("LimitExceededException", "Subscriber limit exceeded: 4 times in 24 hours")
    assert classify_switch(spent, now=NOW).kind is OutcomeKind.LIMIT
    crowded = refused("LimitExceededException", "500 tables can be changed simultaneously")
    assert classify_switch(crowded, now=NOW) == classify(crowded, now=NOW)
    busy = refused("ResourceInUseException", "Table: feed")
    assert classify_switch(busy, now=NOW) == classify(busy, now=NOW)


def test_the_accounts_total_is_read_from_its_refusal_and_from_no_other() -> None:
    text = (
        "This request would have caused the WriteCapacityUnits limit to be exceeded for the "
        "account in us-east-1. Current WriteCapacityUnits reserved by the account: 79,000. "
        "Limit: 80000. Requested: 31001. Refer to the Amazon DynamoDB Developer Guide"
    )
    told = ReservedUnits(dimension=Dimension.WRITE, units=79_000, most=80_000)
    refusal = classify(refused("LimitExceededException", text), now=NOW)
    assert (refusal.kind, refusal.reserved) == (OutcomeKind.LIMIT, told)
    assert refusal.retry_at == NOW + 1.0, "by then it is known how much would be taken"
    table = (
        "The requested ReadCapacityUnits, 40001, is above the per table maximum for the account"
        " in us-east-1. Per table maximum: 40000."
    )
    refusal = classify(refused("LimitExceededException", table), now=NOW)
    assert (refusal.kind, refusal.reserved) == (OutcomeKind.LIMIT, None)


@given(st.text())
def test_no_text_breaks_the_reading_of_an_accounts_total(text: str) -> None:
    parse_reserved(f"would have caused the ReadCapacityUnits limit to be exceeded {text}")


def test_a_spent_decrease_quota_says_when_the_next_decrease_is_taken() -> None:
    refusal = classify(refused("LimitExceededException", DECREASES_ARE_LIMITED), now=NOW)
    assert refusal.kind is OutcomeKind.DECREASE_QUOTA
    assert refusal.retry_at == datetime(2026, 10, 9, 1, 21, 34, tzinfo=UTC).timestamp()


@given(
    moment=st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis wants bounds without a zone
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    gap=st.sampled_from([" ", "\u202f"]),
)
def test_any_time_aws_can_word_is_read_back_to_the_second(moment: datetime, gap: str) -> None:
    # Java's formatter puts a narrow space before AM and PM from JDK 20 on.
    wording = f"{moment:%A, %B} {moment.day}, {moment.year} at {moment:%I:%M:%S}{gap}{moment:%p}"
    message = f"Next decrease can be made at {wording} Coordinated Universal Time"
    assert parse_next_decrease_at(message) == moment.replace(microsecond=0).timestamp()


@pytest.mark.parametrize(
    "wording",
    [
        "soon",
        "Friday, Brumaire 9, 2026 at 1:21:34 AM Coordinated Universal Time",
        "Friday, October 32, 2026 at 1:21:34 AM Coordinated Universal Time",
        "Friday, October 9, 2026 at 1:21:34 AM Pacific Standard Time",
    ],
)
def test_a_time_that_cannot_be_read_is_absent_and_the_quota_still_known(wording: str) -> None:
    text = f"Provisioned throughput decreases are limited. Next decrease can be made at {wording}"
    refusal = classify(refused("LimitExceededException", text), now=NOW)
    assert (refusal.kind, refusal.retry_at) == (OutcomeKind.DECREASE_QUOTA, None)


def connector_error() -> aiohttp.ClientConnectorError:
    key = ConnectionKey("aws", 443, True, True, None, None, None)  # noqa: FBT003
    return aiohttp.ClientConnectorError(key, ConnectionRefusedError(111, "refused"))


@pytest.mark.parametrize(
    ("error", "is_unsent"),
    [
        (EndpointConnectionError(endpoint_url="https://aws", error=connector_error()), True),
        (EndpointConnectionError(endpoint_url="https://aws", error=socket.gaierror()), True),
        (ConnectTimeoutError(endpoint_url="https://aws", error=TimeoutError()), True),
        # A reset connection goes by the same name, but may have carried the request.
        (
            EndpointConnectionError(
                endpoint_url="https://aws", error=aiohttp.ClientOSError(104, "reset by peer")
            ),
            False,
        ),
        (ReadTimeoutError(endpoint_url="https://aws"), False),
        (ConnectionClosedError(endpoint_url="https://aws"), False),
    ],
)
def test_only_a_connection_that_never_stood_is_certainly_unsent(
    error: Exception, *, is_unsent: bool
) -> None:
    assert is_certainly_unsent(error) is is_unsent


def test_a_read_that_was_answered_no_keeps_the_reason_and_one_without_answer_has_none() -> None:
    answered = translate_read(refused("AccessDeniedException", "no"), now=NOW)
    assert isinstance(answered, RefusedError)
    assert answered.refusal.kind is OutcomeKind.DENIED

    silent = translate_read(ReadTimeoutError(endpoint_url="https://aws"), now=NOW)
    assert type(silent) is GatewayError
    assert "https://aws" in str(silent)
