"""What a demo run may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from capacity_pilot.demo.timeline import Timeline

CapacityReport = Literal["indexes", "total", "none", "none-after-warm-up"]
"""The feed's ReturnConsumedCapacity; the last one turns it off at the push."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """``sample_ratio`` is the share of traces kept; ``collector_lost_s`` counts from the start."""

    timeline: Timeline
    seed: int = 1
    report: CapacityReport = "indexes"
    sample_ratio: float = 1.0
    collector_lost_s: float | None = None
