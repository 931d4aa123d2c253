"""``capacity-pilot policy try``: other policies over demand files, or over the last hours."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.adapters.clock import SystemClock
from capacity_pilot.adapters.demand_record import HOUR_S, HourOfDemand, encode_hour
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


async def empty(path: Path) -> None:
    async with open_sqlite_journal(path) as journal:
        await journal.save("other", b"")
