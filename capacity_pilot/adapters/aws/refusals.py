"""What an error of a control-plane call means for the plan that caused it.

Codes are those of botocore's service models, DynamoDB's and Application Auto Scaling's. One code,
LimitExceededException, covers what is over in a second, what is over tomorrow and what never ends,
so its text has to be read: texts as AWS words them in 2026.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from capacity_pilot.core.errors import GatewayError
from capacity_pilot.core.model import Dimension, OutcomeKind, Plan, ReservedUnits

CALL_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
"""Everything a call of the client raises about AWS, the network or the request."""

CONTROL_PLANE_PAUSE_S = 1.0
"""After ThrottlingException of the control plane a call one second later is taken."""

_KIND_BY_CODE: Final[Mapping[str, OutcomeKind]] = {
    **dict.fromkeys(
        ("ConcurrentUpdateException", "ResourceInUseException", "TableInUseException"),
        OutcomeKind.BUSY,
    ),
    **dict.fromkeys(
        (
            "IndexNotFoundException",
            "ObjectNotFoundException",
            "ResourceNotFoundException",
            "TableNotFoundException",
        ),
        OutcomeKind.NOT_FOUND,
    ),
    **dict.fromkeys(
        (
            "RequestLimitExceeded",
            "RequestThrottledException",
            "ThrottledException",
            "Throttling",
            "ThrottlingException",
            "TooManyRequestsException",
        ),
        OutcomeKind.CONTROL_PLANE,
    ),
    **dict.fromkeys(
        (
            "AccessDenied",
            "AccessDeniedException",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidClientTokenId",
            "InvalidSignatureException",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
        ),
        OutcomeKind.DENIED,
    ),
}
_CREDENTIAL_ERRORS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
)

# Not from the calendar module, whose names follow the locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_NEXT_DECREASE = re.compile(
    r"Next decrease can be made at\s+\w+,\s+(?P<month>[A-Z][a-z]+)\s+(?P<day>\d{1,2}),"
    r"\s+(?P<year>\d{4})\s+at\s+(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)"
    r"\s+(?P<half>AM|PM)\s+Coordinated Universal Time"
)

_RESERVED = re.compile(
    r"would have caused the (?P<dimension>Read|Write)CapacityUnits limit to be exceeded"
    r".*?CapacityUnits reserved by the account: (?P<units>\d[\d,]*)\."
    r" Limit: (?P<most>[1-9][\d,]*)\.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a call did not do what it asked. ``retry_at`` and ``reserved``, of the account, are set
    where AWS lets them be known.
    """

    kind: OutcomeKind
    message: str
    retry_at: float | None = None
    reserved: ReservedUnits | None = None


