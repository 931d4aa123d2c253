"""The text of policy files: what it says, and what is wrong with it and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pydantic import ValidationError

from capacity_pilot.adapters.calendar import doubt_country, doubt_timing
from capacity_pilot.adapters.fault_words import show_value
from capacity_pilot.adapters.yaml_document import describe, fit, read_document
from capacity_pilot.adapters.yaml_nodes import Document, Fault, Path, Place
from capacity_pilot.core.errors import PolicyError
from capacity_pilot.core.events.declared import Event, Freeze
from capacity_pilot.core.limits import strictest
from capacity_pilot.core.policy import PolicySet

_TIMED: Final[tuple[tuple[str, type[Event | Freeze]], ...]] = (
    ("events", Event),
    ("freeze", Freeze),
)


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """A file that holds: its name, what it says, and where each of its values stands."""

    source: str
    document: Document
    policies: PolicySet


def parse_file(text: str, *, source: str) -> PolicyFile:
    """Reads one policy file's text; ``source`` names it in errors.

    Raises ``PolicyError`` with a line for everything that is wrong.
    """
    document = read_document(text, source=source, error=PolicyError)
    policies, faults = fit(document, PolicySet, find_more=lambda: _find_impossible_times(document))
    if policies is None or faults:
        raise PolicyError(describe(document, faults, source=source, what="policy"))
    return PolicyFile(source, document, policies)


class Parse(Protocol):
    """Reads one text, as ``parse_file`` does."""

    def __call__(self, text: str, *, source: str) -> PolicyFile: ...


def parse_files(texts: Iterable[tuple[str, str]], parse: Parse = parse_file) -> list[PolicyFile]:
    """Reads files given as name and text. Raises ``PolicyError`` for all that is wrong in any."""
    files, wrong = [], []
    for source, text in texts:
        try:
            files.append(parse(text, source=source))
        except PolicyError as error:
            wrong.append(str(error))
    if wrong:
        raise PolicyError("\n".join(wrong))
    return files


def join(files: Sequence[PolicyFile]) -> PolicySet:
    """The files as one set, in their order; the strictest of their limits hold."""
    if len(files) == 1:
        return files[0].policies
    return PolicySet(
        version=1,
        limits=strictest(file.policies.limits for file in files),
        policies=[policy for file in files for policy in file.policies.policies],
    )


def locate(files: Sequence[PolicyFile], path: Path) -> tuple[str, Place, Path]:
    """Where a path of the joined set is written: file, place, and the path in that file."""
    if len(path) > 1 and path[0] == "policies" and isinstance(number := path[1], int):
        for file in files:
            if number < len(file.policies.policies):
                own = ("policies", number, *path[2:])
                return file.source, file.document.place(own), own
            number -= len(file.policies.policies)
    file = next((f for f in files if f.document.get(path) is not None), files[0])
    return file.source, file.document.place(path), path


def _find_impossible_times(document: Document) -> Iterator[Fault]:
    """Also where something else of the file is wrong, so that all is told at once."""
    policies = document.get(("policies",))
    for number, policy in enumerate(policies if isinstance(policies, list) else ()):
        if not isinstance(policy, dict):
            continue
        path: Path = ("policies", number)
        for fault in _doubt_times(policy, path):
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
