"""What became of a call: served, refused for lack of capacity, or failed otherwise.

SDKs name the error in different places: an ``exception`` event (bare, with a module, a Java
package or a .NET namespace before it), ``error.type``, or only in a message. PHP and
botocore's generic ClientError carry the code nowhere but in the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from capacity_pilot.adapters.otlp.throttle_reasons import find_causes
from capacity_pilot.adapters.otlp.wire import Event, KeyValue, Status
from capacity_pilot.core.throttling import Cause


class Outcome(Enum):
    """How a call ended, by what it means for capacity."""

    __hash__ = object.__hash__  # members are single; Enum's own hash runs in Python

    SERVED = "served"
    THROTTLED = "throttled"
    FAILED_CONSUMING = "failed_consuming"  # a failed condition consumes what the write would
    FAILED_UNCONSUMING = "failed_unconsuming"


@dataclass(frozen=True, slots=True)
class Throttle:
    """A call refused for reasons that its span tells, one at least."""

    causes: tuple[Cause, ...]


Verdict = Outcome | Throttle
"""``Outcome.THROTTLED`` is a refusal whose reason is not told, as most are."""

_STATUS_ERROR = 2

_THROTTLES = frozenset(
    (
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "RequestLimitExceededException",  # as Java and .NET name the class
    )
)
_CONSUMING = frozenset(("ConditionalCheckFailedException", "TransactionCanceledException"))

# A transaction cancelled for lack of capacity lists these as reasons (API reference,
# "TransactWriteItems"), which the exception's own name hides.
_THROTTLE_TEXT = re.compile(
    r"\b(?:ProvisionedThroughputExceeded(?:Exception)?|ThrottlingException|ThrottlingError"
    r"|RequestLimitExceeded(?:Exception)?)\b"
    r"|level of configured provisioned throughput for"
    r"|Throughput exceeds the (?:current|maximum) "
)
_CONSUMING_TEXT = re.compile(
    r"\b(?:ConditionalCheckFailed(?:Exception)?|TransactionCanceledException)\b"
    r"|The conditional request failed"
)
_LAST_SEGMENT = re.compile(r"[\w]+$")


def classify(
    status: bytes,
    events: list[bytes],
    error_type: str | None,
    http_status: int | None,
    reasons: tuple[Cause, ...] = (),
) -> Verdict:
    """Decides from a span's status, exception events, ``error.type`` and HTTP status.

    ``reasons`` are those that an attribute names, which go before those in messages.
    An error nobody can name consumed nothing: that is so for refused, invalid and failed
    requests, and a call that never arrived. Raises ``DecodeError`` on damaged bytes.
    """
    told = Status.FromString(status)
    has_failed = (
        told.code == _STATUS_ERROR
        or error_type is not None
        or (http_status is not None and http_status >= 400)
    )
    if not has_failed:
        return Outcome.SERVED
    exceptions = [_read_exception(event) for event in events]
    texts = [message for _, message in exceptions]
    texts.append(told.message.decode("utf-8", "replace"))
    names = [name for name, _ in exceptions if name]
    if error_type:
        names.append(_last_segment(error_type))
    outcome = _judge(names, "\n".join(texts))
    if outcome is Outcome.THROTTLED and (causes := reasons or find_causes((*names, *texts))):
        return Throttle(causes)
    return outcome


def _judge(names: list[str], text: str) -> Outcome:
    if any(name in _THROTTLES for name in names) or _THROTTLE_TEXT.search(text):
        return Outcome.THROTTLED
    if any(name in _CONSUMING for name in names) or _CONSUMING_TEXT.search(text):
        return Outcome.FAILED_CONSUMING
    return Outcome.FAILED_UNCONSUMING


def _read_exception(raw: bytes) -> tuple[str, str]:
    """Class and message of an exception event, empty for any other event."""
    event = Event.FromString(raw)
    if event.name != b"exception":
        return "", ""
    name = message = ""
    for attribute in event.attributes:
        if attribute.key == b"exception.type":
            name = _last_segment(_text(attribute))
        elif attribute.key == b"exception.message":
            message = _text(attribute)
    return name, message


def _text(attribute: KeyValue) -> str:
    return attribute.value.string_value.decode("utf-8", "replace")


def _last_segment(name: str) -> str:
    """``ThrottlingException`` of ``botocore.errorfactory.ThrottlingException`` and the like."""
    found = _LAST_SEGMENT.search(name)
    return found[0] if found else ""
