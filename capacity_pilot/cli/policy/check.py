"""``capacity-pilot policy check``: all that is wrong with policy files, and what is doubtful."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import CliImplicitFlag, CliPositionalArg

from capacity_pilot.adapters.aws.dynamodb import open_gateway
from capacity_pilot.adapters.calendar import find_past
from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.policy_source import load_files
from capacity_pilot.adapters.policy_text import PolicyFile, join, locate
from capacity_pilot.cli.policy.kept import read_signals
from capacity_pilot.core.model import AccountLimits, Dimension
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.policy import TablePolicy
from capacity_pilot.core.policy_review import find_unheard, review

_DOUBTED = 1


class Check(BaseModel):
    """Say all that is wrong with a policy file, or a folder of them as one set, and where.

    Exits 1 for errors, 0 without. What holds and can hardly be meant is warned of: policies that
    no table reaches, events that cannot be prepared for in time, or not to the full, bounds above
    the account's quota, and with --journal hints at signals that its daemon never heard. What each
    policy's max costs is stated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: CliPositionalArg[Path] = Field(description="policy file, or a folder of them")
    strict: CliImplicitFlag[bool] = Field(default=False, description="warnings fail as errors do")
    apply_time_s: float = Field(
        default=30.0, ge=0.5, le=900, description="how long a capacity change is taken to need"
    )
    journal: Path | None = Field(
        default=None, description="a daemon's journal, which knows the signals it has heard"
    )
    region: str | None = Field(
        default=None, description="AWS Region to ask for the account's quotas; else AWS's defaults"
    )
    endpoint_url: str | None = Field(
        default=None, description="DynamoDB endpoint, if not the Region's own"
    )

    def cli_cmd(self) -> None:
        files = load_files(self.path)
        limits = AccountLimits() if self.region is None else asyncio.run(self._ask(self.region))
        warnings = list(self._warn(files, limits))
        lines = [*warnings, *(line for file in files for line in _state_costs(file))]
        counted = f"{len(warnings)} warning{'' if len(warnings) == 1 else 's'}"
        lines.append(f"{self.path}: {'holds' if not warnings else f'holds, with {counted}'}")
        sys.stdout.write("\n".join(lines) + "\n")
        if warnings and self.strict:
            sys.exit(_DOUBTED)

    def _warn(self, files: list[PolicyFile], limits: AccountLimits) -> Iterator[str]:
        policies, now = join(files), datetime.now(UTC).timestamp()
        found = [(at.path, at.message) for at in find_past(policies, now)]
        found += review(policies, limits=limits, apply_time_s=self.apply_time_s)
        if self.journal is not None:
            found += find_unheard(policies, read_signals(self.journal, now))
        for path, message in sorted(found, key=lambda each: locate(files, each[0])):
            source, place, own = locate(files, path)
            where = ".".join(map(str, own))
            yield f"{source}:{place.line}:{place.column}: warning: {where}: {message}"

    async def _ask(self, region: str) -> AccountLimits:
        async with open_gateway(
            region=region, endpoint_url=self.endpoint_url, clock=SystemClock()
        ) as gateway:
            return await gateway.limits()


def _state_costs(file: PolicyFile) -> Iterator[str]:
    for number, policy in enumerate(file.policies):
        line = file.document.place(("policies", number)).line
        tags = (f"{key}={value}" for key, value in policy.match.tags.items())
        tables = ", ".join((*policy.match.tables, *tags))
        yield f"{file.source}:{line}: {policy.name} ({tables}): {_state_cost(policy)}"


def _state_cost(policy: TablePolicy) -> str:
    if policy.mode is Mode.OFF:
        return "off, left alone"
    bounds = {dimension: getattr(policy, dimension.label) for dimension in Dimension}
    most = {dimension: each.max for dimension, each in bounds.items() if each is not None}
    if not most:
        return "no bounds for a table itself"
    units = " and ".join(f"{units:,} {dimension.label}" for dimension, units in most.items())
    usd = sum(units * policy.prices.usd(dimension) for dimension, units in most.items())
    return f"at most {units} units, ${_say_usd(usd)} an hour for each table and each index"


def _say_usd(usd: float) -> str:
    return f"{usd:,.2f}" if usd >= 0.1 else f"{usd:.4f}"
