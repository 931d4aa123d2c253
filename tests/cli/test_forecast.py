"""``capacity-pilot forecast``, from the flags to what it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from pydantic_settings import CliApp

from capacity_pilot.cli.forecast import Forecast
from capacity_pilot.core.errors import InputError


def forecast(*arguments: str) -> None:
    CliApp.run(Forecast, cli_args=list(arguments))


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Two hours of demand."""
    counts = np.random.default_rng(0).poisson(40, 7200)
    rows = "".join(f"{second},{count}\n" for second, count in enumerate(counts))
    path = tmp_path / "feed.csv"
    path.write_text("t_s,count\n" + rows)
    return str(path)


def test_it_says_how_each_model_did(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    forecast("--demand", f'["{file}"]', "--mean", "500", "--json", str(out), "--processes", "1")
    told = json.loads(out.read_text())
    assert told["settings"]["mean"] == 500.0
    assert {"numpy", "statsforecast", "statsmodels"} < told["settings"]["versions"].keys()
    [trace] = told["traces"]
    # Two hours hold no day to fit anything to.
    assert list(trace["models"]) == ["pilot", "naive"]
    assert trace["models"]["pilot"]["mean_demand"] == pytest.approx(500, rel=0.02)
    shown = capsys.readouterr().out
    assert "feed" in shown
    assert "naive" in shown


def test_without_statsforecast_it_says_how_to_get_it_and_goes_on(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)  # as where it is not installed
    forecast("--demand", f'["{file}"]', "--processes", "1")
    told = capsys.readouterr()
    assert "without holt-winters, auto-ets, mstl: they need pip install statsforecast" in told.err
    assert "naive" in told.out


def test_flags_out_of_bounds_are_refused(file: str) -> None:
    for flag, value in (("--horizon", "5"), ("--horizon", "301"), ("--telemetry-lag", "31")):
        with pytest.raises(ValidationError):
            forecast("--demand", f'["{file}"]', flag, value)


def test_a_place_that_cannot_be_written_is_named_before_the_work(file: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        forecast("--demand", f'["{file}"]', "--json", str(tmp_path / "away" / "out.json"))
