"""How the daemon's process begins and ends, and what shadow mode leaves undone."""

from __future__ import annotations

import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.error import HTTPError

import pytest

from tests.end_to_end.processes import (
    POLICY,
    Cast,
    Daemon,
    Physics,
    get_json,
    post_json,
    start_daemon,
)

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]


def tell_writes(
    daemon: Daemon, table: str, *, units: float, seconds: int, ahead_s: float = 0.0
) -> None:
    """Spans of the last ``seconds``, one a second, each of a write that consumed ``units``, by a
    clock that is ``ahead_s``.
    """
    now = time.time() + ahead_s
    attributes = {
        "db.system": "dynamodb",
        "rpc.service": "DynamoDB",
        "rpc.method": "PutItem",
    }
    capacity = {"TableName": table, "CapacityUnits": units, "Table": {"CapacityUnits": units}}
    listed = {
        "aws.dynamodb.table_names": table,
        "aws.dynamodb.consumed_capacity": json.dumps(capacity),
    }
    encoded = [
        *({"key": k, "value": {"stringValue": v}} for k, v in attributes.items()),
        *(
            {"key": k, "value": {"arrayValue": {"values": [{"stringValue": v}]}}}
            for k, v in listed.items()
        ),
    ]
    spans = [
        {
            "traceId": f"{second + 1:032x}",
            "spanId": f"{second + 1:016x}",
            "name": "DynamoDB.PutItem",
            "kind": 3,
            "startTimeUnixNano": str(int((now - second - 0.01) * 1e9)),
            "endTimeUnixNano": str(int((now - second) * 1e9)),
            "attributes": encoded,
        }
        for second in range(1, seconds + 1)
    ]
    post_json(daemon.ready["otlp_http"], {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})


def test_a_terminated_daemon_says_so_and_ends_well(cast: Cast, physics: Physics) -> None:
    daemon = start_daemon(cast, physics)
    assert daemon.process.terminate(within=5) == 0, cast.last_words()
    (stopping,) = daemon.process.events("stopping")
    assert stopping["calls_in_flight"] == 0


def test_cloudwatch_is_read_where_it_knows_of_the_tables(cast: Cast, physics: Physics) -> None:
    physics.create_table("feed", read=100, write=100)
    daemon = start_daemon(cast, physics, "--cloudwatch-endpoint-url", "http://127.0.0.1:1")
    cast.until(lambda: daemon.status()["last_tick_at"], within=10, what="a tick")
    status = daemon.status()
    assert status["cloudwatch"] == {"last_read_at": None, "fault": None}
    doubts = {c["target"]: c["doubts"] for c in status["coverage"]}
    assert doubts == {"feed:read": ["coverage_unknown"], "feed:write": ["coverage_unknown"]}
    # A stand-in's tables are none the Region's own CloudWatch could tell of.
    unread = start_daemon(cast, physics)
    cast.until(lambda: unread.status()["last_tick_at"], within=10, what="a tick")
    assert "cloudwatch" not in unread.status()


def test_a_call_in_flight_is_waited_for_and_none_is_begun_meanwhile(
    cast: Cast, physics: Physics
) -> None:
    for name in ("feed-a", "feed-b"):
        physics.create_table(name, read=100, write=100)
    physics.hang("UpdateTable", seconds=30)
    daemon = start_daemon(cast, physics)
    tell_writes(daemon, "feed-a", units=400, seconds=20)
    cast.until(lambda: daemon.process.events("decision"), within=10, what="a decision")
    daemon.process.popen.terminate()
    cast.until(lambda: daemon.process.events("stopping"), within=3, what="stopping")
    tell_writes(daemon, "feed-b", units=400, seconds=20)
    assert daemon.process.popen.wait(timeout=10) == 0, cast.last_words()
    assert [e["table"] for e in daemon.process.events("decision")] == ["feed-a"]
    (actuation,) = daemon.process.events("actuation")
    assert (actuation["table"], actuation["outcome"]) == ("feed-a", "unknown")
    assert physics.provisioned()["feed-b:write"] == 100


