"""Events and freezes in policy files, good and bad."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.adapters.policy_source import load_policies, parse_policies
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.events.declared import Load
from capacity_pilot.core.model import Direction
from tests.adapters.edited_policies import Edit, edit, expect_policies_or_a_policy_error

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


BAD = {
    "no such weekday": (
        ("MON-FRI", "1-9"),
        (
            "p.yaml:10: policies.0.events.0.cron: not a cron expression: bad day-of-week "
            "(got '0 8 * * 1-9')"
        ),
    ),
    "four fields": (
        ("0 8 * * MON-FRI", "0 8 * *"),
        (
            "p.yaml:10: policies.0.events.0.cron: not five fields: minute, hour, day of month, "
            "month, day of week (got '0 8 * *')"
        ),
    ),
    "runs into the next": (
        ("0 8 * * MON-FRI", "*/15 8 * * MON-FRI"),
        (
            "p.yaml:10: policies.0.events.0.cron: comes again after 900 s while lead and lasts are "
            "1380 s: one would run into the next (got '*/15 8 * * MON-FRI')"
        ),
    ),
    "no such zone": (
        ("Europe/Berlin", "Europe/Bern"),
        (
            "p.yaml:11: policies.0.events.0.timezone: no time zone of the IANA database, such as "
            "Asia/Seoul (got 'Europe/Bern')"
        ),
    ),
    "no such country": (
        ("DE-BY", "Bavaria"),
        (
            "p.yaml:7: policies.0.country: no country, or part of one, whose holidays are known: "
            "write KR, or DE-BY (got 'Bavaria')"
        ),
    ),
    "whose holidays": (
        ("    country: DE-BY\n", ""),
        "p.yaml:3: policies.0: holidays of which country? name it, as in country: KR",
    ),
    "two times": (
        ("        audience", "        cron: 0 8 * * *\n        audience"),
        "p.yaml:17: policies.0.events.1: when? name either cron or at",
    ),
    "no time": (
        ("        at: 2026-01-05T08:00:00+09:00\n", ""),
        "p.yaml:17: policies.0.events.1: when? name either cron or at",
    ),
    "no moment": (
        ("2026-01-05T08:00:00+09:00", "tomorrow"),
        (
            "p.yaml:18: policies.0.events.1.at: 'tomorrow' is not a moment such as "
            "2026-01-05T08:00+09:00 (got 'tomorrow')"
        ),
    ),
    "no multiple": (
        ("8x", "800%"),
        (
            "p.yaml:15: policies.0.events.0.write.multiplier: '800%' is not a multiple such as 8x "
            "(got '800%')"
        ),
    ),
    "no load": (
        ("{per_recipient: 0.002}", "{}"),
        (
            "p.yaml:20: policies.0.events.1.read: says no load: name at_least, multiplier or "
            "per_recipient"
        ),
    ),
    "per whom": (
        ("        audience: 200000\n", ""),
        "p.yaml:17: policies.0.events.1: per_recipient needs an audience",
    ),
    "too long": (
        ("lasts: 20m", "lasts: 25h"),
        (
            "p.yaml:14: policies.0.events.0.lasts: Input should be less than or equal to 86400 "
            "(got '25h')"
        ),
    ),
    "freeze without an end": (
        (", lasts: 26h", ""),
        "p.yaml:22: policies.0.freeze.0: when? name either cron and lasts, or from and until",
    ),
    "freeze that ends first": (
        ("until: 2026-11-30", "until: 2026-11-26 08:00"),
        "p.yaml:24: policies.0.freeze.1.until: not after from (got '2026-11-26 08:00')",
    ),
    "no direction": (
        ("directions: [in]", "directions: [down]"),
        "p.yaml:22: policies.0.freeze.0.directions.0: Input should be 'out' or 'in' (got 'down')",
    ),
    "misspelt key": (
        ("holidays: skip", "holiday: skip"),
        "p.yaml:12: policies.0.events.0.holiday: Extra inputs are not permitted (got 'skip')",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_hold_is_told_by_place_and_value(change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(PolicyError) as raised:
        parse_policies(GOOD.replace(*change, 1), source="p.yaml")
    assert str(raised.value).splitlines()[0] == message


def test_every_impossible_time_is_told_at_once() -> None:
    text = GOOD.replace("Europe/Berlin", "Mars").replace("0 0 31 12 *", "0 0 31 13 *")
    with pytest.raises(PolicyError) as raised:
        parse_policies(text, source="p.yaml")
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["11", "22"]


@given(
    edits=st.lists(
        st.tuples(st.integers(100, len(GOOD)), st.integers(0, 8), st.text(max_size=4)),
        min_size=1,
        max_size=3,
    )
)
def test_any_edit_of_a_good_file_is_policies_or_a_policy_error(edits: list[Edit]) -> None:
    expect_policies_or_a_policy_error(edit(GOOD, edits))
