"""``capacity-pilot``: one verb per thing an operator does."""

from __future__ import annotations

import itertools
import sys

from pydantic import ValidationError
from pydantic_settings import BaseSettings, CliApp, CliSubCommand, SettingsConfigDict, SettingsError

from capacity_pilot.cli.announce import Announce
from capacity_pilot.cli.brakes import Freeze, Override, Resume
from capacity_pilot.cli.demo import Demo
from capacity_pilot.cli.explain import Explain
from capacity_pilot.cli.forecast import Forecast
from capacity_pilot.cli.generate import Generate
from capacity_pilot.cli.hand_back import HandBack
from capacity_pilot.cli.init import Init
from capacity_pilot.cli.policy import Policy
from capacity_pilot.cli.run import Run
from capacity_pilot.cli.simulate import Simulate
from capacity_pilot.cli.status import Status
from capacity_pilot.core.errors import PilotError

_MISUSED = 2
_FAILED = 1
_INTERRUPTED = 130  # as shells say of a command that SIGINT ended
_LIST_FLAGS = {
    "simulate": frozenset({"--demand"}),
    "forecast": frozenset({"--demand"}),
    "announce": frozenset({"--table"}),
    "policy": frozenset({"--demand", "--tables", "--targets"}),
}
"""By verb: another may mean a number by the same flag."""

_LIST_VERBS = frozenset({"freeze", "resume"})


class CapacityPilot(BaseSettings):
    """Sets DynamoDB provisioned capacity from live traces."""

    model_config = SettingsConfigDict(
        cli_prog_name="capacity-pilot", cli_kebab_case=True, cli_enforce_required=True
    )

    run: CliSubCommand[Run]
    init: CliSubCommand[Init]
    demo: CliSubCommand[Demo]
    simulate: CliSubCommand[Simulate]
    forecast: CliSubCommand[Forecast]
    generate: CliSubCommand[Generate]
    announce: CliSubCommand[Announce]
    freeze: CliSubCommand[Freeze]
    resume: CliSubCommand[Resume]
    override: CliSubCommand[Override]
    status: CliSubCommand[Status]
    explain: CliSubCommand[Explain]
    policy: CliSubCommand[Policy]
    hand_back: CliSubCommand[HandBack]

    def cli_cmd(self) -> None:
        CliApp.run_subcommand(self)


def main() -> None:
    """Exits 2 for a command line that has to be changed, 1 for what went wrong on the way, files
    that make no sense included.
    """
    try:
        CliApp.run(CapacityPilot, cli_args=_gather_lists(sys.argv[1:]) or ["--help"])
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
    except KeyboardInterrupt:
        _complain("interrupted")
        sys.exit(_INTERRUPTED)


def _gather_lists(arguments: list[str]) -> list[str]:
    """``--demand a b c``, as a shell's pattern gives it, as the one list that the parser takes; so
    for the names right after a verb that takes several.

    In quotes, so that a comma or a bracket is part of a name. No JSON: the parser escapes
    backslashes by itself.
    """
    list_flags = _LIST_FLAGS.get(arguments[0], frozenset()) if arguments else frozenset()
    gathered: list[str] = []
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        flag, equals, first = word.partition("=")
        is_verb = position == 1 and word in _LIST_VERBS
        if flag not in list_flags and not is_verb:
            gathered.append(word)
            continue
        more = list(itertools.takewhile(lambda w: not w.startswith("--"), arguments[position:]))
        position += len(more)
        names = ([first] if equals else []) + more
        gathered.append(flag)
        if names or not is_verb:
            gathered.append("[" + ",".join(f'"{name}"' for name in names) + "]")
    return gathered


def _complain(message: str) -> None:
    print(f"capacity-pilot: {message}", file=sys.stderr)  # noqa: T201 (the CLI's own voice)
