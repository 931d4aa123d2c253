"""What is worth waking someone for, who is told of it, and how seldom."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from capacity_pilot.core.quantities import Duration, Strict

_MOST_REMEMBERED: Final = 10_000
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}")
_WEBHOOK: Final = re.compile(r"https?://[^\s/]+\S*|env:[A-Za-z_][A-Za-z0-9_]*")


class Occasion(StrEnum):
    """Kinds of what happens."""

    POLICIES_REFUSED = "policies_refused"
    HAND_BACK = "hand_back"
    QUOTA_NEAR = "quota_near"
    THROTTLED_BY_OTHER_LIMITS = "throttled_by_other_limits"
    AT_CEILING = "at_ceiling"
    LEASE_LOST = "lease_lost"
    TELEMETRY_LOST = "telemetry_lost"
    JOURNAL_NOT_WRITTEN = "journal_not_written"
    CHANGED_BY_OTHERS = "changed_by_others"
    IDLE = "idle"


WORDING: Final[Mapping[Occasion, str]] = {
    Occasion.POLICIES_REFUSED: "policies cannot be followed, the last good ones stay in force",
    Occasion.HAND_BACK: "nothing is known of demand for long, tables are handed back",
    Occasion.QUOTA_NEAR: "provisioned capacity comes near AWS's quota",
    Occasion.THROTTLED_BY_OTHER_LIMITS: "throttling that more capacity does not end",
    Occasion.AT_CEILING: "a table is at its ceiling and needs more",
    Occasion.LEASE_LOST: "this pilot has lost the lease",
    Occasion.TELEMETRY_LOST: "spans have stopped coming",
    Occasion.JOURNAL_NOT_WRITTEN: "the journal cannot be written, decreases are held",
    Occasion.CHANGED_BY_OTHERS: "somebody else has changed what the pilot drives",
    Occasion.IDLE: "a table or index is paid for and nobody uses it",
}

_TOLD: Final[Mapping[str, tuple[Occasion, str]]] = {
    "policies_refused": (Occasion.POLICIES_REFUSED, "source"),
    "policies_unreadable": (Occasion.POLICIES_REFUSED, "source"),
    "policies_outdated": (Occasion.POLICIES_REFUSED, "source"),
    "auto_scaling_not_given_back": (Occasion.HAND_BACK, ""),
    "quota_near": (Occasion.QUOTA_NEAR, "of"),
    "key_range_throttled": (Occasion.THROTTLED_BY_OTHER_LIMITS, "table"),
    "account_quota_throttled": (Occasion.THROTTLED_BY_OTHER_LIMITS, "table"),
    "on_demand_maximum_throttled": (Occasion.THROTTLED_BY_OTHER_LIMITS, "table"),
    "at_ceiling": (Occasion.AT_CEILING, "target"),
    "standby": (Occasion.LEASE_LOST, ""),
    "telemetry_lost": (Occasion.TELEMETRY_LOST, ""),
    "journal_not_written": (Occasion.JOURNAL_NOT_WRITTEN, ""),
    "registration_changed_by_others": (Occasion.CHANGED_BY_OTHERS, "target"),
    "changed_by_others": (Occasion.CHANGED_BY_OTHERS, "resource"),
    "idle": (Occasion.IDLE, "target"),
}
"""Events of the log, and which of their keys says of what."""


class Notification(Strict):
    """Who is told of what happens: an SNS topic, or a webhook."""

    sns: str | None = Field(default=None, pattern=f"^{_TOPIC.pattern}$")
    """The topic's ARN."""

    webhook: str | None = Field(default=None, pattern=f"^({_WEBHOOK.pattern})$", max_length=2000)
    """An address that takes POST, or env:NAME for the environment variable that has it."""

    when: list[Occasion] = Field(default_factory=lambda: list(Occasion), min_length=1)
    """Of what; of everything unless said."""

    quiet_for: Annotated[Duration, Field(ge=60)] = 3600.0
    """So long the same is not told again."""

    @model_validator(mode="after")
    def _has_one_address(self) -> Notification:
        if (self.sns is None) == (self.webhook is None):
            raise ValueError("whom to tell? name either sns or webhook")
        return self

    @property
    def address(self) -> str:
        return self.sns or self.webhook or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that happened at ``at`` (Unix seconds). ``subject`` is what it is about, ``""``
    for the pilot as a whole; ``repeats`` is how often it was kept quiet since last told.
    """

    occasion: Occasion
    subject: str
    at: float
    details: Mapping[str, Any]
    repeats: int = 0

    @property
    def text(self) -> str:
        """One line."""
        about = f" ({self.subject})" if self.subject else ""
        again = f"; {self.repeats} times more since last told" if self.repeats else ""
        return f"capacity-pilot: {WORDING[self.occasion]}{about}{again}"


def read_event(event: Mapping[str, Any], at: float) -> Notice | None:
    """What an event of the log is worth telling of, if anything."""
    name = event.get("event")
    if name == "rung_changed":
        if event.get("rung") != "hand_back":
            return None
        occasion, key = Occasion.HAND_BACK, ""
    elif name in _TOLD:
        occasion, key = _TOLD[str(name)]
    else:
        return None
    details = {k: v for k, v in event.items() if k not in ("level", "at")}
    return Notice(
        occasion=occasion, subject=str(event.get(key, "")) if key else "", at=at, details=details
    )


@dataclass(slots=True)
class Quiet:
    """What was told to whom, and when. One address is told of one thing once in ``quiet_for``."""

    _told: OrderedDict[tuple[str, Occasion, str], tuple[float, int]] = field(
        default_factory=OrderedDict
    )

    def admit(self, notification: Notification, notice: Notice) -> int | None:
        """How often it was kept quiet before it is told now; ``None`` to keep quiet once more."""
        key = notification.address, notice.occasion, notice.subject
        told_at, repeats = self._told.get(key, (float("-inf"), 0))
        if 0 <= notice.at - told_at < notification.quiet_for:
            self._told[key] = told_at, repeats + 1
            return None
        self._told[key] = notice.at, 0
        self._told.move_to_end(key)
        while len(self._told) > _MOST_REMEMBERED:
            self._told.popitem(last=False)
        return repeats


def join_notifications(several: Iterable[Iterable[Notification]]) -> list[Notification]:
    """Those of all files, each once."""
    found: list[Notification] = []
    for notifications in several:
        found += [each for each in notifications if each not in found]
    return found
