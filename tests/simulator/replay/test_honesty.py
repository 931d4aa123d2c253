"""Nothing reads ahead, nothing depends on luck or company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from capacity_pilot.simulator.replay.cast import PILOT
from capacity_pilot.simulator.replay.settings import ReplaySettings
from capacity_pilot.simulator.result import Change
from tests.simulator.replay.stage import MINUTE, noisy, play, with_push, workload

RIVALS = "aws-auto-scaling-70,dynamic-dynamodb"
SECONDS = 40 * MINUTE
CUT = 25 * MINUTE


def until(
    changes: Mapping[tuple[str, str], Sequence[Change]], second: int
) -> dict[tuple[str, str], list[Change]]:
    return {name: [c for c in made if c.at_s < second] for name, made in changes.items()}


@pytest.mark.parametrize("future", ["silence", "stampede", "shuffled"])
def test_decisions_before_the_future_changes_are_the_same(future: str) -> None:
    demand = with_push(noisy(300, SECONDS), at=15 * MINUTE, times=5, lasts=20 * MINUTE)
    other = demand.copy()
    rng = np.random.default_rng(3)
    other[CUT:] = {
        "silence": np.zeros(SECONDS - CUT),
        "stampede": rng.poisson(9000, SECONDS - CUT),
        "shuffled": rng.permutation(demand[CUT:]),
    }[future]
    seen, changed = (play(workload(d), rivals=RIVALS) for d in (demand, other))
    assert until(seen.all_changes(), CUT) == until(changed.all_changes(), CUT)
    # Throttles and buckets up to then are the same as well, minute by minute.
    minutes = CUT // MINUTE
    for name in ("provisioned", "throttled", "burst"):
        before, after = (getattr(p.passage.ledger, name)[:minutes] for p in (seen, changed))
        np.testing.assert_array_equal(before, after)
    assert seen.changes()  # there was something to compare


def test_a_replay_repeats_itself_and_another_seed_does_not() -> None:
    demand = with_push(noisy(300, SECONDS), at=15 * MINUTE, times=5, lasts=20 * MINUTE)
    once, again, otherwise = (
        play(workload(demand), rivals=RIVALS, settings=ReplaySettings(seed=seed))
        for seed in (1, 1, 2)
    )
    assert once.all_changes() == again.all_changes()
    np.testing.assert_array_equal(once.passage.ledger.burst, again.passage.ledger.burst)
    assert not np.array_equal(once.passage.ledger.provisioned, otherwise.passage.ledger.provisioned)


def test_a_workload_fares_alone_as_it_does_in_company() -> None:
    push = workload(with_push(noisy(300, SECONDS), at=15 * MINUTE, times=5, lasts=20 * MINUTE))
    others = [workload(noisy(50 * n, SECONDS, seed=n), f"table-{n}") for n in (1, 2, 3)]
    alone, together = play(push, rivals=RIVALS), play(others[0], push, *others[1:], rivals=RIVALS)
    for strategy in (PILOT, "aws-auto-scaling-70", "dynamic-dynamodb"):
        assert alone.changes(strategy) == together.changes(strategy)
        assert alone.throttled(strategy) == pytest.approx(together.throttled(strategy))
