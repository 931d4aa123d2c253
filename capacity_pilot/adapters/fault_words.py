"""What pydantic finds wrong with a document, in the words and units of whoever wrote it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from capacity_pilot.adapters.yaml_nodes import Document, Fault, Path
from capacity_pilot.core.quantities import say_duration

_MOST_SHOWN = 60
_UNIT = re.compile(r"[\d.]\s*(s|m|h|d|ppm|x|USD)$")

_WORDING: Final = {
    "greater_than": "has to be more than {gt}",
    "greater_than_equal": "has to be at least {ge}",
    "less_than": "has to be less than {lt}",
    "less_than_equal": "has to be at most {le}",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "int_parsing_size": "is too large a number",
    "int_type": "has to be a whole number",
    "float_parsing": "has to be a number",
    "float_type": "has to be a number",
    "finite_number": "has to be a finite number",
    "string_type": "has to be text",
    "string_too_short": "has to have at least {min_length} characters",
    "string_too_long": "has to have at most {max_length} characters",
    "list_type": "has to be a list, as in [a, b]",
    "tuple_type": "has to be a list, as in [a, b]",
    "too_short": "has too few of them: there have to be at least {min_length}",
    "too_long": "has too many of them: there can be at most {max_length}",
    "dict_type": "has to be a mapping, as in {{key: value}}",
    "model_type": "has to be a mapping, as in {{key: value}}",
    "model_attributes_type": "has to be a mapping, as in {{key: value}}",
    "literal_error": "has to be {expected}",
    "enum": "has to be {expected}",
}


def word_faults(
    errors: list[ErrorDetails], document: Document, model: type[BaseModel]
) -> Iterator[Fault]:
    """What a ``ValidationError`` tells of a document, each once and with its place."""
    mistaken: set[Path] = set()
    for error in errors:
        path = error["loc"]
        if error["type"] == "extra_forbidden":
            known = _known_keys(model, path[:-1])
            close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
            mistaken.update((*path[:-1], key) for key in close)
            message = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
            place = document.place(path, of_key=True)
            yield Fault(path, f"no such key; {message}", place)
    for error in errors:
        path = error["loc"]
        if error["type"] == "missing" and path not in mistaken:
            yield Fault(path, "is missing here", document.place(path))
        elif error["type"] not in {"missing", "extra_forbidden"} and not _is_echo(error, errors):
            yield _word(error, document.get(path))


def _word(error: ErrorDetails, value: Any) -> Fault:
    message = error["msg"].removeprefix("Value error, ")
    if (wording := _WORDING.get(error["type"])) is not None:
        bounds = error.get("ctx", {})
        message = wording.format(**{name: _in_unit(b, value) for name, b in bounds.items()})
    if repr(value) not in message:
        message += show_value(value)
    return Fault(error["loc"], message)


def _is_echo(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """A list is too short once what is wrong in it has been left out."""
    path = error["loc"]
    inside = (e["loc"][: len(path)] == path and len(e["loc"]) > len(path) for e in errors)
    return error["type"] == "too_short" and any(inside)


def show_value(value: Any) -> str:
    """What was given, where that is a word or a number."""
    if isinstance(value, dict | list):
        return ""
    shown = "nothing" if value is None else repr(value)
    return f" (got {shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + '…'})"


def _in_unit(bound: Any, value: Any) -> str:
    """A bound as its value is written: in the unit that this has."""
    unit = _UNIT.search(value) if isinstance(value, str) else None
    if unit is None or not isinstance(bound, int | float):
        return f"{bound:g}" if isinstance(bound, float) else str(bound)
    if unit[1] in {"s", "m", "h"}:
        return say_duration(bound)
    return f"{bound:g}{' USD' if unit[1] == 'USD' else unit[1]}"


def _known_keys(model: type[BaseModel], path: Path) -> list[str]:
    """What a mapping at ``path`` may have for keys, by the model's JSON Schema."""
    schema = model.model_json_schema()
    at = list(_unfold(schema, schema))
    for part in path:
        inner = [found for each in at for found in _descend(each, part)]
        at = [found for each in inner for found in _unfold(each, schema)] or at
    return sorted({key for each in at for key in each.get("properties", {})})


def _descend(schema: dict[str, Any], part: int | str) -> Iterator[dict[str, Any]]:
    if isinstance(part, int):
        members = schema.get("items")
    else:
        members = schema.get("properties", {}).get(part) or schema.get("additionalProperties")
    if isinstance(members, dict):
        yield members


def _unfold(schema: dict[str, Any], whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema with its references and alternatives followed."""
    if "$ref" in schema:
        yield from _unfold(whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _unfold(alternative, whole)
    if "properties" in schema or "items" in schema or "additionalProperties" in schema:
        yield schema
