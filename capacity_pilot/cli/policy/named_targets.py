"""Tables, indexes and tags that somebody names on the command line of ``policy try``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Final

from pydantic import AfterValidator

from capacity_pilot.core.errors import InputError
from capacity_pilot.core.matching import Tags
from capacity_pilot.core.model import Resource
from capacity_pilot.core.policy import PolicySet

_RESOURCE: Final = re.compile(r"[\w.-]+(?:/index/[\w.-]+)?", re.ASCII)
_TAG: Final = re.compile(r"[\w.-]+:(?:[^=]+=.*)?", re.ASCII)
_NAMED_AT_ONCE = 3


def _is_resource(written: str) -> str:
    if _RESOURCE.fullmatch(written) is None:
        raise ValueError(f"{written!r} is neither TABLE nor TABLE/index/INDEX")
    return written


def _is_tag(written: str) -> str:
    if _TAG.fullmatch(written) is None:
        raise ValueError(f"{written!r} is not TABLE:KEY=VALUE, nor TABLE: for one without tags")
    return written


NamedTarget = Annotated[str, AfterValidator(_is_resource)]
NamedTag = Annotated[str, AfterValidator(_is_tag)]


def parse_target(written: NamedTarget) -> Resource:
    """A table or index as ``Resource`` is shown."""
    table, _, index = written.partition("/index/")
    return Resource(table, index)


def collect_tags(written: Iterable[NamedTag]) -> dict[str, Tags]:
    """Tags by table; a table named without any has none."""
    named: dict[str, dict[str, str]] = {}
    for each in written:
        table, _, tag = each.partition(":")
        key, _, value = tag.partition("=")
        named.setdefault(table, {}).update({key: value} if key else {})
    return {table: dict(tags) for table, tags in named.items()}


def require_tags(
    policies: Sequence[PolicySet], tables: Iterable[str], known: Mapping[str, Tags]
) -> None:
    """Raises ``InputError`` where it takes tags to say whose a table is, and nobody knows them."""
    unknown = [
        table
        for table in sorted(set(tables) - set(known))
        if any(each.hangs_on_tags(table) for each in policies)
    ]
    if unknown:
        first, more = ", ".join(unknown[:_NAMED_AT_ONCE]), len(unknown) - _NAMED_AT_ONCE
        others = f" and {more} more" if more > 0 else ""
        raise InputError(
            f"whose {first}{others} would be hangs on tags that are not known: name them by "
            f"--tags {unknown[0]}:KEY=VALUE, or {unknown[0]}: for none"
        )
