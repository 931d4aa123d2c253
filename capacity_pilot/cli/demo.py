"""``capacity-pilot demo``: see a push notification met, without AWS."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, CliImplicitFlag, SettingsConfigDict


class Demo(BaseSettings):
    """Show a surge being met on this machine: no AWS account needed."""

    model_config = SettingsConfigDict(cli_kebab_case=True, extra="forbid", frozen=True)

    headless: CliImplicitFlag[bool] = Field(default=False, description="no live view")
    json_file: Path | None = Field(default=None, alias="json", description="write the summary")

    def cli_cmd(self) -> None:
        raise SystemExit("being built")
