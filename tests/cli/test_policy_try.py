"""``capacity-pilot policy try``: other policies over demand files, or over the last hours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.demand_record import (
    HOUR_S,
    TAGS,
    HourOfDemand,
    encode_hour,
    encode_tags,
)
from capacity_pilot.adapters.journal.dynamodb import DynamoDbJournal
from capacity_pilot.adapters.journal.sqlite import open_sqlite_journal
from capacity_pilot.adapters.journal.state_table import make_state_table, open_state_client
from capacity_pilot.adapters.lease import DynamoDbLease
from capacity_pilot.adapters.policy_sources.texts import PolicyText, PolicyTexts
from capacity_pilot.core.model import Dimension, Resource, ScalableTarget
from capacity_pilot.core.ports import Journal
from capacity_pilot.daemon.policy_versions import PolicyReader, keep
from tests.command_line import run_command
from tests.moto_server import serve_moto

NOON = 1_791_547_200


def written(most: int, *, tables: str = "feed*") -> str:
    return (
        "version: 1\n"
        "policies:\n"
        "  - name: feeds\n"
        f'    match: {{tables: ["{tables}"]}}\n'
        f"    write: {{min: 10, max: {most}}}\n"
    )


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    code = run_command(monkeypatch, "policy", "try", *arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.yaml").write_text(written(150))
    (tmp_path / "old.yaml").write_text(written(5000))
    return tmp_path


def test_a_lower_maximum_throttles_and_costs_less(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tall in (("feed", 900), ("feed-2", 300), ("chat", 50)):
        rows = "".join(f"{t},{100 if t < 400 else tall}\n" for t in range(1200))
        (folder / f"{name}.csv").write_text("t_s,count\n" + rows)
    demand = ("--demand", "feed.csv", "feed-2.csv", "chat.csv")
    code, out, _ = call(
        monkeypatch, capsys, "new.yaml", "--beside", "old.yaml", *demand, "--processes", "1"
    )
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "3 demand files, seed 0"
    rows_of = [line.split() for line in lines[3:]]
    (old, new), (old_2, new_2), (none, none_too), (both, both_new) = zip(
        rows_of[::2], rows_of[1::2], strict=True
    )
    assert (old[:2], new[0]) == (["feed:write", "old.yaml"], "new.yaml")
    assert float(new[1].replace(",", "")) > 100_000 > float(old[2].replace(",", ""))
    assert float(new[2].replace(",", "")) < float(old[3].replace(",", ""))
    assert old_2[0] == "feed-2:write"
    assert new_2[0] == "new.yaml"
    assert none == ["chat:write", "old.yaml", "left", "alone"]
    assert none_too == ["new.yaml", "left", "alone"]
    hours = [float(row[-4].replace(",", "")) for row in (old, old_2, both)]
    assert abs(hours[0] + hours[1] - hours[2]) <= 2
    assert (both[0], both_new[0]) == ("all", "new.yaml")


async def fill(journal: Journal) -> None:
    """The policies in force and two hours of demand, the second a surge."""
    text = PolicyTexts((PolicyText("policy.yaml", written(5000)),))
    version = PolicyReader(lambda _: None).read(text, source="policy.yaml", now=0.0)
    await keep(version, journal)
    for number, units in enumerate((100.0, 900.0)):
        row = np.full(HOUR_S, units, dtype=np.float32)
        writes = ScalableTarget(Resource("feed"), Dimension.WRITE)
        hour = HourOfDemand(NOON + number * HOUR_S, {writes: row})
        await journal.save(hour.document, encode_hour(hour))


async def fill_file(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await fill(journal)


async def fill_table(url: str) -> None:
    clock = SystemClock()
    async with open_state_client(region="us-east-1", endpoint_url=url) as client:
        await make_state_table(client, "pilots")
        lease = DynamoDbLease(client, "pilots", pilot="a test")
        await lease.keep()
        await fill(DynamoDbJournal(client, "pilots", lease=lease, keep_s=1e6, clock=clock))


def test_the_last_hours_are_tried_beside_the_policies_in_force(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fill_file(folder / "pilot.db"))
    given = ("new.yaml", "--journal", "pilot.db", "--last", "90m")
    code, out, err = call(monkeypatch, capsys, *given)
    assert (code, err) == (0, "")
    said, _, _, old, new = out.splitlines()
    assert said == (
        "demand of 1 table from 2026-10-09 12:30 UTC, 1.5 h; 100% of seconds known at the least"
    )
    assert old.split()[:3] == ["feed:write", "in", "force"]
    assert float(new.split()[1].replace(",", "")) > 500_000


def test_the_last_hours_are_also_those_of_pilots_that_share_a_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with serve_moto() as url:
        asyncio.run(fill_table(url))
        table = ("--state-table", "pilots", "--region", "us-east-1", "--endpoint-url", url)
        code, out, err = call(monkeypatch, capsys, "new.yaml", *table, "--last", "20m")
    assert (code, err) == (0, "")
    assert out.startswith("demand of 1 table from 2026-10-09 13:40 UTC, 0.3 h; 100% of seconds")
    assert " in force " in out


def test_what_is_missing_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "new.yaml")
    assert (code, "which demand? give --demand FILE…, --journal FILE or" in err) == (2, True)
    code, _, err = call(monkeypatch, capsys, "new.yaml", "--state-table", "pilots")
    assert (code, "state-table pilots in which Region?" in err) == (2, True)
    code, _, err = call(monkeypatch, capsys, "new.yaml", "--journal", "none.db")
    assert (code, err) == (1, "capacity-pilot: journal: none.db: unable to open database file\n")
    asyncio.run(empty(folder / "empty.db"))
    code, _, err = call(monkeypatch, capsys, "new.yaml", "--journal", "empty.db")
    assert (code, "the journal holds no demand" in err) == (1, True)


TAGGED = """\
version: 1
policies:
  - name: gold
    match: {tags: {capacity: gold}}
    write: {min: 10, max: 5000}
    indexes: {by-day: {write: {max: 150}}}
  - name: rest
    match: {tables: ["*"]}
    write: {min: 10, max: 150}
    indexes: {by-day: {write: {max: 5000}}}
