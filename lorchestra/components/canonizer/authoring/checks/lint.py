"""Faults that a schema may have although its draft accepts it: keywords that are ignored, or that nothing can satisfy.

JSON Schema ignores what it does not know, so a misspelled keyword silently allows every record.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import jsonschema_rs

from lorchestra.components.canonizer.authoring.checks import Severity
from lorchestra.records.schemas import draft_of
from lorchestra.records.violations import pointer

_ONE = ("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_ONE_LATE = ("contentSchema", "unevaluatedItems", "unevaluatedProperties")
_LISTS = ("allOf", "anyOf", "items", "oneOf", "prefixItems")
_MAPS = ("$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties")
_TYPED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("maxLength", "minLength", "pattern"), frozenset({"string"})),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), frozenset({"integer", "number"})
    ),
    **dict.fromkeys(
        ("items", "additionalItems", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "minContains",
         "maxContains", "unevaluatedItems"),
        frozenset({"array"}),
    ),
    **dict.fromkeys(
        ("properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
         "maxProperties", "dependencies", "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
        frozenset({"object"}),
    ),
}  # fmt: skip
"""The types that a keyword has an effect on."""
_SINCE: Mapping[str, int] = {
    **dict.fromkeys(("const", "contains", "propertyNames"), 6),
    **dict.fromkeys(("if", "then", "else"), 7),
    **dict.fromkeys(
        ("dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties", "minContains",
         "maxContains"),
        2019,
    ),
    "prefixItems": 2020,
}  # fmt: skip
"""The first draft that has a keyword; older ones ignore it."""
_ANNOTATIONS = frozenset({
    "$schema", "$id", "id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor",
    "$vocabulary", "$comment", "self", "title", "description", "default", "examples", "example", "deprecated",
    "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "type", "enum", "format", "nullable",
})  # fmt: skip
_KEYWORDS = _ANNOTATIONS | set(_ONE) | set(_ONE_LATE) | set(_LISTS) | set(_MAPS) | set(_TYPED) | set(_SINCE)
_FORMATS = frozenset({
    "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri",
    "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer", "regex",
})  # fmt: skip
_RANGES = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
)


class Fault(NamedTuple):
    """A finding in a schema: the rule, where it is (a JSON Pointer) and what is wrong. `level` as in `Finding`."""

    rule: str
    path: str
    message: str
    level: Severity | None = None


def faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """The faults of a schema that its own draft accepts, in the order of the document."""
    draft = _draft(document)
    for path, schema in _subschemas(document, ()):
        place = pointer(path)
        for check in (_keywords, _ranges, _required, _types, _enum, _pattern, _format):
            yield from check(schema, place, draft)


def _draft(document: Mapping[str, Any]) -> int:
    found = re.search(r"draft(?:-0|/)(\d+)", draft_of(document))
    return int(found[1]) if found else 2020


def _subschemas(schema: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """A schema and all below it, with their paths."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword, value in schema.items():
        inner: list[tuple[tuple[str | int, ...], Any]] = []
        if keyword in _MAPS and isinstance(value, dict):
            inner = [((keyword, name), one) for name, one in value.items()]
        elif keyword in _LISTS and isinstance(value, list):
            inner = [((keyword, number), one) for number, one in enumerate(value)]
        elif keyword in _ONE or keyword in _ONE_LATE:
            inner = [((keyword,), value)]
        for below, one in inner:
            yield from _subschemas(one, (*path, *below))


def _keywords(schema: dict[str, Any], path: str, draft: int) -> Iterator[Fault]:
    for keyword in schema:
        place = f"{path}{pointer([keyword])}"
        if _SINCE.get(keyword, 0) > draft:
            yield Fault("schema_keyword", place, f"draft {draft} ignores this keyword", Severity.WARNING)
        elif keyword not in _KEYWORDS and not keyword.startswith(("x-", "$")):
            near = get_close_matches(keyword, _KEYWORDS, n=1, cutoff=0.8)
            if near:
                yield Fault("schema_keyword", place, f"unknown keyword; did you mean `{near[0]}`?")
            else:
                yield Fault("schema_keyword", place, "unknown keyword: it has no effect", Severity.INFO)


