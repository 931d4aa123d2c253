"""The last screen: what the run came to, for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from capacity_pilot.demo.stage import APPLY_TIME_S
from capacity_pilot.demo.summary import Summary, TelemetryLoss

_TOLERABLE_LATENESS_S = 0.5


def draw_summary(summary: Summary) -> RenderableType:
    """Figures of both sides, then what they rest on."""
    table = Table(title="One push notification, met twice", title_justify="left", min_width=60)
    table.add_column("")
    table.add_column("with the pilot", justify="right", style="green")
    table.add_column("without", justify="right", style="red")
    table.add_row(
        "requests throttled",
        _share(summary.throttled_with_pilot, summary.requests),
        _share(summary.throttled_without_pilot, summary.requests_without_pilot),
    )
    table.add_row(
        "seconds with throttling",
        f"{summary.throttled_seconds_with_pilot:.0f}",
        f"{summary.throttled_seconds_without_pilot:.0f}",
    )
    for name, target in summary.targets.items():
        table.add_row(
            f"{name}, peak {target.peak_demand:.0f}/s",
            f"{target.capacity_before} → {target.capacity_after}",
            f"{target.capacity_before}",
        )
    return Group(table, *(Text(line) for line in list_remarks(summary)))


def list_remarks(summary: Summary) -> list[str]:
    """Sentences below the table."""
    remarks = [_tell_update(summary)]
    remarks.append(
        "Without the pilot capacity stays: AWS auto scaling acts on CloudWatch's minutes, two bad "
        "ones at least, each about a minute late; by then this surge is over."
    )
    applied = ", ".join(f"{seconds:.1f}" for seconds in summary.apply_times_s) or "none"
    remarks.append(
        f"Seconds until a change was in force: {applied} (the physics server's median is "
        f"{APPLY_TIME_S:g}; AWS took 1 to 6 for changes of this size)."
    )
    if summary.telemetry_loss is not None:
        remarks.append(_tell_loss(summary.telemetry_loss))
    if summary.failed_requests:
        remarks.append(
            f"{summary.failed_requests} requests failed for other reasons, the last one with: "
            f"{summary.last_failure}"
        )
    if summary.max_lateness_s > _TOLERABLE_LATENESS_S:
        remarks.append(
            f"This machine was busy: requests started up to {summary.max_lateness_s:.1f} s late."
        )
    return remarks


def _share(throttled: int, requests: int) -> str:
    return f"{throttled} ({throttled / max(requests, 1):.1%})"


def _tell_update(summary: Summary) -> str:
    if summary.push_to_update_s is None:
        return "No UpdateTable followed the push."
    since_spans = (
        ""
        if summary.surge_to_update_s is None
        else f", {summary.surge_to_update_s:.1f} s after its first spans left the service"
    )
    after_push = f"{summary.push_to_update_s:.1f} s after the push"
    return f"The first UpdateTable was taken {after_push}{since_spans}."


def _tell_loss(loss: TelemetryLoss) -> str:
    if loss.was_lowered:
        return f"Telemetry lost at {loss.at_s:g} s: CAPACITY WAS LOWERED afterwards."
    held = ", ".join(f"{name} {units}" for name, units in loss.capacity_at_end.items())
    return (
        f"Telemetry lost at {loss.at_s:g} s ({loss.lost_spans} spans): "
        f"capacity was never lowered: {held}."
    )
