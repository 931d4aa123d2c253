"""What editors complete policy files by is what the loader takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from capacity_pilot.adapters.policy_source import parse_policies
from capacity_pilot.adapters.yaml_nodes import Document
from capacity_pilot.core.policy_schema import build_schema, write_schema

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "policies").glob("*.yaml"))
BAD = ROOT / "tests" / "data" / "policies" / "bad"
SCHEMA = build_schema()


def complaints(text: str) -> list[str]:
    errors = Draft202012Validator(SCHEMA).iter_errors(Document(text).value)
    return [error.json_path for error in errors]


def list_keys(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for key, described in schema.get("properties", {}).items():
            yield f"{path}.{key}", described
        for key, inner in schema.items():
            yield from list_keys(inner, f"{path}.{key}")


def test_the_published_schema_is_current() -> None:
    """Made by ``capacity-pilot policy schema > policies/schema.json``."""
    assert (ROOT / "policies" / "schema.json").read_text() == write_schema()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_key_is_described() -> None:
    assert [path for path, key in list_keys(SCHEMA) if not key.get("description")] == []


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_the_examples_fit_and_name_it(file: Path) -> None:
    assert file.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
    assert complaints(file.read_text()) == []


@pytest.mark.parametrize(
    "broken",
    ["misspelt-risk", "missing-match", "mode-misspelt", "risk-in-percent", "min-zero", "no-tables"],
)
def test_what_it_can_tell_of_broken_files_it_does(broken: str) -> None:
    """Order, times and what one key says of another is ``policy check``'s to know."""
    assert complaints((BAD / f"{broken}.yaml").read_text()) != []


def test_every_duration_may_have_its_unit() -> None:
    timed = """\
version: 1
notifications: [{webhook: "env:HOOK", quiet_for: 1h}]
policies:
  - name: feed
    match: {tables: [feed]}
    write: {min: 1, max: 9}
    scale_out: {cooldown: 30s}
    scale_in: {stabilization: 10m, cooldown: 1h}
    hand_back_after: 30m
    on_demand_escape: {after: 30s, return_after: 30m}
    events: [{name: notice, cron: "0 8 * * *", lasts: 20m, lead: 3m}]
    freeze: [{cron: "0 0 31 12 *", lasts: 26h}]
"""
    assert parse_policies(timed, source="timed.yaml").policies
    assert complaints(timed) == []
