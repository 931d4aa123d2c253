"""What Application Auto Scaling has registered, and what of it the pilot has changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from capacity_pilot.core.model import ScalableTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Which of a target's scaling activities are suspended (API reference, SuspendedState)."""

    scale_in: bool = False
    scale_out: bool = False
    scheduled: bool = False

    @property
    def is_whole(self) -> bool:
        """True when no policy of the target's moves its capacity."""
        return self.scale_in and self.scale_out


SUSPENDED = Suspension(scale_in=True, scale_out=True, scheduled=True)
"""Scheduled actions as well: they move the bounds, and with them capacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A scalable target as Application Auto Scaling knows it.

    One without a policy still counts: whenever it is registered anew, capacity is pulled into
    its bounds (API reference, RegisterScalableTarget).
    """

    target: ScalableTarget
    minimum: int
    maximum: int
    has_policy: bool = False
    suspension: Suspension = Suspension()

    @property
    def is_in_force(self) -> bool:
        """True unless all that its policies do is suspended."""
        return not self.suspension.is_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """What a registration said before the pilot changed it. ``None`` is what it never touched."""

    target: ScalableTarget
    kept_at: float
    minimum: int | None = None
    suspension: Suspension | None = None


class AutoScaling(Protocol):
    """Reads and changes registrations. Raises ``GatewayError`` when AWS cannot be asked."""

    async def read(self, tables: Collection[str] = ()) -> tuple[Registration, ...]:
        """The registrations of the tables named and of their indexes; of all if none is."""
        ...

    async def change(
        self,
        target: ScalableTarget,
        *,
        minimum: int | None = None,
        suspension: Suspension | None = None,
    ) -> None:
        """Sets what is given and leaves the rest."""
        ...


class Originals(Protocol):
    """Keeps originals where they outlive the process."""

    def all(self) -> Sequence[Original]: ...

    def keep(self, original: Original) -> None:
        """Adds what is not known yet of the target: the first value kept is the original.

        Returns only once it would survive a crash. Raises ``OSError`` where it cannot be kept.
        """
        ...

    def drop(self, target: ScalableTarget) -> None:
        """Forgets the target: it is as it was."""
        ...
