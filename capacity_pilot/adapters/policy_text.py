"""The text of policy files: what it says, and what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final, Protocol

from pydantic import ValidationError

from capacity_pilot.adapters.calendar import doubt_country, doubt_timing
from capacity_pilot.adapters.fault_words import show_value
from capacity_pilot.adapters.yaml_document import describe, fit, read_document
from capacity_pilot.adapters.yaml_nodes import Document, Fault, Path, Place
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.events.declared import Event, Freeze
from capacity_pilot.core.inheritance import overlay
from capacity_pilot.core.limits import most_reserved, strictest
from capacity_pilot.core.notices import join_notifications
from capacity_pilot.core.policy import PolicySet, SharedKeys, TablePolicy

NO_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType({})
_TIMED: Final[tuple[tuple[str, type[Event | Freeze]], ...]] = (
    ("events", Event),
    ("freeze", Freeze),
)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A file that holds: its name, what it says, and where each of its values stands.

    ``policies`` have in them what they inherit. A folder's ``defaults.yaml`` has none.
    """

    source: str
    document: Document
    shared: SharedKeys
    policies: tuple[TablePolicy, ...] = ()

    @property
    def defaults(self) -> Mapping[str, Any]:
        """As they are written."""
        return self.document.get(("defaults",)) or {}


def parse_file(text: str, *, source: str, defaults: Mapping[str, Any] = NO_DEFAULTS) -> PolicyFile:
    """Reads one policy file's text; ``source`` names it in errors, ``defaults`` are its folder's.

    Raises ``PolicyError`` with a line for everything that is wrong.
    """
    document = read_document(text, source=source, error=PolicyError)
    if is_shared(source):
        shared, faults = fit(
            document, SharedKeys, find_more=lambda: _find_impossible_times(document)
        )
        if shared is None or faults:
            raise PolicyError(describe(document, faults, source=source, what="defaults"))
        return PolicyFile(source, document, shared)
    policies, faults = fit(
        document,
        PolicySet,
        value=_put_under(document.value, defaults),
        find_more=lambda: _find_impossible_times(document),
    )
    if policies is None or faults:
        raise PolicyError(describe(document, faults, source=source, what="policy"))
    return PolicyFile(source, document, policies, tuple(policies.policies))


def is_shared(source: str) -> bool:
    """True of what is to hold for all files beside it: ``defaults.yaml``, wherever it is kept."""
    return PurePosixPath(source).stem == "defaults"


class Parse(Protocol):
    """Reads one text, as ``parse_file`` does."""

    def __call__(self, text: str, *, source: str, defaults: Mapping[str, Any]) -> PolicyFile: ...


def parse_files(texts: Iterable[tuple[str, str]], parse: Parse = parse_file) -> list[PolicyFile]:
    """Reads files given as name and text, those for all of them first.

    Raises ``PolicyError`` for all that is wrong in any.
    """
    files: list[PolicyFile] = []
    wrong: list[str] = []
    defaults: Mapping[str, Any] = NO_DEFAULTS
    for source, text in sorted(texts, key=lambda each: not is_shared(each[0])):
        try:
            file = parse(text, source=source, defaults=defaults)
        except PolicyError as error:
            wrong.append(str(error))
        else:
            files.append(file)
            if is_shared(source):
                defaults = overlay(dict(defaults), file.defaults)
    if wrong:
        raise PolicyError("\n".join(wrong))
    return files


def join(files: Sequence[PolicyFile]) -> PolicySet:
    """The files as one set, in their order; the strictest of their limits hold.

    Raises ``PolicyError`` if there are no policies in them.
    """
    policies = [policy for file in files for policy in file.policies]
    if not policies:
        names = ", ".join(file.source for file in files)
        raise PolicyError(f"{names}: there are no policies beside the defaults")
    return PolicySet(
        version=1,
        limits=strictest(file.shared.limits for file in files),
        reserved=most_reserved(file.shared.reserved for file in files),
        notifications=join_notifications(file.shared.notifications for file in files),
        policies=policies,
    )


def locate(files: Sequence[PolicyFile], path: Path) -> tuple[str, Place, Path]:
    """Where a path of the joined set is written: file, place, and the path in that file."""
    if len(path) > 1 and path[0] == "policies" and isinstance(number := path[1], int):
        for file in files:
            if number < len(file.policies):
                own = ("policies", number, *path[2:])
                return file.source, file.document.place(own), own
            number -= len(file.policies)
    file = next((f for f in files if f.document.get(path) is not None), files[0])
    return file.source, file.document.place(path), path


def _put_under(written: Any, defaults: Mapping[str, Any]) -> Any:
    """A file's value with its folder's defaults below its own."""
    if not defaults or not isinstance(written, dict):
        return written
    return {**written, "defaults": overlay(dict(defaults), written.get("defaults", {}))}


def _find_impossible_times(document: Document) -> Iterator[Fault]:
    """Also where something else of the file is wrong, so that all is told at once."""
    policies = document.get(("policies",))
    written: dict[Path, Any] = {("defaults",): document.get(("defaults",))}
    for number, policy in enumerate(policies if isinstance(policies, list) else ()):
        written["policies", number] = policy
    for path, keys in written.items():
        for fault in _doubt_times(keys, path) if isinstance(keys, dict) else ():
            yield Fault(fault.path, fault.message + show_value(document.get(fault.path)))


def _doubt_times(policy: dict[str, Any], path: Path) -> Iterator[Fault]:
    if isinstance(country := policy.get("country"), str):
        yield from doubt_country(country, (*path, "country"))
    for key, kind in _TIMED:
        written = policy.get(key)
        for position, each in enumerate(written if isinstance(written, list) else ()):
            try:
                timing = kind.model_validate(each)
            except ValidationError:
                continue  # told already
            yield from doubt_timing(timing, (*path, key, position))
