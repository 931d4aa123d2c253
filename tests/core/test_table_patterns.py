"""Which names patterns stand for, held against fnmatch itself."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity_pilot.core.table_patterns import find_covering, stands_for_none

NAMES = ["".join(letters) for size in range(7) for letters in product("abc", repeat=size)]
PATTERNS = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[", "]"]), max_size=3
).map("".join)


@given(pattern=PATTERNS, others=st.lists(PATTERNS, max_size=3))
def test_covered_is_what_every_name_of_it_fits(pattern: str, others: list[str]) -> None:
    """So short a pattern that is not covered has a name of six letters or less that shows it."""
    named = [name for name in NAMES if fnmatchcase(name, pattern)]
    fits = [name for name in named if any(fnmatchcase(name, other) for other in others)]
    covering = find_covering(pattern, others)
    assert (covering is not None) == (named == fits)
    for name in named if covering is not None else ():
        assert any(fnmatchcase(name, others[n]) for n in covering or ())


@pytest.mark.parametrize(
    ("pattern", "others", "covering"),
    [
        ("prod-feed-*", ["prod-*"], [0]),
        ("prod-*", ["prod-feed-*"], None),
        ("prod-feed", ["dev-*", "prod-feed"], [1]),
        ("?*", ["*?"], [0]),
        ("prod-[ab]", ["prod-a", "prod-b"], [0, 1]),
        ("*", ["[!a]*", "a*"], None),  # no name at all is left, which no table has
        ("?*", ["[!a]*", "a*"], [0, 1]),
        ("Prod-*", ["prod-*"], None),
    ],
)
def test_patterns_as_they_are_written(
    pattern: str, others: list[str], covering: list[int] | None
) -> None:
    assert find_covering(pattern, others) == covering


def test_a_table_cannot_be_named_so() -> None:
    assert stands_for_none("prod/feed")
    assert stands_for_none("news feed*")
    assert not stands_for_none("prod_feed-*.v?")
