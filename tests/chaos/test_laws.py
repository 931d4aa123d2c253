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
from capacity_pilot.simulator.physics.tables import Units
from tests.chaos import state_table
from tests.chaos.aws import Account, Call
from tests.chaos.drawing import draw_schedule
from tests.chaos.idle_laws import IdleLaws
from tests.chaos.laws import Laws
from tests.chaos.lease_laws import LeaseLaws
from tests.chaos.scaling_laws import ScalingLaws
from tests.chaos.schedule import Idle
from tests.chaos.telemetry import News
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
    world = ServedWorld(SCHEDULE)
    draw = np.random.default_rng(0)
    account = Account(world.world, loop, epoch=SCHEDULE.began_at, draw=draw)
    laws = Laws(SCHEDULE, account, world)
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


@pytest.mark.parametrize(
    ("at", "heard_at", "answered_at", "units", "broken"),
    [
        (5000.0, None, 4900.0, 3, ""),
        (5000.0, None, 4900.0, 2, "lowered to 2, an idle one has 3"),
        (5000.0, 2000, 4900.0, 3, "3000 s after it was heard of"),
        (4400.0, None, 4300.0, 3, "asked for within the hour"),
        (5000.0, None, 3000.0, 3, "2000 s after CloudWatch's last word"),
    ],
)
def test_what_is_lowered_as_idle_has_been_silent_for_an_hour_and_cloudwatch_says_so(
    loop: VirtualLoop,
    *,
    at: float,
    heard_at: int | None,
    answered_at: float,
    units: int,
    broken: str,
) -> None:
    laws, process, world = idle_laws(loop, [])
    if heard_at is not None:
        laws.heard(process, News(heard_at, {(0, Dimension.WRITE): (5.0, 0.0)}))
    loop.call_at(answered_at, laws.passed, process, "metrics_answered", ANSWER)
    loop.call_at(at, loop.stop)
    loop.run_forever()
    told = "\n".join(laws.judge(process, Resource(TABLE), Dimension.WRITE, units))
    assert broken in told
    assert bool(told) == bool(broken)
    assert world.units(Resource(TABLE)) is not None


@pytest.mark.parametrize("is_raised", [True, False])
def test_who_wakes_and_is_left_low_is_noticed(loop: VirtualLoop, *, is_raised: bool) -> None:
    broken: list[str] = []
    laws, process, world = idle_laws(loop, broken)
    table = world.world.table(TABLE)
    table.resources[""].units = Units(3, 3)
    laws.heard(process, News(0, {(0, Dimension.WRITE): (5.0, 0.0)}))
    for second in range(1, 9):
        loop.call_at(second, laws.look, [process])
    if is_raised:
        loop.call_at(2.5, setattr, table.resources[""], "units", Units(FLOOR, FLOOR))
    loop.call_at(9, loop.stop)
    loop.run_forever()
    assert broken == ([] if is_raised else ["wakes"])


ANSWER = Call(
    0,
    "GetMetricData",
    {},
    begun_at=0.0,
    answer={"MetricDataResults": [{"Id": "m0", "Values": [7.0]}]},
)


def idle_laws(loop: VirtualLoop, broken: list[str]) -> tuple[IdleLaws, Any, ServedWorld]:
    """Of a table that is lowered to 3 units, and was in use for the first quarter of an hour."""
    demand = np.zeros((2, 6000))
    demand[:, :900] = 5.0
    target = replace(SCHEDULE.targets[0], demand=demand)
    rule = {TABLE: Idle(level=3, safe=FLOOR)}
    schedule = replace(
        SCHEDULE, seconds=6000, tables=(TABLE,), targets=(target,), faults=(), idle=rule
    )
    world = ServedWorld(schedule)
    draw = np.random.default_rng(0)
    account = Account(world.world, loop, epoch=schedule.began_at, draw=draw)
    laws = IdleLaws(schedule, account, world, lambda law, _: broken.append(law))
    return laws, SimpleNamespace(number=0, is_ticking=True, is_paused=False), world


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
