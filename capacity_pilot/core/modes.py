"""How far the pilot may go with a table, as its policy says and the process allows."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What is done with a table's decisions.

    ``OFF`` makes none. ``SHADOW`` makes them and imagines their effect. ``FLOOR`` sets the
    minimum of Application Auto Scaling, which then moves the table. ``ACTIVE`` sets the table's
    capacity itself.
    """

    OFF = "off"
    SHADOW = "shadow"
    FLOOR = "floor"
    ACTIVE = "active"

    @property
    def writes(self) -> bool:
        """True where something outside the process is changed."""
        return self in (Mode.FLOOR, Mode.ACTIVE)

    def capped(self, *, is_shadow: bool) -> Mode:
        """What is left of the mode in a process that may not write."""
        return Mode.SHADOW if is_shadow and self.writes else self


class Rivalry(StrEnum):
    """What to do, in active mode, where Application Auto Scaling scales the same target.

    ``REFUSE`` holds the table. ``SUSPEND`` suspends its scale-in before the first decrease, and
    resumes it at the end; it scales out as before, should the pilot fail.
    """

    REFUSE = "refuse"
    SUSPEND = "suspend"
