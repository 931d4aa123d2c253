"""Everything that can go wrong in a run, and when. Seconds are the run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from capacity_pilot.core.model import Resource, ScalableTarget
from tests.chaos.mishaps import Mishap

PRIMARY: Final = 0
SECOND: Final = 1
"""Machines a pilot may run on."""


@dataclass(frozen=True, slots=True)
class Span:
    """From ``since`` to before ``until``."""

    since: float
    until: float

    def __contains__(self, at: float) -> bool:
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class BadCalls:
    """A ``share`` of the calls of these operations goes another way than well, those of the pilot
    at ``place`` or everybody's.
    """

    during: Span
    operations: frozenset[str]
    share: float
    go: Mishap
    name: str
    place: int | None = None


@dataclass(frozen=True, slots=True)
class SlowApplies:
    """Changes requested meanwhile take ``factor`` times as long."""

    during: Span
    factor: float


@dataclass(frozen=True, slots=True)
class Foreign:
    """Somebody else sets capacity to ``factor`` times what it was at first."""

    at: float
    resource: Resource
    factor: float


@dataclass(frozen=True, slots=True)
class Recreated:
    """A table is deleted, and made anew after ``away_s``."""

    at: float
    table: str
    away_s: float


@dataclass(frozen=True, slots=True)
class IndexChange:
    """The spare index is added, and removed again after ``stays_s``."""

    at: float
    table: str
    stays_s: float


@dataclass(frozen=True, slots=True)
class Killed:
    """The process ends at the first such ``point`` after ``at``; ``away_s`` later comes another."""

    at: float
    point: str
    away_s: float
    place: int = PRIMARY


@dataclass(frozen=True, slots=True)
class Paused:
    """The process stands still for ``lasts_s``, from the first such ``point`` after ``at`` on: as
    by SIGSTOP, or in a virtual machine that is moved. What it has sent is on its way all the same.
    """

    at: float
    point: str
    lasts_s: float
    place: int


@dataclass(frozen=True, slots=True)
class Second:
    """Another pilot runs beside the first."""

    during: Span


@dataclass(frozen=True, slots=True)
class ClockJump:
    """The machine's clock is off by ``by_s``."""

    during: Span
    by_s: float
    place: int = PRIMARY


@dataclass(frozen=True, slots=True)
class BadTelemetry:
    """``kind``: silent, late (by ``amount`` s), doubled, thinned (to a share), replayed (``amount``
    s old news come again, every second).
    """

    during: Span
    kind: str
    amount: float


@dataclass(frozen=True, slots=True)
class BadDisk:
    """Nothing can be written to the journal."""

    during: Span


@dataclass(frozen=True, slots=True)
class BadCloudWatch:
    """CloudWatch answers with an error, or with nothing."""

    during: Span
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Reregistered:
    """Its operator sets a minimum of Application Auto Scaling to ``factor`` times what it was at
    first.
    """

    at: float
    target: ScalableTarget
    factor: float


Fault = (
    BadCalls
    | SlowApplies
    | Foreign
    | Recreated
    | IndexChange
    | Killed
    | Paused
    | Second
    | ClockJump
    | BadTelemetry
    | BadDisk
    | BadCloudWatch
    | Reregistered
)

POINTS: Final = (
    "describe_begun",
    "describe_answered",
    "update_begun",
    "update_answered",
    "update_failed",
    "call_recorded",
    "answer_recorded",
    "tick",
)
LEASE_POINTS: Final = ("lease_begun", "lease_answered", *POINTS)
FLOOR_POINTS: Final = (
    "scaling_read_begun",
    "scaling_read_answered",
    "register_begun",
    "register_answered",
    "register_failed",
    "holds_kept",
    "tick",
)
"""Where a process may be killed or stopped: what it has just done."""
