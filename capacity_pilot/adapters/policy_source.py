"""Policies from YAML, one file or a folder of them."""

from __future__ import annotations

from pathlib import Path

from capacity_pilot.adapters.calendar import find_faults
from capacity_pilot.adapters.yaml_document import MAX_BYTES, parse_document, read_text
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.limits import strictest
from capacity_pilot.core.policy import PolicySet


def load_policies(path: Path) -> PolicySet:
    """Reads a file, or a folder's ``.yaml`` and ``.yml`` files in order of name as one set, for
    which the strictest of the files' limits hold.

    Raises ``PolicyError`` for anything that is not a policy set.
    """
    if not path.is_dir():
        return _load_file(path)
    files = sorted(p for p in path.iterdir() if p.suffix in {".yaml", ".yml"})
    if not files:
        raise PolicyError(f"{path}: there is no .yaml file in this folder")
    sets = [_load_file(file) for file in files]
    return PolicySet(
        version=1,
        limits=strictest(each.limits for each in sets),
        policies=[policy for each in sets for policy in each.policies],
    )


def parse_policies(text: str, *, source: str) -> PolicySet:
    """Reads one policy file's text; ``source`` names it in errors."""
    return parse_document(
        text,
        PolicySet,
        source=source,
        what="policy",
        error=PolicyError,
        find_faults=find_faults,
    )


def _load_file(path: Path) -> PolicySet:
    return parse_policies(read_text(path, what="policy", error=PolicyError), source=str(path))


__all__ = ["MAX_BYTES", "load_policies", "parse_policies"]
