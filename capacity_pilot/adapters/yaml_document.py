"""YAML files checked against a model, with errors that name file, line, value and bound."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError

from capacity_pilot.core.errors import InputError

MAX_BYTES = 1 << 20

_Model = TypeVar("_Model", bound=BaseModel)


class Fault(NamedTuple):
    """What is wrong with a document, and the path of keys and positions to it."""

    path: tuple[int | str, ...]
    message: str


def read_text(path: Path, *, what: str, error: type[InputError]) -> str:
    """A file's text. ``what`` names the kind of file; raises ``error``."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise error(f"{path}: {size} bytes, a {what} file has at most {MAX_BYTES}")
        return path.read_text(encoding="utf-8")
    except OSError as cause:
        raise error(f"{path}: {cause.strerror or cause}") from cause
    except UnicodeDecodeError as cause:
        raise error(f"{path}: not UTF-8 at byte {cause.start}") from cause


def parse_document(
    text: str,
    model: type[_Model],
    *,
    source: str,
    what: str,
    error: type[InputError],
    find_faults: Callable[[_Model], Iterable[Fault]] = lambda _: (),
) -> _Model:
    """Reads YAML (1.2, so that ``no`` is a word and keys cannot repeat). Raises ``error``.

    ``find_faults`` says what else is wrong with a document that fits the model.
    """
    try:
        with warnings.catch_warnings():
            # One name for two things is a mistake, not a remark on standard error.
            warnings.simplefilter("error", ReusedAnchorWarning)
            document = YAML(typ="rt", pure=True).load(text)
    except ReusedAnchorWarning as cause:
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        raise error(f"{source}: {' '.join(lines)}") from cause
    except MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        raise error(f"{place}: {cause.problem or cause.context}") from cause
    # The latter three are what ruamel.yaml's constructors do to tags and keys that do not fit.
    except (YAMLError, ValueError, RecursionError, TypeError, LookupError, AttributeError) as cause:
        raise error(f"{source}: not YAML: {cause}") from cause
    try:
        parsed = model.model_validate(document)
    except ValidationError as cause:
        wrong = [Fault(e["loc"], e["msg"]) for e in cause.errors()]
        raise error(_describe(document, wrong, source=source, what=what)) from cause
    if faults := list(find_faults(parsed)):
        raise error(_describe(document, faults, source=source, what=what))
    return parsed


def _describe(document: Any, faults: Iterable[Fault], *, source: str, what: str) -> str:
    """A line for each."""
    lines = []
    for path, message in faults:
        line, value = _locate(document, path)
        where = ".".join(map(str, path)) or f"{what} file"
        shown = "" if isinstance(value, dict | list) else f" (got {value!r})"
        lines.append(f"{source}:{line}: {where}: {message.removeprefix('Value error, ')}{shown}")
    return "\n".join(lines)


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
