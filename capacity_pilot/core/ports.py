"""What the shell must offer the core's decisions: the seams at which worlds are exchanged.

AWS, the physics server and the replay's world stand behind the same ports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from capacity_pilot.core.auto_scaling import Registration, Suspension
from capacity_pilot.core.events.occurrence import FreezeWindow, Occurrence
from capacity_pilot.core.model import (
    AccountLimits,
    ConsumedMinute,
    ConsumptionQuery,
    Outcome,
    OutcomeKind,
    Plan,
    Resource,
    ScalableTarget,
    TableDescription,
)
from capacity_pilot.core.record import Record


class Clock(Protocol):
    """Unix seconds. Core functions never see it: they are given ``now``."""

    def now(self) -> float: ...


class CapacityGateway(Protocol):
    """Reads and changes provisioned capacity.

    Every method raises ``GatewayError`` when AWS cannot be asked; ``actuate`` instead
    classifies whatever happened, since after a call was sent "it failed" is not knowable, and
    raises ``RetryableError`` where nothing was sent.
    """

    async def list_tables(self) -> tuple[str, ...]: ...

    async def describe(self, table: str) -> TableDescription | None:
        """The table now, or ``None`` when it does not exist."""
        ...

    async def limits(self) -> AccountLimits: ...

    async def actuate(self, plan: Plan) -> Outcome:
        """Re-reads the table, sends what of the plan still changes something, says what came of it.

        A scale-out plan never lowers a dimension and a scale-in plan never raises one,
        whatever the re-read shows.
        """
        ...


class AutoScaling(Protocol):
    """Reads and changes what Application Auto Scaling has registered.

    Every method raises ``GatewayError`` when AWS cannot be asked or says no.
    """

    async def read(self, resources: Sequence[Resource], /) -> tuple[Registration, ...]:
        """What is registered of these resources, at most ``MOST_RESOURCES``, policies left out."""
        ...

    async def read_policies(self, resource: Resource, /) -> frozenset[ScalableTarget]:
        """Which of a resource's targets have a scaling policy."""
        ...

    async def register(
        self,
        target: ScalableTarget,
        /,
        *,
        minimum: int | None = None,
        suspension: Suspension | None = None,
    ) -> None:
        """Changes what is given of a target that is registered, and never makes one.

        AWS pulls capacity into the bounds at once, whatever is given. What raises may have taken
        effect: only reading tells.
        """
        ...


class ConsumptionSource(Protocol):
    """Tells what was consumed, minutes late. ``metrics_asked`` counts what AWS charges for."""

    @property
    def metrics_asked(self) -> int: ...

    async def read_minutes(
        self, queries: Sequence[ConsumptionQuery], *, since: int, until: int
    ) -> tuple[ConsumedMinute, ...]:
        """What is published of the Unix minutes from ``since`` to before ``until``.

        A minute without an entry is unknown. Raises ``GatewayError`` when AWS cannot be asked.
        """
        ...


class Agenda(Protocol):
    """What is known to come: the policies' events and freezes, and what was announced."""

    def occurrences(self, now: float, /) -> Sequence[Occurrence]:
        """Those that are not over and begin within ``LOOKAHEAD_S``."""
        ...

    def freezes(self, now: float, /) -> Sequence[FreezeWindow]:
        """Those in force."""
        ...


class Journal(Protocol):
    """The durable record of what was decided and done, and a few documents replaced as a whole.

    Every method raises ``JournalError`` where the store cannot be reached, is full or refuses.
    Where pilots share a store, calls and documents are the lease's holder to write, and others
    get a ``LeaseError``.
    """

    async def append(self, records: Sequence[Record], /) -> None:
        """Makes them durable, in order; where it raises, some may be. To append a record again
        changes nothing.
        """
        ...

    async def unanswered(self) -> tuple[Record, ...]:
        """The calls that no answer was appended for, oldest first."""
        ...

    async def read(self, *, since: float, table: str | None = None) -> tuple[Record, ...]:
        """What was recorded since then, of one table or of all, oldest first."""
        ...

    async def save(self, name: str, content: bytes, /) -> None:
        """Puts ``content`` in the place of what was saved under the name, or leaves that.

        A document stays, however old: what is to be given back may be waited for.
        """
        ...

    async def load(self, name: str, /) -> bytes | None: ...

    async def prune(self, before: float, /) -> None:
        """Forgets what was recorded before then."""
        ...


class CallBook(Protocol):
    """Who is told of a call before it is made, and of how it ended."""

    async def open_call(self, plan: Plan, before: TableDescription, /) -> Record:
        """Makes durable what is about to be sent.

        Raises ``JournalError`` or ``LeaseError`` where it must not be sent.
        """
        ...

    def close_call(self, call: Record, kind: OutcomeKind | None, message: str, /) -> None:
        """How the call ended; ``None`` if it was certainly not sent."""
        ...


class RegistrationBook(Protocol):
    """Who is told of a call to Application Auto Scaling before it is made, and of how it ended."""

    async def open_registration(
        self, target: ScalableTarget, asked: Mapping[str, object], found: Registration | None, /
    ) -> Record:
        """Records what is about to be asked for, and what was ``found`` there when last read.

        Raises ``LeaseError`` where it must not be. A record that is late holds nothing up: what is
        to be given back was made durable before.
        """
        ...

    def close_registration(self, call: Record, outcome: str, message: str, /) -> None:
        """How the call ended."""
        ...


class Lease(Protocol):
    """The expiring right to change capacity, held by one pilot at a time.

    ``token`` grows with every change of hands, and is ``None`` while another pilot holds it.
    """

    @property
    def token(self) -> int | None: ...

    def is_held_for(self, seconds: float, /) -> bool:
        """True if nobody else can hold it before that time has passed; asks no server."""
        ...
