"""How the process runs: flags and environment. What it does to which table is the policy's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


class StoreSettings(BaseSettings):
    """Where tables, registrations and the journal are; the field descriptions are flags' help."""

    model_config = SettingsConfigDict(
        env_prefix="CAPACITY_PILOT_", cli_kebab_case=True, extra="forbid", frozen=True
    )

    region: str | None = Field(
        default=None,
        validation_alias=AliasChoices("region", "CAPACITY_PILOT_REGION", "AWS_REGION"),
        description="AWS Region of the tables",
    )
    endpoint_url: str | None = Field(
        default=None, description="DynamoDB endpoint, if not the Region's own"
    )
    auto_scaling_endpoint_url: str | None = Field(
        default=None,
        description="Application Auto Scaling endpoint, if not the Region's own; with "
        "--endpoint-url and without this nothing is taken to be registered",
    )
    journal: Annotated[Path | None, BeforeValidator(_none_if_empty)] = Field(
        default=Path("capacity-pilot.db"),
        description="the file that decisions, calls and what was learned are kept in; empty for "
        "none, or with --state-table",
    )
    state_table: str | None = Field(
        default=None,
        min_length=3,
        max_length=255,
        description="the DynamoDB table that several pilots keep them in instead, of which one at "
        "a time changes capacity; made by capacity-pilot init",
    )
    state_endpoint_url: str | None = Field(
        default=None, description="DynamoDB endpoint of the state table, if not that of the tables"
    )
    journal_days: int = Field(
        default=30, ge=1, le=3650, description="days that decisions and calls are kept"
    )

    @property
    def asks_auto_scaling(self) -> bool:
        """False where the tables are a stand-in's that the Region's own service never saw."""
        return self.endpoint_url is None or self.auto_scaling_endpoint_url is not None

    @model_validator(mode="after")
    def _has_region(self) -> Self:
        if self.region is None:
            raise ValueError("no Region: give --region or set AWS_REGION")
        return self

    @model_validator(mode="after")
    def _has_one_journal(self) -> Self:
        is_given = "journal" in self.model_fields_set and self.journal is not None
        if self.state_table is not None and is_given:
            raise ValueError(
                f"journal {self.journal} and state-table {self.state_table}: what several pilots "
                "share is kept in the table alone; give one of them"
            )
        if self.state_table is None and self.state_endpoint_url is not None:
            raise ValueError(
                f"state-endpoint-url {self.state_endpoint_url} without a state-table to find there"
            )
        return self


class DaemonSettings(StoreSettings):
    """What the daemon is told at start; the field descriptions are the flags' help."""

    mode: Literal["shadow", "active"] = Field(
        default="shadow",
        description="shadow decides and says so, active also calls UpdateTable",
    )
    policy: str | None = Field(
        default=None,
        description="the policies (YAML): a file, a folder, s3://bucket/prefix, or ssm:/path of "
        "the Parameter Store; read again when they change",
    )
    policy_poll_s: float = Field(
        default=30.0,
        ge=5,
        le=3600,
        description="seconds between looks at S3 or the Parameter Store",
    )
    policy_endpoint_url: str | None = Field(
        default=None, description="S3 or SSM endpoint of the policies, if not the Region's own"
    )
    policy_text: str | None = Field(
        default=None, description="the policy itself, where no file can be mounted"
    )
    sns_endpoint_url: str | None = Field(
        default=None, description="SNS endpoint of notifications, if not each topic's Region's own"
    )
    host: str = Field(default="127.0.0.1", description="address the listeners bind")
    grpc_port: int = Field(default=4317, ge=0, le=65535, description="OTLP/gRPC; 0 picks one")
    http_port: int = Field(default=4318, ge=0, le=65535, description="OTLP/HTTP; 0 picks one")
    health_port: int = Field(
        default=8080, ge=0, le=65535, description="/healthz, /status and /metrics; 0 picks one"
    )
    max_request_mib: int = Field(
        default=16, ge=1, le=256, description="largest OTLP request, decompressed"
    )
    sampling_ratio: dict[str, float] = Field(
        default_factory=dict,
        description="share of traces kept per service.name (SERVICE=0.25), for samplers that do "
        "not say so in tracestate",
    )
    tick_s: float = Field(default=1.0, ge=0.1, le=60, description="seconds from tick to tick")
    describe_s: float = Field(
        default=30.0, ge=1, le=3600, description="seconds between reads of a table at rest"
    )
    discover_s: float = Field(
        default=60.0, ge=1, le=3600, description="seconds between looks for new tables"
    )
    apply_time_s: float = Field(
        default=30.0, ge=0.5, le=900, description="assumed apply time until some were seen"
    )
    cloudwatch_usd_per_month: float = Field(
        default=10.0,
        ge=0,
        le=100_000,
        description="what reading CloudWatch's consumed units may cost; 0 reads nothing, corrects "
        "nothing and holds nothing back for it",
    )
    cloudwatch_endpoint_url: str | None = Field(
        default=None,
        description="CloudWatch endpoint, if not the Region's own; with --endpoint-url and without "
        "this CloudWatch is not read",
    )
    heartbeat: str | None = Field(
        default=None,
        pattern="^[A-Za-z0-9_.-]{1,100}$",
        description="name under which a heartbeat is put into CloudWatch each minute, for an alarm "
        "on its absence; pilots that share a state table share it",
    )
    snapshot_s: float = Field(
        default=300.0, ge=1, le=86_400, description="seconds between savings of what was learned"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def cloudwatch_budget_usd(self) -> float:
        """A month's; 0 where the tables are a stand-in's that the Region's CloudWatch never saw."""
        is_stand_in = self.endpoint_url is not None and self.cloudwatch_endpoint_url is None
        return 0.0 if is_stand_in else self.cloudwatch_usd_per_month

    @model_validator(mode="after")
    def _has_one_policy(self) -> Self:
        if (self.policy is None) == (self.policy_text is None):
            raise ValueError(
                "one policy is needed: give --policy FILE (or CAPACITY_PILOT_POLICY), "
                "or CAPACITY_PILOT_POLICY_TEXT, and not both"
            )
        return self

    @model_validator(mode="after")
    def _ratios_are_shares(self) -> Self:
        for service, ratio in self.sampling_ratio.items():
            if not 0 < ratio <= 1:
                raise ValueError(f"sampling_ratio of {service} is {ratio}, must be in (0, 1]")
        return self
