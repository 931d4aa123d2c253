"""Compiled code where numba is missing, and where its sources have changed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from capacity_pilot.core.errors import InputError
from capacity_pilot.simulator import compiled

HERE = Path(compiled.__file__)


def imported_afresh(file: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("afresh", file)
    assert specification is not None
    assert specification.loader is not None
    fresh = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(fresh)
    return fresh


def test_a_missing_numba_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an import in a process that cannot find it."""
    monkeypatch.setitem(sys.modules, "numba", None)
    fresh = imported_afresh(HERE)
    with pytest.raises(InputError, match=r"pip install 'capacity-pilot\[simulation\]'"):
        fresh.compiled(max)(1.0, 1.0)


@pytest.mark.parametrize(
    "changed",
    [
        "replay/ledger.py",  # called by compiled code of another module
        "physics/bucket.py",  # compiled code has its constants
    ],
)
def test_machine_code_is_forgotten_when_what_it_was_made_of_changes(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    copy = tmp_path / "simulator"
    shutil.copytree(HERE.parent, copy, ignore=shutil.ignore_patterns("*cache*"))
    fresh = imported_afresh(copy / HERE.name)
    before = fresh.digest_sources()
    append(copy / "replay" / "engine.py", "# not compiled")
    assert fresh.digest_sources() == before
    append(copy / changed, "# changed")
    assert fresh.digest_sources() != before


def append(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)
