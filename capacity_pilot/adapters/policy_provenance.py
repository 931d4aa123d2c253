"""Which line of which file a table's policy has each value from, and what that line beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from capacity_pilot.adapters.policy_text import PolicyFile, is_shared, join, locate
from capacity_pilot.adapters.yaml_nodes import Path
from capacity_pilot.core.idle_rule import IdleRule
from capacity_pilot.core.limits import Limits
from capacity_pilot.core.matching import Tags
from capacity_pilot.core.policy import Bounds, ScaleIn, ScaleOut, TablePolicy
from capacity_pilot.core.prices import Prices
from capacity_pilot.core.quantities import say_duration
from capacity_pilot.core.upstream_hint import Gain, UpstreamHint

BUILT_IN: Final = "built in"
_APART: Final = frozenset({"name", "match", "indexes", "upstream"})
_NESTED: Final[dict[str, type[BaseModel]]] = {
    "read": Bounds,
    "write": Bounds,
    "scale_out": ScaleOut,
    "scale_in": ScaleIn,
    "limits": Limits,
    "prices": Prices,
    "idle": IdleRule,
}
_WHOLE_OR_NOT: Final = frozenset({"idle"})
"""Nested, and without keys where nobody speaks of them."""


class Origin(NamedTuple):
    """A value as it was written, and where: ``file:line:column``, or ``BUILT_IN``."""

    value: Any
    where: str


class Effective(NamedTuple):
    """A key of a policy, the value that holds, and those it won over, the nearest first."""

    key: str
    won: Origin
    beaten: tuple[Origin, ...] = ()


class Claim(NamedTuple):
    """A policy that fits a table, and what of it: a pattern, and tags."""

    number: int
    policy: TablePolicy
    by: str
    where: str


@dataclass(frozen=True, slots=True)
class _Layer:
    """Keys written in a file below ``prefix``."""

    file: PolicyFile
    prefix: Path

    def find(self, key: Path) -> Origin | None:
        """A key's value, or that of what it is part of where that is no mapping."""
        value = self.file.document.get(self.prefix)
        for depth, part in enumerate(key):
            if not isinstance(value, dict):
                return None
            if part not in value:
                return None
            value = value[part]
            if not isinstance(value, dict):
                return Origin(value, self._say_place(key[: depth + 1]))
        return Origin(value, self._say_place(key))

    def _say_place(self, key: Path) -> str:
        line, column = self.file.document.place((*self.prefix, *key))
        return f"{self.file.source}:{line}:{column}"


def find_claims(files: Sequence[PolicyFile], table: str, tags: Tags) -> list[Claim]:
    """The policies that fit a table with these tags, in their order: the first is the table's."""
    claims = []
    for number, policy in enumerate(join(files).policies):
        if policy.match.fits(table, tags):
            fits = [fnmatchcase(table, pattern) for pattern in policy.match.tables]
            position = fits.index(True)
            named = (f"{key}={value}" for key, value in policy.match.tags.items())
            path: Path = ("policies", number, "match", "tables", position)
            source, place, _ = locate(files, path)
            where = f"{source}:{place.line}:{place.column}"
            by = " with ".join(filter(None, (policy.match.tables[position], ", ".join(named))))
            claims.append(Claim(number, policy, by, where))
    return claims


def trace_policy(files: Sequence[PolicyFile], number: int) -> Iterator[Effective]:
    """Every key of the policy at that position of the joined set."""
    layers = _layers_of(files, number)
    for name, field in TablePolicy.model_fields.items():
        if name in _APART:
            continue
        is_absent = name in _WHOLE_OR_NOT and not any(layer.find((name,)) for layer in layers)
        if (model := _NESTED.get(name)) is None or is_absent:
            yield _trace(layers, (name,), field.get_default(call_default_factory=True))
            continue
        for inner, leaf in model.model_fields.items():
            default = None if leaf.is_required() else leaf.get_default()
            yield _trace(layers, (name, inner), default)
    yield from _trace_indexes(layers)
    yield from _trace_hints(layers[0])


def trace_limits(files: Sequence[PolicyFile]) -> Iterator[Effective]:
    """The limits of all tables together: the strictest of all files'."""
    for name in Limits.model_fields:
        said = [(each, getattr(f.shared.limits, name)) for f, each in _list_limits(files, name)]
        said.sort(key=lambda each: float(each[1]))
        if said:
            origins = [origin for origin, _ in said]
            yield Effective(f"limits.{name}", origins[0], tuple(origins[1:]))


def say_value(key: str, value: Any) -> str:
    """As somebody would write it."""
    last = key.rpartition(".")[2]
    if value is None:
        return "none"
    if last in {"events", "freeze"}:
        return str(len(value)) if isinstance(value, list) and value else "none"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if last in {"stabilization", "cooldown", "hand_back_after", "after", "lag", "lasts"}:
        return say_duration(value)
    unit = {"risk": "ppm", "largest_step": "x", "spend_per_hour": " USD"}.get(last, "")
    return f"{value:,g}{unit}" if isinstance(value, float) else f"{value:,}{unit}"


def _list_limits(files: Sequence[PolicyFile], name: str) -> Iterator[tuple[PolicyFile, Origin]]:
    for file in files:
        if (origin := _Layer(file, ()).find(("limits", name))) is not None:
            yield file, origin


def _layers_of(files: Sequence[PolicyFile], number: int) -> list[_Layer]:
    """Of a policy, the nearest first."""
    source, _, own = locate(files, ("policies", number))
    file = next(f for f in files if f.source == source)
    shared = [f for f in reversed(files) if is_shared(f.source)]
    return [_Layer(file, own), *(_Layer(f, ("defaults",)) for f in (file, *shared))]


def _trace(layers: Sequence[_Layer], key: Path, default: Any) -> Effective:
    """The nearest layer wins; what stands below one that says ``null`` is beaten all the same."""
    found = [origin for layer in layers if (origin := layer.find(key)) is not None]
    if default is not None or not found:
        found.append(Origin(default, BUILT_IN))
    return Effective(".".join(map(str, key)), found[0], tuple(found[1:]))


def _trace_indexes(layers: Sequence[_Layer]) -> Iterator[Effective]:
    """An index has the table's bounds below its own, ``safe`` apart."""
    own = layers[0]
    named = own.file.document.get((*own.prefix, "indexes")) or {}
    for pattern, bounds in named.items():
        for dimension in ("read", "write"):
            for bound in Bounds.model_fields if (bounds or {}).get(dimension) else ():
                key: Path = ("indexes", pattern, dimension, bound)
                found = [origin] if (origin := own.find(key)) is not None else []
                if bound != "safe":
                    above = _trace(layers, (dimension, bound), None)
                    found += (o for o in (above.won, *above.beaten) if o.where != BUILT_IN)
                if found:
                    yield Effective(".".join(map(str, key)), found[0], tuple(found[1:]))


def _trace_hints(own: _Layer) -> Iterator[Effective]:
    """By signal: a policy has its hints from nowhere else."""
    for position, hint in enumerate(own.file.document.get((*own.prefix, "upstream")) or []):
        of_one, name = _Layer(own.file, (*own.prefix, "upstream", position)), hint["signal"]
        keys: dict[Path, Any] = {("gain", dimension): None for dimension in Gain.model_fields}
        keys |= {(key,): UpstreamHint.model_fields[key].default for key in ("lag", "lasts")}
        for key, default in keys.items():
            found = _trace([of_one], key, default)
            yield found._replace(key=f"upstream.{name}.{found.key}")
