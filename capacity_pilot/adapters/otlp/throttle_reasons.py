"""Why DynamoDB refused a call, as far as its span tells.

The reasons stand in a member of the error response that no instrumentation records. They are read
where an application puts them into the span itself, by name and with the resource's ARN, in a
message or in ``aws.dynamodb.throttling_reasons``. Without them the wording of the error's message
tells some limits apart. Most throttles tell nothing: their message is the same for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from capacity_pilot.adapters.otlp.names import parse_table
from capacity_pilot.core.model import Dimension
from capacity_pilot.core.throttling import Cause, ThrottleLimit

_MOST_CAUSES: Final = 16  # two kinds of resource, two dimensions, four limits
_TOLD: Final = re.compile(
    r"\b(?P<kind>Table|Index)(?P<dimension>Read|Write)"
    rf"(?P<limit>{'|'.join(ThrottleLimit)})\b"
    r"|(?P<arn>arn:[\w-]+:dynamodb:[\w-]*:\d*:table/[\w./-]+)"
)
# The first that fits. Texts of AWS's API reference and developer guide ("Diagnosing throttling").
_WORDINGS: Final = (
    (
        re.compile(
            r"\bRequestLimitExceeded(?:Exception)?\b|throughput (?:limit|quota) for your account"
        ),
        Cause(limit=ThrottleLimit.ACCOUNT),
    ),
    (
        re.compile(r"maximum OnDemandThroughput configured on table or index"),
        Cause(limit=ThrottleLimit.ON_DEMAND_MAXIMUM),
    ),
    (
        re.compile(
            r"level of configured provisioned throughput for"
            r" (?:one or more global secondary indexes|the index)"
        ),
        Cause(limit=ThrottleLimit.PROVISIONED, is_index=True),
    ),
)


def find_causes(texts: Iterable[str]) -> tuple[Cause, ...]:
    """The reasons that texts name, else the one their wording shows, else none."""
    joined = list(texts)
    named = dict.fromkeys(cause for text in joined for cause in _find_named(text))
    if named:
        return tuple(named)[:_MOST_CAUSES]
    for wording, cause in _WORDINGS:
        if any(wording.search(text) for text in joined):
            return (cause,)
    return ()


def _find_named(text: str) -> list[Cause]:
    """Reasons and resources in order; where their numbers differ, whose is whose is not known."""
    found = list(_TOLD.finditer(text))
    reasons = [each for each in found if each["limit"]]
    places = [_read_arn(each["arn"]) for each in found if each["arn"]]
    if len(places) != len(reasons):
        places = [("", "")] * len(reasons)
    return [
        Cause(
            limit=ThrottleLimit(reason["limit"]),
            is_index=reason["kind"] == "Index",
            dimension=Dimension[reason["dimension"].upper()],
            table=table,
            index=index,
        )
        for reason, (table, index) in zip(reasons, places, strict=True)
    ]


def _read_arn(arn: str) -> tuple[str, str]:
    try:
        table, index = parse_table(arn)
    except ValueError:
        return "", ""
    return ("", "") if table == arn else (table, index)
