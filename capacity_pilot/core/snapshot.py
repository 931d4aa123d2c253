"""A pilot's memory as bytes, and back: NumPy's archive of arrays, with a header in JSON.

State is walked by its dataclasses' fields, so nothing here has to be told of a new one. The header
holds the *layout*: each field's type and shape. A snapshot of another layout is refused whole, by
the name of the first field that differs. A field whose meaning changes while its shape does not
asks for another ``FORMAT``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from zipfile import BadZipFile
from zlib import error as CompressionError  # noqa: N812 (zlib names it so)

import numpy as np
import numpy.typing as npt

from capacity_pilot.core.apply_time import ApplyTimes
from capacity_pilot.core.errors import InputError
from capacity_pilot.core.events.gains import Gains
from capacity_pilot.core.events.lookout import WatchNotes
from capacity_pilot.core.fleet import Fleet
from capacity_pilot.core.memory import Memory
from capacity_pilot.core.model import Resource
from capacity_pilot.core.signal_names import KnownSignals
from capacity_pilot.core.tick import PilotState

FORMAT = 1

_HEADER = "header"
_FUTURE_S = 60.0

State = TypeVar("State")
Array = npt.NDArray[Any]
Layout = dict[str, str]

_TEMPLATES: Mapping[str, Callable[[int], object]] = {
    "state": lambda size: PilotState.empty(size, 0.0),
    "apply_times": lambda size: ApplyTimes.expecting(size, 1.0),
    "gains": lambda size: Gains.empty(np.arange(size)),
    "watch": WatchNotes.blank,
}


def layout_of(template: Callable[[int], object]) -> Layout:
    """Type and shape of every field, ``n`` for an axis as long as what it is made for."""
    small, large = dict(_leaves(template(2))), dict(_leaves(template(4)))
    return {path: _describe(leaf, large[path]) for path, leaf in small.items()}


def encode(memory: Memory) -> bytes:
    """The memory as bytes. Takes tens of milliseconds per thousand slots, most of it unlocked."""
    parts: dict[str, object] = {"state": memory.state, "apply_times": memory.apply_times}
    parts |= {f"gains.{n}": known for n, known in enumerate(memory.gains.values())}
    parts |= {f"watch.{n}": notes for n, notes in enumerate(memory.watches)}
    arrays: dict[str, Any] = {}
    scalars: dict[str, object] = {}
    for name, part in parts.items():
        for path, leaf in _leaves(part):
            kept = arrays if isinstance(leaf, np.ndarray) else scalars
            kept[f"{name}.{path}"] = leaf.item() if isinstance(leaf, np.generic) else leaf
    header = {
        "format": FORMAT,
        "taken_at": memory.taken_at,
        "layouts": {name: layout_of(template) for name, template in _TEMPLATES.items()},
        "resources": [(r.table, r.index) for r in memory.fleet.resources],
        "gains": list(memory.gains),
        "watches": len(memory.watches),
        "signals": memory.signals.as_json(),
        "scalars": scalars,
    }
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    packed = io.BytesIO()
    np.savez_compressed(packed, **{_HEADER: text, **arrays})
    return packed.getvalue()


def decode(content: bytes, now: float) -> Memory:
    """Raises ``InputError`` for what is damaged, of another layout or of the future."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            header = json.loads(archive[_HEADER].tobytes())
            arrays = {name: archive[name] for name in archive.files if name != _HEADER}
        _check_header(header, now)
        return _assemble(header, arrays)
    except (BadZipFile, CompressionError, EOFError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"the snapshot is damaged: {type(error).__name__}: {error}") from error


def _check_header(header: Mapping[str, Any], now: float) -> None:
    if header["format"] != FORMAT:
        raise InputError(f"the snapshot has format {header['format']}, this release {FORMAT}")
    if header["taken_at"] > now + _FUTURE_S:
        ahead_s = header["taken_at"] - now
        raise InputError(f"the snapshot is of {ahead_s:.0f} s from now: a clock was put back")
    for name, template in _TEMPLATES.items():
        kept, known = header["layouts"].get(name, {}), layout_of(template)
        for path in {**known, **kept}:
            if kept.get(path) != known.get(path):
                raise InputError(
                    f"the snapshot's {name}.{path} is {kept.get(path, 'not there')}, "
                    f"this release's is {known.get(path, 'gone')}"
                )


def _assemble(header: Mapping[str, Any], arrays: Mapping[str, Array]) -> Memory:
    fleet = Fleet(tuple(Resource(table, index) for table, index in header["resources"]))
    leaves: dict[str, Any] = {**header["scalars"], **arrays}
    size = len(fleet)
    gains = {
        (name, is_counted): _fill(Gains.empty(leaves[f"gains.{n}.slots"]), f"gains.{n}", leaves)
        for n, (name, is_counted) in enumerate(header["gains"])
    }
    watches = tuple(
        _fill(WatchNotes.blank(len(leaves[f"watch.{n}.slots"])), f"watch.{n}", leaves)
        for n in range(header["watches"])
    )
    return Memory(
        taken_at=header["taken_at"],
        fleet=fleet,
        state=_fill(PilotState.empty(size, 0.0), "state", leaves),
        apply_times=_fill(ApplyTimes.expecting(size, 1.0), "apply_times", leaves),
        signals=KnownSignals.from_json(header["signals"]),
        gains=gains,
        watches=watches,
    )


def _fill(blank: State, path: str, leaves: Mapping[str, Any]) -> State:
    """``blank`` with what was kept in the place of every field."""
    changes: dict[str, object] = {}
    for item in fields(blank):  # type: ignore[arg-type]  # every state is a dataclass
        before, here = getattr(blank, item.name), f"{path}.{item.name}"
        if is_dataclass(before):
            changes[item.name] = _fill(before, here, leaves)
            continue
        leaf = leaves[here]
        if isinstance(before, np.ndarray) and not _fits(leaf, before):
            raise ValueError(
                f"{here} is {leaf.dtype}{leaf.shape}, not {before.dtype}{before.shape}"
            )
        changes[item.name] = leaf
    return replace(blank, **changes)  # type: ignore[type-var]


def _fits(leaf: Array, blank: Array) -> bool:
    """Axes that begin empty or with one row grow with what is met, such as upstream signals."""
    return (
        leaf.dtype == blank.dtype
        and leaf.ndim == blank.ndim
        and all(
            has == asked or (asked <= 1 and has > asked)
            for has, asked in zip(leaf.shape, blank.shape, strict=True)
        )
    )


def _leaves(part: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    for item in fields(part):  # type: ignore[arg-type]
        value, path = getattr(part, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _describe(small: object, large: object) -> str:
    if not isinstance(small, np.ndarray) or not isinstance(large, np.ndarray):
        return type(small).__name__
    axes = (
        "n" if few != many else str(few) for few, many in zip(small.shape, large.shape, strict=True)
    )
    return f"{small.dtype.str}[{','.join(axes)}]"
