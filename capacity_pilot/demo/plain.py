"""The demo as lines of text, where there is no terminal to redraw."""

from __future__ import annotations

from collections.abc import Callable

from capacity_pilot.demo.narration import describe_event, describe_phase, is_worth_telling
from capacity_pilot.demo.recording import Recording
from capacity_pilot.demo.tables import FEED, TWIN
from capacity_pilot.demo.timeline import Timeline

_EVERY_S = 5.0


class PlainView:
    """Writes what is new: each of the daemon's events, and every few seconds where things are."""

    def __init__(self, timeline: Timeline, write: Callable[[str], None]) -> None:
        self._timeline = timeline
        self._write = write
        self._told = 0
        self._due_s = 0.0

    def tell(self, text: str) -> None:
        self._write(text)

    def show(self, recording: Recording, now: float) -> None:
        new, self._told = recording.events[self._told :], len(recording.events)
        for event in filter(is_worth_telling, new):
            self._write(f"{event.at - recording.start_at:6.1f} s  {describe_event(event)}")
        at_s = now - recording.start_at
        if at_s >= self._due_s:
            self._due_s = at_s + _EVERY_S
            with_pilot, without = recording.feeds[FEED], recording.feeds[TWIN]
            self._write(
                f"{at_s:6.1f} s  {describe_phase(self._timeline, at_s)}; throttled "
                f"{with_pilot.throttled} with the pilot, {without.throttled} without, "
                f"of {with_pilot.requests} each"
            )


class SilentView:
    """Shows nothing."""

    def tell(self, text: str) -> None: ...

    def show(self, recording: Recording, now: float) -> None: ...
