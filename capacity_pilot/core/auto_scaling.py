"""What Application Auto Scaling has registered."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A scalable target as Application Auto Scaling knows it.

    One without a policy still counts: whenever it is registered anew, capacity is pulled into
    its bounds (API reference, RegisterScalableTarget). ``has_policy`` is ``None`` where that was
    not asked. ``found_minimum`` is what the minimum was before the pilot changed it, ``None`` where
    it has not.
    """

    target: ScalableTarget
    minimum: int
    maximum: int
    has_policy: bool | None = None
    suspension: Suspension = Suspension()
    found_minimum: int | None = None

    @property
    def least(self) -> int:
        """The operator's own minimum: the pilot goes no lower."""
        return self.minimum if self.found_minimum is None else self.found_minimum

    @property
    def is_in_force(self) -> bool:
        """True unless all that its policies do is suspended."""
        return not self.suspension.is_whole
