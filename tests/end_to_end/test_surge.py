"""From real spans to a real UpdateTable: the whole way, over each protocol."""

from __future__ import annotations

import shutil

import pytest

from tests.end_to_end.processes import (
    HERE,
    Cast,
    Daemon,
    Physics,
    Process,
    start_application,
    start_daemon,
    start_node_application,
)

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

STEADY = {"puts": 20, "queries": 15, "capacity": "INDEXES"}
SURGE = {"puts": 120, "queries": 15, "capacity": "INDEXES"}
PROVISIONED = 60
WRITES = ("feed:write", "feed/index/author:write")
READS = ("feed:read", "feed/index/author:read")


@pytest.fixture(autouse=True)
def create_feed(physics: Physics) -> None:
    physics.create_table("feed", read=PROVISIONED, write=PROVISIONED, index="author")


def knows_steady(daemon: Daemon) -> bool:
    """True once the daemon's demand of the table's writes is what the application does."""
    demand = daemon.demand().get("feed:write")
    return demand is not None and 15 <= demand <= 25


def expect_surge_met(cast: Cast, physics: Physics, daemon: Daemon, application: Process) -> None:
    """Six times the writes are met on table and index; reads stay, nothing is lowered."""
    application.tell(**STEADY)
    cast.until(lambda: knows_steady(daemon), within=25, what="20 writes/s at /status")
    assert daemon.process.events("decision") == []
    application.tell(**SURGE)
    cast.until(
        lambda: all(physics.provisioned()[name] >= 120 for name in WRITES),
        within=30,
        what="capacity for 120 writes/s",
    )
    after = physics.targets()
    assert {after[name]["provisioned"] for name in READS} == {PROVISIONED}
    assert {target["decreases_today"] for target in after.values()} == {0}
    cast.until(lambda: daemon.process.events("capacity_applied"), within=5, what="capacity_applied")
    decision = daemon.process.events("decision")[0]
    assert (decision["table"], decision["direction"]) == ("feed", "out")
    assert {c["resource"] for c in decision["changes"]} == {"feed", "feed/index/author"}
    sent = [e["sent"] for e in daemon.process.events("actuation") if e["outcome"] == "requested"]
    units = {change["resource"]: change["write"] for changes in sent for change in changes}
    assert units["feed"] == after["feed:write"]["provisioned"]
    assert {e["direction"] for e in daemon.process.events("actuation")} == {"out"}


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_python_applications_surge_is_met(cast: Cast, physics: Physics, *, protocol: str) -> None:
    daemon = start_daemon(cast, physics)
    endpoint = daemon.ready["otlp_grpc" if protocol == "grpc" else "otlp_http"]
    application = start_application(cast, physics, f"{protocol}={endpoint}")
    expect_surge_met(cast, physics, daemon, application)


NODE_MODULES = HERE / "node" / "node_modules"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.skipif(
    not NODE_MODULES.is_dir(), reason="needs `npm ci --prefix tests/end_to_end/node`"
)
@pytest.mark.parametrize("encoding", ["proto", "json"])
def test_a_node_applications_surge_is_met(cast: Cast, physics: Physics, *, encoding: str) -> None:
    daemon = start_daemon(cast, physics)
    application = start_node_application(
        cast, physics, encoding=encoding, endpoint=daemon.ready["otlp_http"]
    )
    expect_surge_met(cast, physics, daemon, application)


def test_refused_and_broken_calls_are_made_again_until_one_gets_through(
    cast: Cast, physics: Physics
) -> None:
    physics.fail("UpdateTable", code="ThrottlingException", count=2)
    physics.fail("UpdateTable", code="InternalServerError", count=1)
    daemon = start_daemon(cast, physics)
    application = start_application(cast, physics, f"grpc={daemon.ready['otlp_grpc']}")
    expect_surge_met(cast, physics, daemon, application)
    outcomes = [e["outcome"] for e in daemon.process.events("actuation")]
    assert outcomes[:4] == ["control_plane", "control_plane", "unknown", "requested"]
