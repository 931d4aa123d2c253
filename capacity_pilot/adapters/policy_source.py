"""Policies from YAML, with errors that name file, line, value and bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.policy import PolicySet

MAX_BYTES = 1 << 20


def load_policies(path: Path) -> PolicySet:
    """Reads one file. Raises ``PolicyError`` for anything that is not a policy set."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise PolicyError(f"{path}: {size} bytes, a policy file has at most {MAX_BYTES}")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"{path}: not UTF-8 at byte {error.start}") from error
    return parse_policies(text, source=str(path))


def parse_policies(text: str, *, source: str) -> PolicySet:
    """Reads YAML (1.2, so that ``no`` is a word and keys cannot repeat)."""
    try:
        document = YAML(typ="rt", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise PolicyError(f"{place}: {error.problem or error.context}") from error
    # The latter three are what ruamel.yaml's constructors do to tags and keys that do not fit.
    except (YAMLError, ValueError, RecursionError, TypeError, LookupError, AttributeError) as error:
        raise PolicyError(f"{source}: not YAML: {error}") from error
    try:
        return PolicySet.model_validate(document)
    except ValidationError as error:
        lines = (_describe(document, source, e["loc"], e["msg"]) for e in error.errors())
        raise PolicyError("\n".join(lines)) from error


def _describe(document: Any, source: str, path: tuple[int | str, ...], message: str) -> str:
    line, value = _locate(document, path)
    where = ".".join(map(str, path)) or "policy file"
    shown = "" if isinstance(value, dict | list) else f" (got {value!r})"
    return f"{source}:{line}: {where}: {message.removeprefix('Value error, ')}{shown}"


def _locate(document: Any, path: tuple[int | str, ...]) -> tuple[int, Any]:
    """The 1-based line at which a path of the document stands, or of its nearest parent."""
    line, value = 1, document
    for key in path:
        child = _child(value, key)
        if child is None:
            break
        position = value.lc.data.get(key) if value.lc.data else None
        line, value = (position[0] + 1 if position else line), child
    return line, value


def _child(value: Any, key: int | str) -> Any:
    if isinstance(value, CommentedMap):
        return value.get(key)
    if isinstance(value, CommentedSeq) and isinstance(key, int) and key < len(value):
        return value[key]
    return None