def test_shadow_mode_decides_and_sends_nothing(cast: Cast, physics: Physics) -> None:
    physics.create_table("feed", read=100, write=100)
    daemon = start_daemon(cast, physics, mode="shadow")
    tell_writes(daemon, "feed", units=400, seconds=20)

    def is_imagined() -> bool:
        targets = daemon.status()["targets"]
        return any(t["dimension"] == "write" and t["provisioned"] >= 400 for t in targets)

    cast.until(is_imagined, within=15, what="imagined capacity")
    (requested,) = daemon.process.events("actuation")
    assert requested["outcome"] == "requested"
    assert daemon.status()["mode"] == "shadow"
    target = physics.targets()["feed:write"]
    assert (target["provisioned"], target["requested"]) == (100, None)


@pytest.mark.timeout(150)
def test_people_are_told_of_a_policy_that_is_refused(cast: Cast, physics: Physics) -> None:
    bodies: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            bodies.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    file = cast.folder / "policy.yaml"
    right = POLICY % {"stabilization": "10m"}
    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        hook = f"http://127.0.0.1:{server.server_port}/"
        file.write_text(f"{right}notifications: [{{webhook: '{hook}', when: [policies_refused]}}]")
        daemon = start_daemon(cast, physics, "--policy", str(file))
        file.write_text("version: 1\npolicies: [")
        cast.until(lambda: bodies, within=20, what="the webhook")
        server.shutdown()
    (body,) = bodies
    assert (body["occasion"], body["subject"]) == ("policies_refused", str(file))
    assert daemon.process.events("policies_refused")


@pytest.mark.timeout(240)
def test_policies_are_read_again_when_told_and_mistakes_change_nothing(
    cast: Cast, physics: Physics
) -> None:
    for name in ("feed", "chat"):
        physics.create_table(name, read=100, write=100)
    file, journal = cast.folder / "policy.yaml", cast.folder / "journal.db"
    right = POLICY % {"stabilization": "10m"}
    file.write_text(right)
    options = ("--policy", str(file), "--journal", str(journal))
    daemon = start_daemon(cast, physics, *options)
    health = daemon.ready["health"]

    def tables() -> set[str]:
        return {t["table"] for t in daemon.status()["targets"]}

    cast.until(lambda: tables() == {"feed"}, within=10, what="the first table")
    file.write_text(right.replace('"feed*"', '"feed*", "chat"'))
    told = post_json(f"{health}/policies/reload", {})
    assert told["is_changed"] is True
    assert told["hash"] == get_json(f"{health}/policies")["hash"] != daemon.ready["policies_hash"]
    cast.until(lambda: tables() == {"feed", "chat"}, within=10, what="the second table")
    # A mistake is answered with where it stands, and the process goes on with what it had.
    file.write_text(right.replace("min: 5", "min: 5000"))
    with pytest.raises(HTTPError) as refused:
        post_json(f"{health}/policies/reload", {})
    assert refused.value.code == 400
    assert any(":6:" in line and "5000" in line for line in json.load(refused.value)["errors"])
    assert get_json(f"{health}/policies")["hash"] == told["hash"]
    assert tables() == {"feed", "chat"}
    # A restart does not change that, and SIGHUP reads what was corrected.
    daemon.process.kill()
    daemon = start_daemon(cast, physics, *options, name="again")
    assert daemon.ready["policies_hash"] == told["hash"]
    cast.until(lambda: tables() == {"feed", "chat"}, within=10, what="both tables again")
    file.write_text(right)
    daemon.process.popen.send_signal(signal.SIGHUP)
    cast.until(lambda: tables() == {"feed"}, within=10, what="the first table alone")
    assert daemon.status()["policies"]["fault"] is None
    assert daemon.process.terminate(within=5) == 0, cast.last_words()
