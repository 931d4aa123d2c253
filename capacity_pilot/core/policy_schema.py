"""The JSON Schema of policy files, by which editors complete and underline them."""

from __future__ import annotations

import json
from typing import Any

from capacity_pilot.core.policy import PolicySet


def build_schema() -> dict[str, Any]:
    """What JSON Schema can say of a policy file; ``policy check`` knows more."""
    schema = PolicySet.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Capacity Pilot policies",
        **_tidy(schema),
    }


def write_schema() -> str:
    """The same as text."""
    return json.dumps(build_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidy(schema: Any, *, names_keys: bool = False) -> Any:
    """Without the titles that pydantic makes of names, and with descriptions in one line."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if names_keys:
            kept[key] = _tidy(value)
        elif key == "description":
            kept[key] = " ".join(value.replace("``", "").split())
        elif key not in {"title", "default"}:
            kept[key] = _tidy(value, names_keys=key in {"properties", "$defs"})
    return kept
