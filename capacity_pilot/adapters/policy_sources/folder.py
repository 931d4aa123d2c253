"""Policies in a file, or in a folder's ``.yaml`` and ``.yml`` files, watched for changes.

Folders are watched rather than files: editors, and Kubernetes for a mounted ConfigMap, put a new
file in the place of the old one. What happened before the watch began, or where nothing tells of
changes, as on NFS, a look every two seconds finds. Files whose names begin with a dot are editors'
own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import structlog
from watchfiles import awatch

from capacity_pilot.adapters.policy_sources.texts import SUFFIXES, PolicyText, PolicyTexts
from capacity_pilot.adapters.yaml_document import read_text
from capacity_pilot.core.errors import PolicyError, SourceError

_TRIES: Final = 3
_QUIET_MS: Final = 100
"""So long nothing may have changed before a change is told: whoever writes may be about to write
on.
"""

_LOOK_S: Final = 2.0

_Stamps = tuple[tuple[str, int, int, int], ...]

log = structlog.get_logger("capacity_pilot")


class LocalPolicies:
    """See ``PolicySource``."""

    def __init__(self, path: Path, *, poll_s: float = _LOOK_S) -> None:
        self.address = str(path)
        self._path = path
        self._poll_s = min(poll_s, _LOOK_S)
        self._seen: _Stamps | None = None

    async def read(self) -> PolicyTexts:
        self._seen = await asyncio.to_thread(_look, self._path)
        return await asyncio.to_thread(read_folder, self._path)

    async def changes(self) -> AsyncIterator[None]:
        while True:
            async for _ in self._wake_ups():
                if await asyncio.to_thread(_look, self._path) != self._seen:
                    yield

    async def _wake_ups(self) -> AsyncIterator[None]:
        """Whenever something happened in the folder, and now and then; ends when the folder is
        another.
        """
        folder = self._path if self._path.is_dir() else self._path.parent
        watched = _identify(folder)
        try:
            events = awatch(
                folder,
                watch_filter=None,
                recursive=False,
                step=_QUIET_MS,
                yield_on_timeout=True,
                rust_timeout=int(1000 * self._poll_s),
            )
            async for _ in events:
                yield
                if _identify(folder) != watched:
                    return
        except (OSError, RuntimeError) as error:
            log.warning("folder_not_watched", folder=str(folder), error=str(error))
            await asyncio.sleep(self._poll_s)
            yield


def read_folder(path: Path) -> PolicyTexts:
    """All policy files' texts, as they were at one moment: where something changes meanwhile, it
    is read again. Raises as ``PolicySource.read``.
    """
    for _ in range(_TRIES):
        before = _stamp(path)
        texts = PolicyTexts(
            tuple(
                PolicyText(name, read_text(Path(name), what="policy", error=PolicyError), str(at))
                for name, _, at, _ in before
            )
        )
        if _stamp(path) == before:
            return texts
    raise SourceError(f"{path}: changed each of the {_TRIES} times it was read")


def _stamp(path: Path) -> _Stamps:
    """Which files there are, and what would be another after any of them was written."""
    try:
        files = [path]
        if path.is_dir():
            names = (p for p in path.iterdir() if not p.name.startswith("."))
            files = sorted(p for p in names if p.suffix in SUFFIXES)
        found = [(str(file), file.stat()) for file in files]
    except OSError as error:
        raise SourceError(f"{error.filename or path}: {error.strerror or error}") from error
    if not found:
        raise SourceError(f"{path}: there is no .yaml file in this folder")
    return tuple((name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in found)


def _look(path: Path) -> _Stamps | None:
    try:
        return _stamp(path)
    except SourceError:
        return None


def _identify(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
