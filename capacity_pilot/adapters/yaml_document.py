"""YAML files checked against a model, with errors that name file, place, value and bound."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from capacity_pilot.adapters.fault_words import word_faults
from capacity_pilot.adapters.yaml_nodes import Document, Fault, NotYamlError, Place
from capacity_pilot.core.errors import InputError

MAX_BYTES = 1 << 20
_MOST_FAULTS = 100

_Model = TypeVar("_Model", bound=BaseModel)
_NO_FAULTS: Final[tuple[Fault, ...]] = ()


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
) -> _Model:
    """Reads YAML that is to fit ``model``. Raises ``error`` with a line for each fault."""
    document = read_document(text, source=source, error=error)
    parsed, faults = fit(document, model)
    if parsed is None or faults:
        raise error(describe(document, faults, source=source, what=what))
    return parsed


def read_document(text: str, *, source: str, error: type[InputError]) -> Document:
    """Raises ``error`` for what is not YAML."""
    try:
        return Document(text)
    except NotYamlError as cause:
        line, column = cause.place
        raise error(f"{source}:{line}:{column}: {cause.message}") from cause


def fit(
    document: Document,
    model: type[_Model],
    *,
    value: Any = None,
    find_more: Callable[[], Iterable[Fault]] = lambda: _NO_FAULTS,
) -> tuple[_Model | None, list[Fault]]:
    """The document as the model has it, ``None`` where it does not fit; and all that is wrong.

    ``value`` stands for the document's own, where something is added to it; ``find_more`` is asked
    for what is wrong besides.
    """
    faults = list(document.faults)
    unread = {_place(fault, document) for fault in faults}
    parsed: _Model | None = None
    try:
        parsed = model.model_validate(document.value if value is None else value)
    except ValidationError as cause:
        told = word_faults(cause.errors(), document, model)
        faults += (fault for fault in told if _place(fault, document) not in unread)
    faults += find_more()
    return parsed, sorted(faults, key=lambda fault: _place(fault, document))


def describe(document: Document, faults: list[Fault], *, source: str, what: str) -> str:
    """A line for each."""
    return "\n".join(_list_lines(document, faults, source=source, what=what))


def _list_lines(
    document: Document, faults: list[Fault], *, source: str, what: str
) -> Iterator[str]:
    for fault in faults[:_MOST_FAULTS]:
        line, column = _place(fault, document)
        where = ".".join(map(str, fault.path)) or f"{what} file"
        yield f"{source}:{line}:{column}: {where}: {fault.message}"
    if (more := len(faults) - _MOST_FAULTS) > 0:
        yield f"{source}: and {more} more"


def _place(fault: Fault, document: Document) -> Place:
    return fault.place or document.place(fault.path)
