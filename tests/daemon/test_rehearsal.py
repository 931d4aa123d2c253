"""What a rehearsal compiles is all that ticks need."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from capacity_pilot.core.model import (
    AccountLimits,
    BillingMode,
    Resource,
    ResourceDescription,
    ResourceStatus,
    Sample,
    TableDescription,
)
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.daemon.rehearsal import rehearse
from tests.core.scenario import MIDNIGHT

BOUNDS = {"min": 1, "max": 40_000}
POLICIES = PolicySet.model_validate(
    {"version": 1, "policies": [{"name": "all", "match": {"tables": ["*"]}, "write": BOUNDS}]}
)


def compiled_signatures() -> int:
    functions = [item for item in gc.get_objects() if isinstance(item, CPUDispatcher)]
    return sum(
        len(f.signatures) for f in functions if f.py_func.__module__.startswith("capacity_pilot")
    )


def tick_after_rehearsal() -> tuple[int, int, int]:
    """Signatures before a rehearsal, after it, and after ten minutes of three busy tables."""
    before = compiled_signatures()
    rehearse()
    rehearsed = compiled_signatures()
    pilot = Pilot(POLICIES, limits=AccountLimits(), apply_time_s=30.0, now=MIDNIGHT)
    for table in ("feed", "notices", "users"):
        resources = tuple(
            ResourceDescription(
                resource=Resource(table, index), status=ResourceStatus.ACTIVE, read=100, write=100
            )
            for index in ("", "by-author")
        )
        pilot.observe(
            TableDescription(
                table=table,
                billing_mode=BillingMode.PROVISIONED,
                resources=resources,
                described_at=MIDNIGHT,
            )
        )
    draw = np.random.default_rng(1)
    for second in range(600):
        told = {
            (table, "", 1, int(MIDNIGHT) + second - int(lag)): Sample(
                units=float(draw.poisson(90)), refusals=float(draw.random() < 0.01)
            )
            for table in ("feed", "notices", "users")
            for lag in draw.choice(50, 3, replace=False)
        }
        pilot.step(told, MIDNIGHT + second + 0.3)
    return before, rehearsed, compiled_signatures()


@pytest.mark.process
def test_after_a_rehearsal_no_tick_waits_for_a_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        before, rehearsed, after = other.submit(tick_after_rehearsal).result()
    assert before == 0
    assert rehearsed > 10
    assert after == rehearsed
