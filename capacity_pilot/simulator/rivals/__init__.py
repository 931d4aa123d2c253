"""Strategies replayed beside the pilot, each as its own documentation describes it.

A reactive rival sees what its like would see: CloudWatch's minutes when they are published and
what DescribeTable reports. It answers with the units the table should have, or ``None``. Rivals
are plain objects driven by the replay; they keep no clock and do no I/O. ``registry`` knows them
all by name, those that only price or size what is known beforehand included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from capacity_pilot.core.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One CloudWatch minute of one scalable target: Sums over the minute.

    A rate is ``consumed / 60``. Minutes CloudWatch never published are simply not given.
    """

    starts_at: float
    consumed: float
    throttle_events: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a rival sees when it is asked at ``now`` (Unix seconds).

    ``news`` are the minutes published since it was last asked, oldest first. The rest is
    DescribeTable's: ``provisioned`` units in force, ``is_changeable`` false while UPDATING.
    """

    now: float
    news: Sequence[Minute]
    provisioned: int
    is_changeable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Least and most units, from the same policy as the pilot's."""

    least: int
    most: int

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise InputError(
                f"bounds are {self.least} to {self.most} units; it must be 1 <= least <= most"
            )

    def clamp(self, units: int) -> int:
        return min(max(units, self.least), self.most)


class Rival(Protocol):
    """Asked every 60 s, right after a minute was due to be published."""

    @property
    def name(self) -> str: ...

    def decide(self, sight: Sight) -> int | None:
        """Units the table should have now, within bounds; ``None`` leaves it as it is.

        Asked again each minute, also after the table refused what was decided: whoever would
        try again answers the same again.
        """
        ...
