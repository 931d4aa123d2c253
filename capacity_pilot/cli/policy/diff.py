"""``capacity-pilot policy diff OLD NEW``: what a change of policies changes for which tables."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import CliPositionalArg

from capacity_pilot.adapters.aws.dynamodb import open_gateway
from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.policy_provenance import say_value
from capacity_pilot.adapters.policy_source import load_policies
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.matching import Tags
from capacity_pilot.core.policy import PolicySet, TablePolicy


class Diff(BaseModel):
    """Compare two versions of the policies, table by table: what each gains, loses or has anew.

    Which tables there are is named by --tables, by a file with one name a line, or asked of AWS,
    as then are their tags; those that are only named count as without any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    old: CliPositionalArg[Path] = Field(description="policy file, or a folder of them")
    new: CliPositionalArg[Path] = Field(description="what is to take its place")
    tables: list[str] = Field(default_factory=list, description="names of tables")
    tables_from: Path | None = Field(default=None, description="a file of names, one a line")
    region: str | None = Field(default=None, description="AWS Region to ask for its tables")
    endpoint_url: str | None = Field(
        default=None, description="DynamoDB endpoint, if not the Region's own"
    )

    @model_validator(mode="after")
    def _names_tables(self) -> Self:
        if not self.tables and self.tables_from is None and self.region is None:
            raise ValueError("of which tables? name --tables, --tables-from FILE or --region")
        return self

    def cli_cmd(self) -> None:
        old, new = load_policies(self.old), load_policies(self.new)
        tables: dict[str, Tags] = {name: {} for name in self.tables}
        if self.tables_from is not None:
            tables |= {name: {} for name in _read_names(self.tables_from)}
        if self.region is not None:
            tables |= asyncio.run(self._ask(self.region, old, new))
        lines = draw_changes(old.knowing(tables), new.knowing(tables), sorted(tables))
        sys.stdout.write("\n".join(lines) + "\n")

    async def _ask(self, region: str, *policies: PolicySet) -> dict[str, Tags]:
        """The Region's tables, with their tags where these decide anything."""
        async with open_gateway(
            region=region, endpoint_url=self.endpoint_url, clock=SystemClock()
        ) as gateway:
            tables: dict[str, Tags] = {name: {} for name in await gateway.list_tables()}
            for table in tables:
                if any(each.hangs_on_tags(table) for each in policies):
                    tables[table] = await gateway.tags(table) or {}
            return tables


def _read_names(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as cause:
        raise InputError(f"{file}: {cause}") from cause
    return [name for line in lines if (name := line.strip()) and not name.startswith("#")]


def draw_changes(old: PolicySet, new: PolicySet, tables: Sequence[str]) -> Iterator[str]:
    """Lines for the tables that something changes for, and how many of them there are."""
    changed = 0
    for table in tables:
        lines = list(_compare(old.policy_for(table), new.policy_for(table)))
        if lines:
            changed += 1
            yield f"{table}: {lines[0]}"
            yield from (f"  {line}" for line in lines[1:])
    before, after = (_flatten(each.limits.model_dump(), "limits.") for each in (old, new))
    if lines := list(_list_changes(before, after)):
        yield "all tables together:"
        yield from (f"  {line}" for line in lines)
    yield f"{changed} of {len(tables)} tables change"


def _compare(old: TablePolicy | None, new: TablePolicy | None) -> Iterator[str]:
    """Nothing where nothing changes; else whose the table is, then key by key."""
    if new is None:
        if old is not None:
            yield f"left alone, was {old.name}'s"
        return
    before = TablePolicy.model_construct(name="", match=new.match) if old is None else old
    changes = list(_list_changes(_keys_of(before), _keys_of(new)))
    if old is None:
        yield f"taken up by {new.name}"
    elif new.name != old.name:
        yield f"{new.name} instead of {old.name}"
    elif changes:
        yield new.name
    yield from changes


def _keys_of(policy: TablePolicy) -> dict[str, Any]:
    keys = policy.model_dump(mode="json", exclude={"name", "match"})
    hints = {hint.pop("signal"): hint for hint in keys.get("upstream", [])}
    return _flatten(keys | {"upstream": hints})


def _flatten(keys: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _list_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in dict.fromkeys((*new, *old)):
        was, now = old.get(key), new.get(key)
        if was == now or (not was and not now):
            continue
        if isinstance(was, list) or isinstance(now, list):
            yield f"{key}: {_count_changes(was or [], now or [])}"
        else:
            yield f"{key}: {say_value(key, was)} → {say_value(key, now)}"


def _count_changes(was: list[Any], now: list[Any]) -> str:
    """Of events and freezes, which have no keys of their own."""
    gone = [each for each in was if each not in now]
    come = [each for each in now if each not in was]
    return f"{len(come)} new or changed, {len(gone)} gone or changed"
