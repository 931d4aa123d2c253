"""Which tables a policy is for: by their names, and by tags where these are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase, translate
from functools import cached_property

from pydantic import Field, model_validator

from capacity_pilot.core.quantities import Strict

Tags = Mapping[str, str]


class Match(Strict):
    """Which tables, by name and by tags; both have to fit. Case counts, as with DynamoDB."""

    tables: list[str] = Field(default=["*"], min_length=1)
    """Patterns of which one has to fit the table's name: * ? [abc]."""

    tags: dict[str, str] = Field(default_factory=dict, max_length=50)
    """Tags that the table has to have, each with a pattern for its value."""

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        if not self.model_fields_set:
            raise ValueError("fits every table there is: say so by tables: ['*']")
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """All patterns for names in one: each table of an account is held against each policy."""
        return re.compile("|".join(map(translate, self.tables)))

    def fits(self, table: str, tags: Tags | None) -> bool | None:
        """``None`` where that hangs on tags that are not known."""
        if self._pattern.match(table) is None:
            return False
        if not self.tags or tags is None:
            return None if self.tags else True
        return all(k in tags and fnmatchcase(tags[k], v) for k, v in self.tags.items())
