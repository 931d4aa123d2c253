"""``capacity-pilot announce``: tells a running daemon of load to come."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import CliImplicitFlag

from capacity_pilot.cli.daemon_calls import DEFAULT_URL, call, name_caller
from capacity_pilot.cli.screen import say_some
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.quantities import parse_duration

_LOADS = ("at_least", "multiplier", "per_recipient")


class Announce(BaseModel):
    """Tell a running daemon of load to come, so that capacity is in force before it.

    A push to 200,000 phones, ten minutes from now, for the tables of one policy:

    capacity-pilot announce --name "morning notice" --policy "news feed" --at +10m
    --audience 200000

    What a recipient brings is learned from earlier announcements and events of the same name. The
    first one needs --write-at-least or the like. The policy's max still holds. The same name, time
    and tables again replace what was announced before. Flags only: the environment is not read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default=DEFAULT_URL, description="where the daemon is")
    name: str | None = Field(default=None, description="of what comes; it is learned by name")
    at: str | None = Field(
        default=None, description="when: 2026-01-05T08:00+09:00, now, or +10m from now"
    )
    lasts: str | None = Field(default=None, description="how long, 30m if not said")
    lead: str | None = Field(default=None, description="capacity in force so long before, or more")
    policy: str | None = Field(default=None, description="for the tables of this policy")
    tables: list[str] | None = Field(
        default=None,
        validation_alias=AliasChoices("table"),
        description="or for the tables that match these patterns: 'prod-feed-*'",
    )
    audience: int | None = Field(default=None, description="recipients")
    read_at_least: int | None = Field(default=None, description="units/s each table will need")
    read_multiplier: str | None = Field(default=None, description="or so much of the usual: 8x")
    read_per_recipient: float | None = Field(
        default=None, description="or units/s per recipient, until that was learned"
    )
    write_at_least: int | None = Field(default=None, description="as for reads")
    write_multiplier: str | None = Field(default=None, description="as for reads")
    write_per_recipient: float | None = Field(default=None, description="as for reads")
    by: str | None = Field(default=None, description="who you are, login@host if not said")
    why: str | None = Field(default=None, description="kept in the journal, and shown")
    list_all: CliImplicitFlag[bool] = Field(
        default=False, validation_alias=AliasChoices("list"), description="show what is announced"
    )
    cancel: str | None = Field(default=None, description="call off the announcement with this id")

    @model_validator(mode="after")
    def _asks_for_one_thing(self) -> Self:
        is_announcing = self.name is not None or self.at is not None
        if is_announcing + self.list_all + (self.cancel is not None) != 1:
            raise ValueError("give --name and --at, or --list, or --cancel ID")
        if is_announcing and (self.name is None or self.at is None):
            raise ValueError("an announcement needs both --name and --at")
        return self

    def cli_cmd(self) -> None:
        answer = asyncio.run(self._ask())
        verb = "announced" if self.cancel is None else "called off"
        lines = [f"{verb}: {_say(told)}" for told in answer.get("announcements", [answer])]
        lines += [f"warning: {warning}" for warning in answer.get("warnings", ())]
        sys.stdout.write("\n".join(lines or ["nothing is announced"]) + "\n")

    async def _ask(self) -> dict[str, Any]:
        if self.list_all:
            return await call("GET", self.url, "/announcements")
        if self.cancel is not None:
            return await call("DELETE", self.url, f"/announcements/{self.cancel}", self._sign())
        return await call("POST", self.url, "/announcements", self._announcement())

    def _sign(self) -> dict[str, object]:
        said = {"by": self.by or name_caller(), "why": self.why}
        return {key: value for key, value in said.items() if value is not None}

    def _announcement(self) -> dict[str, object]:
        told: dict[str, object] = {
            **self._sign(),
            "name": self.name,
            "at": _moment(self.at or ""),
            "lasts": self.lasts,
            "lead": self.lead,
            "policy": self.policy,
            "tables": self.tables,
            "audience": self.audience,
        }
        for dimension in ("read", "write"):
            load = {key: getattr(self, f"{dimension}_{key}") for key in _LOADS}
            if any(value is not None for value in load.values()):
                told[dimension] = load
        return {key: value for key, value in told.items() if value is not None}


def _moment(at: str) -> str:
    """A moment as the API takes it; the daemon says what is wrong with any other."""
    if at != "now" and not at.startswith("+"):
        return at
    try:
        ahead_s = 0.0 if at == "now" else parse_duration(at[1:])
    except ValueError as error:
        raise InputError(f"at: {error}") from error
    moment = datetime.now(UTC) + timedelta(seconds=float(str(ahead_s)))
    return moment.isoformat(timespec="seconds")


def _say(told: Mapping[str, Any]) -> str:
    """One line."""
    parts = [f"{told['id']} {told['name']!r} at {told['at']}, {told['state']}"]
    if "audience" in told:
        parts.append(f"{told['audience']:,} recipients")
    for dimension in ("read", "write"):
        stated = told.get(dimension, {}).items()
        parts += [f"{dimension} {key} {value:g}" for key, value in stated if value is not None]
    if "by" in told:
        parts.append(f"by {told['by']}" + (f": {told['why']}" if "why" in told else ""))
    return ", ".join([*parts, f"for {say_some(told['tables_now'])}"])
