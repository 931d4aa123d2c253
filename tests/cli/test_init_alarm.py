"""``capacity-pilot init --heartbeat``: the alarm, as moto's CloudWatch keeps it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from capacity_pilot.adapters.aws.heartbeat_alarm import ABSENCE
from tests.command_line import run_command
from tests.moto_server import serve_moto

TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"
Init = Callable[..., int]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serve_moto() as url:
        yield url


@pytest.fixture
def init(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Init:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("CAPACITY_PILOT_STATE_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("CAPACITY_PILOT_CLOUDWATCH_ENDPOINT_URL", endpoint)

    def run(*arguments: str) -> int:
        return run_command(monkeypatch, "init", "--state-table", "alarmed", *arguments)

    return run


def alarms(endpoint: str) -> list[dict[str, Any]]:
    session = botocore.session.get_session()
    client: Any = session.create_client(
        "cloudwatch", region_name="eu-west-1", endpoint_url=endpoint
    )
    return list(client.describe_alarms()["MetricAlarms"])


def test_the_alarm_is_made_once_and_left_as_it_is(
    init: Init, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("--heartbeat", "pilots", "--alarm-action", TOPIC) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "alarm pilots-heartbeat: made"
    (alarm,) = alarms(endpoint)
    assert alarm["AlarmName"] == "pilots-heartbeat"
    assert alarm["Dimensions"] == [{"Name": "Pilot", "Value": "pilots"}]
    assert (alarm["AlarmActions"], alarm["OKActions"]) == ([TOPIC], [TOPIC])
    assert {key: alarm[key] for key in ABSENCE} == ABSENCE
    assert init("--heartbeat", "pilots") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "alarm pilots-heartbeat: there already, left as it is"
    )
    (alarm,) = alarms(endpoint)
    assert alarm["AlarmActions"] == [TOPIC]


def test_an_alarm_that_tells_nobody_says_so(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--heartbeat", "others") == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "alarm others-heartbeat: made",
        "it tells nobody: --alarm-action names whom",
    ]


def test_an_action_without_an_alarm_is_refused(
    init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("--alarm-action", TOPIC) != 0
    assert "alarm-action without an alarm: give --heartbeat" in capsys.readouterr().err


def test_it_is_the_alarm_of_the_terraform_module() -> None:
    module = Path(__file__).parents[2] / "infra" / "terraform" / "switch.tf"
    (block,) = re.findall(
        r'resource "aws_cloudwatch_metric_alarm" "heartbeat" {(.*?)\n}',
        module.read_text(),
        re.DOTALL,
    )
    written = dict(re.findall(r"^  (\w+)\s+= (.+)$", block, re.MULTILINE))
    for ours, theirs in {
        "MetricName": "metric_name",
        "Statistic": "statistic",
        "Period": "period",
        "EvaluationPeriods": "evaluation_periods",
        "DatapointsToAlarm": "datapoints_to_alarm",
        "ComparisonOperator": "comparison_operator",
        "Threshold": "threshold",
        "TreatMissingData": "treat_missing_data",
    }.items():
        value = written[theirs].strip('"')
        assert str(ABSENCE[ours]) in (value, f"{value}.0"), theirs
