"""Policy files with arbitrary edits: whatever comes of one is policies or a ``PolicyError``."""

from __future__ import annotations

from collections.abc import Iterable

from capacity_pilot.adapters.policy_source import parse_policies
from capacity_pilot.core.errors import PolicyError

Edit = tuple[int, int, str]
"""Where, how many characters are taken out, and what is put there."""


def edit(text: str, edits: Iterable[Edit]) -> str:
    for at, removed, put in edits:
        text = text[:at] + put + text[at + removed :]
    return text


def expect_policies_or_a_policy_error(text: str) -> None:
    try:
        said = f"p.yaml is {type(parse_policies(text, source='p.yaml')).__name__}"
    except PolicyError as error:
        said = str(error)
    assert said.startswith("p.yaml")
