"""``capacity-pilot init``: the table that pilots share, and the alarm on their heartbeat."""

from __future__ import annotations

import asyncio
import sys
from typing import Self

from pydantic import AliasChoices, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from capacity_pilot.adapters.aws.cloudwatch import open_client
from capacity_pilot.adapters.aws.heartbeat_alarm import make_heartbeat_alarm
from capacity_pilot.adapters.journal.state_table import make_state_table, open_state_client

_READ_TIMEOUT_S = 30.0


class Init(BaseSettings):
    """Make the DynamoDB table that several pilots share, or see that it is as it should be, and
    with --heartbeat the CloudWatch alarm on five minutes without one.

    What is there already is left as it is; a table of another schema is refused. The alarm tells
    whom --alarm-action names; what starts capacity-pilot hand-back then is up to you, or to the
    Terraform module, which makes all of it.
    """

    model_config = SettingsConfigDict(
        env_prefix="CAPACITY_PILOT_", cli_kebab_case=True, extra="forbid"
    )

    state_table: str | None = Field(
        default=None, pattern="^[A-Za-z0-9_.-]{3,255}$", description="name of the table"
    )
    region: str | None = Field(
        default=None,
        validation_alias=AliasChoices("region", "CAPACITY_PILOT_REGION", "AWS_REGION"),
        description="AWS Region of the table",
    )
    state_endpoint_url: str | None = Field(
        default=None, description="DynamoDB endpoint, if not the Region's own"
    )

    heartbeat: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="make the alarm for pilots that run with this --heartbeat",
    )
    alarm_action: list[str] = Field(
        default_factory=list, max_length=5, description="ARNs the alarm tells, of an SNS topic say"
    )
    cloudwatch_endpoint_url: str | None = Field(
        default=None, description="CloudWatch endpoint, if not the Region's own"
    )

    @model_validator(mode="after")
    def _asks_for_an_alarm_where_it_names_whom_to_tell(self) -> Self:
        if self.alarm_action and self.heartbeat is None:
            raise ValueError("alarm-action without an alarm: give --heartbeat")
        return self

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.state_table is None:
            raise ValueError("no table: give --state-table or set CAPACITY_PILOT_STATE_TABLE")
        if self.region is None:
            raise ValueError("no Region: give --region or set AWS_REGION")
        return self

    def cli_cmd(self) -> None:
        for line in asyncio.run(self._make()):
            sys.stdout.write(f"{line}\n")

    async def _make(self) -> tuple[str, ...]:
        async with open_state_client(
            region=self.region or "",
            endpoint_url=self.state_endpoint_url,
            read_timeout_s=_READ_TIMEOUT_S,
        ) as client:
            told = await make_state_table(client, self.state_table or "")
        if self.heartbeat is None:
            return told
        async with open_client(
            region=self.region or "", endpoint_url=self.cloudwatch_endpoint_url, session=None
        ) as client:
            return told + await make_heartbeat_alarm(client, self.heartbeat, self.alarm_action)
