"""``capacity-pilot policy``: what policy files say, before anything acts on it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliApp, CliSubCommand

from capacity_pilot.cli.policy.check import Check
from capacity_pilot.cli.policy.diff import Diff
from capacity_pilot.cli.policy.explain import Explain
from capacity_pilot.cli.policy.schema import Schema
from capacity_pilot.cli.policy.trying import Try


class Policy(BaseModel):
    """Check policy files, see what holds for a table and what a change of them changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: CliSubCommand[Check]
    explain: CliSubCommand[Explain]
    diff: CliSubCommand[Diff]
    try_: CliSubCommand[Try] = Field(alias="try")
    schema_: CliSubCommand[Schema] = Field(alias="schema")

    def cli_cmd(self) -> None:
        CliApp.run_subcommand(self)
