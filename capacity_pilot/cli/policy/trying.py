"""``capacity-pilot policy try NEW``: what other policies would have come to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import CliPositionalArg

from capacity_pilot.adapters.demand_record import DOCUMENTS, TAGS, decode_hour, decode_tags
from capacity_pilot.adapters.policy_source import load_policies
from capacity_pilot.cli.extras import require_extra
from capacity_pilot.cli.policy.kept import read_file, read_table
from capacity_pilot.cli.policy.named_targets import (
    NamedTag,
    NamedTarget,
    collect_tags,
    parse_target,
    require_tags,
)
from capacity_pilot.cli.progress import show_progress
from capacity_pilot.cli.reading import read_workloads
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import Dimension, Resource
from capacity_pilot.core.modes import Mode
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.quantities import Duration
from capacity_pilot.daemon.policy_versions import DOCUMENT, parse_kept
from capacity_pilot.simulator.recorded_demand import Recording, read_recording
from capacity_pilot.simulator.replay.scenario import Scenario
from capacity_pilot.simulator.replay.settings import START_AT, ReplaySettings
from capacity_pilot.simulator.result import Score

if TYPE_CHECKING:
    from capacity_pilot.simulator.workload import Workload

_LEFT_ALONE = "left alone"
_HEAD = ("throttled ppm", "unit-hours", "cost", "raises", "cuts")


@dataclass(frozen=True, slots=True)
class _Side:
    """What policies came to for one target that they drive; ``demand`` in units."""

    score: Score
    demand: float


@dataclass(frozen=True, slots=True)
class _Demand:
    """What is replayed, in one dimension, and what is to be said of it."""

    dimension: Dimension
    workloads: Sequence[Workload]
    start_at: float


class Try(BaseModel):
    """Replay demand under other policies, beside those in force or any: throttles, cost, decisions.

    Demand is that of files, as for simulate, or of the last hours, which a daemon keeps in its
    journal, be that a file or a table: by the second, as spans told of it and CloudWatch's minutes
    corrected it, for at most 200 targets first heard of in each hour. A journal also holds the
    policies last in force, which NEW is set beside unless --beside names others. It may be a
    running daemon's.

    Where policies go by tags, these are as the daemon last read them, unless --tags names others.

    What is approximate: an index is replayed for itself, so that its changes and its table's do not
    wait for each other; seconds that are not known are drawn as a line between those that are;
    apply times, burst and how late spans come are the simulator's; each target begins at the
    capacity its first minute uses to 70 %, knowing nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    new: CliPositionalArg[Path] = Field(description="policy file, or a folder of them")
    beside: Path | None = Field(default=None, description="the policies to compare with")
    demand: list[Path] = Field(default_factory=list, description="demand files")
    targets: list[NamedTarget] = Field(
        default_factory=list,
        description="whose demand the files have, in their order: TABLE or TABLE/index/INDEX; "
        "else tables of the files' names",
    )
    tags: list[NamedTag] = Field(
        default_factory=list,
        description="tags of a table, TABLE:KEY=VALUE each, or TABLE: for none",
    )
    journal: Path | None = Field(default=None, description="a daemon's journal")
    state_table: str | None = Field(default=None, description="or the table that pilots share")
    region: str | None = Field(default=None, description="AWS Region of that table")
    endpoint_url: str | None = Field(
        default=None, description="DynamoDB endpoint of that table, if not the Region's own"
    )
    last: Duration = Field(default=21_600.0, ge=60, le=86_400, description="how much of it: 6h")
    mean: float | None = Field(
        default=None, gt=0, le=1e6, description="scale each file to this many units/s on average"
    )
    dimension: Literal["write", "read"] = Field(default="write", description="of the files")
    days: float = Field(default=7.0, gt=0, le=366, description="at most so many days of the files")
    apply_time: float = Field(
        default=30.0, gt=0, le=900, description="median seconds until a change is in force"
    )
    seed: int = Field(default=0, ge=0, description="of apply times and arrivals")
    processes: int = Field(
        default=os.cpu_count() or 1, ge=1, le=256, description="how many to work with"
    )

    @model_validator(mode="after")
    def _has_one_demand(self) -> Self:
        given = (self.demand, self.journal, self.state_table)
        if sum(bool(each) for each in given) != 1:
            raise ValueError(
                "which demand? give --demand FILE…, --journal FILE or --state-table NAME"
            )
        if self.state_table is not None and self.region is None:
            raise ValueError(f"state-table {self.state_table} in which Region? give --region")
        if self.targets and len(self.targets) != len(self.demand):
            raise ValueError(
                f"targets names {len(self.targets)}, and there are {len(self.demand)} demand files"
            )
        return self

    def cli_cmd(self) -> None:
        require_extra("simulation", "numba", "pyarrow", "rich")
        new = load_policies(self.new)
        kept = self._read_kept()
        names, sides = [str(self.new)], [new]
        if self.beside is not None:
            names, sides = [str(self.beside), *names], [load_policies(self.beside), new]
        elif DOCUMENT in kept:
            names, sides = ["in force", *names], [parse_kept(kept[DOCUMENT]), new]
        said, parts = self._read_demand(kept)
        tags = (decode_tags(kept[TAGS]) if TAGS in kept else {}) | collect_tags(self.tags)
        tables = {w.resource.table for part in parts for w in part.workloads}
        require_tags(sides, tables, tags)
        sides = [side.knowing(tags) for side in sides]
        rows: dict[str, list[_Side | None]] = {}
        for part in parts:
            for side in sides:
                for name, came_to in self._replay(part, side).items():
                    rows.setdefault(f"{name}:{part.dimension.label}", []).append(came_to)
        lines = [said, "", *draw_comparison(names, rows)]
        sys.stdout.write("\n".join(lines) + "\n")

    def _read_kept(self) -> dict[str, bytes]:
        if self.journal is not None:
            return read_file(self.journal)
        if self.state_table is not None:
            return read_table(
                self.state_table, region=self.region or "", endpoint_url=self.endpoint_url
            )
        return {}

    def _read_demand(self, kept: Mapping[str, bytes]) -> tuple[str, list[_Demand]]:
        if self.demand:
            workloads = read_workloads(self.demand, mean=self.mean, days=self.days, seed=self.seed)
            if self.targets:
                named = map(parse_target, self.targets)
                workloads = [_name(w, target) for w, target in zip(workloads, named, strict=True)]
            said = f"{len(workloads)} demand file{'s' * (len(workloads) > 1)}, seed {self.seed}"
            return said, [_Demand(Dimension[self.dimension.upper()], workloads, START_AT)]
        hours = [decode_hour(kept[name]) for name in DOCUMENTS if name in kept]
        recording = read_recording(hours, last_s=self.last)
        return _say_recording(recording), [
            _Demand(dimension, workloads, recording.start)
            for dimension, workloads in recording.workloads.items()
            if workloads
        ]

    def _replay(self, demand: _Demand, policies: PolicySet) -> dict[str, _Side | None]:
        from capacity_pilot.simulator.replay.run import order_replay, run_replay  # noqa: PLC0415

        driven = [w for w in demand.workloads if _drives(policies, w.resource, demand.dimension)]
        sides: dict[str, _Side | None] = {w.name: None for w in demand.workloads}
        if driven:
            order = order_replay(
                driven,
                policies=policies,
                strategies=(),
                settings=ReplaySettings(
                    dimension=demand.dimension,
                    apply_time_s=self.apply_time,
                    seed=self.seed,
                    start_at=demand.start_at,
                ),
                scenario=Scenario(),
            )
            with show_progress("replaying", order.work_s) as on_progress:
                result = run_replay(
                    order, told={}, processes=self.processes, on_progress=on_progress
                )
            for trace in result.traces:
                score = trace.courses["pilot"].score
                sides[trace.name] = _Side(score, trace.demand_units)
        return sides


