"""From texts to a policy set that this process can follow; the last good one outlives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from capacity_pilot.adapters.policy_sources.texts import FixedText, PolicySource, PolicyTexts
from capacity_pilot.adapters.policy_text import PolicyFile, join, parse_file, parse_files
from capacity_pilot.core.errors import PolicyError, RetryableError, SourceError
from capacity_pilot.core.policy import PolicySet
from capacity_pilot.core.ports import Journal

DOCUMENT = "policies"

Check = Callable[[PolicySet], None]
"""Raises ``PolicyError`` for what a policy asks for and this process cannot do."""

log = structlog.get_logger("capacity_pilot")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """A policy set that was found good. ``read_at`` is Unix seconds; ``is_kept`` if it was taken
    from the journal, since its ``source`` had none, for which ``fault`` is the reason.
    """

    policies: PolicySet
    texts: PolicyTexts
    hash: str
    source: str
    read_at: float
    is_kept: bool = False
    fault: str | None = None


class PolicyReader:
    """Parses what has changed and keeps the rest: an edit of one file of many is soon read."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._parsed: dict[tuple[str, str, str], PolicyFile] = {}

    def read(self, texts: PolicyTexts, *, source: str, now: float) -> PolicyVersion:
        """Raises ``PolicyError``. Takes long where much is written: call it in a thread."""
        parsed: dict[tuple[str, str, str], PolicyFile] = {}

        def parse(text: str, *, source: str, defaults: Mapping[str, Any]) -> PolicyFile:
            key = source, text, json.dumps(dict(defaults), sort_keys=True)
            found = self._parsed.get(key)
            parsed[key] = found or parse_file(text, source=source, defaults=defaults)
            return parsed[key]

        policies = join(parse_files(((each.name, each.text) for each in texts.texts), parse))
        self._check(policies)
        self._parsed = parsed
        return PolicyVersion(
            policies=policies, texts=texts, hash=texts.hash, source=source, read_at=now
        )


async def read_first(
    source: PolicySource, reader: PolicyReader, *, journal: Journal | None, now: float
) -> PolicyVersion:
    """The policies to start with: the source's, or else the last good ones from there that the
    journal holds. A mistake in a file must not be what keeps a restarted pilot from its work.

    Raises ``PolicyError`` or ``SourceError`` where there are neither, and for a text given at the
    start, whose mistakes are the start's.
    """
    try:
        return reader.read(await source.read(), source=source.address, now=now)
    except (PolicyError, SourceError) as error:
        fault = error
    if isinstance(source, FixedText):
        raise fault
    try:
        kept = await load_kept(source.address, reader, journal=journal)
    except (PolicyError, RetryableError) as error:
        log.warning("kept_policies_left_aside", error=str(error))
        kept = None
    if kept is None:
        raise fault
    log.error(
        "started_with_kept_policies",
        error=str(fault),
        source=source.address,
        hash=kept.hash,
        read_at=kept.read_at,
        do="make the source readable and right: it is read again when it changes, or on SIGHUP",
    )
    return replace(kept, is_kept=True, fault=str(fault))


async def load_kept(
    source: str, reader: PolicyReader, *, journal: Journal | None
) -> PolicyVersion | None:
    """The last good policies from there, ``None`` where none are kept.

    Raises ``PolicyError`` for what cannot be followed any more, ``JournalError``.
    """
    content = None if journal is None else await journal.load(DOCUMENT)
    if content is None:
        return None
    kept_from, read_at, texts = _read_kept(content)
    if kept_from != source:
        return None
    return reader.read(texts, source=source, now=read_at)


def parse_kept(content: bytes) -> PolicySet:
    """The policies that ``keep`` made ``content`` of. Raises ``PolicyError``."""
    _, read_at, texts = _read_kept(content)
    return PolicyReader(lambda _: None).read(texts, source="", now=read_at).policies


def _read_kept(content: bytes) -> tuple[str, float, PolicyTexts]:
    try:
        kept = json.loads(content)
        source, read_at, texts = str(kept["source"]), float(kept["read_at"]), kept["texts"]
    except (KeyError, TypeError, ValueError) as error:
        raise PolicyError(f"not kept policies: {type(error).__name__}: {error}") from error
    return source, read_at, PolicyTexts.load(texts)


async def keep(version: PolicyVersion, journal: Journal) -> None:
    """Makes it the one to start with. Raises ``JournalError`` or ``LeaseError``."""
    told = {
        "source": version.source,
        "hash": version.hash,
        "read_at": version.read_at,
        "texts": version.texts.dump(),
    }
    await journal.save(DOCUMENT, json.dumps(told).encode())
