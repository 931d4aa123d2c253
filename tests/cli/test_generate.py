"""``capacity-pilot generate``: files, what is told of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_settings import CliApp

from capacity_pilot.cli.generate import Generate
from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator.demand_file import read_demand
from tests.command_line import run_command


def generate(*arguments: str) -> None:
    CliApp.run(Generate, cli_args=list(arguments))


def test_one_table_is_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "feed.csv.gz"
    generate("--out", str(out), "--days", "0.05", "--mean", "40")
    file = read_demand(out)
    assert (file.seconds, list(file.signals)) == (4320, ["push_sent", "route_feed"])
    peak = int(file.counts.max())
    told = f"{out}: social-day, 4320 s, mean {file.counts.mean():.1f}, peak {peak}\n"
    assert capsys.readouterr().out == told
    assert file.counts.mean() == pytest.approx(40, rel=0.02)


def test_several_tables_are_a_folder_of_every_kind(tmp_path: Path) -> None:
    generate(
        "--kind", "mix", "--tables", "6", "--days", "0.02", "--out", str(tmp_path / "new" / "app")
    )
    assert sorted(path.name for path in (tmp_path / "new" / "app").iterdir()) == [
        "batch-4.csv.gz",
        "idle-5.csv.gz",
        "launch-2.csv.gz",
        "outage-3.csv.gz",
        "push-day-6.csv.gz",
        "social-day-1.csv.gz",
    ]


def test_how_many_tables_is_a_number_on_the_command_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other verbs take names of tables by the same flag, as many as there are."""
    out = tmp_path / "app"
    assert (
        run_command(monkeypatch, "generate", "--tables", "2", "--days", "0.02", "--out", str(out))
        == 0
    )
    assert len(list(out.iterdir())) == 2


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        (
            "--kind",
            "busy",
            "Input should be 'social-day', 'launch', 'outage', 'batch', 'idle', 'push-day' or",
        ),
        ("--days", "0", "Input should be greater than or equal to 0.01"),
        ("--days", "nan", "Input should be less than or equal to 366"),
        ("--mean", "-1", "Input should be greater than 0"),
        ("--mean", "nan", "Input should be less than or equal to 1000000"),
        ("--seed", "-1", "Input should be greater than or equal to 0"),
        ("--tables", "0", "Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_flag_is_told_its_bound(
    tmp_path: Path, *, flag: str, value: str, message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        generate("--out", str(tmp_path / "feed.csv"), flag, value)


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "feed.csv"
    taken.touch()
    with pytest.raises(InputError, match=r"feed.csv: File exists"):
        generate("--out", str(taken), "--tables", "2")


def test_help_names_every_kind_and_column(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generate("--help")
    told = capsys.readouterr().out
    for word in ("social-day", "push-day", "batch", "idle", "launch", "outage", "mix"):
        assert f"\n    {word} " in told
    for column in ("t_s", "count", "push_sent", "route_feed"):
        assert f"\n    {column} " in told
