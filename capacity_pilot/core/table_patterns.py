"""Shell patterns of table names: which names they stand for, and whether others stand for those."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

_ALPHABET: Final = string.ascii_letters + string.digits + "_.-"
"""What a table's name may have (DynamoDB developer guide, naming rules)."""

_MAGIC: Final = frozenset("*?[")
_MOST_STATES: Final = 20_000

_Token = frozenset[str] | None
"""Characters of which one stands here; ``None`` is any number of any."""

_States = frozenset[tuple[int, int]]
"""(pattern, token to be met next) of every way to have read so far."""


def find_covering(pattern: str, others: Sequence[str]) -> list[int] | None:
    """The positions of the ``others`` that any name of ``pattern`` is a name of, one or another of
    them; ``None`` if there are names that none of them fits.

    Exact, but for patterns so intricate that it is not found out: those count as not covered.
    """
    if _MAGIC.isdisjoint(pattern) and all(letter in _ALPHABET for letter in pattern):
        fits = (n for n, other in enumerate(others) if fnmatchcase(pattern, other))
        return [first] if (first := next(fits, None)) is not None else None
    near = [n for n, other in enumerate(others) if _may_share_names(pattern, other)]
    own, theirs = [_read(pattern)], [_read(others[n]) for n in near]
    letters = _distinct_letters([*own, *theirs])
    begun = _close({(0, 0)}, own), _close({(n, 0) for n in range(len(theirs))}, theirs)
    seen, ahead, used = {begun}, [begun], set[int]()
    while ahead:
        at, among = ahead.pop()
        if _has_ended(at, own):
            ended = {n for n, token in among if token == len(theirs[n])}
            if not ended:
                return None
            used.add(min(ended))
        for letter in letters:
            if after := _step(at, letter, own):
                pair = after, _step(among, letter, theirs)
                if pair not in seen:
                    seen.add(pair)
                    ahead.append(pair)
        if len(seen) > _MOST_STATES:
            return None
    return sorted(near[n] for n in used)


def stands_for_none(pattern: str) -> bool:
    """True if no table can have a name that fits."""
    return find_covering(pattern, []) is not None


def _may_share_names(one: str, other: str) -> bool:
    """False only if what they begin with already tells their names apart."""
    begun = [re.split(r"[*?[]", pattern, maxsplit=1)[0] for pattern in (one, other)]
    return begun[0].startswith(begun[1]) or begun[1].startswith(begun[0])


@lru_cache(maxsize=4096)
def _read(pattern: str) -> list[_Token]:
    return [None if part == "*" else _letters(part) for part in _split(pattern)]


def _split(pattern: str) -> Iterator[str]:
    """The parts that stand for one character, and the stars."""
    at = 0
    while at < len(pattern):
        end = at + 1
        if pattern[at] == "[":
            first = at + (3 if pattern[at + 1 : at + 2] == "!" else 2)
            end = pattern.find("]", first) + 1 or at + 1  # not closed, it stands for itself
        yield pattern[at:end]
        at = end


def _letters(part: str) -> frozenset[str]:
    return frozenset(letter for letter in _ALPHABET if fnmatchcase(letter, part))


def _distinct_letters(patterns: Iterable[list[_Token]]) -> list[str]:
    """One of each kind of letters that no token tells apart."""
    tokens = {token for pattern in patterns for token in pattern if token is not None}
    kinds = {tuple(letter in token for token in tokens): letter for letter in _ALPHABET}
    return sorted(kinds.values())


def _close(states: set[tuple[int, int]], patterns: list[list[_Token]]) -> _States:
    """A star may stand for nothing."""
    closed = set(states)
    for number, token in states:
        while token < len(patterns[number]) and patterns[number][token] is None:
            token += 1  # noqa: PLW2901 (walks on from it)
            closed.add((number, token))
    return frozenset(closed)


def _step(states: _States, letter: str, patterns: list[list[_Token]]) -> _States:
    after = set()
    for number, token in states:
        if token < len(patterns[number]):
            letters = patterns[number][token]
            if letters is None:
                after.add((number, token))
            elif letter in letters:
                after.add((number, token + 1))
    return _close(after, patterns)


def _has_ended(states: _States, patterns: list[list[_Token]]) -> bool:
    return any(token == len(patterns[number]) for number, token in states)
