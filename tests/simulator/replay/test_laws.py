"""What holds in every replay: nothing is lost or invented, nobody exceeds what AWS allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capacity_pilot.core.fleet import Floats
from capacity_pilot.simulator.replay.settings import START_AT, ReplaySettings
from capacity_pilot.simulator.result import Change
from tests.simulator.replay.stage import EVERYONE, MINUTE, Played, play, workload

SECONDS = 25 * MINUTE


@st.composite
def demands(draw: st.DrawFn) -> Floats:
    """Five-minute steps of anything from nothing to a stampede, with noise."""
    levels = draw(st.lists(st.integers(0, 4000), min_size=5, max_size=5))
    seed = draw(st.integers(0, 2**16))
    rates = np.repeat(np.array(levels, dtype=np.float64), SECONDS // 5)
    return np.random.default_rng(seed).poisson(rates).astype(np.float64)


def check_conservation(played: Played, demand: Floats) -> None:
    account = played.passage.account
    offered = account.consumed + account.throttled
    np.testing.assert_allclose(offered, demand.sum(), rtol=1e-9)
    assert (account.consumed >= 0).all()
    assert (account.throttled >= 0).all()


def check_quotas(changes: Mapping[tuple[str, str], Sequence[Change]]) -> None:
    """Four decreases per UTC day, then one per hour after the last."""
    for name, made in changes.items():
        today: Counter[int] = Counter()
        last = -np.inf
        for change in made:
            if change.after >= change.before:
                continue
            at = START_AT + change.at_s
            day = int(at // 86_400)
            assert today[day] < 4 or at - last >= 3600, name
            today[day] += 1
            last = at


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(demand=demands(), burst=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 99))
def test_units_are_conserved_buckets_hold_at_most_300_s_and_quotas_bind_everyone(
    demand: Floats, burst: float, seed: int
) -> None:
    world = ReplaySettings(burst_availability=burst, apply_time_s=10.0, seed=seed)
    played = play(workload(demand), rivals=EVERYONE, settings=world)
    check_conservation(played, demand)
    ledger = played.passage.ledger
    assert (ledger.burst >= 0).all()
    assert (ledger.burst <= 300 * burst + 1e-3).all()
    check_quotas(played.all_changes())


def test_a_day_of_restless_demand_spends_no_decrease_too_many() -> None:
    """Up and down every twenty minutes, so that whoever lowers is tempted more than daily."""
    t = np.arange(4 * 3600)
    demand = np.rint(1000.0 + 900.0 * np.sign(np.sin(t / (20 * MINUTE) * np.pi)))
    played = play(workload(demand), rivals=EVERYONE)
    check_quotas(played.all_changes())
    decreases = [c for c in played.changes("aws-auto-scaling-70") if c.after < c.before]
    assert len(decreases) >= 4
