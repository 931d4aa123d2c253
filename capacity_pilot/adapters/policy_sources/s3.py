"""Policies in S3: one object, or the ``.yaml`` and ``.yml`` objects right below a prefix.

A look is one ListObjectsV2 for a thousand objects; only those with another ETag are fetched, each
on the condition that it is still the one that was listed. What was fetched counts once a second
listing is like the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from capacity_pilot.adapters.aws.refusals import CALL_ERRORS, code_of
from capacity_pilot.adapters.policy_sources.address import S3Place
from capacity_pilot.adapters.policy_sources.texts import SUFFIXES, PolicyText, PolicyTexts, decode
from capacity_pilot.core.errors import SourceError

MOST_OBJECTS: Final = 500

_TRIES: Final = 3
_CHANGED: Final = frozenset({"PreconditionFailed", "412", "NoSuchKey", "404"})
_HINTS: Final[Mapping[str, str]] = {
    "AccessDenied": "allow s3:ListBucket on the bucket and s3:GetObject below the prefix",
    "NoSuchBucket": "make the bucket, or correct its name in --policy",
    "PermanentRedirect": "the bucket is in another Region than --region",
}


class S3Policies:
    """See ``PolicySource``."""

    def __init__(self, client: Any, place: S3Place, *, address: str, poll_s: float) -> None:
        self.address = address
        self._client = client
        self._place = place
        self._poll_s = poll_s
        self._seen: Mapping[str, str] | None = None
        self._fetched: dict[tuple[str, str], PolicyText] = {}

    async def read(self) -> PolicyTexts:
        self._seen = None
        try:
            return await self._read()
        except CALL_ERRORS as error:
            raise SourceError(f"{self.address}: {error}{_hint(error)}") from error

    async def changes(self) -> AsyncIterator[None]:
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                is_as_seen = await self._list() == self._seen
            except (*CALL_ERRORS, SourceError):
                is_as_seen = False
            if not is_as_seen:
                yield

    async def _read(self) -> PolicyTexts:
        for _ in range(_TRIES):
            listed = await self._list()
            texts = [await self._fetch(key, etag) for key, etag in listed.items()]
            found = [text for text in texts if text is not None]
            if len(found) == len(listed) and await self._list() == listed:
                self._fetched = dict(zip(listed.items(), found, strict=True))
                self._seen = listed
                return PolicyTexts(tuple(found))
        raise SourceError(f"{self.address}: changed each of the {_TRIES} times it was read")

    async def _list(self) -> dict[str, str]:
        """ETags by key, in order of keys."""
        place, found = self._place, {}
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=place.bucket, Prefix=place.key, Delimiter="/"
        )
        async for page in pages:
            for each in page.get("Contents", ()):
                key = each["Key"]
                is_file = key.endswith(SUFFIXES)
                if is_file and (place.key in ("", key) or place.key.endswith("/")):
                    found[key] = each["ETag"]
        if not found:
            raise SourceError(
                f"{self.address}: there is no .yaml object right below it; put one there, or "
                "correct --policy"
            )
        if len(found) > MOST_OBJECTS:
            raise SourceError(f"{self.address}: {len(found)} objects, at most {MOST_OBJECTS}")
        return dict(sorted(found.items()))

    async def _fetch(self, key: str, etag: str) -> PolicyText | None:
        """The object as it was listed; ``None`` where it is another by now."""
        if (known := self._fetched.get((key, etag))) is not None:
            return known
        try:
            answer = await self._client.get_object(Bucket=self._place.bucket, Key=key, IfMatch=etag)
        except ClientError as error:
            if code_of(error) in _CHANGED:
                return None
            raise
        name = f"s3://{self._place.bucket}/{key}"
        async with answer["Body"] as body:
            text = decode(await body.read(), name=name, size=answer["ContentLength"])
        version = answer.get("VersionId")
        return PolicyText(name, text, etag if version in (None, "null") else version)


def _hint(error: Exception) -> str:
    code = code_of(error)
    return f"; {_HINTS[code]}" if code in _HINTS else ""
