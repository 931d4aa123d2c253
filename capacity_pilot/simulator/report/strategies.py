"""How a strategy is called, ordered and drawn, the same in every table and figure.

Colours are Okabe and Ito's, which people with any common colour blindness can tell apart
(https://jfly.uni-koeln.de/color/); dashes repeat the difference where targets share a colour.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

PILOT = "pilot"
CLAIRVOYANT = "clairvoyant"
ON_DEMAND = "on-demand"
AWS_AUTO_SCALING_70 = "aws-auto-scaling-70"

_NUMBERED = re.compile(r"(aws-auto-scaling|static-percentile)-(\d+(?:\.\d+)?)")
_AT_RISK = re.compile(r"pilot-at-(\d+(?:\.\d+)?)ppm")

BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
_ORANGE = "#e69f00"
_PURPLE = "#cc79a7"
_SKY = "#56b4e9"
_GREY = "#8a8f98"
SIGNAL_COLOURS = ("#a6761d", "#6a51a3", "#1b7f79")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A strategy's line; ``is_main`` ones are shown before anybody chose."""

    colour: str
    dash: str = "solid"
    width: float = 1.4
    is_main: bool = False


_LOOKS = {
    PILOT: Look(colour=BLUE, width=2.0, is_main=True),
    CLAIRVOYANT: Look(colour=GREEN, is_main=True),
    AWS_AUTO_SCALING_70: Look(colour=VERMILION, is_main=True),
    "dynamic-dynamodb": Look(colour=_PURPLE),
    "static-peak": Look(colour=_GREY, dash="dash"),
    ON_DEMAND: Look(colour=_SKY),
}


def look_of(name: str) -> Look:
    """A strategy not known here is drawn too."""
    if name in _LOOKS:
        return _LOOKS[name]
    if pilot_risk(name) is not None:
        return Look(colour=BLUE, dash="dot")
    target = aws_target(name)
    if target is not None:
        return Look(colour=_ORANGE, dash="dot" if target < 70 else "dash")
    return Look(colour=_GREY, dash="dot")


def aws_target(name: str) -> float | None:
    """The target utilization in percent of an AWS auto scaling strategy, else ``None``."""
    found = _NUMBERED.fullmatch(name)
    return float(found[2]) if found and found[1] == "aws-auto-scaling" else None


def pilot_risk(name: str) -> float | None:
    """In ppm, of the pilot at another risk than its policy's, else ``None``."""
    found = _AT_RISK.fullmatch(name)
    return float(found[1]) if found else None


def say_risk(ppm: float) -> str:
    """``1,000 ppm``."""
    return f"{ppm:,g} ppm"


def label_of(name: str) -> str:
    """For people; a strategy not known here keeps its name."""
    if found := _NUMBERED.fullmatch(name):
        is_aws = found[1] == "aws-auto-scaling"
        return f"AWS auto scaling at {found[2]} %" if is_aws else f"static percentile {found[2]}"
    risk = pilot_risk(name)
    if risk is not None:
        return f"Capacity Pilot at {say_risk(risk)}"
    return {PILOT: "Capacity Pilot", "static-peak": "static peak"}.get(name, name)


def short_label_of(name: str) -> str:
    """For a chip or beside a point: AWS auto scaling by its target alone."""
    target = aws_target(name)
    return label_of(name) if target is None else f"AWS at {target:g} %"


def order(names: Iterable[str]) -> list[str]:
    """The pilot and the pilot by risk, AWS auto scaling by target, the others by name, and the
    clairvoyant last.
    """
    return sorted(names, key=_rank)


def _rank(name: str) -> tuple[int, float, str]:
    risk, target = pilot_risk(name), aws_target(name)
    if risk is not None:
        return 1, risk, name
    if target is not None:
        return 2, target, name
    return {PILOT: 0, CLAIRVOYANT: 9, ON_DEMAND: 8}.get(name, 3), 0, name
