"""Two daemons over the same tables: one changes capacity, whatever becomes of the other.

Each speaks to DynamoDB through a proxy of its own, which knows what it sent and when.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import botocore.session
import pytest

from capacity_pilot.adapters.lease import LEASE_S
from tests.end_to_end.processes import (
    ENVIRONMENT,
    Cast,
    Daemon,
    Physics,
    start_daemon,
    start_physics,
)
from tests.end_to_end.proxy import Answer, Forward, NoAnswerError, Proxy, interpose
from tests.end_to_end.test_process import tell_writes
from tests.moto_server import serve_moto

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

STATE = "pilot-state"
TABLE = "feed"


@dataclass
class Pilot:
    """A daemon, and what it asks of DynamoDB and of the state table."""

    daemon: Daemon
    tables: Proxy
    state: Proxy

    def state_of(self) -> str:
        told: str = self.daemon.status()["state"]
        return told

    def send(self, number: signal.Signals) -> float:
        self.daemon.process.popen.send_signal(number)
        return time.time()

    def became_active_at(self) -> float | None:
        active = self.daemon.process.events("active")
        return None if not active else _seconds(active[-1]["at"])

    def updates(self) -> list[int]:
        """The units of each UpdateTable call that was taken, and of those that never were asked."""
        return [
            call.members["ProvisionedThroughput"]["WriteCapacityUnits"]
            for call in self.tables.made("UpdateTable")
        ]


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


@dataclass
class Stage:
    cast: Cast
    physics: Physics
    moto: str
    stack: ExitStack

    def start(self, name: str) -> Pilot:
        tables = self.stack.enter_context(interpose(self.physics.url))
        state = self.stack.enter_context(interpose(self.moto))
        daemon = start_daemon(
            self.cast,
            Physics(self.physics.process, tables.url),
            *("--state-table", STATE, "--state-endpoint-url", state.url),
            name=name,
        )
        return Pilot(daemon, tables, state)


@pytest.fixture
def stage(cast: Cast) -> Iterator[Stage]:
    with ExitStack() as stack:
        moto = stack.enter_context(serve_moto())
        client: Any = botocore.session.get_session().create_client(
            "dynamodb",
            region_name=ENVIRONMENT["AWS_REGION"],
            endpoint_url=moto,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        keys = {"pk": "HASH", "sk": "RANGE"}
        client.create_table(
            TableName=STATE,
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in keys],
            KeySchema=[{"AttributeName": n, "KeyType": kind} for n, kind in keys.items()],
            BillingMode="PAY_PER_REQUEST",
        )
        physics = start_physics(cast, apply_median=1.0)
        physics.create_table(TABLE, read=100, write=100)
        yield Stage(cast, physics, moto, stack)
        client.delete_table(TableName=STATE)


def records_a_call(members: dict[str, Any]) -> bool:
    return '"call"' in json.dumps(members) and "ConditionCheck" in json.dumps(members)


def test_a_standby_takes_over_from_the_dead_and_from_the_stopped_and_nobody_writes_twice(
    stage: Stage,
) -> None:
    cast = stage.cast
    first, second = stage.start("first"), stage.start("second")
    assert (first.state_of(), second.state_of()) == ("active", "standby")

    # The holder dies with a change on its way that never arrives.
    def die(_: Forward) -> Answer:
        first.send(signal.SIGKILL)
        raise NoAnswerError

    first.tables.at("UpdateTable", die)
    for pilot in (first, second):
        tell_writes(pilot.daemon, TABLE, units=400, seconds=20)
    died = first.daemon.process.popen
    cast.until(lambda: died.poll() is not None, within=60, what="the first one's end")
    assert second.updates() == []
    cast.until(second.became_active_at, within=90, what="a takeover")
    (settled,) = cast.until(
        lambda: second.daemon.process.events("call_settled"), within=60, what="a verdict"
    )
    assert settled["verdict"] == "without_effect"
    cast.until(
        lambda: stage.physics.provisioned()[f"{TABLE}:write"] >= 400, within=60, what="capacity"
    )
    assert len(second.updates()) == 1

    # The next holder is stopped between the record of a call and the call, for longer than the
    # lease lasts.
    third = stage.start("third")
    assert third.state_of() == "standby"

    def pause(forward: Forward) -> Answer:
        recorded = forward()
        second.send(signal.SIGSTOP)
        cast.until(third.became_active_at, within=90, what="the third one's turn")
        second.send(signal.SIGCONT)
        return recorded

    second.state.at("TransactWriteItems", pause, concerns=records_a_call)
    tell_writes(second.daemon, TABLE, units=900, seconds=20)
    cast.until(
        lambda: second.daemon.process.events("standby"), within=120, what="the second's retreat"
    )
    assert len(second.updates()) == 1
    assert third.updates() == []
    tell_writes(third.daemon, TABLE, units=900, seconds=20)
    cast.until(
        lambda: stage.physics.provisioned()[f"{TABLE}:write"] >= 900, within=60, what="capacity"
    )
    assert len(second.updates()) == 1

    # An orderly end leaves the lease to whoever looks next.
    ended_at = third.send(signal.SIGTERM)
    active_at = cast.until(
        lambda: (at := second.became_active_at()) and at > ended_at and at,
        within=90,
        what="the second one's return",
    )
    assert active_at - ended_at < LEASE_S
