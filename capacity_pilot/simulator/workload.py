"""What the world is asked for, second by second, and which of it was ever recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from capacity_pilot.core.fleet import Bools, Floats
from capacity_pilot.core.model import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One scalable target's demand, all arrays (seconds,) from the replay's first second on.

    ``demand`` is units attempted in each second. ``is_recorded`` is false where the file has no
    row: the world had demand there (interpolated), but nobody measured it. ``requests`` is how
    many calls the units came in. ``signals`` are the file's further columns, per second.
    ``factor`` is what the file's counts were multiplied by, ``bin_s`` the file's bin width;
    ``is_seconds_real`` is false where seconds were drawn from coarser bins. ``of_index`` is the
    index whose demand it is, ``None`` for that of the table called ``name``.
    """

    name: str
    demand: Floats
    requests: Floats
    is_recorded: Bools
    factor: float
    bin_s: int
    is_seconds_real: bool
    signals: Mapping[str, Floats] = field(default_factory=dict)
    of_index: Resource | None = None

    @property
    def resource(self) -> Resource:
        """The table or index whose policy holds for it."""
        return self.of_index or Resource(self.name)

    @property
    def seconds(self) -> int:
        return len(self.demand)

    @property
    def days(self) -> float:
        return self.seconds / 86_400.0