class RefusedError(GatewayError):
    """AWS answered a read, and the answer was no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def classify(error: Exception, *, now: float) -> Refusal:
    """Say what a failed call means. ``UNKNOWN`` is whatever may have taken effect all the same.

    ``error`` is one of ``CALL_ERRORS``, ``now`` Unix seconds.
    """
    if isinstance(error, ClientError):
        return _classify_answer(error, now=now)
    if isinstance(error, ParamValidationError):
        return Refusal(kind=OutcomeKind.INVALID, message=str(error))
    if isinstance(error, _CREDENTIAL_ERRORS):
        return Refusal(kind=OutcomeKind.DENIED, message=str(error))
    return Refusal(kind=OutcomeKind.UNKNOWN, message=str(error) or type(error).__name__)


def classify_update(error: Exception, plan: Plan, *, now: float) -> Refusal:
    """Say what the failure of the call means that was to carry out ``plan``."""
    return (classify if plan.switch is None else classify_switch)(error, now=now)


def classify_switch(error: Exception, *, now: float) -> Refusal:
    """As ``classify``, of a call that asked for another billing mode.

    AWS's wording of a fifth switch within 24 hours is not known. So any limit is taken for that one
    which is not plainly the 500 tables that may change at once.
    """
    refusal = classify(error, now=now)
    is_limit = code_of(error) == "LimitExceededException"
    if is_limit and "simultaneous" not in refusal.message:
        return Refusal(kind=OutcomeKind.LIMIT, message=refusal.message, reserved=refusal.reserved)
    return refusal


def translate_read(error: Exception, *, now: float) -> GatewayError:
    """Give the error to raise, ``from`` this one, when a call that changes nothing fails."""
    refusal = classify(error, now=now)
    if refusal.kind is OutcomeKind.UNKNOWN:
        return GatewayError(refusal.message)
    return RefusedError(refusal)


def is_certainly_unsent(error: Exception) -> bool:
    """Tell whether the connection failed before a byte of the request was written.

    ``EndpointConnectionError`` alone does not say so: aiobotocore raises it as well for a
    connection reset after the request was written, which then may have taken effect.
    """
    if isinstance(error, ConnectTimeoutError | SSLError | ProxyConnectionError):
        return True
    if isinstance(error, EndpointConnectionError):
        cause = error.kwargs.get("error")
        return isinstance(cause, aiohttp.ClientConnectorError | socket.gaierror)
    return False


def parse_next_decrease_at(message: str) -> float | None:
    """Read when AWS will take the next decrease, in Unix seconds; ``None`` if it does not say."""
    match = _NEXT_DECREASE.search(message)
    if match is None or match["month"] not in _MONTHS:
        return None
    afternoon = 12 if match["half"] == "PM" else 0
    try:
        moment = datetime(
            int(match["year"]),
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]) % 12 + afternoon,
            int(match["minute"]),
            int(match["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return moment.timestamp()


def parse_reserved(message: str) -> ReservedUnits | None:
    """Read what the account has of its quota; ``None`` if it is another limit's refusal."""
    match = _RESERVED.search(message)
    if match is None:
        return None
    units, most = (int(match[name].replace(",", "")) for name in ("units", "most"))
    return ReservedUnits(dimension=Dimension[match["dimension"].upper()], units=units, most=most)


def _classify_answer(error: ClientError, *, now: float) -> Refusal:
    answer = error.response.get("Error", {})
    code = code_of(error)
    text = answer.get("Message", "")
    message = f"{code}: {text}" if text else code
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == "LimitExceededException":
        return _classify_limit(text, message=message, now=now)
    if code == "ValidationException" and _says_unchanged(text):
        return Refusal(kind=OutcomeKind.UNCHANGED, message=message)
    kind = _KIND_BY_CODE.get(code) or _kind_of_status(status)
    if kind is OutcomeKind.CONTROL_PLANE:
        return _pause(message, now=now)
    return Refusal(kind=kind, message=message)


def code_of(error: Exception) -> str:
    """AWS's code for it, ``""`` for what is no answer of AWS's."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def _says_unchanged(text: str) -> bool:
    # AWS says both; emulators say one or the other.
    return "will not change" in text or "equals the current value" in text


def _kind_of_status(status: int | None) -> OutcomeKind:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return OutcomeKind.CONTROL_PLANE
    # Any other 4xx refused the request as a whole; a 5xx may have come after the deed.
    if status is not None and 400 <= status < 500:
        return OutcomeKind.INVALID
    return OutcomeKind.UNKNOWN


def _classify_limit(text: str, *, message: str, now: float) -> Refusal:
    if "decreases are limited" in text:
        return Refusal(
            kind=OutcomeKind.DECREASE_QUOTA,
            message=message,
            retry_at=parse_next_decrease_at(text),
        )
    lowered = text.lower()
    if "maximum" in lowered or "limit to be exceeded" in lowered:
        if (reserved := parse_reserved(text)) is None:
            return Refusal(kind=OutcomeKind.LIMIT, message=message)
        # It tells how much would have been taken: the next plan asks for no more than that.
        at = now + CONTROL_PLANE_PAUSE_S
        return Refusal(kind=OutcomeKind.LIMIT, message=message, retry_at=at, reserved=reserved)
    # What is left is too many tables changing at once (500 per account), and texts unknown to
    # us: asking again in a second costs a call, taking a passing limit for a lasting one would
    # keep a table from growing.
    return _pause(message, now=now)


def _pause(message: str, *, now: float) -> Refusal:
    return Refusal(
        kind=OutcomeKind.CONTROL_PLANE, message=message, retry_at=now + CONTROL_PLANE_PAUSE_S
    )
