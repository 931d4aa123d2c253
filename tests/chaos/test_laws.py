"""That the laws are broken by who breaks them: each case is a call no pilot may make."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.chaos.aws import Account, Call
from tests.chaos.laws import Laws
from tests.chaos.schedule import draw_schedule
from tests.chaos.virtual_time import VirtualLoop
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
    process: Any = SimpleNamespace(number=0, diary=diary)
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
