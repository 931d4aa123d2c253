"""Policies in a file, or in a folder's ``.yaml`` and ``.yml`` files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from capacity_pilot.adapters.policy_sources.texts import PolicyText, PolicyTexts
from capacity_pilot.adapters.yaml_document import read_text
from capacity_pilot.core.errors import PolicyError, SourceError

SUFFIXES: Final = frozenset({".yaml", ".yml"})

_TRIES: Final = 3

_Stamps = tuple[tuple[str, int, int, int], ...]


class LocalPolicies:
    """Reads whole states of the folder only: where something changes meanwhile, it reads again."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._path = path

    async def read(self) -> PolicyTexts:
        return await asyncio.to_thread(read_folder, self._path)

    async def changes(self) -> AsyncIterator[None]:
        return
        yield


def read_folder(path: Path) -> PolicyTexts:
    """All policy files' texts, as they were at one moment. Raises as ``PolicySource.read``."""
    for _ in range(_TRIES):
        before = _stamp(path)
        texts = PolicyTexts(
            tuple(
                PolicyText(name, read_text(Path(name), what="policy", error=PolicyError), version)
                for name, version in _name_versions(before)
            )
        )
        if _stamp(path) == before:
            return texts
    raise SourceError(f"{path}: changed each of the {_TRIES} times it was read")


def _name_versions(stamps: _Stamps) -> list[tuple[str, str]]:
    return [(name, f"{changed_ns}") for name, _, changed_ns, _ in stamps]


def _stamp(path: Path) -> _Stamps:
    """Which files there are, and what would be another after any of them was written."""
    try:
        files = [path]
        if path.is_dir():
            files = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
        found = [(str(file), file.stat()) for file in files]
    except OSError as error:
        raise SourceError(f"{error.filename or path}: {error.strerror or error}") from error
    if not found:
        raise SourceError(f"{path}: there is no .yaml file in this folder")
    return tuple((name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in found)
