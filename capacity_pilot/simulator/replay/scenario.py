"""What goes wrong in a replay, and what is announced, and when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from capacity_pilot.adapters.yaml_document import parse_document, read_text
from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.replay.announcing import PlannedAnnouncement, Seconds


class _Fault(BaseModel):
    """Holds from ``at`` for ``lasts``, both from the replay's beginning on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Seconds
    lasts: Seconds

    def holds(self, since_start_s: float) -> bool:
        return self.at <= since_start_s < self.at + self.lasts


class TelemetryGap(_Fault):
    """No span arrives of these seconds, then or later."""

    kind: Literal["telemetry_gap"]


class Sampling(_Fault):
    """Only this share of calls is traced, each standing for its kin (tracestate ``th``)."""

    kind: Literal["sampling"]
    ratio: float = Field(gt=0, le=1)


class Untraced(_Fault):
    """This share of calls is made by callers without tracing: no span tells of it, or hints at it.

    A sampler that does not say what share of traces it keeps comes to the same.
    """

    kind: Literal["untraced"]
    share: float = Field(gt=0, le=1)


class LateSpans(_Fault):
    """This share of calls is told of ``by`` so much later than usual."""

    kind: Literal["late_spans"]
    by: Seconds
    share: float = Field(default=1.0, gt=0, le=1)


class CloudWatchGap(_Fault):
    """Minutes that end in this time are never published."""

    kind: Literal["cloudwatch_gap"]


class RefusedUpdates(_Fault):
    """Every UpdateTable call is answered with this error, for every strategy alike."""

    kind: Literal["refused_updates"]
    code: str = Field(default="ThrottlingException", pattern=r"^[A-Za-z.]{1,80}$")
    message: str = "The rate of control plane requests made by this account is too high"


class SlowApplies(_Fault):
    """Changes requested in this time take ``factor`` times as long to be in force."""

    kind: Literal["slow_applies"]
    factor: float = Field(gt=0, le=1000)


class Restart(_Fault):
    """The daemon dies and is away; it comes back remembering nothing."""

    kind: Literal["restart"]


Fault = Annotated[
    TelemetryGap
    | Sampling
    | Untraced
    | LateSpans
    | CloudWatchGap
    | RefusedUpdates
    | SlowApplies
    | Restart,
    Field(discriminator="kind"),
]

_F = TypeVar("_F", bound=_Fault)


class Scenario(BaseModel):
    """A scenario file. ``retries`` makes throttled callers come back as the AWS SDK's modes do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    retries: Literal["none", "standard", "legacy"] = "none"
    faults: tuple[Fault, ...] = ()
    announcements: tuple[PlannedAnnouncement, ...] = ()

    def of(self, kind: type[_F], since_start_s: float) -> Iterator[_F]:
        """The faults of a kind that hold at a time."""
        return (f for f in self.faults if isinstance(f, kind) and f.holds(since_start_s))


def load_scenario(path: Path) -> Scenario:
    """Raises ``InputError`` naming file, line, value and bound."""
    text = read_text(path, what="scenario", error=InputError)
    return parse_document(text, Scenario, source=str(path), what="scenario", error=InputError)
