"""Broken policy files: each gives one error, which its first line states word by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from capacity_pilot.adapters.policy_source import load_policies
from capacity_pilot.core.errors import PolicyError

BAD = sorted((Path(__file__).parents[1] / "data" / "policies" / "bad").glob("*.yaml"))


def test_there_are_fifty_at_least() -> None:
    assert len(BAD) >= 50


@pytest.mark.parametrize("file", BAD, ids=[file.stem for file in BAD])
def test_what_is_wrong_is_told_once_with_its_place(file: Path) -> None:
    expected = file.read_text().splitlines()[0].removeprefix("# ")
    with pytest.raises(PolicyError) as raised:
        load_policies(file)
    assert str(raised.value) == f"{file}:{expected}"
