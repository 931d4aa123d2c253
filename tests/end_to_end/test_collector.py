"""With a collector between the application and the daemon, and without it all of a sudden."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from tests.end_to_end.processes import (
    Cast,
    Daemon,
    Physics,
    Process,
    start_application,
    start_daemon,
)

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROTEL = importlib.util.find_spec("rotel")


def free_port() -> int:
    """A port nobody listens on; the collector takes none by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_collector(cast: Cast, daemon: Daemon) -> tuple[Process, str]:
    """Rotel: OTLP in, and OTLP over gRPC, compressed by gzip, out to the daemon."""
    assert ROTEL is not None
    assert ROTEL.origin is not None
    endpoint = f"127.0.0.1:{free_port()}"
    process = cast.start(
        "collector",
        [
            *(str(Path(ROTEL.origin).parent / "rotel-agent"), "start"),
            *("--otlp-grpc-endpoint", endpoint),
            *("--otlp-http-endpoint", f"127.0.0.1:{free_port()}"),
            *("--exporter", "otlp", "--otlp-exporter-protocol", "grpc"),
            *("--otlp-exporter-compression", "gzip"),
            *("--otlp-exporter-endpoint", f"http://{daemon.ready['otlp_grpc']}"),
        ],
    )
    host, port = endpoint.split(":")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    cast.until(listens, within=10, what="a listening collector")
    return process, endpoint


TRUE = {"feed:write": 60.0, "feed/index/author:write": 60.0, "feed/index/author:read": 20.0}


@pytest.mark.skipif(ROTEL is None, reason="needs rotel, which PyPI has for x86-64 Linux")
def test_a_dying_collector_is_told_of_and_capacity_holds(cast: Cast, physics: Physics) -> None:
    physics.create_table("feed", read=300, write=300, index="author")
    # Eager to scale in, so that taking silence for zero demand would show at once.
    daemon = start_daemon(cast, physics, stabilization="2s")
    collector, endpoint = start_collector(cast, daemon)
    application = start_application(cast, physics, f"grpc={endpoint}")
    application.tell(puts=60, queries=20, capacity="INDEXES")

    def is_believed() -> bool:
        demand = daemon.demand()
        return all(abs((demand.get(name) or 0.0) / true - 1) <= 0.15 for name, true in TRUE.items())

    cast.until(is_believed, within=25, what="60 writes/s and 20 reads/s at /status")
    cast.until(
        lambda: physics.provisioned()["feed:write"] < 200, within=35, what="a rightful scale-in"
    )
    collector.kill()
    cast.until(lambda: daemon.process.events("telemetry_lost"), within=25, what="telemetry_lost")
    held = physics.provisioned()
    # What is usual was learned within seconds here, and the bucket is to carry what is above it.
    assert all(held[name] >= 0.9 * true for name, true in TRUE.items()), cast.last_words()
    decided, ticks = daemon.process.events("decision"), daemon.status()["counts"]["ticks"]
    cast.until(
        lambda: daemon.status()["counts"]["ticks"] >= ticks + 4, within=8, what="four more ticks"
    )
    assert physics.provisioned() == held
    assert daemon.process.events("decision") == decided
