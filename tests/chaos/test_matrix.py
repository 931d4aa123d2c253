"""Every error at every call that a daemon makes: the laws hold. No call is left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

import capacity_pilot
from tests.chaos.matrix import ONCE_BY_HAND, ROWS, Row, every_error, meet_all
from tests.chaos.run import run_schedule

SERVICES = ("application-autoscaling", "cloudwatch", "dynamodb")
"""Of capacity. What policies are read from and notices are sent to changes none of it."""

NOT_OF_THE_DAEMON = {"demo", "simulator"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: "-".join(row.operations))
def test_no_law_is_broken_by_any_error_at_any_call(row: Row) -> None:
    mishaps = {operation: every_error(operation) for operation in row.operations}
    report = run_schedule(meet_all(row, mishaps))
    assert not report.violations, "\n".join(map(str, report.violations))
    assert {operation: mishap.unmet for operation, mishap in mishaps.items()} == {
        operation: set() for operation in row.operations
    }


def test_no_call_is_made_that_the_matrix_does_not_know() -> None:
    known = ONCE_BY_HAND.union(*(row.operations for row in ROWS))
    assert set(find_calls(Path(capacity_pilot.__file__).parent)) == known


def test_a_call_is_found_however_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "direct.py").write_text("await client.delete_table(TableName=name)")
    (tmp_path / "paged.py").write_text("read_pages('list_backups', 'BackupSummaries')")
    assert set(find_calls(tmp_path)) == {"DeleteTable", "ListBackups"}


def find_calls(package: Path) -> Iterator[str]:
    """The operations of AWS that anything there names, as a method or in a string."""
    session = botocore.session.get_session()
    operations = {
        xform_name(operation): operation
        for service in SERVICES
        for operation in session.get_service_model(service).operation_names
    }
    for module in package.rglob("*.py"):
        if NOT_OF_THE_DAEMON & set(module.relative_to(package).parts):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            name = node.attr if isinstance(node, ast.Attribute) else None
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                name = node.value
            if name in operations:
                yield operations[name]
