"""A strict YAML loader that reports the line and column of every value.

It refuses what has hung, misled or crashed YAML readers: anchors and aliases, merge keys, tags, duplicate keys, keys
that are not text, nesting beyond 64 levels, several documents, numbers in other bases (YAML reads `0700` as 448), and
numbers that are not finite.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from lorchestra.base.errors import ConfigFailure, Finding

Path = tuple[str | int, ...]
DEEPEST = 64
LARGEST = 4 * 1024 * 1024


class Place(NamedTuple):
    """Where a value begins; line and column count from 1."""

    line: int
    column: int


class Document(NamedTuple):
    """Nested dicts (with text keys), lists and scalars, and the place of each key and item by its path."""

    value: Any
    places: Mapping[Path, Place]

    def place(self, path: Path) -> Place:
        """The place of a path, or of its nearest ancestor that has one."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(1, 1))


def load(text: bytes, name: str) -> Document:
    """Read one YAML document (UTF-8). Raises ConfigFailure naming line and column, never quoting a value."""
    if len(text) > LARGEST:
        raise ConfigFailure(name, [Finding(1, 1, f"larger than {LARGEST} bytes")])
    finding: Finding | None = None
    places: dict[Path, Place] = {(): Place(1, 1)}
    try:
        value = _Builder(text.decode("utf-8-sig"), places).document()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        finding = Finding(line, 1, "not UTF-8")
    except _Refused as refused:
        finding = refused.finding
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        finding = Finding(line, column, f"not YAML: {_kind(error)}")
    except yaml.YAMLError:
        finding = Finding(1, 1, "not YAML: a character that YAML does not allow")
    if finding:
        raise ConfigFailure(name, [finding])
    return Document(value, places)


class _Refused(Exception):
    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(mark.line + 1, mark.column + 1, message)


_AMBIGUOUS = re.compile(r"[-+]?0[0-7_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_CORE_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}


class _Builder:
    """Builds the value directly from the parser's events, so that nothing is expanded."""

    def __init__(self, text: str, places: dict[Path, Place]) -> None:
        # Events are read one by one: libyaml's own composer recurses and can overflow the stack.
        self._loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        self._places = places

    def document(self) -> Any:
        self._loader.get_event()  # the stream's start
        if self._loader.check_event(yaml.StreamEndEvent):
            return None
        self._loader.get_event()  # the document's start
        value = self._value((), 0)
        self._loader.get_event()  # the document's end
        event = self._loader.get_event()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Refused(event.start_mark, "a second document in one file")
        return value

    def _value(self, path: Path, depth: int) -> Any:
        event = self._loader.get_event()
        mark = event.start_mark
        if depth > DEEPEST:
            raise _Refused(mark, f"nested deeper than {DEEPEST} levels")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused(mark, "anchors and aliases are not allowed: write the value out")
        if event.tag is not None:
            raise _Refused(mark, "tags are not allowed")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _sequence(self, path: Path, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self._loader.check_event(yaml.SequenceEndEvent):
            inner = (*path, len(items))
            self._note(inner)
            items.append(self._value(inner, depth + 1))
        self._loader.get_event()
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            mark = self._loader.peek_event().start_mark
            key = self._value(path, depth + 1)
            if not isinstance(key, str):
                raise _Refused(mark, "a key must be text: put it in quotes")
            if key == "<<":
                raise _Refused(mark, "merge keys are not allowed: write the values out")
            if key in entries:
                raise _Refused(mark, "duplicate key")
            inner = (*path, key)
            self._places[inner] = Place(mark.line + 1, mark.column + 1)
            entries[key] = self._value(inner, depth + 1)
        self._loader.get_event()
        return entries

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:
            return event.value
        if _AMBIGUOUS.fullmatch(event.value):
            raise _Refused(event.start_mark, "YAML reads this number in another base: put it in quotes")
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        if tag not in _CORE_TAGS:  # dates and similar stay text
            return event.value
        value: Any = math.nan
        with contextlib.suppress(ValueError):  # a lone 0x, or more digits than Python reads
            value = self._loader.construct_object(yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark))
        if isinstance(value, float) and not math.isfinite(value):
            raise _Refused(event.start_mark, "not a finite number: if it is text, put it in quotes")
        return value

    def _note(self, path: Path) -> None:
        mark = self._loader.peek_event().start_mark
        self._places[path] = Place(mark.line + 1, mark.column + 1)


def _kind(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's description of a problem without the parts that quote the file."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|%[^ ]*", "…", error.problem or "cannot be read").removesuffix(".")
