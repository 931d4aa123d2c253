"""The live screen: demand against capacity on both sides, what CloudWatch shows, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from capacity_pilot.core.model import Resource, ScalableTarget
from capacity_pilot.demo.history import Interval, list_intervals
from capacity_pilot.demo.narration import describe_event, describe_phase, is_worth_telling
from capacity_pilot.demo.recording import PilotEvent, Recording, Truth
from capacity_pilot.demo.tables import FEED, TWIN, list_targets
from capacity_pilot.demo.timeline import Timeline

_BARS = " ▁▂▃▄▅▆▇█"
_FIXED_COLUMNS = 62
_SPARK_BOUNDS = (12, 60)
_TABLE_LINES = 13
_CLOUDWATCH_AFTER_S = 60


@dataclass(frozen=True, slots=True)
class _Side:
    table: str
    label: str


_SIDES = (_Side(FEED, "pilot"), _Side(TWIN, "without"))


class LiveView:
    """A screen redrawn in place; enter it before showing."""

    def __init__(self, console: Console, timeline: Timeline) -> None:
        self._console = console
        self._timeline = timeline
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tell(self, text: str) -> None:
        self._live.update(Text(f" {text} …", style="dim"), refresh=True)

    def show(self, recording: Recording, now: float) -> None:
        size = self._console.size
        frame = draw_frame(recording, self._timeline, now=now, width=size.width, height=size.height)
        self._live.update(frame, refresh=True)


def draw_frame(
    recording: Recording, timeline: Timeline, *, now: float, width: int, height: int
) -> RenderableType:
    """One screen of at most ``height`` lines; 80 by 24 is enough for everything."""
    at_s = max(now - recording.start_at, 0.0)
    title = Text.assemble(
        (" capacity-pilot demo ", "bold reverse"),
        f"  {describe_phase(timeline, at_s)}",
        (f"   {at_s:.0f} of {timeline.duration_s:.0f} s", "dim"),
        no_wrap=True,
        overflow="ellipsis",
    )
    if not recording.snapshots:
        return title
    return Group(
        title,
        _draw_targets(recording, width),
        _draw_cloudwatch(recording, now),
        _draw_throttles(recording),
        *_draw_events(recording, lines=max(height - _TABLE_LINES, 3)),
    )


def _draw_targets(recording: Recording, width: int) -> Table:
    bars = min(max(width - _FIXED_COLUMNS, _SPARK_BOUNDS[0]), _SPARK_BOUNDS[1])
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=True, header_style="dim")
    table.add_column(" units/s", no_wrap=True, min_width=16)
    table.add_column("", no_wrap=True)
    table.add_column(f"demand, last {bars} s", width=bars, no_wrap=True)
    for name in ("demand", "provisioned", "throttled", "dry in"):
        table.add_column(name, justify="right", no_wrap=True)
    latest, reading = recording.snapshots[-1], recording.readings[-1]
    for target in list_targets(FEED):
        for side in _SIDES:
            mine = _on(target, side)
            truth = latest.targets[mine]
            intervals = list_intervals(recording.snapshots, mine)
            gauge = reading.targets.get(mine)
            is_pilot = side.table == FEED
            table.add_row(
                f" {_label(target)}" if is_pilot else "",
                Text(side.label, style="green" if is_pilot else "red"),
                draw_sparkline(intervals[-bars:]),
                f"{intervals[-1].demand:.0f}" if intervals else "-",
                _provisioned(truth),
                _throttled(recording, mine),
                _seconds(gauge.seconds_to_throttle if gauge else None) if is_pilot else "",
            )
    return table


def draw_sparkline(intervals: Sequence[Interval]) -> Text:
    """A bar per second, as high as demand, red where that was above capacity."""
    highest = max((max(i.demand, i.provisioned) for i in intervals), default=0.0)
    line = Text()
    for interval in intervals:
        level = math.ceil(interval.demand / highest * (len(_BARS) - 1)) if highest else 0
        line.append(
            _BARS[level], style="red" if interval.demand > interval.provisioned else "green"
        )
    return line


def _on(target: ScalableTarget, side: _Side) -> ScalableTarget:
    return ScalableTarget(Resource(side.table, target.resource.index), target.dimension)


def _label(target: ScalableTarget) -> str:
    return f"{target.resource.index or 'table'} {target.dimension.label}"


def _provisioned(truth: Truth) -> Text:
    text = Text(str(truth.provisioned))
    if truth.requested is not None and truth.requested != truth.provisioned:
        text.append(f"→{truth.requested}", style="bold yellow")
    return text


def _throttled(recording: Recording, target: ScalableTarget) -> Text:
    first, last = recording.snapshots[0].targets, recording.snapshots[-1].targets
    refused = last[target].refusals - first[target].refusals
    return Text(f"{refused:.0f}", style="bold red" if refused else "dim")


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.0f} s"


def _draw_cloudwatch(recording: Recording, now: float) -> Text:
    """The latest published minute of the covered table, and how old it is."""
    targets = recording.snapshots[-1].targets
    shown = [(t, targets[t]) for t in list_targets(FEED) if targets[t].cloudwatch is not None]
    text = Text(" CloudWatch would show: ", style="bold", no_wrap=True, overflow="ellipsis")
    if not shown:
        begun = recording.start_at // 60 * 60
        due_s = max(begun + 60 + _CLOUDWATCH_AFTER_S - now, 0.0)
        return text.append(
            f"nothing yet, the first minute comes in {due_s:.0f} s", style="not bold"
        )
    ended_at = (shown[0][1].cloudwatch_from or 0.0) + 60
    figures = ", ".join(f"{_label(t)} {truth.cloudwatch:.0f}" for t, truth in shown)
    return text.append(f"{figures} ({now - ended_at:.0f} s ago)", style="not bold")


def _draw_throttles(recording: Recording) -> Text:
    with_pilot, without = recording.feeds[FEED], recording.feeds[TWIN]
    return Text.assemble(
        (" requests throttled: ", "bold"),
        (f"{with_pilot.throttled} with the pilot", "green"),
        ", ",
        (f"{without.throttled} without", "red"),
        f", of {with_pilot.requests} each",
        no_wrap=True,
    )


def _draw_events(recording: Recording, *, lines: int) -> list[Text]:
    told = [event for event in recording.events if is_worth_telling(event)]
    return [_draw_event(event, recording) for event in told[-lines:]]


def _draw_event(event: PilotEvent, recording: Recording) -> Text:
    text = Text(f" {event.at - recording.start_at:5.1f} s ", style="dim", no_wrap=True)
    text.overflow = "ellipsis"
    style = {"decision": "bold", "telemetry_lost": "bold yellow"}.get(event.name, "")
    return text.append(describe_event(event), style=f"not dim {style}")
