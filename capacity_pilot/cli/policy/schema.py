"""``capacity-pilot policy schema``: what editors complete and underline policy files by."""

from __future__ import annotations

import sys

from pydantic import BaseModel, ConfigDict

from capacity_pilot.core.policy_schema import write_schema


class Schema(BaseModel):
    """Print the JSON Schema of policy files; the same as policies/schema.json.

    A file that begins with the line "# yaml-language-server: $schema=schema.json" is completed and
    underlined by it in editors that have YAML's language server.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    def cli_cmd(self) -> None:
        sys.stdout.write(write_schema())
