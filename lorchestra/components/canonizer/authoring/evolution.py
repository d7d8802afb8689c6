"""What a change of a schema means for the records that were written before it, in the words of SchemaVer.

    ADDITION   every record that was valid still is
    REVISION   some records that were valid may become invalid
    MODEL      no record that was valid is any more, or the identity of records changes

https://docs.snowplow.io/docs/api-reference/iglu/common-architecture/schemaver/

A change inside an optional property touches only the records that have it: there MODEL weakens to REVISION. What cannot
be judged by comparing keyword by keyword (combinators, conditions, patterns) counts as REVISION, the safe side.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

Schema = Mapping[str, Any]


class Step(IntEnum):
    """How far a change goes."""

    NONE = 0
    ADDITION = 1
    REVISION = 2
    MODEL = 3


class Change(NamedTuple):
    """One change: where in the schema (a JSON Pointer), how far it goes, what it is.

    `certain` is false if comparing keyword by keyword cannot show that a record is no longer valid.
    """

    path: str
    step: Step
    what: str
    certain: bool = True


_LOOSER_WHEN_GREATER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"}
_LOOSER_WHEN_LESS = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"}
_SAY_NOTHING = {"title", "description", "$comment", "examples", "default", "deprecated", "readOnly", "writeOnly"}
_JUDGED_APART = {"$schema", "$id", "$ref", "$defs", "definitions", "self", "type", "enum", "const", "required"} | {
    "properties",
    "additionalProperties",
    "items",
    "x-key",
}
_COMBINATORS = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependencies", "dependentSchemas"}
_TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})


def changes(old: Schema, new: Schema) -> list[Change]:
    """The changes from one version of a schema to another, in the order of their paths."""
    found = _Comparison(old, new).at(old, new, "", always=True)
    return sorted(change for change in found if change.step)


def step(found: list[Change]) -> Step:
    """How far all changes go together."""
    return max((change.step for change in found), default=Step.NONE)


def next_version(version: str, taken: Step) -> str:
    """The SchemaVer that follows a version by a step."""
    model, revision, addition = map(int, version.split("-"))
    return {
        Step.NONE: version,
        Step.ADDITION: f"{model}-{revision}-{addition + 1}",
        Step.REVISION: f"{model}-{revision + 1}-0",
        Step.MODEL: f"{model + 1}-0-0",
    }[taken]


class _Comparison:
    """Walks two documents together; `always` says that every record has a value at this place."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._entered: list[tuple[Any, Any]] = []

    def at(self, old: Any, new: Any, path: str, *, always: bool) -> Iterator[Change]:
        if (old, new) in self._entered:  # a definition that contains itself
            return
        self._entered.append((old, new))
        yield from self._resolved(_resolved(old, self._old), _resolved(new, self._new), path, always)
        self._entered.pop()

    def _resolved(self, old: Any, new: Any, path: str, always: bool) -> Iterator[Change]:
        breaking = Step.MODEL if always else Step.REVISION
        if not (isinstance(old, dict) and isinstance(new, dict)):  # true, false, or a tuple's items in older drafts
            if old != new:
                taken = Step.ADDITION if new is True else breaking if new is False else Step.REVISION
                yield Change(path, taken, f"{_word(old)} -> {_word(new)}")
            return
        if old.get("$ref") != new.get("$ref"):
            yield Change(f"{path}/$ref", Step.REVISION, "refers to another schema", certain=False)
        yield from _type(old, new, path, breaking)
        yield from _values(old, new, path, breaking, own=path == "/properties/schema")
        yield from _required(old, new, path, breaking)
        yield from self._properties(old, new, path, always)
        yield from _openness(old, new, path)
        if "items" in old and "items" in new:
            yield from self.at(old["items"], new["items"], f"{path}/items", always=False)
        elif "items" in old or "items" in new:
            yield Change(f"{path}/items", Step.ADDITION if "items" in old else Step.REVISION, _came(old, "items"))
        if old.get("x-key") != new.get("x-key"):
            yield Change(f"{path}/x-key", Step.MODEL, "the identity of records changes")
        for keyword in sorted((old.keys() | new.keys()) - _JUDGED_APART):
            yield from _keyword(keyword, old, new, path)

    def _properties(self, old: Schema, new: Schema, path: str, always: bool) -> Iterator[Change]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(before.keys() | after.keys()):
            place = f"{path}/properties/{name}"
            there = always and old.get("type") == "object" and name in old.get("required", [])
            if name in before and name in after:
                yield from self.at(before[name], after[name], place, always=there)
            elif name in after:
                closed = _is_closed(old)
                yield Change(place, Step.ADDITION if closed else Step.REVISION, "a new property", certain=closed)
            elif _is_closed(new):
                yield Change(
                    place, Step.MODEL if there else Step.REVISION, "the property was removed and is now rejected"
                )
            else:
                loose = new.get("additionalProperties", True) is True
                taken = Step.ADDITION if loose else Step.REVISION
                yield Change(place, taken, "the property is no longer described", certain=loose)


