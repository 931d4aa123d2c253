"""What a rehearsal compiles is all that ticks need."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from capacity_pilot.core.model import Resource, Sample
from capacity_pilot.daemon.rehearsal import rehearse
from tests.core.feed_table import describe_table, make_pilot
from tests.core.scenario import MIDNIGHT


def compiled_signatures() -> int:
    functions = [item for item in gc.get_objects() if isinstance(item, CPUDispatcher)]
    return sum(
        len(f.signatures) for f in functions if f.py_func.__module__.startswith("capacity_pilot")
    )


def tick_after_rehearsal() -> tuple[int, int, int]:
    """Signatures before a rehearsal, after it, and after ten minutes of three busy tables, with
    hints at one of their signals and another that is lost for the second half of them.
    """
    before = compiled_signatures()
    rehearse()
    rehearsed = compiled_signatures()
    hint = {"signal": "push", "gain": {"write": 20.0}, "lag": "20s"}
    pilot = make_pilot(MIDNIGHT, usd_per_month=0.0, upstream=[hint])
    for table in ("feed", "notices", "users"):
        resources = (Resource(table), Resource(table, "by-author"))
        pilot.observe(describe_table(*resources, at=MIDNIGHT))
    draw, announced = np.random.default_rng(1), 0
    for second in range(600):
        told = {
            (table, "", 1, int(MIDNIGHT) + second - int(lag)): Sample(
                units=float(draw.poisson(90)), refusals=float(draw.random() < 0.01)
            )
            for table in ("feed", "notices", "users")
            for lag in draw.choice(50, 3, replace=False)
        }
        at = int(MIDNIGHT) + second - 6
        sent = {("", "push", at): 500.0 * (second // 60 % 4 == 1)}
        if second < 300:
            sent["", "GET /feed", at] = 50.0
        step = pilot.step(told, MIDNIGHT + second + 0.3, signals=sent)
        announced += int(np.count_nonzero(step.decisions.upstream > 0))
    assert announced
    assert pilot.leads
    return before, rehearsed, compiled_signatures()


@pytest.mark.process
def test_after_a_rehearsal_no_tick_waits_for_a_compiler() -> None:
    """Code that is kept on disk is taken up as if it were compiled."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        before, rehearsed, after = other.submit(tick_after_rehearsal).result()
    assert before == 0
    assert rehearsed > 10
    assert after == rehearsed
