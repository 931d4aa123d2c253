"""``capacity-pilot generate``: demand files to replay when there are none of one's own."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from capacity_pilot.core.errors import InputError

if TYPE_CHECKING:
    from capacity_pilot.simulator.generator import Block, TableSpec


class Generate(BaseModel):
    """Write made-up demand for social apps, seeded, with the signals that precede it.

    social-day  people's day and week, three pushes a day at fixed hours, about one at any time,
                a small nightly job
    launch      the same with a launch: a crowd within seconds, of which some stay
    outage      the same with outages, each followed by a retry storm
    batch       few people, a long nightly job, short hourly ones
    idle        hardly anything, now and then an export; its mean is a thousandth of --mean
    push-day    a social day with about five more pushes, large and at any time
    mix         --tables of each of these kinds in turn

    Time starts on a Monday at midnight. One row per second, whole numbers, columns:

    t_s         seconds from the start
    count       units asked of the table
    push_sent   recipients a push was sent to; the first enter the feed 4 s later
    route_feed  requests entering the feed route; they reach the table 1 or 2 s later

    Tables of one seed are one app's: the same pushes, outages and launch reach them all. The
    same flags write the same file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: Path = Field(
        description="a .csv, .csv.gz or .parquet file; with more than one table, a folder"
    )
    kind: Literal["social-day", "launch", "outage", "batch", "idle", "push-day", "mix"] = Field(
        default="social-day", description="of table"
    )
    days: float = Field(default=7.0, ge=0.01, le=366, description="from Monday 00:00 on")
    mean: float = Field(default=500.0, gt=0, le=1e6, description="units per second")
    seed: int = Field(default=1, ge=0, lt=1 << 64, description="of everything that is drawn")
    tables: int = Field(default=1, ge=1, le=10_000, description="how many, a file each")

    def cli_cmd(self) -> None:
        for path, spec in self._plan():
            _write(path, spec)

    def _plan(self) -> list[tuple[Path, TableSpec]]:
        """Which file holds which table."""
        # NumPy and all: not for those who run the daemon.
        from capacity_pilot.simulator.generator import KINDS, TableSpec  # noqa: PLC0415

        kinds = list(KINDS) if self.kind == "mix" else [self.kind]
        specs = [
            TableSpec(
                kind=kinds[table % len(kinds)],
                days=self.days,
                mean=self.mean,
                seed=self.seed,
                table=table,
            )
            for table in range(self.tables)
        ]
        if self.tables == 1:
            return [(self.out, specs[0])]
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.out}: {error.strerror or error}") from error
        width = len(str(self.tables))
        return [
            (self.out / f"{spec.kind}-{spec.table + 1:0{width}}.csv.gz", spec) for spec in specs
        ]


@dataclass(slots=True)
class _Tally:
    """Counts what passes by on its way to the file."""

    units: int = 0
    peak: int = 0

    def watch(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self.units += int(block.count.sum())
            self.peak = max(self.peak, int(block.count.max()))
            yield block


def _write(path: Path, spec: TableSpec) -> None:
    from capacity_pilot.simulator.generator import generate_blocks, write_demand  # noqa: PLC0415

    tally = _Tally()
    write_demand(path, tally.watch(generate_blocks(spec)))
    mean = tally.units / spec.seconds
    sys.stdout.write(f"{path}: {spec.kind}, {spec.seconds} s, mean {mean:.1f}, peak {tally.peak}\n")
