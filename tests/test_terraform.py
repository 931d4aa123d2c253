"""The Terraform module without Terraform: that it parses, what it names is there, what it allows.

It is no ``terraform validate``: providers' schemas are not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from capacity_pilot.adapters.aws import PERMISSIONS
from capacity_pilot.adapters.journal.state_table import STATE_PERMISSIONS
from capacity_pilot.adapters.notices import NOTICE_PERMISSIONS
from capacity_pilot.adapters.policy_sources import SOURCE_PERMISSIONS

hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 is not installed")

MODULE = Path(__file__).parent.parent / "infra" / "terraform"
REFERENCE = re.compile(
    r"(?<![\w.-])(?P<kind>var|local|data|aws_\w+)\.(?P<name>\w+)(?:\.(?P<of_data>\w+))?"
)
READS = re.compile(r":(Describe|Get|List)\w*$")


class Statement(NamedTuple):
    """One of a policy document, with what it says of its resources and conditions."""

    sid: str
    actions: list[str]
    resources: Any
    conditions: list[dict[str, Any]]


@pytest.fixture(scope="module")
def module() -> dict[str, list[Any]]:
    """All files' blocks by type, without the quotes that the parser leaves around strings."""
    blocks: dict[str, list[Any]] = {}
    for path in sorted(MODULE.glob("*.tf")):
        for kind, found in hcl2.loads(path.read_text()).items():
            if not kind.startswith("__"):
                blocks.setdefault(kind, []).extend(unquote(found))
    return blocks


def unquote(value: Any) -> Any:
    match value:
        case dict():
            return {
                unquote(key): unquote(inner)
                for key, inner in value.items()
                if not key.startswith("__")
            }
        case list():
            return [unquote(inner) for inner in value]
        case str():
            return value[1:-1] if value.startswith('"') and value.endswith('"') else value
        case _:
            return value


def texts(value: Any) -> Iterator[str]:
    """Every string in it, keys left out."""
    match value:
        case dict():
            for inner in value.values():
                yield from texts(inner)
        case list():
            for inner in value:
                yield from texts(inner)
        case str():
            yield value


def labels(module: dict[str, list[Any]], kind: str) -> set[str]:
    """``type.name`` of resources and data, the name of variables and outputs."""
    found = set()
    for block in module.get(kind, []):
        for first, inner in block.items():
            found |= (
                {f"{first}.{name}" for name in inner} if kind in {"data", "resource"} else {first}
            )
    return found


def references(module: dict[str, list[Any]]) -> set[str]:
    """What is named anywhere: ``var.name``, ``data.aws_partition.current``, ``aws_ecs_task.x``."""
    found = set()
    for text in texts(module):
        for named in REFERENCE.finditer(text):
            kind, name, of_data = named.group("kind", "name", "of_data")
            found.add(f"data.{name}.{of_data}" if kind == "data" else f"{kind}.{name}")
    return found


def declared(module: dict[str, list[Any]]) -> set[str]:
    return (
        {f"var.{name}" for name in labels(module, "variable")}
        | {f"local.{name}" for name in labels(module, "locals")}
        | {f"data.{name}" for name in labels(module, "data")}
        | labels(module, "resource")
    )


def statements(module: dict[str, list[Any]], document: str) -> list[Statement]:
    """Those of a policy document, the ones that hang on a setting too."""
    (found,) = [
        names[document]
        for block in module["data"]
        for kind, names in block.items()
        if kind == "aws_iam_policy_document" and document in names
    ]
    dynamic = [each["statement"]["content"] for each in found.get("dynamic", [])]
    return [
        Statement(s["sid"], s["actions"], s.get("resources"), s.get("condition", []))
        for s in [*found["statement"], *(content for listed in dynamic for content in listed)]
    ]


def test_all_that_is_named_is_declared_and_all_that_is_declared_is_used(
    module: dict[str, list[Any]],
) -> None:
    known, named = declared(module), references(module)
    assert named <= known, "not declared"
    ends = {name for name in known if name.startswith("aws_")}  # a resource is there for itself
    assert known - ends <= named, "never used"


def test_the_role_allows_exactly_the_calls_the_code_makes(module: dict[str, list[Any]]) -> None:
    allowed = [a for statement in statements(module, "task") for a in statement.actions]
    needed = PERMISSIONS | STATE_PERMISSIONS | SOURCE_PERMISSIONS | NOTICE_PERMISSIONS
    assert sorted(allowed) == sorted(needed)


@pytest.mark.parametrize("document", ["task", "execution"])
def test_what_changes_something_is_allowed_of_named_resources_or_under_a_condition(
    module: dict[str, list[Any]], document: str
) -> None:
    for statement in statements(module, document):
        assert not any("*" in action for action in statement.actions), statement
        changing = [action for action in statement.actions if not READS.search(action)]
        if statement.resources == ["*"]:
            assert not changing or statement.conditions, statement


def test_tables_and_state_are_not_each_others(module: dict[str, list[Any]]) -> None:
    of = {statement.sid: statement for statement in statements(module, "task")}
    assert "var.table_arns" in of["Tables"].resources
    assert of["State"].resources == ["${aws_dynamodb_table.state.arn}"]
    assert "dynamodb:UpdateTable" not in of["State"].actions
