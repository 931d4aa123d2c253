"""Policies in Systems Manager's Parameter Store: the parameters right below a path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from capacity_pilot.adapters.aws.refusals import CALL_ERRORS, code_of
from capacity_pilot.adapters.policy_sources.address import ParameterPlace
from capacity_pilot.adapters.policy_sources.texts import PolicyText, PolicyTexts
from capacity_pilot.core.errors import SourceError

_TRIES: Final = 4
_ACCESS: Final = "AccessDeniedException"


class ParameterPolicies:
    """See ``PolicySource``. AWS gives ten parameters at a time (API reference,
    GetParametersByPath): where there are more, they count once read alike twice in a row.
    """

    def __init__(self, client: Any, place: ParameterPlace, *, address: str, poll_s: float) -> None:
        self.address = address
        self._client = client
        self._path = place.path
        self._poll_s = poll_s
        self._seen: PolicyTexts | None = None

    async def read(self) -> PolicyTexts:
        self._seen = None
        try:
            self._seen = await self._read()
        except CALL_ERRORS as error:
            raise SourceError(f"{self.address}: {error}{self._hint(error)}") from error
        return self._seen

    async def changes(self) -> AsyncIterator[None]:
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                is_as_seen = await self._read() == self._seen
            except (*CALL_ERRORS, SourceError):
                is_as_seen = False
            if not is_as_seen:
                yield

    async def _read(self) -> PolicyTexts:
        before: PolicyTexts | None = None
        for _ in range(_TRIES):
            texts, pages = await self._read_pages()
            if pages == 1 or texts == before:
                return texts
            before = texts
        raise SourceError(f"{self.address}: changed each of the {_TRIES} times it was read")

    async def _read_pages(self) -> tuple[PolicyTexts, int]:
        found, pages = [], 0
        listing = self._client.get_paginator("get_parameters_by_path").paginate(
            Path=self._path, Recursive=False, WithDecryption=True
        )
        async for page in listing:
            pages += 1
            found += [
                PolicyText(f"ssm:{each['Name']}", each["Value"], str(each["Version"]))
                for each in page["Parameters"]
            ]
        if not found:
            raise SourceError(
                f"{self.address}: there is no parameter right below {self._path}; put one there, "
                "or correct --policy"
            )
        return PolicyTexts(tuple(sorted(found, key=lambda each: each.name))), pages

    def _hint(self, error: Exception) -> str:
        is_denied = code_of(error) == _ACCESS
        return f"; allow ssm:GetParametersByPath on parameter{self._path}" * is_denied
