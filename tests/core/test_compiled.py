"""Compiled code, and that none is kept beyond what it was made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from capacity_pilot.core.compiled import compiled, digest

TWO_FILES = {
    "inner.py": """
from capacity_pilot.core.compiled import compiled

FACTOR = 2.0


@compiled
def grow(value: float) -> float:
    return value * FACTOR
""",
    "outer.py": """
from inner import grow

from capacity_pilot.core.compiled import compiled


@compiled
def grow_twice(value: float) -> float:
    return grow(grow(value))


print(grow_twice(1.0), sum(grow_twice.stats.cache_hits.values()))
""",
}


READS_A_FIELD = {
    "inner.py": """
from __future__ import annotations

from typing import NamedTuple


class Reading(NamedTuple):
    at: float
    units: float


class Both(NamedTuple):
    newest: Reading
""",
    "outer.py": """
from __future__ import annotations

from inner import Both, Reading

from capacity_pilot.core.compiled import compiled


@compiled
def find_units(both: Both) -> float:
    return both.newest.units


print(find_units(Both(Reading(at=1.0, units=2.0))), sum(find_units.stats.cache_hits.values()))
""",
}


@compiled
def divide(values: np.ndarray, by: float) -> np.ndarray:
    return values / by


def test_division_by_zero_is_numpys() -> None:
    assert divide(np.array([1.0, 0.0]), 0.0)[0] == np.inf
    assert np.isnan(divide(np.array([1.0, 0.0]), 0.0)[1])


def run_outer(folder: Path) -> str:
    kept = str(folder / "kept")
    environment = {"PYTHONPATH": f"{folder}:{Path.cwd()}", "NUMBA_CACHE_DIR": kept, "HOME": kept}
    command = [sys.executable, str(folder / "outer.py")]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.process
def test_machine_code_is_kept_until_anything_it_was_made_of_changes(tmp_path: Path) -> None:
    for name, text in TWO_FILES.items():
        (tmp_path / name).write_text(text)
    assert run_outer(tmp_path) == "4.0 0"
    assert run_outer(tmp_path) == "4.0 1"
    # A constant of another module, in a file numba does not look at for grow_twice.
    (tmp_path / "inner.py").write_text(TWO_FILES["inner.py"].replace("2.0", "3.0"))
    assert run_outer(tmp_path) == "9.0 0"
    (tmp_path / "inner.py").write_text("# A comment\n" + TWO_FILES["inner.py"])
    assert run_outer(tmp_path).startswith("4.0")


@pytest.mark.process
def test_machine_code_is_kept_until_the_fields_it_reads_change(tmp_path: Path) -> None:
    for name, text in READS_A_FIELD.items():
        (tmp_path / name).write_text(text)
    assert run_outer(tmp_path) == "2.0 0"
    assert run_outer(tmp_path) == "2.0 1"
    fields = ["    at: float\n", "    units: float\n"]
    turned = READS_A_FIELD["inner.py"].replace("".join(fields), "".join(reversed(fields)))
    (tmp_path / "inner.py").write_text(turned)
    assert run_outer(tmp_path).startswith("2.0")


@pytest.mark.process
def test_where_nothing_may_be_written_every_process_compiles_for_itself(tmp_path: Path) -> None:
    for name, text in TWO_FILES.items():
        (tmp_path / name).write_text(text)
    for folder in ("kept", "__pycache__"):
        (tmp_path / folder).write_text("a file, in which nothing can be kept")
    assert run_outer(tmp_path) == "4.0 0"
    assert run_outer(tmp_path) == "4.0 0"


def test_what_cannot_be_kept_track_of_is_refused() -> None:
    def uses_a_list() -> float:
        return SOMETHING[0]

    with pytest.raises(TypeError, match=r"uses_a_list uses SOMETHING, \[1\.0\]"):
        digest(uses_a_list)


SOMETHING = [1.0]
