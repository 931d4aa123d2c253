"""Everything that can come of a call to AWS other than its answer.

Errors are those botocore raises, since it is for the pilot to find out what they mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from numpy.random import Generator

from capacity_pilot.adapters.aws.dynamodb import CONNECT_TIMEOUT_S, READ_TIMEOUT_S
from capacity_pilot.adapters.journal.state_table import READ_TIMEOUT_S as STORE_TIMEOUT_S

_URL: Final = "https://dynamodb.us-east-1.amazonaws.com/"
_LATE_S: Final = 3.0
"""A request whose sender has given up may still be on its way for about as long."""

_SLOW_DOWN: Final = "The rate of control plane requests made by this account is too high"
_IN_USE: Final = "Attempt to change a resource which is still in use"
_TABLES: Final = "Only 500 tables can be created, updated, or deleted simultaneously"
_TABLE_MAXIMUM: Final = (
    "The requested WriteCapacityUnits, 40001, is above the per table maximum for the account in "
    "us-east-1. Per table maximum: 40000."
)
_ACCOUNT_MAXIMUM: Final = (
    "This request would have caused the ReadCapacityUnits limit to be exceeded for the account in "
    "us-east-1. Current ReadCapacityUnits reserved by the account: 79990. Limit: 80000. "
    "Requested: 100."
)
_DENIED: Final = "User is not authorized to perform this with an explicit deny"

_OF_ANY_CALL: Final = (
    ("ValidationException", "One or more parameter values were invalid", 400),
    ("SerializationException", "Unexpected value", 400),
    ("SomethingNewException", "What nobody has heard of", 400),
    ("InternalServerError", "Internal server error", 500),
    ("ServiceUnavailable", "The service is temporarily unavailable", 503),
    ("UnknownError", "", 502),
)
"""What DynamoDB may say to any call."""

REFUSALS: Final[tuple[tuple[str, str, int], ...]] = (
    ("ThrottlingException", _SLOW_DOWN, 400),
    ("ThrottledException", "Rate exceeded", 400),
    ("RequestLimitExceeded", "Rate exceeded", 400),
    ("TooManyRequestsException", "Rate exceeded", 429),
    ("LimitExceededException", f"Subscriber limit exceeded: {_TABLES}", 400),
    ("LimitExceededException", _TABLE_MAXIMUM, 400),
    ("LimitExceededException", _ACCOUNT_MAXIMUM, 400),
    ("LimitExceededException", "A limit nobody has heard of.", 400),
    ("ResourceInUseException", f"{_IN_USE}: Table IOPS are currently being updated.", 400),
    ("ResourceInUseException", "The resource you are attempting to change is in use.", 400),
    ("ResourceNotFoundException", "Requested resource not found: Table: t not found", 400),
    ("AccessDeniedException", _DENIED, 400),
    ("UnrecognizedClientException", "The security token in the request is invalid.", 400),
    ("ExpiredTokenException", "The security token in the request is expired", 400),
    ("InvalidSignatureException", "Signature expired", 400),
    ("IncompleteSignatureException", "Request signature is incomplete", 400),
    ("MissingAuthenticationTokenException", "Request is missing Authentication Token", 400),
    ("OptInRequired", "The account is not subscribed to the service", 403),
    *_OF_ANY_CALL,
)
"""(code, message, HTTP status) of answers that say no; a 5xx may come after the deed."""

SCALING_REFUSALS: Final[tuple[tuple[str, str, int], ...]] = (
    (
        "ConcurrentUpdateException",
        "You already have a pending update to an Auto Scaling resource.",
        400,
    ),
    ("FailedResourceAccessException", "Unable to assume the service-linked role", 400),
    ("InternalServiceException", "", 500),
    ("LimitExceededException", "The account has reached its limit of scalable targets", 400),
    ("ObjectNotFoundException", "No scalable target found", 400),
    ("ThrottlingException", "Rate exceeded", 400),
    ("AccessDeniedException", _DENIED, 400),
    ("ValidationException", "Minimum capacity cannot be greater than maximum capacity", 400),
)
"""The same of Application Auto Scaling."""

CLOUDWATCH_REFUSALS: Final[tuple[tuple[str, str, int], ...]] = (
    ("Throttling", "Rate exceeded", 400),
    ("LimitExceeded", "The maximum limit has been reached", 400),
    ("InternalServiceFault", "", 500),
    ("ServiceUnavailable", "", 503),
    ("AccessDenied", _DENIED, 403),
    ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
    ("ExpiredToken", "The security token included in the request is expired", 403),
    ("SignatureDoesNotMatch", "Signature expired", 403),
    ("OptInRequired", "The account is not subscribed to the service", 403),
    ("InvalidNextToken", "", 400),
    ("InvalidParameterValue", "The parameter MetricDataQueries is too long", 400),
    ("SomethingNew", "What nobody has heard of", 400),
)
"""The same of CloudWatch."""

STORE_REFUSALS: Final[tuple[tuple[str, str, int], ...]] = (
    ("ProvisionedThroughputExceededException", "The level of configured throughput is low", 400),
    ("ThrottlingException", "Throughput exceeds the current capacity of your table", 400),
    ("RequestLimitExceeded", "Throughput exceeds the current limit for your account", 400),
    ("TransactionConflictException", "Transaction is ongoing for the item", 400),
    ("TransactionInProgressException", "The transaction is in progress", 400),
    ("IdempotentParameterMismatchException", "", 400),
    ("ItemCollectionSizeLimitExceededException", "Collection size exceeded", 400),
    ("ResourceNotFoundException", "Requested resource not found", 400),
    ("AccessDeniedException", "The ciphertext refers to a KMS key that is disabled", 400),
    ("UnrecognizedClientException", "The security token in the request is invalid.", 400),
    ("ExpiredTokenException", "The security token in the request is expired", 400),
    *_OF_ANY_CALL,
)
"""The same of DynamoDB's data plane."""

