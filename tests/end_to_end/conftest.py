"""The processes nearly every end-to-end test starts with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.processes import Cast, Physics, assemble, start_physics


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    with assemble(tmp_path) as assembled:
        yield assembled


@pytest.fixture
def physics(cast: Cast) -> Physics:
    return start_physics(cast)
