"""What a policy does not say itself, and where it has it from; later layers win, key by key.

What is built in, a folder's ``defaults.yaml``, the ``defaults`` of the policy's own file, the
policy, and for the bounds of an index the policy's bounds before its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_BOUNDS: Final = ("read", "write")
_HANDED_DOWN: Final = ("min", "max")


def overlay(under: Any, over: Any) -> Any:
    """Mappings key by key, in any depth; of all else, and of nothing at all, what is ``over``."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    both = {key: overlay(under[key], over[key]) for key in under.keys() & over.keys()}
    return {**under, **over, **both}


def fill_in(policy: Any, defaults: Mapping[str, Any]) -> Any:
    """A policy as it was written, with all that it inherits; what is no mapping stays as it is."""
    if not isinstance(policy, dict):
        return policy
    whole = overlay(dict(defaults), policy)
    if isinstance(indexes := whole.get("indexes"), dict):
        own = {dimension: _handed_down(whole.get(dimension)) for dimension in _BOUNDS}
        whole["indexes"] = {name: _bound(index, own) for name, index in indexes.items()}
    return whole


def _handed_down(bounds: Any) -> dict[str, Any]:
    """What an index has of its table's bounds. What is safe for a table says nothing of it."""
    written = bounds if isinstance(bounds, dict) else {}
    return {key: written[key] for key in _HANDED_DOWN if key in written}


def _bound(index: Any, own: Mapping[str, dict[str, Any]]) -> Any:
    if not isinstance(index, dict):
        return index
    named = {d: overlay(own[d], index[d]) for d in _BOUNDS if isinstance(index.get(d), dict)}
    return {**index, **named}
