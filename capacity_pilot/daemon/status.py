"""What ``/healthz`` and ``/status`` say of a running daemon."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from capacity_pilot import __version__
from capacity_pilot.daemon.deed_report import render_last_deeds
from capacity_pilot.daemon.narration import render_target
from capacity_pilot.daemon.signal_report import render_signals

if TYPE_CHECKING:
    from capacity_pilot.adapters.otlp.intake import Intake
    from capacity_pilot.adapters.otlp.receiver import Receiver
    from capacity_pilot.daemon.control_loop import ControlLoop

_STALLED_TICKS = 10


def find_fault(loop: ControlLoop, *, tick_s: float, now: float) -> str | None:
    """Why the process should be restarted: only a stalled loop, never the world outside."""
    if loop.last_tick_at is None:
        return None  # still starting; the listeners open only when the first tick is due
    silent_s = now - loop.last_tick_at
    if silent_s > _STALLED_TICKS * tick_s:
        return f"no tick for {silent_s:.1f} s, one is due every {tick_s:g} s"
    return None


def report_status(
    loop: ControlLoop, intake: Intake, receiver: Receiver, *, mode: str, now: float
) -> dict[str, object]:
    """Everything an operator asks first, as JSON-ready data."""
    step = loop.last_step
    received_at = intake.last_received_at
    return {
        "version": __version__,
        "mode": mode,
        "now": round(now, 3),
        "last_tick_at": loop.last_tick_at,
        "counts": dict(loop.counts),
        "telemetry": {
            "last_received_s_ago": None if received_at is None else round(now - received_at, 3),
            "counts": asdict(intake.totals),
            "refused_requests": asdict(receiver.refusals),
        },
        "last_changes": render_last_deeds(loop.pilot.deeds, list(loop.pilot.descriptions), now),
        "signals": render_signals(loop.pilot),
        "targets": []
        if step is None
        else [render_target(step, slot) for slot in range(len(step.fleet))],
    }
