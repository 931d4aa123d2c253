"""Events and freezes in policy files, good and bad."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from capacity_pilot.adapters.policy_source import load_policies, parse_policies
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.events.declared import Load
from capacity_pilot.core.model import Direction

EXAMPLES = Path(__file__).parents[2] / "policies"

GOOD = """\
version: 1
policies:
  - name: feed
    match: {tables: ["prod-feed-*"]}
    read: {min: 100, max: 30000}
    write: {min: 50, max: 12000}
    country: DE-BY
    events:
      - name: morning notice
        cron: "0 8 * * MON-FRI"
        timezone: Europe/Berlin
        holidays: skip
        lead: 3m
        lasts: 20m
        write: {at_least: 3000, multiplier: 8x}
        indexes: {"by-*": {write: {at_least: 900}}}
      - name: launch
        at: 2026-01-05T08:00:00+09:00
        audience: 200000
        read: {per_recipient: 0.002}
    freeze:
      - {cron: "0 0 31 12 *", lasts: 26h, directions: [in]}
      - from: 2026-11-27 00:00
        until: 2026-11-30
        directions: [in, out]
"""


def test_a_good_file_means_what_it_says() -> None:
    (policy,) = parse_policies(GOOD, source="p.yaml").policies
    notice, launch = policy.events
    assert (notice.lead, notice.lasts, notice.holidays) == (180.0, 1200.0, "skip")
    assert notice.write == Load(at_least=3000, multiplier=8.0)
    assert notice.of("by-day").write == Load(at_least=900)
    assert notice.of("other").write == notice.write
    assert launch.at == datetime(2026, 1, 5, 8, tzinfo=timezone(timedelta(hours=9)))
    assert (launch.lead, launch.lasts, launch.audience) == (None, 1800.0, 200_000)
    yearly, dated = policy.freeze
    assert (yearly.lasts, yearly.directions) == (26 * 3600.0, (Direction.IN,))
    assert (dated.begins, dated.until) == (datetime(2026, 11, 27), datetime(2026, 11, 30))  # noqa: DTZ001 (in the policy's zone)
    assert dated.directions == (Direction.IN, Direction.OUT)


@pytest.mark.parametrize(
    "moment",
    ["2026-01-04T23:00:00Z", "2026-01-05T08:00+09:00", '"2026-01-05 08:00:00+09:00"'],
)
def test_a_moment_may_be_written_as_yaml_or_as_text(moment: str) -> None:
    text = GOOD.replace("2026-01-05T08:00:00+09:00", moment)
    at = parse_policies(text, source="p.yaml").policies[0].events[1].at
    assert at is not None
    assert at.astimezone(UTC) == datetime(2026, 1, 4, 23, tzinfo=UTC)


def test_a_policy_goes_to_another_process_as_it_is() -> None:
    policies = parse_policies(GOOD, source="p.yaml")
    assert pickle.loads(pickle.dumps(policies)) == policies  # noqa: S301 (its own bytes)


def test_the_examples_that_operators_copy_are_good_and_the_first_is_first() -> None:
    """Tables no policy names are replayed by the first policy's risk and reliance."""
    policies = load_policies(EXAMPLES)
    first, *_ = load_policies(EXAMPLES / "starter.yaml").policies
    assert policies.policies[0] == first
    assert any(policy.events for policy in policies.policies)


def test_every_impossible_time_is_told_at_once() -> None:
    text = GOOD.replace("Europe/Berlin", "Mars").replace("0 0 31 12 *", "0 0 31 13 *")
    with pytest.raises(PolicyError) as raised:
        parse_policies(text, source="p.yaml")
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["11", "22"]
