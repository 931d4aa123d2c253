"""Policies from YAML, one file or a folder of them."""

from __future__ import annotations

from pathlib import Path

from capacity_pilot.adapters.policy_sources.folder import read_folder
from capacity_pilot.adapters.policy_text import PolicyFile, join, parse_file, parse_files
from capacity_pilot.adapters.yaml_document import MAX_BYTES
from capacity_pilot.core.errors import PolicyError, SourceError
from capacity_pilot.core.policy import PolicySet


def load_policies(path: Path) -> PolicySet:
    """Reads a file, or a folder's ``.yaml`` and ``.yml`` files in order of name as one set, for
    which the strictest of the files' limits hold.

    Raises ``PolicyError`` for anything that is not a policy set.
    """
    return join(load_files(path))


def load_files(path: Path) -> list[PolicyFile]:
    """The same, file by file."""
    try:
        texts = read_folder(path).texts
    except SourceError as error:
        raise PolicyError(str(error)) from error
    return parse_files((each.name, each.text) for each in texts)


def parse_policies(text: str, *, source: str) -> PolicySet:
    """Reads one policy file's text; ``source`` names it in errors."""
    return join([parse_file(text, source=source)])


__all__ = ["MAX_BYTES", "load_files", "load_policies", "parse_policies"]
