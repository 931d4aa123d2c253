"""What every source of policies gives: texts that belong together, and a word when they change."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Final, Protocol, Self

from capacity_pilot.adapters.yaml_document import MAX_BYTES
from capacity_pilot.core.errors import PolicyError

SUFFIXES: Final = (".yaml", ".yml")
"""Of the names of files and objects that hold policies."""


@dataclass(frozen=True, slots=True)
class PolicyText:
    """One file's, object's or parameter's. ``name`` is what errors call it, ``version`` the
    source's own word for it, ``""`` where it has none.
    """

    name: str
    text: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class PolicyTexts:
    """All of a source at one moment, in order of name."""

    texts: tuple[PolicyText, ...]

    @property
    def hash(self) -> str:
        """The same for the same texts under the same names, wherever they are from."""
        digest = hashlib.sha256()
        for each in self.texts:
            for part in (each.name, each.text):
                digest.update(f"{len(part.encode())}:".encode())
                digest.update(part.encode())
        return digest.hexdigest()

    def dump(self) -> list[dict[str, str]]:
        """JSON-ready."""
        return [asdict(each) for each in self.texts]

    @classmethod
    def load(cls, dumped: object) -> Self:
        """From what ``dump`` gave; raises ``PolicyError`` for anything else."""
        try:
            texts = json.loads(json.dumps(dumped))
            return cls(tuple(PolicyText(**{k: str(v) for k, v in each.items()}) for each in texts))
        except (TypeError, AttributeError, ValueError) as error:
            raise PolicyError(f"not kept policies: {error}") from error


class PolicySource(Protocol):
    """Where policies are kept."""

    @property
    def address(self) -> str:
        """As the operator named it."""
        ...

    async def read(self) -> PolicyTexts:
        """All texts of one moment. Raises ``SourceError`` where that cannot be had, and
        ``PolicyError`` for what is no text of policies.
        """
        ...

    def changes(self) -> AsyncIterator[None]:
        """Comes round when what was last read may be outdated, for ever. Never raises because the
        source cannot be asked: ``read`` is to say so.
        """
        ...


def decode(content: bytes, *, name: str, size: int) -> str:
    """A text's characters; raises ``PolicyError`` for what is too long or not UTF-8."""
    if size > MAX_BYTES:
        raise PolicyError(f"{name}: {size} bytes, a policy file has at most {MAX_BYTES}")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError(f"{name}: not UTF-8 at byte {error.start}") from error


class FixedText:
    """A policy that is part of how the process was started, and never changes."""

    def __init__(self, text: str, *, address: str) -> None:
        self.address = address
        self._text = text

    async def read(self) -> PolicyTexts:
        return PolicyTexts((PolicyText(self.address, self._text),))

    async def changes(self) -> AsyncIterator[None]:
        return
        yield
