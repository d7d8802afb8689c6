"""Checks a YAML document against a JSON Schema: every fault with its place and the closest match, without a value.

It implements the part of draft 2020-12 that our schemas use, and two rules of ours, which other validators ignore:
`"format": "compact-date"` (YYYYMMDD) and `"uniqueValues"` (the texts of a mapping differ). jsonschema takes longer to
import than a run that has nothing to do, and its errors would have to be translated; a test compares the verdicts.
Where a part of the schema has a `description`, that sentence says what was expected.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lorchestra.base.errors import Finding
from lorchestra.base.yaml_document import Document, Path

_LONGEST_KEY = 60
_MOST_UNKNOWN = 20
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
_LIMITS: dict[str, tuple[str, Any]] = {
    "minimum": ("is too small", lambda value, limit: value >= limit),
    "exclusiveMinimum": ("is too small", lambda value, limit: value > limit),
    "maximum": ("is too large", lambda value, limit: value <= limit),
    "minLength": ("must not be empty", lambda value, limit: len(value) >= limit),
    "maxLength": ("is too long", lambda value, limit: len(value) <= limit),
    "minItems": ("must not be empty", lambda value, limit: len(value) >= limit),
    "minProperties": ("must not be empty", lambda value, limit: len(value) >= limit),
}
_NUMBERS = ("minimum", "exclusiveMinimum", "maximum")
_LIMITED = {"minLength": str, "maxLength": str, "minItems": list, "minProperties": dict}


def convert(value: Any, schema: dict[str, Any], converters: Mapping[str, Callable[[Any], Any]]) -> Any:
    """A valid value with each part converted that refers to a key of `converters`, such as `#/$defs/path`."""
    return _Check(Document(value, {}), schema).converted(value, schema, converters)


def check(document: Document, schema: dict[str, Any]) -> Iterator[Finding]:
    """The faults of a document according to a schema, which may refer only to itself (`#/...`)."""
    yield from _Check(document, schema).value(document.value, schema, ())


def shown(key: str) -> str:
    """A key as messages show it: short, and without characters that would control a terminal."""
    return "".join(c if c.isprintable() else "?" for c in key[:_LONGEST_KEY])


class _Check:
    def __init__(self, document: Document, root: dict[str, Any]) -> None:
        self._document, self._root = document, root

    def value(self, value: Any, schema: Any, path: Path) -> Iterator[Finding]:
        if schema is True:
            return
        if "$ref" in schema:
            yield from self.value(value, self._target(schema["$ref"]), path)
        kinds = schema.get("type", ())
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if kinds and not any(_is(value, kind) for kind in kinds):
            yield self._finding(path, f"must be {' or '.join(_KINDS[kind] for kind in kinds)}")
            return
        yield from self._choices(value, schema, path)
        yield from self._limits(value, schema, path)
        if isinstance(value, dict):
            yield from self._mapping(value, schema, path)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            yield from self.value(item, schema.get("items", True), (*path, number))

    def _choices(self, value: Any, schema: dict[str, Any], path: Path) -> Iterator[Finding]:
        if "enum" in schema and value not in schema["enum"]:
            wanted = schema["enum"]
            yield self._finding(path, f"must be one of {', '.join(wanted)}{_closest(value, wanted)}")
        if "const" in schema and value != schema["const"]:
            yield self._finding(path, _described(schema))
        if "anyOf" in schema and not any(self._fits(value, one, path) for one in schema["anyOf"]):
            yield self._finding(path, _described(schema))
        if "not" in schema and self._fits(value, schema["not"], path):
            yield self._finding(path, _described(schema["not"]))
        for part in schema.get("allOf", ()):
            yield from self.value(value, part, path)
        if "if" in schema and self._fits(value, schema["if"], path):
            yield from self.value(value, schema["then"], path)

    def _limits(self, value: Any, schema: dict[str, Any], path: Path) -> Iterator[Finding]:
        for keyword in _LIMITS.keys() & schema.keys():
            message, fits = _LIMITS[keyword]
            concerned = _is(value, "number") if keyword in _NUMBERS else isinstance(value, _LIMITED[keyword])
            if concerned and not fits(value, schema[keyword]):
                yield self._finding(path, message)
        if "pattern" in schema and isinstance(value, str) and not _pattern(schema["pattern"]).search(value):
            yield self._finding(path, _described(schema))
        elif schema.get("format") == "compact-date" and not _is_date(value):
            yield self._finding(path, "is not a day of the calendar")
        if schema.get("uniqueValues") and len(texts := _texts(value)) > len(set(texts)):
            yield self._finding(path, "has the same value twice")

    def _mapping(self, value: dict[str, Any], schema: dict[str, Any], path: Path) -> Iterator[Finding]:
        known = schema.get("properties", {})
        for key in schema.get("required", ()):
            if key not in value:
                inside = f" in {self._name(path)}" if path else ""
                yield Finding(*self._document.place(path), f"`{key}` is missing{inside}")
        rest = schema.get("additionalProperties", True)
        for key, inner in value.items():
            if key in known or rest is not False:
                yield from self.value(inner, known.get(key, rest), (*path, key))
            if "propertyNames" in schema and not self._fits(key, schema["propertyNames"], path):
                yield Finding(*self._document.place((*path, key)), _described(schema["propertyNames"]))
        if rest is False:
            yield from self._unknown([key for key in value if key not in known], known, path)

    def _unknown(self, keys: list[str], known: Iterable[str], path: Path) -> Iterator[Finding]:
        for key in keys[:_MOST_UNKNOWN]:
            place = self._document.place((*path, key))
            yield Finding(*place, f"unknown key `{shown(key)}`{_closest(key, known)}")
        if len(keys) > _MOST_UNKNOWN:
            place = self._document.place((*path, keys[_MOST_UNKNOWN]))
            yield Finding(*place, f"and {len(keys) - _MOST_UNKNOWN:,} more unknown keys")

    def converted(self, value: Any, schema: Any, converters: Mapping[str, Callable[[Any], Any]]) -> Any:
        if schema is True or not isinstance(value, dict | list | str):
            return value
        if (reference := schema.get("$ref")) is not None:
            if reference in converters:
                return converters[reference](value)
            value = self.converted(value, self._target(reference), converters)
        for part in schema.get("allOf", ()):
            value = self.converted(value, part, converters)
        if "if" in schema and self._fits(value, schema["if"], ()):
            value = self.converted(value, schema["then"], converters)
        if isinstance(value, list):
            return [self.converted(item, schema.get("items", True), converters) for item in value]
        if not isinstance(value, dict):
            return value
        known, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        return {key: self.converted(inner, known.get(key, rest), converters) for key, inner in value.items()}

    def _fits(self, value: Any, schema: Any, path: Path) -> bool:
        return next(self.value(value, schema, path), None) is None

    def _target(self, reference: str) -> Any:
        target: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        return target

    def _finding(self, path: Path, message: str) -> Finding:
        return Finding(*self._document.place(path), f"{self._name(path)} {message}")

    def _name(self, path: Path) -> str:
        if not path:
            return "the file"
        if isinstance(path[-1], str):
            return f"`{shown(path[-1])}`"
        return f"item {path[-1] + 1} of {self._name(path[:-1])}"


def _is(value: Any, kind: str) -> bool:
    """3.0 is no integer, unlike in JSON Schema: the programs that get it as an argument would refuse it."""
    if kind == "integer":
        return type(value) is int
    if kind == "number":
        return type(value) in (int, float)
    return isinstance(value, _TYPES[kind])


def _is_date(value: Any) -> bool:
    """Whether a text is a day, YYYYMMDD."""
    try:
        datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return False
    return True


def _texts(value: Any) -> list[str]:
    return [inner for inner in value.values() if isinstance(inner, str)] if isinstance(value, dict) else []


def _described(schema: dict[str, Any]) -> str:
    return str(schema.get("description", "is not valid"))


@functools.cache
def _pattern(expression: str) -> re.Pattern[str]:
    r"""`$` is the end of the text in JSON Schema; Python's also matches before a final newline, its `\Z` does not."""
    return re.compile(re.sub(r"\$$", r"\\Z", expression))


def _closest(word: object, known: Iterable[str]) -> str:
    import difflib

    if not isinstance(word, str):
        return ""
    close = difflib.get_close_matches(word[:_LONGEST_KEY], known, n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""
