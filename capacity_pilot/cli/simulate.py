"""``capacity-pilot simulate``: replay demand under a policy, beside AWS's scaler and others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from capacity_pilot.adapters.policy_source import load_policies
from capacity_pilot.cli.extras import require_extra
from capacity_pilot.cli.places import check_place
from capacity_pilot.cli.progress import show_progress
from capacity_pilot.cli.provenance import tell_making
from capacity_pilot.cli.reading import read_workloads
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.model import Dimension
from capacity_pilot.simulator.replay.scenario import Scenario, load_scenario
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.result_json import write_json
from capacity_pilot.simulator.rivals.registry import DEFAULT_NAMES, Strategy, parse_strategies

if TYPE_CHECKING:
    from capacity_pilot.simulator.result import ReplayResult


class Simulate(BaseModel):
    """Replay recorded demand under a policy, and what AWS auto scaling and others would have done.

    Nothing is changed anywhere: the daemon's own core decides in a model of DynamoDB. A demand
    file is CSV, CSV.gz or Parquet with the columns t_s (seconds from the first row) and count
    (calls in that bin); its name is its table's name. Flags only: the environment is not read.

    Among the rivals may be the pilot itself: pilot-at-100ppm is what it would do at a risk of
    100 ppm instead of the policy's. The report joins them to a line of cost against throttling.

    A scenario is YAML with version: 1, retries as the flag has them, and faults, a list of
    {kind: KIND, at: 2h, lasts: 10m}, at counted from the replay's beginning. Kinds:

    telemetry_gap    spans of that time never arrive
    sampling         only the share ratio of calls is traced
    untraced         the share of calls is made by callers without tracing
    late_spans       the share of calls (default: all) is told of as much later as by says
    cloudwatch_gap   minutes ending then are never published
    refused_updates  UpdateTable is answered with code and message, for every strategy
    slow_applies     changes asked for then take factor times as long
    restart          the daemon is away, and remembers nothing afterwards

    It may also have announcements, a list of {name: push, at: 2h, lasts: 20m, audience: 200000},
    or with write: {at_least: 900}, tables: [feed], ahead: 10m (how long before they are made).
    Time starts on Monday, 2026-01-05 00:00 UTC, for the policy's events as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Path = Field(description="policy file, or a folder of them")
    demand: list[Path] = Field(min_length=1, description="demand files, as many as you like")
    mean: float | None = Field(
        default=None,
        gt=0,
        le=1e6,
        description="scale each file by one factor to this many units/s on average; without it a "
        "call is one unit",
    )
    dimension: Literal["write", "read"] = Field(default="write", description="which capacity")
    days: float = Field(
        default=7.0, gt=0, le=3660, description="replay at most so many days from the beginning"
    )
    apply_time: float = Field(
        default=30.0, gt=0, le=900, description="median seconds until a change is in force"
    )
    telemetry_lag: float = Field(
        default=6.0, ge=0, le=120, description="seconds from a second's end to the pilot"
    )
    cloudwatch_lag: float = Field(
        default=60.0, ge=0, le=600, description="seconds from a minute's end to the rivals"
    )
    burst_availability: float = Field(
        default=1.0, ge=0, le=1, description="share of the 300 s of burst that is really there"
    )
    retries: Literal["none", "standard", "legacy"] | None = Field(
        default=None, description="how throttled callers come back, as the AWS SDK's modes do"
    )
    scenario: Path | None = Field(default=None, description="YAML file of what goes wrong and when")
    seed: int = Field(default=0, ge=0, description="of apply times and arrivals")
    rivals: str = Field(
        default=",".join(DEFAULT_NAMES), description="who else is replayed, separated by commas"
    )
    json_file: Path | None = Field(
        default=None, validation_alias=AliasChoices("json"), description="write the figures here"
    )
    html_file: Path | None = Field(
        default=None, validation_alias=AliasChoices("html"), description="write the report here"
    )
    processes: int = Field(
        default=os.cpu_count() or 1, ge=1, le=256, description="how many to work with"
    )

    @field_validator("rivals")
    @classmethod
    def _are_known(cls, names: str) -> str:
        try:
            parse_strategies(names)
        except InputError as error:
            raise ValueError(str(error)) from error
        return names

    def cli_cmd(self) -> None:
        require_extra("simulation", "numba", "plotly", "pyarrow", "rich")
        from rich.console import Console  # noqa: PLC0415 (needs the simulation extra)

        from capacity_pilot.simulator.report import summarize, write_html  # noqa: PLC0415

        policies = load_policies(self.policy)
        strategies = parse_strategies(self.rivals)
        scenario = self._scenario()
        for file in (self.json_file, self.html_file):
            check_place(file)
        workloads = read_workloads(self.demand, mean=self.mean, days=self.days, seed=self.seed)
        settings = ReplaySettings(
            dimension=Dimension[self.dimension.upper()],
            apply_time_s=self.apply_time,
            telemetry_lag_s=self.telemetry_lag,
            cloudwatch_lag_s=self.cloudwatch_lag,
            burst_availability=self.burst_availability,
            seed=self.seed,
        )
        from capacity_pilot.simulator.replay.run import order_replay, run_replay  # noqa: PLC0415

        order = order_replay(
            workloads,
            policies=policies,
            strategies=strategies,
            settings=settings,
            scenario=scenario,
        )
        with show_progress("replaying", order.work_s) as on_progress:
            result = run_replay(
                order,
                told=self._tell(scenario, strategies),
                processes=self.processes,
                on_progress=on_progress,
            )
        Console().print(summarize(result))
        self._write(result, write_html)

    def _scenario(self) -> Scenario:
        scenario = Scenario() if self.scenario is None else load_scenario(self.scenario)
        if self.retries is None:
            return scenario
        return scenario.model_copy(update={"retries": self.retries})

    def _tell(self, scenario: Scenario, strategies: tuple[Strategy, ...]) -> dict[str, object]:
        flags = self.model_dump(mode="json", exclude={"json_file", "html_file", "scenario"})
        return {
            **tell_making(("numpy", "numba", "plotly", "pyarrow")),
            **flags,
            "rivals": [s.name for s in strategies],
            "scenario": scenario.model_dump(mode="json"),
        }

    def _write(
        self, result: ReplayResult, write_html: Callable[[ReplayResult, Path], None]
    ) -> None:
        if self.json_file is not None:
            write_json(result, self.json_file)
        if self.html_file is not None:
            write_html(result, self.html_file)