def _is_closed(schema: Schema) -> bool:
    return schema.get("additionalProperties") is False and not schema.get("patternProperties")


def _resolved(schema: Any, document: Schema) -> Any:
    """A subschema with references inside its own document followed; others stay as they are."""
    for _ in range(16):
        if not (isinstance(schema, dict) and str(schema.get("$ref", "")).startswith("#/")):
            break
        target: Any = document
        for part in schema["$ref"][2:].split("/"):
            target = target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, dict) else {}
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _type(old: Schema, new: Schema, path: str, breaking: Step) -> Iterator[Change]:
    before, after = _types(old), _types(new)
    if before == after:
        return
    taken = Step.ADDITION if before <= after else Step.REVISION if before & after else breaking
    yield Change(f"{path}/type", taken, f"{_word(old.get('type'))} -> {_word(new.get('type'))}")


def _types(schema: Schema) -> frozenset[str]:
    named = schema.get("type")
    if named is None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        named = _TYPES if values is None else map(_type_of, values)
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _type_of(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return "integer"
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _values(old: Schema, new: Schema, path: str, breaking: Step, *, own: bool) -> Iterator[Change]:
    before, after = _listed(old), _listed(new)
    if before == after or (own and "const" in old and "const" in new):  # a record's name of its schema follows it
        return
    if after is None or (before is not None and before <= after):
        taken = Step.ADDITION
    elif before is None or before & after:
        taken = Step.REVISION
    else:
        taken = breaking
    said = [", ".join(sorted(values)) if values is not None else "anything" for values in (before, after)]
    yield Change(f"{path}/{'const' if 'const' in new else 'enum'}", taken, " -> ".join(said))


def _listed(schema: Schema) -> frozenset[str] | None:
    """The values that are allowed, as JSON, for which true is not 1, but 1.0 is."""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values is None:
        return None
    whole = (int(value) if isinstance(value, float) and value.is_integer() else value for value in values)
    return frozenset(json.dumps(value, sort_keys=True) for value in whole)


def _required(old: Schema, new: Schema, path: str, breaking: Step) -> Iterator[Change]:
    before, after = set(old.get("required", [])), set(new.get("required", []))
    closed = _is_closed(old) and old.get("type") == "object"
    for name in sorted(after - before):
        taken = breaking if closed and name not in old.get("properties", {}) else Step.REVISION
        yield Change(f"{path}/required", taken, f"{name} is required")
    for name in sorted(before - after):
        yield Change(f"{path}/required", Step.ADDITION, f"{name} is no longer required")


def _openness(old: Schema, new: Schema, path: str) -> Iterator[Change]:
    before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
    if before != after:
        taken = Step.ADDITION if after is True or before is False else Step.REVISION
        yield Change(f"{path}/additionalProperties", taken, f"{_word(before)} -> {_word(after)}")


def _keyword(keyword: str, old: Schema, new: Schema, path: str) -> Iterator[Change]:
    if old.get(keyword) == new.get(keyword):
        return
    place = f"{path}/{keyword}"
    if keyword in _SAY_NOTHING or keyword.startswith("x-"):
        yield Change(place, Step.ADDITION, f"{_came(old, keyword)}; records are not affected")
    elif keyword not in new:
        yield Change(place, Step.ADDITION, _came(old, keyword))
    elif keyword in old and keyword in _LOOSER_WHEN_GREATER | _LOOSER_WHEN_LESS:
        looser = (new[keyword] > old[keyword]) == (keyword in _LOOSER_WHEN_GREATER)
        yield Change(place, Step.ADDITION if looser else Step.REVISION, f"{old[keyword]} -> {new[keyword]}")
    else:
        certain = keyword not in old and keyword not in _COMBINATORS
        yield Change(place, Step.REVISION, "added" if keyword not in old else "changed", certain)


def _came(old: Schema, keyword: str) -> str:
    return "changed or removed" if keyword in old else "added"


def _word(value: Any) -> str:
    if value is None:
        return "anything"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