"""


async def fill_with_tags(path: Path) -> None:
    """Ten minutes of demand of a table and its index, of whose tables one has known tags."""
    async with open_sqlite_journal(path) as journal:
        row = np.full(HOUR_S, np.nan, dtype=np.float32)
        row[:300], row[300:600] = 100.0, 600.0
        resources = (Resource("feed"), Resource("feed", "by-day"), Resource("chat"))
        units = {ScalableTarget(each, Dimension.WRITE): row for each in resources}
        hour = HourOfDemand(NOON, units)
        await journal.save(hour.document, encode_hour(hour))
        await journal.save(TAGS, encode_tags({"feed": {"capacity": "gold"}}))


def throttled(out: str, target: str) -> list[float]:
    """In parts per million, of each side in order."""
    lines = out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith(f"{target}:write "))
    return [float(lines[n].split()[-5].replace(",", "")) for n in (at, at + 1)]


def test_indexes_are_tried_and_tables_are_whose_their_tags_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tagged.yaml").write_text(TAGGED)
    (folder / "swapped.yaml").write_text(TAGGED.replace("gold}}", "tin}}"))
    asyncio.run(fill_with_tags(folder / "pilot.db"))
    given = ("swapped.yaml", "--beside", "tagged.yaml", "--journal", "pilot.db")
    code, _, err = call(monkeypatch, capsys, *given, "--processes", "1")
    assert (code, err) == (
        1,
        (
            "capacity-pilot: whose chat would be hangs on tags that are not known: name them by "
            "--tags chat:KEY=VALUE, or chat: for none\n"
        ),
    )
    code, out, err = call(monkeypatch, capsys, *given, "--tags", "chat:", "--processes", "1")
    assert (code, err) == (0, "")
    assert out.startswith("demand of 2 tables and 1 index from 2026-10-09 12:00 UTC, 0.2 h; ")
    # The policy with tags lets the table have enough, the other one its index.
    before, after = throttled(out, "feed")
    assert after > 100_000 > before
    before, after = throttled(out, "feed/index/by-day")
    assert before > 100_000 > after
    assert min(throttled(out, "chat")) > 100_000
    code, out, _ = call(
        monkeypatch,
        capsys,
        *given,
        "--tags",
        "chat:",
        "--tags",
        "feed:capacity=tin",
        "--processes",
        "1",
    )
    assert throttled(out, "feed")[0] > 100_000 > throttled(out, "feed")[1]


def test_a_demand_file_may_be_an_indexs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{t},{100 if t < 300 else 600}\n" for t in range(600))
    (folder / "calls.csv").write_text("t_s,count\n" + rows)
    index = "    indexes: {by-day: {write: {max: 5000}}}\n"
    (folder / "old.yaml").write_text(written(150) + index)
    given = ("new.yaml", "--beside", "old.yaml", "--demand", "calls.csv", "--processes", "1")
    code, out, err = call(monkeypatch, capsys, *given, "--targets", "feed/index/by-day")
    assert (code, err) == (0, "")
    before, after = throttled(out, "feed/index/by-day")
    assert after > 100_000 > before
    code, _, err = call(monkeypatch, capsys, *given, "--targets", "feed", "--targets", "chat")
    assert (code, "targets names 2, and there are 1 demand files" in err) == (2, True)
    code, _, err = call(monkeypatch, capsys, *given, "--targets", "feed/by-day")
    assert (code, "'feed/by-day' is neither TABLE nor TABLE/index/INDEX" in err) == (2, True)
    code, _, err = call(monkeypatch, capsys, *given, "--tags", "feed")
    assert (code, "'feed' is not TABLE:KEY=VALUE" in err) == (2, True)


async def empty(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.save("other", b"")
