"""``capacity-pilot demo``: see a push notification met, without AWS."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from pydantic_settings import CliImplicitFlag

from capacity_pilot.cli.extras import require_extra

_INTERRUPTED = 130
_EXTRA = (
    "rich",
    "boto3",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.botocore",
)


class Demo(BaseModel):
    """Show a push notification being met on this machine: no AWS account, no network.

    A feed service made of boto3 calls serves two equal tables of a physics server that throttles
    like DynamoDB. The pilot drives one of them. Flags only: the environment is not read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    headless: CliImplicitFlag[bool] = Field(default=False, description="no live view")
    json_file: Path | None = Field(
        default=None,
        validation_alias=AliasChoices("json"),
        description="write the figures to this file",
    )
    seed: int = Field(default=1, ge=0, description="of arrivals and apply times")
    duration_scale: float = Field(
        default=1.0, ge=0.2, le=10, description="stretches the time before and after the push"
    )
    return_consumed_capacity: Literal["indexes", "total", "none", "none-after-warm-up"] = Field(
        default="indexes", description="what the feed asks DynamoDB to tell its spans"
    )
    sample_ratio: float = Field(default=1.0, gt=0, le=1, description="share of traces kept")
    kill_collector_at: float | None = Field(
        default=None, ge=0, description="seconds into the run at which no span arrives any more"
    )

    def cli_cmd(self) -> None:
        require_extra("demo", *_EXTRA)
        from capacity_pilot.demo.main import run_demo  # noqa: PLC0415 (needs the demo extra)
        from capacity_pilot.demo.options import DemoOptions  # noqa: PLC0415
        from capacity_pilot.demo.timeline import Timeline  # noqa: PLC0415

        options = DemoOptions(
            timeline=Timeline().stretched(self.duration_scale),
            seed=self.seed,
            report=self.return_consumed_capacity,
            sample_ratio=self.sample_ratio,
            collector_lost_s=self.kill_collector_at,
        )
        try:
            run_demo(options, is_headless=self.headless, json_file=self.json_file)
        except (KeyboardInterrupt, asyncio.CancelledError):
            sys.exit(_INTERRUPTED)
