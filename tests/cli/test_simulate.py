"""``capacity-pilot simulate``, from the flags to the files it leaves behind."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from capacity_pilot.simulator.replay.scenario import Fault
from tests.command_line import run_command

COMMAND = Path(sys.executable).parent / "capacity-pilot"
POLICIES = Path(__file__).parents[2] / "policies"
HEADER = "t_s,count\n"


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int
    out: str
    err: str


def start(folder: Path, *arguments: str) -> Ended:
    """As an operator does: a process of its own, in a folder."""
    done = subprocess.run(
        [COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with the starter policies and a minute and a half of demand."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    rows = "".join(f"{t},{20 + t % 3}\n" for t in range(90))
    (tmp_path / "a.csv").write_text(HEADER + rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> Ended:
    """In this process, since most of what is refused is refused at once."""
    code = run_command(monkeypatch, *arguments)
    told = capsys.readouterr()
    return Ended(code, told.out, told.err)


def simulate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> Ended:
    given = ("--policy", "policies", "--processes", "1", "--rivals", "static-peak")
    return call(monkeypatch, capsys, "simulate", *given, *arguments)


def figures(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return told


@pytest.mark.process
def test_what_is_generated_is_replayed_and_told_of_in_json_html_and_a_table(stage: Path) -> None:
    for name, seed in (("feed.csv", "1"), ("likes.csv.gz", "2")):
        made = start(stage, "generate", "--out", name, "--days", "0.02", "--seed", seed)
        assert (made.code, made.err) == (0, "")
        assert made.out.startswith(f"{name}: social-day, 1728 s, mean ")
    command = (
        "simulate --policy policies --demand feed.csv likes.csv.gz --mean 50 --days 0.01 "
        "--json out.json --html out.html --processes 1"
    )
    ended = start(stage, *command.split())
    assert (ended.code, ended.err) == (0, "")  # a progress bar is for terminals
    assert ended.out.startswith("All traces (2)")
    shown = {"pilot", "pilot-at-100ppm", "aws-auto-scaling-70", "clairvoyant", "likes"}
    assert shown <= set(ended.out.split())
    assert (stage / "out.html").read_text().startswith("<!doctype html>")
    told = figures(stage)
    assert told["settings"]["command"] == f"capacity-pilot {command}"
    assert told["settings"]["demand"] == ["feed.csv", "likes.csv.gz"]
    assert told["settings"]["seed"] == 0
    for name in ("capacity-pilot", "numpy", "numba", "plotly", "pyarrow"):
        assert told["settings"]["versions"][name] == version(name)
    assert [trace["name"] for trace in told["traces"]] == ["feed", "likes"]
    for trace in told["traces"]:
        assert trace["days"] == pytest.approx(0.01)
        assert trace["strategies"].keys() == {
            "pilot",
            "pilot-at-1ppm",
            "pilot-at-100ppm",
            "pilot-at-1000ppm",
            "pilot-at-10000ppm",
            "aws-auto-scaling-50",
            "aws-auto-scaling-70",
            "aws-auto-scaling-90",
            "dynamic-dynamodb",
            "static-peak",
            "on-demand",
            "clairvoyant",
        }


@pytest.mark.process
def test_control_c_ends_it_without_a_traceback(stage: Path) -> None:
    """In the middle of a file that somebody is still writing."""
    os.mkfifo(stage / "endless.csv")
    # Whatever shell runs the tests in its background has them, and what they start, ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    flags = ("simulate", "--policy", "policies", "--demand", "endless.csv")
    with (
        subprocess.Popen([COMMAND, *flags], cwd=stage, stderr=subprocess.PIPE, text=True) as run,
        (stage / "endless.csv").open("wb", buffering=0) as file,  # opens once there is a reader
    ):
        file.write(HEADER.encode())
        run.send_signal(signal.SIGINT)
        # Python acts on a signal between two steps of its own. One that comes right before it
        # waits for the next line is acted on when that line is there: so there is a next line.
        with contextlib.suppress(BrokenPipeError):
            for second in range(10_000_000):
                file.write(f"{second},1\n".encode())
        _, told = run.communicate(timeout=60)
    assert (run.returncode, told) == (130, "capacity-pilot: interrupted\n")


def test_help_names_every_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = call(monkeypatch, capsys, "simulate", "--help").out
    for fault in get_args(get_args(Fault)[0]):
        [kind] = get_args(get_type_hints(fault)["kind"])
        assert f"\n    {kind} " in told
        for field in fault.model_fields.keys() - {"kind", "at", "lasts"}:
            assert field in told


def test_a_scenario_file_and_retries_are_in_force_and_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: Path
) -> None:
    fault = "{kind: telemetry_gap, at: 10s, lasts: 1m}"
    (stage / "bad-day.yaml").write_text(f"version: 1\nretries: legacy\nfaults: [{fault}]\n")
    flags = ("--demand", "a.csv", "--scenario", "bad-day.yaml", "--json", "out.json")
    assert simulate(monkeypatch, capsys, *flags).code == 0
    scenario = figures(stage)["settings"]["scenario"]
    assert scenario["retries"] == "legacy"
    assert scenario["faults"] == [{"at": 10.0, "lasts": 60.0, "kind": "telemetry_gap"}]
    assert simulate(monkeypatch, capsys, *flags, "--retries", "standard").code == 0
    assert figures(stage)["settings"]["scenario"]["retries"] == "standard"


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (("--demand", "a.csv", "b, c.csv"), ["a", "b, c"]),
        (("--demand", "b, c.csv"), ["b, c"]),
        (("--demand", "a.csv", "--demand", "b, c.csv"), ["a", "b, c"]),
        (("--demand=a.csv",), ["a"]),
        (("--demand=b, c.csv",), ["b, c"]),
        (("--demand=b, c.csv", "a.csv", "--days", "1"), ["b, c", "a"]),
        (("--demand", "[1] ü{2}\\.csv", "--days", "1"), ["[1] ü{2}\\"]),
    ],
)
def test_demand_files_are_listed_as_a_shell_gives_them(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: Path,
    *,
    listed: tuple[str, ...],
    names: list[str],
) -> None:
    for name in ("b, c.csv", "[1] ü{2}\\.csv"):
        shutil.copy(stage / "a.csv", stage / name)
    ended = simulate(monkeypatch, capsys, *listed, "--json", "out.json")
    assert (ended.code, ended.err) == (0, "")
    assert [trace["name"] for trace in figures(stage)["traces"]] == names


def test_a_file_that_makes_no_sense_is_told_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: Path
) -> None:
    with gzip.open(stage / "bad.csv.gz", "wt") as file:
        file.write(HEADER + "0,5\n1,-3\n2,4\n")
    ended = simulate(monkeypatch, capsys, "--demand", "a.csv", "bad.csv.gz")
    assert ended == Ended(
        1, "", "capacity-pilot: bad.csv.gz:3: count is -3; it must be from 0 to 1000000000000\n"
    )


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (("--json", "away/out.json"), "away/out.json: there is no folder "),
        (("--html", "away/out.html"), "away/out.html: there is no folder "),
        (("--html", "policies"), "policies: this is a folder; a file is to be written"),
        (("--scenario", "away.yaml"), "away.yaml: "),
        (("--policy", "away"), "away: "),
    ],
)
def test_what_cannot_work_is_said_before_any_demand_is_read(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: Path,
    *,
    flags: tuple[str, str],
    complaint: str,
) -> None:
    ended = simulate(monkeypatch, capsys, "--demand", "not-there.csv", *flags)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"capacity-pilot: {complaint}")


WRONG_FLAGS = {
    "unknown rival": (
        ("--demand", "a.csv", "--rivals", "static-peak,nobody"),
        "rivals: rival 'nobody' is not known; it must be one of pilot-at-Nppm (N from 0.1 to",
    ),
    "target out of range": (
        ("--demand", "a.csv", "--rivals", "aws-auto-scaling-95"),
        "rivals: rival 'aws-auto-scaling-95' has a target of 95 %; it must be 20 to 90",
    ),
    "risk out of range": (
        ("--demand", "a.csv", "--rivals", "pilot-at-200000ppm"),
        "rivals: rival 'pilot-at-200000ppm' has a risk of 200000 ppm; it must be 0.1 to 100000",
    ),
    "no demand": (("--demand",), "demand: List should have at least 1 item"),
    "no burst": (
        ("--demand", "a.csv", "--burst-availability", "1.5"),
        "burst-availability: Input should be less than or equal to 1 (got '1.5')",
    ),
    "no dimension": (
        ("--demand", "a.csv", "--dimension", "both"),
        "dimension: Input should be 'write' or 'read' (got 'both')",
    ),
}


@pytest.mark.parametrize(("flags", "message"), WRONG_FLAGS.values(), ids=WRONG_FLAGS.keys())
def test_a_wrong_flag_is_a_misuse(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: Path,
    *,
    flags: tuple[str, ...],
    message: str,
) -> None:
    ended = simulate(monkeypatch, capsys, *flags)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"capacity-pilot: {message}")


def test_a_dimension_the_policy_leaves_alone_has_nothing_to_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: Path
) -> None:
    (stage / "reads.yaml").write_text(
        "version: 1\npolicies: [{name: reads, match: {tables: [a]}, read: {min: 1, max: 9}}]\n"
    )
    ended = simulate(monkeypatch, capsys, "--policy", "reads.yaml", "--demand", "a.csv")
    assert ended == Ended(
        1,
        "",
        "capacity-pilot: policy 'reads' fits a but gives no write bounds: there is nothing to "
        "decide\n",
    )


def test_the_table_is_told_although_a_file_turns_out_not_to_be_writable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stage: Path
) -> None:
    (stage / "loop.json").symlink_to("loop.json")
    ended = simulate(monkeypatch, capsys, "--demand", "a.csv", "--json", "loop.json")
    assert ended.code == 1
    assert "All traces (1)" in ended.out
    assert ended.err == "capacity-pilot: loop.json: Too many levels of symbolic links\n"
