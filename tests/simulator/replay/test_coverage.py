"""Callers without tracing in a replay, and what reading CloudWatch makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from capacity_pilot.simulator.replay.settings import ReplaySettings
from tests.simulator.replay.stage import MINUTE, Played, noisy, play, with_push, workload

SECONDS = 40 * MINUTE
DEMAND = with_push(noisy(300, SECONDS), at=20 * MINUTE, times=3, lasts=15 * MINUTE)
ALL_ALONG = {"at": "0s", "lasts": f"{SECONDS}s"}


def run(*faults: Mapping[str, object], reads_cloudwatch: bool = True) -> Played:
    return play(
        workload(DEMAND),
        faults=faults,
        settings=ReplaySettings(reads_cloudwatch=reads_cloudwatch),
    )


@pytest.fixture(scope="module")
def traced() -> Played:
    return run()


def test_where_spans_tell_everything_reading_cloudwatch_changes_nothing(traced: Played) -> None:
    blind = run(reads_cloudwatch=False)
    assert traced.changes() == blind.changes()
    assert traced.changes()


def test_half_of_the_callers_untraced_throttle_whoever_does_not_read_cloudwatch() -> None:
    untraced = {"kind": "untraced", "share": 0.5, **ALL_ALONG}
    blind, reading = run(untraced, reads_cloudwatch=False), run(untraced)
    assert blind.throttled() > 10_000
    assert reading.throttled() == 0


def test_a_sampler_that_says_what_it_keeps_needs_no_correction() -> None:
    sampled = {"kind": "sampling", "ratio": 0.3, **ALL_ALONG}
    assert run(sampled).changes() == run(sampled, reads_cloudwatch=False).changes()


def test_minutes_never_published_hold_decreases_back() -> None:
    gap = {"kind": "cloudwatch_gap", **ALL_ALONG}
    held = run(gap)
    assert not [c for c in held.changes() if c.after < c.before]
    blind = run(gap, reads_cloudwatch=False)
    assert [c for c in blind.changes() if c.after < c.before]


def test_callers_that_stop_tracing_are_counted_in_before_buckets_are_empty() -> None:
    """Capacity had come down to what was usual: half of it unseen, a bucket lasts for minutes."""
    later = {"kind": "untraced", "share": 0.5, "at": "15m", "lasts": "25m"}
    assert run(later).throttled() == 0
    assert run(later, reads_cloudwatch=False).throttled() > 5_000


def test_where_no_caller_is_traced_requests_of_routes_tell_of_demand() -> None:
    """Half an hour teaches what they cost; the push after that is met as if spans had told."""
    seconds = 60 * MINUTE
    draw = np.random.default_rng(2)
    swings = np.repeat(np.exp(draw.normal(0, 0.3, (2, 60))), MINUTE, axis=1)
    post, read = draw.poisson(np.array([[100.0], [300.0]]) * swings).astype(np.float64)
    post[45 * MINUTE :] *= 8
    silent = workload(2.0 * post + 0.5 * read)
    untraced = {"kind": "untraced", "share": 1.0, "at": "0s", "lasts": f"{seconds}s"}
    blind = play(silent, faults=[untraced], settings=ReplaySettings(reads_cloudwatch=False))
    told = play(replace(silent, signals={"post": post, "read": read}), faults=[untraced])
    assert not blind.changes()
    assert blind.throttled() > 100_000
    assert told.throttled() == 0
    (first, *_) = [c for c in told.changes() if c.at_s > 45 * MINUTE]
    assert first.at_s < 46 * MINUTE
    assert first.after > first.before
