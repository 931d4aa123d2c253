"""Clocks for whoever drives the model: the machine's, and one that is moved by hand."""

from __future__ import annotations

import time

from capacity_pilot.core.errors import InputError


class WallClock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()


class ManualClock:
    """Stands still until it is moved, so that hours pass in no time."""

    def __init__(self, at: float) -> None:
        self._now = at

    def now(self) -> float:
        return self._now

    def pass_seconds(self, seconds: float) -> None:
        """Moves on; a clock of this world never goes back."""
        if seconds < 0:
            raise InputError(f"{seconds} s would turn the clock back")
        self._now += seconds
