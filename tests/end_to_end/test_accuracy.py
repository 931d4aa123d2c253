"""How far the demand at ``/status`` is from the units physics was really asked for."""

from __future__ import annotations

import time

import pytest

from tests.end_to_end.processes import (
    Cast,
    Daemon,
    Physics,
    Process,
    start_application,
    start_daemon,
)

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

TOLERANCE = 0.15
WATCHED_S = 9.0
SETTLED_S = 24.0
"""The exporter's 5 s, and nearly twice the 10 s that the demand looks back over."""

AMPLE = 1000
ALL = {"feed:write", "feed:read", "feed/index/author:write", "feed/index/author:read"}
LOAD = {"puts": 40, "gets": 40, "queries": 20, "item_bytes": 2500}


def attempted(physics: Physics) -> dict[str, float]:
    """Units served and throttled since the world began, by scalable target."""
    return {
        name: t["consumed"]["units"] + t["throttled"]["units"]
        for name, t in physics.targets().items()
    }


def measure(physics: Physics, daemon: Daemon) -> dict[str, tuple[float, float]]:
    """Told and true units per second over the same seconds, of every target with demand."""
    before, begun = attempted(physics), time.monotonic()
    readings: dict[str, list[float]] = {name: [] for name in before}
    time.sleep(3.0)  # the daemon's first reading must not look back to before ours
    while time.monotonic() - begun < WATCHED_S:
        for name, demand in daemon.demand().items():
            if demand is not None:
                readings[name].append(demand)
        time.sleep(0.5)
    lasted = time.monotonic() - begun
    true = {name: (units - before[name]) / lasted for name, units in attempted(physics).items()}
    return {
        name: (sum(told) / len(told), true[name])
        for name, told in readings.items()
        if told and true[name] > 1
    }


def expect_accuracy(
    cast: Cast, physics: Physics, daemon: Daemon, *, targets: set[str]
) -> dict[str, float]:
    measured = measure(physics, daemon)
    assert measured.keys() == targets, cast.last_words()
    errors = {name: told / true - 1 for name, (told, true) in measured.items()}
    shown = {n: f"{t:.1f} told, {r:.1f} true" for n, (t, r) in measured.items()}
    print(shown)  # noqa: T201 (the record of a run: pytest -s)
    assert all(abs(error) <= TOLERANCE for error in errors.values()), (
        f"{shown}\n{cast.last_words()}"
    )
    return errors


def settle(
    cast: Cast,
    daemon: Daemon,
    application: Process,
    orders: dict[str, object],
    *,
    for_s: float = SETTLED_S,
) -> None:
    """Gives the application its orders, and waits until the spans told of them long enough."""
    application.tell(**orders)
    before = daemon.status()["telemetry"]["counts"]["dynamodb_spans"]
    told = time.monotonic()
    cast.until(
        lambda: (
            daemon.status()["telemetry"]["counts"]["dynamodb_spans"] > before
            and time.monotonic() - told > for_s
        ),
        within=for_s + 10,
        what="spans of the orders",
    )


def test_sizes_learned_while_capacity_was_returned_serve_when_it_is_not(
    cast: Cast, physics: Physics
) -> None:
    physics.create_table("feed", read=AMPLE, write=AMPLE, index="author")
    daemon = start_daemon(cast, physics)
    application = start_application(cast, physics, f"grpc={daemon.ready['otlp_grpc']}")
    settle(cast, daemon, application, {**LOAD, "capacity": "INDEXES"}, for_s=5.0)
    stated = daemon.status()["telemetry"]["counts"]
    assert stated["without_capacity"] == 0
    settle(cast, daemon, application, {**LOAD, "puts": 60})
    expect_accuracy(
        cast,
        physics,
        daemon,
        targets=ALL,
    )
    assert daemon.status()["telemetry"]["counts"]["without_capacity"] > 0


def test_without_any_stated_capacity_the_tables_own_item_size_tells(
    cast: Cast, physics: Physics
) -> None:
    physics.create_table("feed", read=AMPLE, write=AMPLE)
    for item in ("first", "second"):
        text = {"id": {"S": item}, "text": {"S": "x" * 2500}}
        physics.call("PutItem", TableName="feed", Item=text)
    daemon = start_daemon(cast, physics)
    application = start_application(cast, physics, f"grpc={daemon.ready['otlp_grpc']}")
    settle(cast, daemon, application, {**LOAD, "queries": 0})
    expect_accuracy(cast, physics, daemon, targets={"feed:write", "feed:read"})
    counts = daemon.status()["telemetry"]["counts"]
    assert counts["without_capacity"] == counts["dynamodb_spans"]


def test_half_the_traces_stand_for_all(cast: Cast, physics: Physics) -> None:
    physics.create_table("feed", read=AMPLE, write=AMPLE, index="author")
    daemon = start_daemon(cast, physics)
    application = start_application(
        cast, physics, f"grpc={daemon.ready['otlp_grpc']}", "--sample", "0.5"
    )
    settle(cast, daemon, application, {**LOAD, "puts": 90, "queries": 40, "capacity": "INDEXES"})
    expect_accuracy(
        cast,
        physics,
        daemon,
        targets=ALL,
    )
    counts = daemon.status()["telemetry"]["counts"]
    assert counts["sampled"] == counts["dynamodb_spans"] > 0
