"""``capacity-pilot init``: makes the state table, and refuses what is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest

from tests.command_line import run_command
from tests.moto_server import serve_moto


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("CAPACITY_PILOT_STATE_ENDPOINT_URL", endpoint)
    session = botocore.session.get_session()
    return session.create_client("dynamodb", region_name="eu-west-1", endpoint_url=endpoint)


def init(table: str, monkeypatch: pytest.MonkeyPatch) -> int:
    return run_command(monkeypatch, "init", "--state-table", table)


def make(aws: Any, name: str, *keys: tuple[str, str, str]) -> None:
    aws.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": t} for n, _, t in keys],
        KeySchema=[{"AttributeName": n, "KeyType": kind} for n, kind, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def test_a_table_is_made_once_and_found_afterwards(
    aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("state", monkeypatch) == 0
    assert capsys.readouterr().out.splitlines() == [
        "table state: made",
        "time to live: turned on, by expires_at",
    ]
    assert aws.describe_table(TableName="state")["Table"]["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert init("state", monkeypatch) == 0
    assert capsys.readouterr().out.splitlines() == [
        "table state: there already, with the keys it should have",
        "time to live: on already, by expires_at",
    ]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param(
            [("id", "HASH", "S")],
            "its keys are id (HASH S), not pk (HASH S), sk (RANGE S)",
            id="an application's",
        ),
        pytest.param(
            [("pk", "HASH", "S"), ("sk", "RANGE", "N")],
            "its keys are pk (HASH S), sk (RANGE N), not pk (HASH S), sk (RANGE S)",
            id="of another type",
        ),
    ],
)
def test_another_tables_schema_is_refused_with_the_difference(
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    keys: list[tuple[str, str, str]],
    said: str,
) -> None:
    name = f"other-{len(keys)}"
    make(aws, name, *keys)
    assert init(name, monkeypatch) == 1
    assert f"{name} is no state table: {said}" in capsys.readouterr().err
    ttl = aws.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert ttl["TimeToLiveStatus"] == "DISABLED"


def test_a_table_whose_items_expire_by_something_else_is_refused(
    aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(aws, "expiring", ("pk", "HASH", "S"), ("sk", "RANGE", "S"))
    aws.update_time_to_live(
        TableName="expiring",
        TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"},
    )
    assert init("expiring", monkeypatch) == 1
    assert "its items expire by until, not by expires_at" in capsys.readouterr().err