def draw_comparison(
    names: Sequence[str], rows: Mapping[str, Sequence[_Side | None]]
) -> Iterator[str]:
    """A line for each target and side, and the sums of what all sides drive."""
    if not rows:
        raise InputError("there is no demand to replay")
    wide = max(len("target"), *(len(name) for name in rows))
    side = max(len(name) for name in names)
    yield f"{'target':{wide}}  {'':{side}}" + "".join(f"{title:>15}" for title in _HEAD)
    for target, sides in rows.items():
        for number, (name, of_one) in enumerate(zip(names, sides, strict=True)):
            head = f"{target if number == 0 else '':{wide}}  {name:{side}}"
            yield head + (f"{_LEFT_ALONE:>15}" if of_one is None else _say(of_one.score))
    common = [sides for sides in rows.values() if None not in sides]
    if len(common) > 1:
        for number, name in enumerate(names):
            own = [of_one for sides in common if (of_one := sides[number]) is not None]
            yield f"{'all' if number == 0 else '':{wide}}  {name:{side}}{_say_all(own)}"


def _say(score: Score) -> str:
    return _say_figures(
        score.throttled_ppm, score.unit_hours, score.usd, score.increases, score.decreases
    )


def _say_all(sides: Sequence[_Side]) -> str:
    scores, demand = [side.score for side in sides], sum(side.demand for side in sides)
    throttled = sum(score.throttled_units for score in scores)
    return _say_figures(
        1e6 * throttled / demand if demand else 0.0,
        sum(score.unit_hours or 0.0 for score in scores),
        sum(score.usd for score in scores),
        sum(score.increases for score in scores),
        sum(score.decreases for score in scores),
    )


def _say_figures(ppm: float, unit_hours: float | None, usd: float, raises: int, cuts: int) -> str:
    from capacity_pilot.simulator.report.wording import (  # noqa: PLC0415 (an extra's dependency)
        say_count,
        say_ppm,
        say_usd,
    )

    cells = (say_ppm(ppm), say_count(unit_hours), say_usd(usd), f"{raises}", f"{cuts}")
    return "".join(f"{cell:>15}" for cell in cells)


def _name(workload: Workload, target: Resource) -> Workload:
    return replace(workload, name=str(target), of_index=target if target.index else None)


def _drives(policies: PolicySet, resource: Resource, dimension: Dimension) -> bool:
    policy = policies.policy_for(resource.table)
    if policy is None or policy.mode is Mode.OFF:
        return False
    return getattr(policy.bounds(resource), dimension.label) is not None


def _say_recording(recording: Recording) -> str:
    begin = datetime.fromtimestamp(recording.start, UTC)
    resources = {w.resource for alike in recording.workloads.values() for w in alike}
    known = [w.is_recorded.mean() for alike in recording.workloads.values() for w in alike]
    indexes = sum(bool(resource.index) for resource in resources)
    counts = [(len(resources) - indexes, "table", "tables"), (indexes, "index", "indexes")]
    count = " and ".join(f"{n} {one if n == 1 else many}" for n, one, many in counts if n)
    return (
        f"demand of {count} from {begin:%Y-%m-%d %H:%M} UTC, {recording.seconds / 3600:.1f} h; "
        f"{min(known):.0%} of seconds known at the least"
    )
