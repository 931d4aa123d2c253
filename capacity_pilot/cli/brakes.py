"""``capacity-pilot freeze``, ``resume`` and ``override``: the operator's brakes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import CliImplicitFlag, CliPositionalArg

from capacity_pilot.cli.daemon_calls import DEFAULT_URL, call, name_caller
from capacity_pilot.cli.screen import say_ordered, say_some
from capacity_pilot.core.errors import InputError

_DIRECTIONS = {"both": "neither raised nor lowered", "in": "not lowered", "out": "not raised"}


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default=DEFAULT_URL, description="where the daemon is")
    by: str | None = Field(default=None, description="who you are, login@host if not said")
    why: str = Field(description="is kept in the journal and shown to whoever looks")

    def signed(self, **said: object) -> dict[str, object]:
        """The order's body, with who gives it and why."""
        order = {"by": self.by or name_caller(), "why": self.why, **said}
        return {key: value for key, value in order.items() if value is not None}


class Freeze(_Command):
    """Hold tables where they are, or all there are, until resumed.

    During a deploy, nothing is lowered: capacity-pilot freeze 'prod-*' --direction in --for 2h
    --why "deploy 812". Patterns come first, in quotes. Tables frozen with --direction out or both
    throttle when demand grows.
    """

    tables: CliPositionalArg[list[str]] = Field(
        default_factory=list, description="patterns of table names; all if there is none"
    )
    direction: Literal["in", "out", "both"] = Field(
        default="both", description="in: not lowered, out: not raised"
    )
    lasts: str | None = Field(
        default=None,
        validation_alias=AliasChoices("for"),
        description="90s, 10m or 2h; until resumed if not said",
    )

    def cli_cmd(self) -> None:
        order = self.signed(tables=self.tables or None, direction=self.direction, lasts=self.lasts)
        told = asyncio.run(call("POST", self.url, "/freezes", order))
        _say(told, _describe_freeze(told))


class Override(_Command):
    """Set a table's or an index's capacity for a time; then the pilot decides by itself again.

    capacity-pilot override prod-feed --write 4000 --for 30m --why "incident 7". A dimension that is
    not named stays the pilot's. Later: capacity-pilot resume prod-feed.
    """

    table: CliPositionalArg[str] = Field(description="the table's name")
    index: str | None = Field(default=None, description="an index of it, instead of the table")
    read: int | None = Field(default=None, description="units/s, exactly")
    write: int | None = Field(default=None, description="units/s, exactly")
    lasts: str = Field(validation_alias=AliasChoices("for"), description="90s, 10m or 2h")
    beyond_bounds: CliImplicitFlag[bool] = Field(
        default=False, description="even below the policy's min or above its max"
    )

    @model_validator(mode="after")
    def _names_units(self) -> Self:
        if self.read is None and self.write is None:
            raise ValueError("to what? give --read or --write")
        return self

    def cli_cmd(self) -> None:
        order = self.signed(
            table=self.table,
            index=self.index,
            read=self.read,
            write=self.write,
            lasts=self.lasts,
            beyond_bounds=self.beyond_bounds,
        )
        told = asyncio.run(call("POST", self.url, "/overrides", order))
        _say(told, _describe_override(told))


class Resume(_Command):
    """End freezes and overrides: the pilot decides by itself again.

    capacity-pilot resume --why "deploy is through" ends all freezes. To end some, or overrides,
    name them first: by id, a freeze by a pattern it was given with, an override by its table.
    """

    what: CliPositionalArg[list[str]] = Field(
        default_factory=list, description="ids, patterns or tables; all freezes if there is none"
    )

    def cli_cmd(self) -> None:
        ended, left = asyncio.run(self._end())
        for told in ended:
            _say(told, _describe_end(told))
        if left:
            ids = ", ".join(told["id"] for told in left)
            sys.stdout.write(f"still overridden: {ids}; name one to end it\n")
        elif not ended:
            sys.stdout.write("nothing is frozen\n")

    async def _end(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What was ended, and the overrides that nobody asked to end."""
        freezes = (await call("GET", self.url, "/freezes"))["freezes"]
        overrides = (await call("GET", self.url, "/overrides"))["overrides"]
        if not self.what:
            return [await self._delete("freezes", told) for told in freezes], overrides
        asked = [("freezes", f, {f["id"], *f["tables"]}) for f in freezes]
        asked += [("overrides", o, {o["id"], o["table"]}) for o in overrides]
        known = set().union(*(names for *_, names in asked))
        if unknown := [name for name in self.what if name not in known]:
            there = ", ".join(sorted(known)) if known else "nothing"
            raise InputError(f"{unknown[0]!r} is neither frozen nor overridden; there is {there}")
        chosen = [(place, told) for place, told, names in asked if names & set(self.what)]
        return [await self._delete(place, told) for place, told in chosen], []

    async def _delete(self, place: str, told: Mapping[str, Any]) -> dict[str, Any]:
        return await call("DELETE", self.url, f"/{place}/{told['id']}", self.signed())


def _say(told: Mapping[str, Any], line: str) -> None:
    """One line for what is so now, one for each warning."""
    warnings = [f"warning: {warning}" for warning in told["warnings"]]
    sys.stdout.write("\n".join([line, *warnings]) + "\n")


def _describe_freeze(told: Mapping[str, Any]) -> str:
    held = _DIRECTIONS[told["direction"]]
    tables = say_some(told["tables_now"]) or "none there now"
    return f"frozen: {told['id']}, {held} {_until(told)}: {tables}"


def _describe_override(told: Mapping[str, Any]) -> str:
    return f"overridden: {told['id']}, {say_ordered(told)} {_until(told)}"


def _describe_end(told: Mapping[str, Any]) -> str:
    is_freeze = "tables" in told
    what = ", ".join(told["tables"]) if is_freeze else say_ordered(told)
    how = "frozen" if is_freeze else "overridden"
    return f"resumed: {told['id']}, {what}, {how} by {told['by']}: {told['why']}"


def _until(told: Mapping[str, Any]) -> str:
    return f"until {told['until'] or 'resumed'}"
