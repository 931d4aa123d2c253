"""What is shipped says what the code does: the image and the infrastructure."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from capacity_pilot.adapters.aws import heartbeat
from capacity_pilot.daemon.heartbeat import BEAT_S
from capacity_pilot.settings import DaemonSettings

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
TERRAFORM = ROOT / "infra" / "terraform"


def find_tool(name: str) -> str:
    beside_python = Path(sys.executable).parent / name
    found = str(beside_python) if beside_python.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def instructions(name: str) -> list[str]:
    """Give the arguments of every instruction of that name, continued lines joined."""
    text = DOCKERFILE.read_text().replace("\\\n", " ")
    return re.findall(rf"^{name}\s+(.*)$", text, flags=re.MULTILINE)


def test_the_dockerfile_is_lint_clean() -> None:
    lint = subprocess.run(
        [find_tool("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert lint.returncode == 0, lint.stdout


def test_the_terraform_is_formatted() -> None:
    command = [find_tool("terraform"), "fmt", "-check", "-diff", "-recursive", str(TERRAFORM)]
    formatted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout


def test_the_image_runs_as_a_numbered_user_who_is_not_root() -> None:
    *_, user = instructions("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) > 0
    assert int(gid) > 0
    # The task definition names the same user, since it can override the image's.
    assert f'"{user}"' in (TERRAFORM / "main.tf").read_text()


def test_the_image_pins_its_base_and_installs_by_hash() -> None:
    bases = [base.split()[0] for base in instructions("FROM")]
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-\w+", base) for base in bases), bases
    installs = [shlex.split(run) for run in instructions("RUN") if "pip install" in run]
    assert installs
    assert all({"--require-hashes", "--no-deps"} & set(install) for install in installs)


def test_nothing_in_the_image_starts_through_a_shell() -> None:
    started = instructions("ENTRYPOINT") + instructions("CMD")
    assert len(started) == 2
    assert all(command.startswith("[") for command in started)
    (health,) = instructions("HEALTHCHECK")
    assert "CMD [" in re.sub(r"\s+", " ", health)


def test_what_the_dockerfile_copies_is_in_the_build_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [
        source
        for copy in instructions("COPY")
        if "--from=" not in copy
        for source in copy.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert f"!{source}" in ignored
        assert (ROOT / source).exists()


def test_the_alarm_looks_for_the_heartbeat_the_daemon_sends() -> None:
    switch, main = ((TERRAFORM / f"{name}.tf").read_text() for name in ("switch", "main"))
    assert f'heartbeat_namespace = "{heartbeat.NAMESPACE}"' in main
    assert re.search(r"CAPACITY_PILOT_HEARTBEAT\s+= var.name", main)
    assert re.search(rf'metric_name\s+= "{heartbeat.METRIC}"', switch)
    assert re.search(rf"dimensions\s+= {{ {heartbeat.DIMENSION} = var.name }}", switch)
    assert re.search(r'treat_missing_data\s+= "breaching"', switch)
    assert 'command = ["hand-back"]' in switch
    assert float(dict(re.findall(r"(period)\s+= (\d+)", switch))["period"]) == BEAT_S


def test_pilots_share_a_table_of_the_schema_the_code_asks_for() -> None:
    """So that a deployment may have two at once, of which one changes capacity."""
    state = (TERRAFORM / "state.tf").read_text()
    keys = re.findall(r'^\s+(hash_key|range_key)\s+= "(\w+)"$', state, re.MULTILINE)
    assert keys == [("hash_key", "pk"), ("range_key", "sk")]
    ttl = re.search(r"ttl \{\n(.*?)\}", state, re.DOTALL)
    assert ttl is not None
    assert 'attribute_name = "expires_at"' in ttl[1]
    assert "enabled        = true" in ttl[1]
    assert "point_in_time_recovery {\n    enabled = true" in state
    service = (TERRAFORM / "main.tf").read_text()
    assert re.search(r"CAPACITY_PILOT_STATE_TABLE\s+= aws_dynamodb_table.state.name", service)
    settings = dict(re.findall(r"^\s+(\w+)\s+= (\d+)$", service, re.MULTILINE))
    assert settings["deployment_minimum_healthy_percent"] == "100"


def test_the_image_keeps_its_journal_in_a_volume_of_its_own_user() -> None:
    (*_, workdir) = instructions("WORKDIR")
    assert DaemonSettings.model_fields["journal"].default == Path("capacity-pilot.db")
    assert any(workdir in volumes for volumes in instructions("VOLUME"))
    made = [run.split() for run in instructions("RUN") if "-o 10001 -g 10001" in run]
    assert any(workdir in folders for folders in made)


@pytest.mark.parametrize("port", ["4317", "4318", "8080"])
def test_image_and_task_agree_on_the_ports(port: str) -> None:
    (exposed,) = instructions("EXPOSE")
    assert port in exposed.split()
    assert re.search(rf"_port\s+= {port}$", (TERRAFORM / "main.tf").read_text(), re.MULTILINE)


@pytest.mark.parametrize("place", [DOCKERFILE, TERRAFORM / "main.tf"], ids=["image", "task"])
def test_every_variable_set_is_a_setting_of_the_daemon(place: Path) -> None:
    named = set(re.findall(r"\bCAPACITY_PILOT_(\w+)\s*=", place.read_text()))
    assert named
    assert {name.lower() for name in named} <= DaemonSettings.model_fields.keys()


def test_the_image_listens_beyond_loopback() -> None:
    # The daemon's own default is loopback, where no sender outside the container gets in.
    assert DaemonSettings.model_fields["host"].default == "127.0.0.1"
    assert any("CAPACITY_PILOT_HOST=0.0.0.0" in variables for variables in instructions("ENV"))
