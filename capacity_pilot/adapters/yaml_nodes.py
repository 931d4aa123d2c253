"""YAML text as plain values that know where they were written."""

from __future__ import annotations

import re
import warnings
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.composer import MaxDepthExceededError
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(_TAG + name for name in ("str", "timestamp"))
_PARSED = frozenset(_TAG + name for name in ("int", "float", "bool", "null"))
_MERGE = _TAG + "merge"
_MOST_VALUES = 200_000
"""Written out, with every alias replaced by what it stands for."""

_DEEPEST = 50
_TAGGED = "the tag {} means nothing here"
_PLACES = re.compile(r"line (\d+), column (\d+)")

Path = tuple[int | str, ...]
"""Keys and positions that lead to a value."""


class Place(NamedTuple):
    """From 1 on, as editors count."""

    line: int
    column: int


START = Place(1, 1)


class Fault(NamedTuple):
    """What is wrong with a document, and the path of keys and positions to it; ``place`` is where
    that is, unless it is where the value at ``path`` stands.
    """

    path: Path
    message: str
    place: Place | None = None


class NotYamlError(Exception):
    """Text that cannot be read at all, with the place at which that shows."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.message, self.place = message, place


class Document:
    """A YAML document (1.2, so that ``no`` is a word): mappings, lists, text, numbers, nothing.

    Keys are text, whatever they look like, and dates stay as they were written. ``faults`` are
    keys that stand there twice, and what is no such value. Raises ``NotYamlError``.
    """

    def __init__(self, text: str) -> None:
        self._yaml = YAML(typ="safe", pure=True)
        self._yaml.max_depth = _DEEPEST
        self._members: dict[int, dict[str, tuple[Node, Node]]] = {}
        self._built: dict[int, tuple[Any, int]] = {}
        self.faults: list[Fault] = []
        self._root: Node | None = self._compose(text)
        self.value: Any = None if self._root is None else self._build(self._root, (), ())[0]

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Where the value at ``path`` stands, or its nearest parent; or the key that names it.

        Parts of the path that lead nowhere are passed over: checks add some of their own.
        """
        node, named = self._root, None
        for part in path:
            members = self._members.get(id(node), {})
            if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
                node, named = node.value[part], None
            elif str(part) in members:
                named, node = members[str(part)]
        at = named if of_key and named is not None else node
        return START if at is None else _place(at)

    def get(self, path: Path) -> Any:
        """The value at ``path``, ``None`` where nothing is."""
        value = self.value
        for part in path:
            if isinstance(value, dict):
                value = value.get(str(part))
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def _compose(self, text: str) -> Node | None:
        try:
            with warnings.catch_warnings():
                # One name for two things is a mistake, not a remark on standard error.
                warnings.simplefilter("error", ReusedAnchorWarning)
                root: Node | None = self._yaml.compose(text)
        except ReusedAnchorWarning as cause:
            first, *_ = str(cause).strip().splitlines()
            raise NotYamlError(first, Place(*map(int, _PLACES.findall(str(cause))[-1]))) from cause
        except MaxDepthExceededError as cause:
            mark = cause.problem_mark
            place = Place(mark.line + 1, mark.column + 1)
            raise NotYamlError(f"nested more than {_DEEPEST} deep", place) from cause
        except MarkedYAMLError as cause:
            mark = cause.problem_mark or cause.context_mark
            place = START if mark is None else Place(mark.line + 1, mark.column + 1)
            raise NotYamlError(_word(cause), place) from cause
        except ReaderError as cause:
            before = text[: cause.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            message = f"character #x{cause.character:04x} is not allowed"
            raise NotYamlError(message, Place(line, column)) from cause
        # The others are what ruamel.yaml's scanner does with tags and directives that do not fit.
        except (YAMLError, ValueError, TypeError, LookupError, AttributeError) as cause:
            raise NotYamlError(f"not YAML: {cause}", START) from cause
        return root

    def _build(self, node: Node, path: Path, around: tuple[int, ...]) -> tuple[Any, int]:
        """A node's value, and how many values that is when it is written out."""
        if id(node) in around:
            self._refuse(node, path, "contains itself")
            return None, 1
        if id(node) not in self._built:
            if isinstance(node, ScalarNode):
                self._built[id(node)] = self._read_scalar(node, path), 1
            else:
                value, size = self._build_members(node, path, (*around, id(node)))
                if size > _MOST_VALUES:
                    message = f"more than {_MOST_VALUES} values when its aliases are written out"
                    raise NotYamlError(message, _place(node))
                self._built[id(node)] = value, size
        return self._built[id(node)]

    def _build_members(self, node: Node, path: Path, around: tuple[int, ...]) -> tuple[Any, int]:
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            members = self._find_members(node, path, around)
            built = {k: self._build(v, (*path, k), around) for k, (_, v) in members.items()}
            return {k: value for k, (value, _) in built.items()}, 1 + _total(built.values())
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            items = [self._build(v, (*path, n), around) for n, v in enumerate(node.value)]
            return [value for value, _ in items], 1 + _total(items)
        self._refuse(node, path, _TAGGED.format(str(node.tag).replace(_TAG, "!!")))
        return None, 1

    def _find_members(
        self, node: MappingNode, path: Path, around: tuple[int, ...]
    ) -> dict[str, tuple[Node, Node]]:
        """Keys with the nodes that name them and their values; its own before merged ones."""
        if id(node) in self._members:
            return self._members[id(node)]
        own: dict[str, tuple[Node, Node]] = {}
        merged: list[Node] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, SequenceNode) else [value]
            elif not isinstance(key, ScalarNode):
                self._refuse(key, path, "a key has to be a word")
            elif key.value in own:
                first = _place(own[key.value][0])
                message = f"the key stands here twice, first in line {first.line}"
                self._refuse(key, (*path, key.value), message)
            else:
                own[key.value] = key, value
        for other in merged:
            if not isinstance(other, MappingNode):
                self._refuse(other, path, "<< takes a mapping, or a list of them")
            elif id(other) in around:
                self._refuse(other, path, "contains itself")
            else:
                found = self._find_members(other, path, (*around, id(other)))
                own = {**found, **own}
        self._members[id(node)] = own
        return own

    def _read_scalar(self, node: ScalarNode, path: Path) -> Any:
        if node.tag in _PLAIN:
            return node.value
        if node.tag in _PARSED:
            try:
                return self._yaml.constructor.construct_object(node)
            except (YAMLError, ValueError, TypeError, LookupError, AttributeError):
                kind = node.tag.removeprefix(_TAG)
                self._refuse(node, path, f"{node.value[:40]!r} cannot be read as {kind}")
        else:
            self._refuse(node, path, _TAGGED.format(str(node.tag).replace(_TAG, "!!")))
        return None

    def _refuse(self, node: Node, path: Path, message: str) -> None:
        self.faults.append(Fault(path, message, _place(node)))


def _word(error: MarkedYAMLError) -> str:
    """The parser's words, with where that began which it could not read to the end."""
    begun, message = error.context_mark, str(error.problem or "not YAML")
    if error.context and message.startswith("but "):
        return f"{error.context}, {message}"
    if error.context and begun is not None:
        return f"{message} ({error.context} that begins at {begun.line + 1}:{begun.column + 1})"
    return message


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _total(built: Any) -> int:
    return sum(size for _, size in built)
