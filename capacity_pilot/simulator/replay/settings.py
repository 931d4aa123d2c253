"""How the replayed world is, and when things reach whom."""

from __future__ import annotations

from dataclasses import dataclass

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import AccountLimits, Dimension
from capacity_pilot.simulator.physics.apply_times import ApplyTimes
from capacity_pilot.simulator.physics.settings import WorldSettings

START_AT = 1_767_571_200.0
"""Every replay's first second: Monday 2026-01-05 00:00 UTC."""

TABLE_LIMIT = 40_000
"""AWS's default maximum of a table's or index's capacity (Service Quotas)."""

UNLIMITED = 10**12
"""Units of what does not bind."""

START_UTILIZATION = 0.7
"""Strategies begin with the capacity at which the first minute's demand is used this much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySettings:
    """Times in seconds. ``telemetry_lag_s`` counts from a second's end to the pilot,
    ``cloudwatch_lag_s`` from a minute's end to the rivals, and to the pilot where it
    ``reads_cloudwatch``.
    """

    dimension: Dimension = Dimension.WRITE
    apply_time_s: float = 30.0
    telemetry_lag_s: float = 6.0
    cloudwatch_lag_s: float = 60.0
    reads_cloudwatch: bool = True
    burst_availability: float = 1.0
    seed: int = 0
    start_at: float = START_AT

    def __post_init__(self) -> None:
        if not 0 <= self.telemetry_lag_s <= 120:
            raise InputError(f"telemetry lag is {self.telemetry_lag_s} s; it must be 0 to 120")
        if not 0 <= self.cloudwatch_lag_s <= 600:
            raise InputError(f"CloudWatch lag is {self.cloudwatch_lag_s} s; it must be 0 to 600")
        if self.start_at % 60:
            raise InputError(f"a replay starts on a whole minute, not at {self.start_at}")

    def world(self) -> WorldSettings:
        """One account with room for every strategy's table: each is alone as far as it can tell.

        Limits that tables share (the account's capacity, the control plane's rate) do not bind,
        since the tables of a replay stand for as many accounts. Every change takes the drawn
        apply time, within warm throughput too, which is the harder world.
        """
        return WorldSettings(
            limits=AccountLimits(
                account_read=UNLIMITED,
                account_write=UNLIMITED,
                table_read=UNLIMITED,
                table_write=UNLIMITED,
            ),
            apply_times=ApplyTimes(median_seconds=self.apply_time_s, warm_is_fast=False),
            burst_availability=self.burst_availability,
            control_plane_per_second=1e9,
            control_plane_burst=1e9,
            tables_in_flux=UNLIMITED,
            publication_lag_seconds=self.cloudwatch_lag_s,
            seed=self.seed,
        )
