"""``capacity-pilot policy``: what is told of policy files, and what CI is told by the exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest

from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.adapters.policy_source import parse_policies
from capacity_pilot.core.model import AccountLimits
from capacity_pilot.core.pilot import Pilot
from capacity_pilot.core.policy_schema import write_schema
from capacity_pilot.core.snapshot import encode
from capacity_pilot.daemon.snapshots import DOCUMENT as SNAPSHOT
from tests.command_line import run_command
from tests.moto_server import serve_moto

REGION = "ap-southeast-3"
"""Where no other test has tables: moto's servers of one process share what they know."""

NOW = 1_700_000_000.0

GOOD = """\
version: 1
policies:
  - name: feed
    match: {tables: ["prod-feed-*"]}
    read: {min: 100, max: 30000}
    write: {min: 50, max: 12000}
"""
DOUBTFUL = """\
version: 1
policies:
  - name: notices
    match: {tables: [prod-feed-notices]}
    write: {min: 50, max: 12000}
  - name: launch
    match: {tables: [prod-launch]}
    write: {min: 50, max: 50000}
    events:
      - {name: launch day, at: 2024-03-02T09:00, lasts: 2h}
"""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """moto's address; ``orders`` has tags, ``carts`` has none."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with serve_moto() as url:
        client = boto3.client("dynamodb", region_name=REGION, endpoint_url=url)
        for name, tags in (("orders", [{"Key": "team", "Value": "social"}]), ("carts", [])):
            client.create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                Tags=tags,
            )
        yield url
        for name in ("orders", "carts"):
            client.delete_table(TableName=name)


class Told(NamedTuple):
    """What a command came to."""

    code: object
    out: list[str]
    err: list[str]


Command = Callable[..., Told]


@pytest.fixture
def policy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    """Runs a verb of ``capacity-pilot policy`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Told:
        code = run_command(monkeypatch, "policy", *arguments)
        told = capsys.readouterr()
        return Told(code, told.out.splitlines(), told.err.splitlines())

    return run


def test_a_good_file_holds_and_its_maximum_is_priced(policy: Command, tmp_path: Path) -> None:
    """30,000 reads at $0.00013 and 12,000 writes at $0.00065 an hour."""
    (tmp_path / "feed.yaml").write_text(GOOD)
    cost = (
        "at most 30,000 read and 12,000 write units, $11.70 an hour for each table and each index"
    )
    assert policy("check", "feed.yaml") == (
        0,
        [f"feed.yaml:3: feed (prod-feed-*): {cost}", "feed.yaml: holds"],
        [],
    )


def test_errors_of_all_files_fail_and_each_names_its_place(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("write:", "wirte:"))
    (tmp_path / "b.yaml").write_text(GOOD.replace("min: 50", "min: 0").replace("feed-*", "*"))
    assert policy("check", ".") == (
        1,
        [],
        [
            "capacity-pilot: a.yaml:6:5: policies.0.wirte: no such key; did you mean 'write'?",
            "b.yaml:6:18: policies.0.write.min: has to be at least 1 (got 0)",
        ],
    )


def test_warnings_name_their_places_across_files_and_fail_only_if_strict(
    policy: Command, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(DOUBTFUL)
    told = policy("check", ".")
    assert (told.code, told.err) == (0, [])
    assert [line for line in told.out if "warning" in line] == [
        (
            "b.yaml:4:21: warning: policies.0.match.tables: never reached: every table it names "
            "is taken by 'feed' before"
        ),
        (
            "b.yaml:8:27: warning: policies.1.write.max: max 50000 is above the account's quota: a "
            "table or index has at most 40000 write units"
        ),
        "b.yaml:10:32: warning: policies.1.events.0.at: is over",
        ".: holds, with 3 warnings",
    ]
    strict = policy("check", ".", "--strict")
    assert (strict.code, strict.out) == (1, told.out)


def test_how_long_a_change_takes_may_be_said(policy: Command, tmp_path: Path) -> None:
    event = "    events: [{name: push, cron: '0 8 * * *', lead: 1m}]\n"
    (tmp_path / "feed.yaml").write_text(GOOD + event)
    assert policy("check", "feed.yaml", "--strict").code == 0
    slow = policy("check", "feed.yaml", "--strict", "--apply-time-s", "90")
    assert slow.code == 1
    assert "lead 1m is shorter than the 90 s a change takes" in slow.out[0]


IDLE = GOOD.replace("    read:", "    idle: {after: 7d, lower_to: 1}\n    read:")


def test_a_rule_on_idle_tables_is_checked_with_the_rest(policy: Command, tmp_path: Path) -> None:
    """Less than min is what it is for; more than max is a slip."""
    (tmp_path / "feed.yaml").write_text(IDLE)
    assert policy("check", "feed.yaml", "--strict").code == 0
    (tmp_path / "feed.yaml").write_text(IDLE.replace("lower_to: 1", "lower_to: 20000"))
    assert policy("check", "feed.yaml", "--strict")[:2] == (
        1,
        [
            (
                "feed.yaml:5:33: warning: policies.0.idle.lower_to: "
                "20000 is above the max of 12000 write units"
            ),
            (
                "feed.yaml:3: feed (prod-feed-*): at most 30,000 read and 12,000 write units, "
                "$11.70 an hour for each table and each index"
            ),
            "feed.yaml: holds, with 1 warning",
        ],
    )
    (tmp_path / "feed.yaml").write_text(IDLE.replace("after: 7d", "after: 30m"))
    assert policy("check", "feed.yaml") == (
        1,
        [],
        [
            (
                "capacity-pilot: feed.yaml:5:19: policies.0.idle.after: "
                "has to be at least 1h (got '30m')"
            )
        ],
    )


def test_diff_tells_of_rules_on_idle_tables(policy: Command, tmp_path: Path) -> None:
    """What is written anew, changed, left out, and handed down from defaults."""
    without = "version: 1\ndefaults: {idle: {after: 14d, lower_to: min}}\npolicies:\n"
    files = {
        "none.yaml": GOOD,
        "one.yaml": IDLE,
        "other.yaml": IDLE.replace("{after: 7d, lower_to: 1}", "{after: 14d}"),
        "handed-down.yaml": GOOD.replace("version: 1\npolicies:\n", without),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def changes(old: str, new: str) -> list[str]:
        told = policy("diff", f"{old}.yaml", f"{new}.yaml", "--tables", "prod-feed-de")
        assert told.out[0] == "prod-feed-de: feed"
        return [line.strip() for line in told.out[1:-1]]

    assert changes("none", "one") == ["idle.after: none → 7d", "idle.lower_to: none → 1"]
    assert changes("one", "other") == ["idle.after: 7d → 14d", "idle.lower_to: 1 → none"]
    assert changes("other", "handed-down") == ["idle.lower_to: none → min"]
    assert changes("handed-down", "none") == ["idle.after: 14d → none", "idle.lower_to: min → none"]


HINTED = (
    GOOD
    + """\
    upstream:
      - {signal: feed-api GET /fed, gain: {write: 0.1}, lag: 45s}
      - {signal: push sent}
"""
)


async def hear(path: Path, *names: str) -> None:
    """A daemon's journal after signals of these names were heard."""
    pilot = Pilot(
        parse_policies(GOOD, source="feed.yaml"),
        limits=AccountLimits(),
        apply_time_s=30.0,
        now=NOW,
    )
    pilot.step({}, NOW, signals={("", name, int(NOW) - 6): 1.0 for name in names})
    async with open_sqlite_journal(path) as journal:
        await journal.save(SNAPSHOT, encode(pilot.remember(NOW)))


def test_hints_at_signals_nobody_heard_are_warned_of(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "feed.yaml").write_text(HINTED)
    assert policy("check", "feed.yaml", "--strict").code == 0
    asyncio.run(hear(tmp_path / "pilot.db", "feed-api GET /feed", "push sent"))
    told = policy("check", "feed.yaml", "--journal", "pilot.db")
    assert [line for line in told.out if "warning:" in line] == [
        (
            "feed.yaml:8:18: warning: policies.0.upstream.0.signal: 'feed-api GET /fed' is none of "
            "the 2 signals heard so far; did you mean 'feed-api GET /feed'?"
        )
    ]
    asyncio.run(hear(tmp_path / "pilot.db", "feed-api GET /fed", "push sent"))
    assert policy("check", "feed.yaml", "--strict", "--journal", "pilot.db").code == 0
    asyncio.run(fill_nothing(tmp_path / "new.db"))
    told = policy("check", "feed.yaml", "--journal", "new.db")
    assert (told.code, "nothing is known of signals yet" in told.err[0]) == (1, True)


async def fill_nothing(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.save("other", b"")


def test_hints_are_explained_and_compared_by_signal(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(HINTED)
    (tmp_path / "new.yaml").write_text(HINTED.replace("lag: 45s", "lasts: 2m").replace("0.1", "2"))
    told = policy("explain", "prod-feed-de", "--policy", "old.yaml")
    shown = [" ".join(line.split()) for line in told.out if "upstream.feed-api GET /fed" in line]
    assert [line.removeprefix("upstream.feed-api GET /fed.") for line in shown] == [
        "gain.read none built in",
        "gain.write 0.1 old.yaml:8:51",
        "lag 45s old.yaml:8:62 over 30s (built in)",
        "lasts 1m built in",
    ]
    told = policy("diff", "old.yaml", "new.yaml", "--tables", "prod-feed-de")
    assert told.out[1:-1] == [
        "  upstream.feed-api GET /fed.gain.write: 0.1 → 2",
        "  upstream.feed-api GET /fed.lag: 45s → 30s",
        "  upstream.feed-api GET /fed.lasts: 1m → 2m",
    ]


def test_the_schema_is_printed_as_it_is_published(policy: Command) -> None:
    told = policy("schema")
    assert (told.code, "\n".join(told.out) + "\n") == (0, write_schema())


DEFAULTS = """\
version: 1
defaults:
  risk: 20ppm
  write: {min: 5}
limits: {spend_per_hour: 40}
"""
SHARED = """\
version: 1
defaults: {risk: 30ppm, scale_in: {stabilization: 10m}}
limits: {spend_per_hour: 12.5}
policies:
  - name: feed
    match: {tables: ["prod-feed-*"]}
    write: {max: 12000}
    indexes:
      by-author: {write: {max: 900}}
  - name: the rest
    match: {tables: ["*"]}
    write: {max: 100}
"""


def test_explain_names_the_line_that_won_and_what_it_beat(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "defaults.yaml").write_text(DEFAULTS)
    (tmp_path / "feed.yaml").write_text(SHARED)
    told = policy("explain", "prod-feed-de", "--policy", ".")
    assert (told.code, told.err) == (0, [])
    assert told.out[:2] == [
        "prod-feed-de: feed, by prod-feed-* (feed.yaml:6:22)",
        "  would fit the rest, too, by * (feed.yaml:11:22): later",
    ]
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in told.out[3:] if line.strip()}
    assert lines["risk"] == (
        "30ppm feed.yaml:2:18 over 20ppm (defaults.yaml:3:9), 10ppm (built in)"
    )
    assert lines["write.min"] == "5 defaults.yaml:4:16"
    assert lines["write.max"] == "12,000 feed.yaml:7:18"
    assert lines["scale_in.stabilization"] == "10m feed.yaml:2:51 over 150s (built in)"
    assert lines["scale_in.reserve_decreases"] == "1 built in"
    assert lines["indexes.by-author.write.max"] == "900 feed.yaml:9:32 over 12,000 (feed.yaml:7:18)"
    assert lines["indexes.by-author.write.min"] == "5 defaults.yaml:4:16"
    assert (
        lines["limits.spend_per_hour"] == "12.5 USD feed.yaml:3:26 over 40 USD (defaults.yaml:5:26)"
    )


def test_explain_says_so_of_a_table_that_is_left_alone(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "feed.yaml").write_text(GOOD)
    assert policy("explain", "orders", "--policy", "feed.yaml") == (
        1,
        ["orders: no policy fits, it is left alone"],
        [],
    )


def test_explain_goes_by_the_tags_it_is_told(policy: Command, tmp_path: Path) -> None:
    tagged = SHARED.replace('{tables: ["prod-feed-*"]}', "{tags: {team: social}}")
    (tmp_path / "feed.yaml").write_text(tagged.replace("{max:", "{min: 5, max:"))
    plain = policy("explain", "orders", "--policy", ".")
    assert plain.out[0] == (
        "orders: the rest, by * (feed.yaml:11:22), if it has no tags: name them by --tags KEY=VALUE"
    )
    told = policy("explain", "orders", "--policy", ".", "--tags", "team=social")
    assert told.out[0] == "orders: feed, by * with team=social (feed.yaml:6:12)"


def test_diff_tells_of_each_table_what_changes(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(SHARED)
    changed = SHARED.replace("risk: 30ppm", "risk: 50ppm").replace("max: 12000", "max: 15000")
    changed = changed.replace("prod-feed-*", "prod-*").replace("12.5", "20")
    changed = changed[: changed.index("  - name: the rest")].replace("{max: 900}", "{max: 800}")
    (tmp_path / "old.yaml").write_text(SHARED.replace("{max:", "{min: 5, max:"))
    (tmp_path / "new.yaml").write_text(changed.replace("{max:", "{min: 5, max:"))
    (tmp_path / "tables.txt").write_text("# of the account\nprod-orders\nprod-feed-de\n\n")
    told = policy("diff", "old.yaml", "new.yaml", "--tables", "dev", "--tables-from", "tables.txt")
    assert told == (
        0,
        [
            "dev: left alone, was the rest's",
            "prod-feed-de: feed",
            "  write.max: 12,000 → 15,000",
            "  indexes.by-author.write.max: 900 → 800",
            "  risk: 30ppm → 50ppm",
            "prod-orders: feed instead of the rest",
            "  write.max: 100 → 15,000",
            "  indexes.by-author.write.min: none → 5",
            "  indexes.by-author.write.max: none → 800",
            "  risk: 30ppm → 50ppm",
            "all tables together:",
            "  limits.spend_per_hour: 12.5 USD → 20 USD",
            "3 of 3 tables change",
        ],
        [],
    )
    same = policy("diff", "new.yaml", "new.yaml", "--tables", "prod-feed-de")
    assert same.out == ["0 of 1 tables change"]


def test_diff_has_to_know_which_tables(policy: Command, tmp_path: Path) -> None:
    (tmp_path / "feed.yaml").write_text(GOOD)
    told = policy("diff", "feed.yaml", "feed.yaml")
    assert told.code == 2
    assert "of which tables? name --tables, --tables-from FILE or --region" in told.err[0]


def test_check_asks_aws_for_the_quotas(policy: Command, aws: str, tmp_path: Path) -> None:
    """moto's account may have 10,000 units a table."""
    (tmp_path / "feed.yaml").write_text(GOOD)
    told = policy("check", "feed.yaml", "--region", REGION, "--endpoint-url", aws)
    quota = "is above the account's quota: a table or index has at most 10000"
    assert [line for line in told.out if "warning:" in line] == [
        f"feed.yaml:5:27: warning: policies.0.read.max: max 30000 {quota} read units",
        f"feed.yaml:6:27: warning: policies.0.write.max: max 12000 {quota} write units",
    ]


def test_diff_asks_aws_for_tables_and_tags(policy: Command, aws: str, tmp_path: Path) -> None:
    tagged = GOOD.replace('{tables: ["prod-feed-*"]}', "{tags: {team: social}}")
    (tmp_path / "old.yaml").write_text(tagged)
    (tmp_path / "new.yaml").write_text(tagged.replace("30000", "20000"))
    told = policy("diff", "old.yaml", "new.yaml", "--region", REGION, "--endpoint-url", aws)
    assert told.out == [
        "orders: feed",
        "  read.max: 30,000 → 20,000",
        "1 of 2 tables change",
    ]


def test_a_region_that_does_not_answer_is_told(policy: Command, aws: str, tmp_path: Path) -> None:
    (tmp_path / "feed.yaml").write_text(GOOD)
    nowhere = ("--region", "eu-west-1", "--endpoint-url", "http://127.0.0.1:9")
    told = policy("diff", "feed.yaml", "feed.yaml", *nowhere)
    assert told.code == 1
    assert told.err[0].startswith("capacity-pilot: ")
