"""What tallies of forecasts come to, for people and programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from capacity_pilot.core.fleet import Floats
from capacity_pilot.core.forecast.members import MEMBERS
from capacity_pilot.core.forecast.quantiles import HORIZONS, LEVELS
from capacity_pilot.core.forecast.tally import Tally

_Name = TypeVar("_Name", float, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonScore:
    """How one target's forecasts at one horizon did over ``windows`` windows of 10 s.

    ``ahead_s`` is how far ahead the last of them was. ``exceeded`` is, per level, the share of
    windows whose mean demand was above the forecast: 0.01 is right for 0.99. ``pinball`` is the
    mean loss per level, and ``demand`` the windows' mean demand, both in units/s. ``led`` is the
    share of forecasts each member led.
    """

    horizon: str
    ahead_s: float
    windows: int
    demand: float
    exceeded: Mapping[float, float]
    pinball: Mapping[float, float]
    led: Mapping[str, float]


def score_target(tally: Tally, ahead_s: Floats) -> tuple[HorizonScore, ...]:
    """The scores of a tally of one target; horizons of which nothing was scored are left out.

    ``ahead_s`` is (horizons,).
    """
    return tuple(
        HorizonScore(
            horizon=name,
            ahead_s=float(ahead_s[h]),
            windows=int(windows),
            demand=float(tally.demand[h, 0] / windows),
            exceeded=_by_name(LEVELS, tally.exceeded[:, h, 0] / windows),
            pinball=_by_name(LEVELS, tally.pinball[:, h, 0] / windows),
            led=_by_name(MEMBERS, tally.led[:, h, 0] / windows),
        )
        for h, name in enumerate(HORIZONS)
        if (windows := tally.scored[h, 0]) > 0
    )


def render_scores(scores: Iterable[HorizonScore]) -> dict[str, dict[str, object]]:
    """By horizon, in JSON's own types."""
    return {
        score.horizon: {
            "ahead_s": score.ahead_s,
            "windows": score.windows,
            "mean_demand": score.demand,
            "exceeded": {str(level): share for level, share in score.exceeded.items()},
            "pinball": {str(level): loss for level, loss in score.pinball.items()},
            "led": dict(score.led),
        }
        for score in scores
    }


def _by_name(names: tuple[_Name, ...], values: Floats) -> dict[_Name, float]:
    return dict(zip(names, values.tolist(), strict=True))