CANCELLATIONS: Final = (
    "TransactionConflict",
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
    "ItemCollectionSizeLimitExceeded",
    "ValidationError",
)
"""What a transaction is cancelled for besides a condition that does not hold."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a call goes: seconds until it takes effect (``None``: never) and until it ends, and the
    error it ends with; without one it ends with AWS's answer.
    """

    effect_s: float | None
    ends_s: float
    error: Exception | None = None


Mishap = Callable[[Generator], Course]


def go_well(draw: Generator) -> Course:
    """Tens of milliseconds."""
    takes = float(draw.uniform(0.01, 0.08))
    return Course(takes / 2, takes)


def be_slow(draw: Generator) -> Course:
    takes = float(draw.uniform(0.5, READ_TIMEOUT_S - 0.1))
    return Course(takes * float(draw.uniform(0.1, 0.9)), takes)


def refuse(code: str, message: str, status: int) -> Mishap:
    """AWS says no at once. A 5xx comes before the deed or after it."""

    def go(draw: Generator) -> Course:
        takes = float(draw.uniform(0.01, 0.3))
        is_done = status >= HTTPStatus.INTERNAL_SERVER_ERROR and draw.random() < 0.5
        return Course(takes / 2 if is_done else None, takes, client_error(code, message, status))

    return go


def cancel(reason: str) -> Mishap:
    """A transaction is cancelled for its first item."""

    def go(draw: Generator) -> Course:
        error = client_error(
            "TransactionCanceledException", f"Transaction cancelled [{reason}]", 400
        )
        error.response.update({"CancellationReasons": [{"Code": reason}, {"Code": "None"}]})
        return Course(None, float(draw.uniform(0.01, 0.3)), error)

    return go


def lose_answer(draw: Generator) -> Course:
    """No answer within the timeout; done at once, too late, or not at all."""
    return _lose_answer(draw, within_s=READ_TIMEOUT_S)


def lose_stores_answer(draw: Generator) -> Course:
    """The same of the state table, whose client has less patience."""
    return _lose_answer(draw, within_s=STORE_TIMEOUT_S)


def _lose_answer(draw: Generator, *, within_s: float) -> Course:
    effect: float | None = None
    match int(draw.integers(3)):
        case 0:
            effect = float(draw.uniform(0.01, 1.0))
        case 1:
            effect = within_s + float(draw.uniform(0, _LATE_S))
        case _:
            pass
    return Course(effect, within_s, exceptions.ReadTimeoutError(endpoint_url=_URL))


def break_off(draw: Generator) -> Course:
    """The connection ends, or what comes cannot be read: done or not, and no telling which."""
    takes = float(draw.uniform(0.01, 2.0))
    reset = aiohttp.ServerDisconnectedError()
    errors: tuple[Exception, ...] = (
        exceptions.ConnectionClosedError(endpoint_url=_URL),
        exceptions.EndpointConnectionError(endpoint_url=_URL, error=reset),
        exceptions.HTTPClientError(error=reset),
        ResponseParserError("Unable to parse response, invalid JSON received"),
    )
    error = errors[int(draw.integers(len(errors)))]
    return Course(takes / 2 if draw.random() < 0.5 else None, takes, error)


def fail_to_connect(draw: Generator) -> Course:
    """Not a byte of the request is written."""
    key = ConnectionKey("dynamodb", 443, True, True, None, None, None)  # noqa: FBT003 (aiohttp's)
    refused = aiohttp.ClientConnectorError(key, OSError(111, "Connection refused"))
    errors: tuple[tuple[Exception, float], ...] = (
        (exceptions.ConnectTimeoutError(endpoint_url=_URL), CONNECT_TIMEOUT_S),
        (exceptions.EndpointConnectionError(endpoint_url=_URL, error=refused), 0.01),
        (exceptions.SSLError(endpoint_url=_URL, error=OSError("certificate expired")), 0.1),
        (exceptions.ProxyConnectionError(proxy_url="http://proxy"), 0.1),
        (exceptions.NoCredentialsError(), 0.0),
    )
    error, takes = errors[int(draw.integers(len(errors)))]
    return Course(None, takes, error)


def be_sluggish(draw: Generator) -> Course:
    """As a state table is whose partition moves: within its client's patience, or beyond it."""
    takes = float(draw.uniform(0.2, 1.3 * STORE_TIMEOUT_S))
    if takes < STORE_TIMEOUT_S:
        return Course(takes / 2, takes)
    late = exceptions.ReadTimeoutError(endpoint_url=_URL)
    return Course(takes / 2, STORE_TIMEOUT_S, late)


def cut_off(draw: Generator) -> Course:
    """The network is gone: nothing is reached, or what was is never heard of."""
    if draw.random() < 0.7:
        return Course(None, 1.0, exceptions.ConnectTimeoutError(endpoint_url=_URL))
    is_done = draw.random() < 0.5
    late = exceptions.ReadTimeoutError(endpoint_url=_URL)
    return Course(0.01 if is_done else None, STORE_TIMEOUT_S, late)


def client_error(code: str, message: str, status: int) -> ClientError:
    """As botocore words an answer that says no."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "AnyCall",
    )
