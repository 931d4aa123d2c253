"""How models are scored beside the pilot."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.quantiles import LEVELS
from capacity_pilot.simulator.forecasting.comparison import (
    add_own_errors,
    mean_ratios,
    score_case,
)
from capacity_pilot.simulator.forecasting.result import (
    draw_comparison,
    render_json,
    write_comparison,
)
from tests.simulator.forecasting.cases import DAY, HOUR, draw_wave, make_case


def around(points: Floats, *margins: float) -> Floats:
    quantiles: Floats = points + np.array(margins)[:, None]
    return quantiles


def test_a_models_quantiles_are_its_points_and_its_errors_of_the_day_before() -> None:
    draw = np.random.default_rng(1)
    points = np.full(3 * DAY, 1000.0)
    truth = points + np.where(np.arange(3 * DAY) < DAY, 10.0, 40.0) * draw.standard_normal(3 * DAY)
    quantiles = add_own_errors(points, truth, block=DAY)
    assert np.isnan(quantiles[:, :DAY]).all()
    assert quantiles[:, DAY] == pytest.approx([1000.0, 1012.8, 1023.3, 1030.9], abs=2.5)
    assert quantiles[:, -1] == pytest.approx([1000.0, 1051.3, 1093.1, 1123.6], abs=10)


def test_the_first_day_is_not_scored() -> None:
    truth = draw_wave(2 * DAY)
    good = around(np.full(2 * DAY, 300.0), 0, 150, 250, 300)
    score = score_case(make_case(truth, good), {"flat": np.full(2 * DAY, 300.0)})
    assert {name: model.windows for name, model in score.models.items()} == {
        "pilot": DAY,
        "flat": DAY,
    }


def test_of_less_than_two_days_the_first_quarter_is_not_scored() -> None:
    truth = draw_wave(4 * HOUR)
    score = score_case(make_case(truth, around(truth, 1, 2, 3, 4)), {"true": truth})
    assert score.models["true"].windows == 3 * HOUR


def test_losses_are_compared_on_the_same_windows() -> None:
    """The pilot does well where the other says nothing, and twice as badly where it speaks."""
    truth = np.full(2 * DAY, 100.0)
    pilots = around(truth, 0, 0, 0, 0)
    pilots[:, -HOUR:] += 10.0
    points = np.where(np.arange(2 * DAY) >= 2 * DAY - HOUR, 105.0, np.nan)
    points[:DAY] = 100.0  # so that its errors of the first day are nothing
    score = score_case(make_case(truth, pilots), {"late": points})
    assert score.models["late"].windows == HOUR
    assert score.models["late"].against_pilot[0.9] == pytest.approx(0.5)
    assert score.models["pilot"].pinball[0.9] == pytest.approx(0.1 * 10 * HOUR / DAY)
    assert mean_ratios([score, score])["late"][0.5] == pytest.approx(0.5)


def test_a_model_that_says_nothing_is_left_out() -> None:
    truth = draw_wave(2 * DAY)
    score = score_case(make_case(truth, around(truth, 1, 2, 3, 4)), {"mute": truth * np.nan})
    assert list(score.models) == ["pilot"]


def test_there_is_no_ratio_to_a_loss_of_nothing() -> None:
    truth = np.full(2 * DAY, 100.0)
    score = score_case(make_case(truth, around(truth, 0, 0, 0, 0)), {"off": truth + 1})
    assert score.models["off"].against_pilot == dict.fromkeys(LEVELS)
    assert "off" not in mean_ratios([score])


def test_the_comparison_is_told_as_json_and_as_tables(tmp_path: Path) -> None:
    truth = draw_wave(2 * DAY)
    case = make_case(truth, around(np.full(2 * DAY, 300.0), 0, 150, 250, 300))
    scores = [score_case(case, {"flat": np.full(2 * DAY, 310.0)})]
    write_comparison(scores, {"seed": 7}, tmp_path / "out.json")
    told = json.loads((tmp_path / "out.json").read_text())
    assert told == render_json(scores, {"seed": 7})
    assert told.keys() == {"version", "settings", "traces", "pinball_vs_pilot"}
    [trace] = told["traces"]
    assert trace["models"]["flat"].keys() == {
        "windows",
        "mean_demand",
        "exceeded",
        "pinball",
        "pinball_vs_pilot",
    }
    assert told["pinball_vs_pilot"]["pilot"] == dict.fromkeys(map(str, LEVELS), 1.0)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(draw_comparison(scores))
    shown = console.export_text()
    assert "feed" in shown
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"away/out\.json: No such file or directory"):
        write_comparison([], {}, tmp_path / "away" / "out.json")
