"""That the laws are broken by who breaks them: each case is a call no pilot may make."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from capacity_pilot.adapters.journal.state_table import LEASE_KEY
from capacity_pilot.core.holds import Hold, encode_holds
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.simulator.physics.auto_scaling import name_target
from tests.chaos import state_table
from tests.chaos.aws import Account, Call
from tests.chaos.drawing import draw_schedule
from tests.chaos.laws import Laws
from tests.chaos.lease_laws import LeaseLaws
from tests.chaos.scaling_laws import ScalingLaws
from tests.chaos.virtual_time import VirtualLoop, begin_context, run_virtually
from tests.chaos.worlds import ServedWorld

SCHEDULE = draw_schedule(1)
TABLE = SCHEDULE.tables[0]
FLOOR = SCHEDULE.floor[TABLE]
HAS = FLOOR + 100


def units(read: int, write: int) -> dict[str, int]:
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def reading(status: str = "ACTIVE") -> Call:
    table = {"TableStatus": status, "ProvisionedThroughput": units(HAS, HAS)}
    parameters = {"TableName": TABLE}
    return Call(
        0, "DescribeTable", parameters, begun_at=0.0, reached_at=0.0, answer={"Table": table}
    )


def update(**members: Any) -> Call:
    asked = {"TableName": TABLE, "ProvisionedThroughput": units(HAS + 50, HAS)} | members
    return Call(0, "UpdateTable", asked, begun_at=0.1)


def judge(*calls: Call, is_recorded: bool = True) -> str:
    """What the laws say of these calls of one process, made one after the other."""
    loop = VirtualLoop()
    account = Account(
        ServedWorld(SCHEDULE).world, loop, epoch=SCHEDULE.began_at, draw=np.random.default_rng(0)
    )
    laws = Laws(SCHEDULE, account)
    diary = SimpleNamespace(calls={})
    process: Any = SimpleNamespace(number=0, place=0, diary=diary)
    for number, call in enumerate(calls):
        if call.operation == "DescribeTable":
            laws.passed(process, "describe_answered", call)
            continue
        if is_recorded:
            changes = [{"index": index, "to": list(to)} for index, to in call.asked.items()]
            record = SimpleNamespace(id=str(number), table=TABLE, body={"changes": changes})
            diary.calls[record.id] = record
        laws.passed(process, "update_begun", call)
    loop.close()
    return "\n".join(map(str, laws.violations))


def test_a_call_as_it_should_be_breaks_none() -> None:
    assert judge(reading(), update()) == ""


@pytest.mark.parametrize(
    ("members", "broken"),
    [
        ({"BillingMode": "PAY_PER_REQUEST"}, "switches to PAY_PER_REQUEST unasked"),
        ({"BillingMode": "PROVISIONED"}, "is PROVISIONED already"),
        ({"TableClass": "STANDARD"}, "sends ['TableClass']"),
        ({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "x"}}]}, "does ['Delete']"),
        ({"ProvisionedThroughput": {"ReadCapacityUnits": HAS + 1}}, "not both dimensions"),
        ({"ProvisionedThroughput": units(HAS + 1, 0)}, "not both dimensions"),
        ({"ProvisionedThroughput": units(HAS, HAS)}, "is not changed"),
        ({"ProvisionedThroughput": units(HAS, FLOOR - 1)}, "is not within"),
        ({"ProvisionedThroughput": units(HAS, SCHEDULE.ceiling + 1)}, "is not within"),
        ({"ProvisionedThroughput": units(HAS + 1, HAS - 1)}, "raises and lowers at once"),
    ],
)
def test_what_is_sent_has_to_be_in_order(members: dict[str, Any], broken: str) -> None:
    assert broken in judge(reading(), update(**members))


def test_a_call_rests_on_a_fresh_reading_of_a_settled_table() -> None:
    late = update()
    late.begun_at = 6.0
    assert "without a reading" in judge(update())
    assert "6.00 s old" in judge(reading(), late)
    assert "changing by what was read" in judge(reading("UPDATING"), update())


def test_a_table_has_one_call_in_flight_and_a_failed_one_is_not_repeated_at_once() -> None:
    assert "another call" in judge(reading(), update(), update())
    failed = update()
    failed.ended_at, failed.error = 0.1, OSError()
    assert "again within" in judge(reading(), failed, update())


def test_a_call_is_recorded_before_it_is_made() -> None:
    assert "recorded first" in judge(reading(), update(), is_recorded=False)


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


def leased(loop: VirtualLoop, *, holder: str) -> Account:
    """An account in which that pilot has the lease, with token 3."""
    account = Account(
        ServedWorld(SCHEDULE).world,
        loop,
        epoch=SCHEDULE.began_at,
        draw=np.random.default_rng(0),
    )
    lease = {"holder": {"S": holder}, "token": {"N": "3"}, "renewal": {"N": "7"}}
    item = {"TableName": state_table.NAME, "Item": {**LEASE_KEY, **lease}}
    state_table.OPERATIONS["PutItem"](account.store, item, SCHEDULE.began_at)
    return account


def pilot(number: int, *, token: int | None, is_well: bool = True) -> Any:
    return SimpleNamespace(
        number=number,
        place=number,
        name=f"pilot-{number}",
        lease=SimpleNamespace(token=token),
        tenure=SimpleNamespace(may_send=lambda _: token is not None),
        is_paused=not is_well,
        is_ticking=True,
    )


def test_only_the_leases_holder_sends_and_under_its_token(loop: VirtualLoop) -> None:
    broken: list[str] = []
    laws = LeaseLaws(SCHEDULE, leased(loop, holder="pilot-0"), lambda law, _: broken.append(law))
    laws.sent(pilot(0, token=3), update())
    assert broken == []
    laws.sent(pilot(0, token=2), update())
    laws.sent(pilot(1, token=3), update())
    assert broken == ["the holder's to send"] * 2


def test_a_change_that_arrives_when_another_has_the_lease_is_noticed(loop: VirtualLoop) -> None:
    broken: list[str] = []
    account = leased(loop, holder="pilot-0")
    laws = LeaseLaws(SCHEDULE, account, lambda law, _: broken.append(law))
    laws.look([pilot(0, token=3), pilot(1, token=None)], 0.0)
    for number in (0, 1):
        arriving = update()
        arriving.process = number
        for watch in account.on_arrival:
            watch(arriving)
    assert broken == ["the holder's to arrive"]


@pytest.mark.parametrize("stands_by_well", [True, False])
def test_nobody_in_charge_for_longer_than_a_takeover_takes_is_noticed(
    loop: VirtualLoop, *, stands_by_well: bool
) -> None:
    broken: list[str] = []
    schedule = replace(SCHEDULE, faults=())
    laws = LeaseLaws(schedule, leased(loop, holder="pilot-0"), lambda law, _: broken.append(law))
    for second in range(20):
        standby = pilot(1, token=None, is_well=stands_by_well)
        laws.look([pilot(0, token=3, is_well=second < 2), standby], float(second))
    assert broken == (["takeover"] if stands_by_well else [])


FLOOR_TARGET = ScalableTarget(Resource(TABLE), Dimension.WRITE)


@pytest.mark.parametrize(
    ("members", "is_held", "broken"),
    [
        ({"MinCapacity": FLOOR + 50}, True, ""),
        ({"MinCapacity": FLOOR + 50}, False, "is not kept"),
        ({"MinCapacity": FLOOR - 1}, True, "is not within"),
        ({"MinCapacity": SCHEDULE.ceiling + 1}, True, "is not within"),
        ({"MinCapacity": FLOOR + 60}, True, "that it is the pilot's own is not kept"),
        ({"MinCapacity": FLOOR + 50, "MaxCapacity": 30_000}, True, "sends"),
    ],
)
def test_a_minimum_is_changed_within_bounds_and_after_what_was_there_is_kept(
    loop: VirtualLoop, members: dict[str, Any], *, is_held: bool, broken: str
) -> None:
    schedule = replace(SCHEDULE, scaled=frozenset({FLOOR_TARGET}))
    world = ServedWorld(schedule)
    assert world.scaler is not None
    account = Account(
        world.world,
        loop,
        epoch=schedule.began_at,
        draw=np.random.default_rng(0),
        registry=world.scaler.registry,
    )
    hold = Hold(target=FLOOR_TARGET, minimum=FLOOR, asked=(FLOOR + 50, FLOOR - 1))
    told: list[str] = []
    laws = ScalingLaws(
        schedule,
        account,
        world.scaler,
        break_law=lambda _, what: told.append(what),
        read_document=lambda *_: encode_holds([hold] if is_held else []),
    )
    process: Any = SimpleNamespace(number=0)
    answer = {"ScalableTargets": [name_target(FLOOR_TARGET)]}
    read = Call(0, "DescribeScalableTargets", {}, begun_at=0.0, reached_at=0.0, answer=answer)
    laws.passed(process, "scaling_read_answered", read)
    asked = {**name_target(FLOOR_TARGET), **members}
    call = Call(0, "RegisterScalableTarget", asked, begun_at=0.1)
    laws.passed(process, "register_begun", call)
    assert broken in "\n".join(told)
    assert bool(told) == bool(broken)
    laws.judge_end()
    assert bool(told) == bool(broken), "what its operator registered is there"
    world.scaler.registry.register({**asked, "MinCapacity": FLOOR + 50}, schedule.began_at + 1)
    laws.judge_end()
    assert "its operator's is" in told[-1]


async def _count_on(loop: VirtualLoop, seen: list[float]) -> None:
    for _ in range(4):
        await asyncio.sleep(1.0)
        seen.append(loop.time())


def test_who_stands_still_goes_on_where_it_was_and_nobody_else_waits() -> None:
    stopped: list[float] = []
    other: list[float] = []

    async def play(loop: VirtualLoop) -> None:
        begin_context("stopped").run(loop.create_task, _count_on(loop, stopped))
        loop.create_task(_count_on(loop, other))
        await asyncio.sleep(1.5)
        loop.pause("stopped")
        await asyncio.sleep(5.0)
        assert stopped == [1.0]
        loop.resume("stopped")
        await asyncio.sleep(5.0)

    run_virtually(play)
    assert stopped == [1.0, 6.5, 7.5, 8.5]
    assert other == [1.0, 2.0, 3.0, 4.0]