def _ranges(schema: dict[str, Any], path: str, _: int) -> Iterator[Fault]:
    for lower, upper in _RANGES:
        low: Any = schema.get(lower)
        high: Any = schema.get(upper)
        if _is_number(low) and _is_number(high) and low > high:
            yield Fault("schema_range", f"{path}/{lower}", f"{low} is greater than {upper} {high}")
    least, above = _bounds(schema, "minimum", "exclusiveMinimum")
    most, below = _bounds(schema, "maximum", "exclusiveMaximum")
    if any(low >= high for low in above for high in [*most, *below]) or any(
        low >= high for low in least for high in below
    ):
        yield Fault("schema_range", path or "/", "no number is within the bounds, which are exclusive")


def _bounds(schema: dict[str, Any], inclusive: str, exclusive: str) -> tuple[list[Any], list[Any]]:
    """The inclusive and the exclusive bound, each none or one. Draft 4 writes `exclusiveMinimum: true`."""
    bound, other = schema.get(inclusive), schema.get(exclusive)
    bounds = [bound] if _is_number(bound) else []
    return ([], bounds) if other is True else (bounds, [other] if _is_number(other) else [])


def _required(schema: dict[str, Any], path: str, _: int) -> Iterator[Fault]:
    required, properties = schema.get("required"), schema.get("properties", {})
    if schema.get("additionalProperties") is not False or not isinstance(required, list):
        return
    patterns = schema.get("patternProperties") or {}
    for name in required:
        if name not in properties and not any(_matches(pattern, name) for pattern in patterns):
            near = get_close_matches(str(name), properties, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else ""
            yield Fault("schema_required", f"{path}/required", f"the closed schema forbids `{name}`{hint}")


def _types(schema: dict[str, Any], path: str, _: int) -> Iterator[Fault]:
    types = _types_of(schema)
    if types is None or "$ref" in schema:
        return
    for keyword in schema:
        if keyword in _TYPED and not _TYPED[keyword] & types:
            named = " or ".join(sorted(types))
            yield Fault("schema_type", f"{path}{pointer([keyword])}", f"has no effect on values of type {named}")


def _enum(schema: dict[str, Any], path: str, _: int) -> Iterator[Fault]:
    values = schema.get("enum")
    if not isinstance(values, list):
        return
    types = _types_of(schema)
    if not values:
        yield Fault("schema_enum", f"{path}/enum", "is empty: no value is allowed")
    elif types is not None and not any(_type_of(value) & types for value in values):
        yield Fault("schema_enum", f"{path}/enum", f"no value is of the type {' or '.join(sorted(types))}")


def _pattern(schema: dict[str, Any], path: str, _: int) -> Iterator[Fault]:
    if isinstance(pattern := schema.get("pattern"), str) and not _is_regex(pattern):
        yield Fault("schema_pattern", f"{path}/pattern", "is not a regular expression")
    for pattern in schema.get("patternProperties") or {}:
        if not _is_regex(pattern):
            yield Fault("schema_pattern", f"{path}/patternProperties", "has a name that is not a regular expression")


def _format(schema: dict[str, Any], path: str, draft: int) -> Iterator[Fault]:
    name, place = schema.get("format"), f"{path}/format"
    if not isinstance(name, str):
        return
    types = _types_of(schema)
    if name not in _FORMATS:
        near = get_close_matches(name, _FORMATS, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        yield Fault("schema_format", place, f"has no effect: `{name}` is not a format of JSON Schema{hint}")
    elif types is not None and "string" not in types:
        yield Fault("schema_format", place, f"has no effect on values of type {' or '.join(sorted(types))}")
    elif draft >= 2019:
        yield Fault("schema_format", place, "has no effect: this draft does not check formats; use a `pattern`")
    elif draft >= 4 and not _checks(name, draft):
        yield Fault("schema_format", place, f"has no effect: draft {draft} does not know `{name}`", Severity.INFO)


def _checks(name: str, draft: int) -> bool:
    schema = {"$schema": f"http://json-schema.org/draft-0{draft}/schema#", "format": name}
    return not jsonschema_rs.validator_for(schema).is_valid("\0 x[")


def _types_of(schema: dict[str, Any]) -> frozenset[str] | None:
    types = schema.get("type")
    return None if types is None else frozenset([types] if isinstance(types, str) else types)


def _type_of(value: Any) -> frozenset[str]:
    if isinstance(value, bool):
        return frozenset({"boolean"})
    if isinstance(value, int | float):
        return frozenset({"number", "integer"} if float(value).is_integer() else {"number"})
    kinds = {str: "string", list: "array", dict: "object", type(None): "null"}
    return frozenset({kinds[type(value)]})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # a pattern that other languages understand: assume that it matches
        return True


def _is_regex(pattern: str) -> bool:
    try:
        jsonschema_rs.validator_for({"pattern": pattern})
    except ValueError:
        return False
    return True
