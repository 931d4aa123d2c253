"""What is configurable about the modelled account, its Region and its physics."""

from __future__ import annotations

from dataclasses import dataclass, field

from capacity_pilot.core.model import AccountLimits
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.bucket import BURST_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """Defaults are AWS's; rates are per second, ``burst_availability`` is a fraction, 0 to 1."""

    region: str = "us-east-1"
    account_id: str = "000000000000"
    limits: AccountLimits = field(default_factory=AccountLimits)
    apply_times: ApplyTimes = field(default_factory=ApplyTimes)
    burst_availability: float = 1.0
    initial_burst_seconds: float = BURST_SECONDS
    control_plane_per_second: float = 7.0
    control_plane_burst: float = 7.0
    tables_in_flux: int = 500
    publication_lag_seconds: float = 60.0
    seed: int = 0
