"""Floor mode as a process: killed in the middle, it still gives back what the operator had."""

from __future__ import annotations

import sqlite3
import subprocess

import pytest

from tests.end_to_end.processes import (
    COMMAND,
    ENVIRONMENT,
    OWN_CODE,
    Cast,
    Daemon,
    Physics,
    start_daemon,
)
from tests.end_to_end.test_process import tell_writes

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

POLICY = """
version: 1
policies:
  - name: feeds
    match: {tables: ["feed"]}
    mode: floor
    write: {min: 5, max: 2000}
"""
WRITES = {
    "ServiceNamespace": "dynamodb",
    "ResourceId": "table/feed",
    "ScalableDimension": "dynamodb:table:WriteCapacityUnits",
}


def minimum_of(physics: Physics) -> int:
    told = physics.call("DescribeScalableTargets", ServiceNamespace="dynamodb")
    (target,) = told["ScalableTargets"]
    return int(target["MinCapacity"])


def start_floor(cast: Cast, physics: Physics, name: str) -> Daemon:
    return start_daemon(
        cast,
        physics,
        *("--policy-text", POLICY, "--auto-scaling-endpoint-url", physics.url),
        *("--journal", str(cast.folder / "pilot.db")),
        name=name,
    )


def raise_minimum(cast: Cast, physics: Physics, daemon: Daemon) -> None:
    """A push comes, and the minimum is raised and capacity with it."""
    tell_writes(daemon, "feed", units=300, seconds=20)
    cast.until(lambda: minimum_of(physics) >= 300, within=60, what="a raised minimum")
    cast.until(
        lambda: physics.provisioned()["feed:write"] >= 300, within=60, what="capacity pulled up"
    )


SAFE = """
version: 1
policies:
  - name: feeds
    match: {tables: ["feed"]}
    write: {min: 5, max: 2000, safe: 900}
"""


def hand_back(cast: Cast, physics: Physics) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(COMMAND, "hand-back", "--journal", str(cast.folder / "pilot.db")),
            *("--endpoint-url", physics.url, "--auto-scaling-endpoint-url", physics.url),
        ],
        env={**ENVIRONMENT, **OWN_CODE},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture
def daemon(cast: Cast, physics: Physics) -> Daemon:
    """A daemon whose minimum of ``feed`` was 20, and is 300 or more."""
    physics.create_table("feed", read=100, write=100)
    physics.call("RegisterScalableTarget", **WRITES, MinCapacity=20, MaxCapacity=500)
    daemon = start_floor(cast, physics, "daemon")
    raise_minimum(cast, physics, daemon)
    return daemon


def test_killed_and_started_again_it_gives_back_the_operators_minimum_when_it_stops(
    cast: Cast, physics: Physics, daemon: Daemon
) -> None:
    daemon.process.kill()
    assert minimum_of(physics) >= 300
    again = start_floor(cast, physics, "daemon again")
    cast.until(
        lambda: [r for r in again.status()["auto_scaling"]["registered"] if r["is_held"]],
        within=60,
        what="what the first one held",
    )
    assert again.process.terminate(within=30) == 0, cast.last_words()
    assert minimum_of(physics) == 20, cast.last_words()
    (given_back,) = again.process.events("auto_scaling_given_back")
    assert given_back["targets"] == ["feed:write"]


def test_by_hand_what_a_daemon_left_is_given_back_once_it_is_gone(
    cast: Cast, physics: Physics, daemon: Daemon
) -> None:
    refused = hand_back(cast, physics)
    assert refused.returncode == 1, "a daemon is at work"
    assert "pilot.db" in refused.stderr
    assert minimum_of(physics) >= 300
    daemon.process.kill()
    given_back = hand_back(cast, physics)
    assert (given_back.returncode, given_back.stdout) == (0, "given back: feed:write\n"), (
        given_back.stderr
    )
    assert minimum_of(physics) == 20
    assert hand_back(cast, physics).stdout == "nothing was held\n"


def test_what_nobody_scales_is_raised_to_its_safe_level_once_the_daemon_is_gone(
    cast: Cast, physics: Physics
) -> None:
    physics.create_table("feed", read=100, write=100)
    path = cast.folder / "pilot.db"
    options = ("--policy-text", SAFE, "--journal", str(path), "--snapshot-s", "5")
    daemon = start_daemon(
        cast,
        physics,
        *(*options, "--auto-scaling-endpoint-url", physics.url),
        name="daemon",
    )

    def is_kept() -> bool:
        with sqlite3.connect(path) as database:
            names = [name for (name,) in database.execute("SELECT name FROM documents")]
        return {"policies", "process-mode"} <= set(names)

    cast.until(is_kept, within=60, what="what it went by in the journal")
    daemon.process.kill()
    assert physics.provisioned()["feed:write"] == 100
    told = hand_back(cast, physics)
    raised = "nothing was held\nraised to its safe level: feed:write\n"
    assert (told.returncode, told.stdout) == (0, raised), told.stderr
    cast.until(lambda: physics.provisioned()["feed:write"] == 900, within=60, what="900 units")
    with sqlite3.connect(path) as database:
        kinds = [kind for (kind,) in database.execute("SELECT kind FROM records ORDER BY id")]
    assert kinds[-3:-1] == ["call", "answer"] or kinds[-2:] == ["call", "answer"]
