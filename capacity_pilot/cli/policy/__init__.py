"""``capacity-pilot policy``: what policy files say, before anything acts on it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliApp, CliSubCommand

from capacity_pilot.cli.policy.check import Check
from capacity_pilot.cli.policy.schema import Schema


class Policy(BaseModel):
    """Check policy files, and what editors need to complete them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: CliSubCommand[Check]
    schema_: CliSubCommand[Schema] = Field(alias="schema")

    def cli_cmd(self) -> None:
        CliApp.run_subcommand(self)
