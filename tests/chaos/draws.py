"""How moments, spans and choices are drawn, for every kind of schedule alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.random import Generator

from tests.chaos.faults import Span
from tests.chaos.schedule import PROOF_S

CALM_S: Final = 60.0
"""So long nothing goes wrong yet."""

_OVER_BEFORE_S: Final = PROOF_S + 10.0

Item = TypeVar("Item")


def pick(draw: Generator, among: Sequence[Item]) -> Item:
    return among[int(draw.integers(len(among)))]


def draw_moment(draw: Generator, seconds: int) -> float:
    """When something goes wrong in a schedule of so many ``seconds``."""
    return float(draw.uniform(CALM_S, seconds - _OVER_BEFORE_S - 10))


def draw_span(draw: Generator, seconds: int) -> Span:
    """While something goes wrong: over before the proof begins."""
    at = draw_moment(draw, seconds)
    lasts_s = float(np.exp(draw.uniform(np.log(2), np.log(240))))
    return Span(at, min(at + lasts_s, seconds - _OVER_BEFORE_S))
