"""The operator's commands against a real daemon: a surge is frozen and let go, an override ends."""

from __future__ import annotations

import subprocess

import pytest

from tests.end_to_end.processes import (
    COMMAND,
    ENVIRONMENT,
    OWN_CODE,
    Cast,
    Daemon,
    Physics,
    start_application,
    start_daemon,
)

pytestmark = [pytest.mark.process, pytest.mark.timeout(400)]


def say(daemon: Daemon, *words: str) -> str:
    """What a command says; it has to succeed."""
    command = [COMMAND, *words, "--url", daemon.ready["health"]]
    ran = subprocess.run(
        command,
        env=ENVIRONMENT | OWN_CODE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_freeze_holds_a_surge_until_resumed_and_an_override_ends_by_itself(
    cast: Cast, physics: Physics
) -> None:
    physics.create_table("feed", read=5, write=5, index="author")
    daemon = start_daemon(cast, physics)
    frozen = say(daemon, "freeze", "fee*", "--direction", "out", "--why", "deploy 812")
    assert frozen.startswith("frozen: f")
    application = start_application(cast, physics, f"grpc={daemon.ready['otlp_grpc']}")
    application.tell(puts=30, queries=5, capacity="INDEXES")
    cast.until(
        lambda: any("operator_freeze" in t["held_by"] for t in daemon.status()["targets"]),
        within=60,
        what="a raise that is held",
    )
    assert physics.provisioned()["feed:write"] == 5
    assert "! not raised until resumed: frozen" in say(daemon, "explain", "feed")
    assert say(daemon, "resume", "--why", "through").startswith("resumed: f")
    cast.until(
        lambda: physics.provisioned()["feed:write"] > 5, within=60, what="capacity for the surge"
    )

    order = ("feed", "--read", "300", "--for", "10s", "--why", "incident 7")
    assert "feed at read 300" in say(daemon, "override", *order)
    cast.until(lambda: physics.provisioned()["feed:read"] == 300, within=60, what="the override")
    released = cast.until(
        lambda: [e for e in daemon.process.events("released") if "read" in e],
        within=60,
        what="the override's end",
    )
    assert (released[0]["read"], released[0]["why"]) == (300, "it is over")
    assert "override" not in say(daemon, "status")
