"""The command line: mistakes get one clear line, and an exit code that says whose they are."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from capacity_pilot.cli import main

COMMAND = Path(sys.executable).parent / "capacity-pilot"
POLICY = "version: 1\npolicies: [{name: a, match: {tables: [a]}, read: {min: 1, max: 2}}]\n"
NEEDED = ("--region", "eu-central-1", "--policy", "policy.yaml")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("CAPACITY_PILOT_", "AWS_")):
            monkeypatch.delenv(name)


def misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> list[str]:
    """What is told of a command line that has to be changed; exit code 2."""
    monkeypatch.setattr(sys, "argv", ["capacity-pilot", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    return told.err.splitlines()


WRONG_FLAGS = {
    "no policy": (
        ("--region", "eu-central-1"),
        (
            "one policy is needed: give --policy FILE (or CAPACITY_PILOT_POLICY), or "
            "CAPACITY_PILOT_POLICY_TEXT, and not both"
        ),
    ),
    "two policies": (
        (*NEEDED, "--policy-text", POLICY),
        (
            "one policy is needed: give --policy FILE (or CAPACITY_PILOT_POLICY), or "
            "CAPACITY_PILOT_POLICY_TEXT, and not both"
        ),
    ),
    "no Region": (
        ("--policy", "policy.yaml"),
        "no Region: give --region or set AWS_REGION",
    ),
    "no such mode": (
        (*NEEDED, "--mode", "loud"),
        "mode: Input should be 'shadow' or 'active' (got 'loud')",
    ),
    "no port": (
        (*NEEDED, "--http-port", "65536"),
        "http-port: Input should be less than or equal to 65535 (got '65536')",
    ),
    "no number": (
        (*NEEDED, "--tick-s", "soon"),
        "tick-s: Input should be a valid number, unable to parse string as a number (got 'soon')",
    ),
    "too fast": (
        (*NEEDED, "--tick-s", "0.01"),
        "tick-s: Input should be greater than or equal to 0.1 (got '0.01')",
    ),
    "no share": (
        (*NEEDED, "--sampling-ratio", "api=25"),
        "sampling_ratio of api is 25.0, must be in (0, 1]",
    ),
}


@pytest.mark.parametrize(("flags", "message"), WRONG_FLAGS.values(), ids=WRONG_FLAGS.keys())
def test_a_wrong_flag_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    flags: tuple[str, ...],
    message: str,
) -> None:
    assert misuse(monkeypatch, capsys, "run", *flags) == [f"capacity-pilot: {message}"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "HTTP_PORT",
            "http",
            (
                "http-port: Input should be a valid integer, unable to parse string as an integer "
                "(got 'http')"
            ),
        ),
        (
            "SAMPLING_RATIO",
            "{",
            'error parsing value for field "sampling_ratio" from source "EnvSettingsSource"',
        ),
    ],
)
def test_a_wrong_environment_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    name: str,
    value: str,
    message: str,
) -> None:
    monkeypatch.setenv(f"CAPACITY_PILOT_{name}", value)
    assert misuse(monkeypatch, capsys, "run", *NEEDED) == [f"capacity-pilot: {message}"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", *NEEDED, "--loud"), "unrecognized arguments: --loud"),
        (("ruin",), "invalid choice: 'ruin' (choose from 'run', 'init', 'demo'"),
    ],
)
def test_what_no_one_knows_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert message in misuse(monkeypatch, capsys, *arguments)[-1]


@pytest.mark.parametrize("arguments", [(), ("--help",), ("run", "--help"), ("demo", "--help")])
def test_help_is_given_to_those_who_ask_and_to_those_who_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.setattr(sys, "argv", ["capacity-pilot", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert (ended.value.code, told.err) == (0, "")
    assert told.out.startswith("usage: capacity-pilot")


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of a daemon that cannot even begin."""
    done = subprocess.run(
        [COMMAND, "run", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        timeout=100,  # the first start on a machine compiles
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.process
def test_a_policy_that_cannot_hold_ends_the_daemon_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY.replace("min: 1", "min: 3"))
    assert run(tmp_path, *NEEDED) == (
        1,
        "capacity-pilot: policy.yaml:2:50: policies.0.read: min 3 is above max 2\n",
    )


@pytest.mark.process
def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    told = run(tmp_path, CAPACITY_PILOT_POLICY_TEXT="version: 2", AWS_REGION="eu-central-1")
    assert told == (
        1,
        (
            "capacity-pilot: CAPACITY_PILOT_POLICY_TEXT:1:1: policies: is missing here\n"
            "CAPACITY_PILOT_POLICY_TEXT:1:10: version: has to be 1 (got 2)\n"
        ),
    )


@pytest.mark.process
@pytest.mark.parametrize("flag", ["--grpc-port", "--http-port", "--health-port"])
def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path, *, flag: str) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    ports = {"--grpc-port": "0", "--http-port": "0", "--health-port": "0"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports[flag] = str(taken.getsockname()[1])
        nobody = ("--endpoint-url", "http://127.0.0.1:1")
        listed = (part for pair in ports.items() for part in pair)
        code, told = run(
            tmp_path,
            *(*NEEDED, *nobody, *listed),
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
    assert code == 1
    line = told.splitlines()[-1]  # grpc's C core has a say of its own before
    assert line.startswith("capacity-pilot: cannot listen on 127.0.0.1: ")
    assert ports[flag] in line
