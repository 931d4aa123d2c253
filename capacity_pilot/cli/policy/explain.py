"""``capacity-pilot policy explain TABLE``: what holds for a table, and which line says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliPositionalArg

from capacity_pilot.adapters.policy_provenance import (
    Effective,
    Origin,
    find_claims,
    say_value,
    trace_limits,
    trace_policy,
)
from capacity_pilot.adapters.policy_source import load_files
from capacity_pilot.adapters.policy_text import PolicyFile, join
from capacity_pilot.core.matching import Tags

_LEFT_ALONE = 1


class Explain(BaseModel):
    """Show every value that holds for a table, the file and line it is from, and what it beat.

    Later layers win, key by key: what is built in, the folder's defaults.yaml, the defaults of
    the policy's file, the policy, and for an index what is said of it. Exits 1 where no policy
    fits the table.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: CliPositionalArg[str] = Field(description="the table's name")
    policy: Path = Field(description="policy file, or a folder of them")
    tags: dict[str, str] = Field(
        default_factory=dict, description="the table's tags, KEY=VALUE; none if not given"
    )

    def cli_cmd(self) -> None:
        lines = list(draw_provenance(load_files(self.policy), self.table, self.tags))
        sys.stdout.write("\n".join(lines) + "\n")
        if len(lines) == 1:
            sys.exit(_LEFT_ALONE)


def draw_provenance(files: Sequence[PolicyFile], table: str, tags: Tags) -> Iterator[str]:
    """The lines; only one where no policy fits."""
    claims = find_claims(files, table, tags)
    is_guess = not tags and join(files).hangs_on_tags(table)
    untagged = ", if it has no tags: name them by --tags KEY=VALUE" if is_guess else ""
    if not claims:
        yield f"{table}: no policy fits, it is left alone{untagged}"
        return
    first, *later = claims
    yield f"{table}: {first.policy.name}, by {first.by} ({first.where}){untagged}"
    for claim in later:
        yield f"  would fit {claim.policy.name}, too, by {claim.by} ({claim.where}): later"
    yield ""
    yield from _draw(list(trace_policy(files, first.number)))
    if limits := list(trace_limits(files)):
        yield ""
        yield "of all tables together, the strictest:"
        yield from _draw(limits)


def _draw(values: Sequence[Effective]) -> Iterator[str]:
    keys = max(len(value.key) for value in values)
    shown = [say_value(value.key, value.won.value) for value in values]
    width = max(map(len, shown))
    for value, text in zip(values, shown, strict=True):
        beaten = ", ".join(_say(value.key, origin) for origin in value.beaten)
        over = f"   over {beaten}" if beaten else ""
        yield f"  {value.key:{keys}}  {text:{width}}  {value.won.where}{over}"


def _say(key: str, origin: Origin) -> str:
    return f"{say_value(key, origin.value)} ({origin.where})"
