"""``capacity-pilot forecast``: how true the pilot's forecasts are, and others' would be."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from capacity_pilot.cli.extras import require_extra
from capacity_pilot.cli.places import check_place
from capacity_pilot.cli.progress import show_progress
from capacity_pilot.cli.provenance import tell_making
from capacity_pilot.cli.reading import read_workloads

_LIBRARIES = ("statsforecast", "statsmodels")


class Forecast(BaseModel):
    """Score the pilot's forecasts of recorded demand beside those of well-known models.

    What is forecast is the mean demand of every 10 s, --horizon seconds after it is decided on;
    quantiles 0.5, 0.9, 0.99 and 0.999. Pinball loss is what a quantile forecast misses by, least
    for the true quantile; exceeded is how often demand was above it, 1 % for a true 0.99. Scored
    from the second day on, and in files of less than two days from their second quarter.

    naive           the newest 10 s known
    seasonal-naive  the minute a day before
    holt-winters    level, trend and daily season, on minutes  } fitted every midnight to the last
    auto-ets        the best exponential smoothing, on minutes } three days, then moved on minute
    mstl            daily season by MSTL, the rest by AutoETS  } by minute

    Their quantiles are their points and the quantiles of their own errors the day before. The last
    three need: pip install statsforecast
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    demand: list[Path] = Field(min_length=1, description="demand files, as simulate takes them")
    mean: float | None = Field(
        default=None, gt=0, le=1e6, description="scale each file to this many units/s on average"
    )
    days: float = Field(
        default=7.0, gt=0, le=3660, description="take at most so many days from the beginning"
    )
    horizon: float = Field(
        default=60.0, ge=10, le=300, description="seconds ahead, as a table's apply time would be"
    )
    telemetry_lag: int = Field(
        default=6, ge=0, le=30, description="seconds from a second's end to the pilot"
    )
    seed: int = Field(default=0, ge=0, description="of arrivals in bins coarser than a second")
    json_file: Path | None = Field(
        default=None, validation_alias=AliasChoices("json"), description="write the figures here"
    )
    processes: int = Field(
        default=os.cpu_count() or 1, ge=1, le=256, description="how many to work with"
    )

    def cli_cmd(self) -> None:
        require_extra("simulation", "pyarrow", "rich")
        from rich.console import Console  # noqa: PLC0415 (needs the simulation extra)

        from capacity_pilot.simulator.forecasting.result import (  # noqa: PLC0415
            draw_comparison,
            write_comparison,
        )
        from capacity_pilot.simulator.forecasting.run import (  # noqa: PLC0415
            SIMPLE,
            STATISTICAL,
            compare,
            count_work,
        )

        check_place(self.json_file)
        missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
        if missing:
            others = ", ".join(STATISTICAL)
            sys.stderr.write(f"without {others}: they need pip install {' '.join(missing)}\n")
        models = SIMPLE if missing else {**SIMPLE, **STATISTICAL}
        workloads = read_workloads(self.demand, mean=self.mean, days=self.days, seed=self.seed)
        with show_progress("forecasting", count_work(workloads, models)) as on_progress:
            scores = compare(
                workloads,
                models=models,
                horizon_s=self.horizon,
                lag_s=self.telemetry_lag,
                processes=self.processes,
                on_progress=on_progress,
            )
        Console().print(draw_comparison(scores))
        if self.json_file is not None:
            write_comparison(scores, self._tell(missing), self.json_file)

    def _tell(self, missing: list[str]) -> dict[str, object]:
        used = ("numpy", *(name for name in _LIBRARIES if name not in missing))
        return {
            **tell_making(used),
            **self.model_dump(mode="json", exclude={"json_file"}),
        }
