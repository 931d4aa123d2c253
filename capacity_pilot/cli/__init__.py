"""``capacity-pilot``: one verb per thing an operator does."""

from __future__ import annotations

import sys

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliApp, CliSubCommand, SettingsConfigDict, SettingsError

from capacity_pilot.cli.demo import Demo
from capacity_pilot.cli.run import Run
from capacity_pilot.core.errors import PilotError

_MISUSED = 2
_FAILED = 1


class CapacityPilot(BaseSettings):
    """Sets DynamoDB provisioned capacity from live traces."""

    model_config = SettingsConfigDict(
        cli_prog_name="capacity-pilot", cli_kebab_case=True, cli_enforce_required=True
    )

    run: CliSubCommand[Run]
    demo: CliSubCommand[Demo]

    def cli_cmd(self) -> None:
        CliApp.run_subcommand(self)


def main() -> None:
    """Exits 2 for what the caller has to change, 1 for what went wrong on the way."""
    try:
        CliApp.run(CapacityPilot, cli_args=sys.argv[1:] or ["--help"])
    except ValidationError as error:
        for problem in error.errors():
            flag = ".".join(str(part) for part in problem["loc"][1:]).replace("_", "-")
            given = "" if isinstance(problem["input"], dict) else f" (got {problem['input']!r})"
            message = problem["msg"].removeprefix("Value error, ")
            _complain(f"{flag + ': ' if flag else ''}{message}{given}")
        sys.exit(_MISUSED)
    except SettingsError as error:
        _complain(str(error))
        sys.exit(_MISUSED)
    except PilotError as error:
        _complain(str(error))
        sys.exit(_FAILED)


def _complain(message: str) -> None:
    print(f"capacity-pilot: {message}", file=sys.stderr)  # noqa: T201 (the CLI's own voice)
