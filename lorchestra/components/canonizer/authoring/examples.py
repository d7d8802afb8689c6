"""A small document that a JSON Schema accepts: the start of a golden test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lorchestra.base.errors import Code, Failure

# What the patterns of registries ask for most often. None of it belongs to anybody.
_TEXTS = (
    "example",
    "2025-11-12T10:30:45Z",
    "2025-11-12",
    "10:30:45",
    "6f9619ff-8b86-d011-b42d-00c04fc964ff",
    "someone@example.org",
    "https://example.org/",
    "iglu:org.example/record/jsonschema/1-0-0",
    "+16135550100",
    "1762943445000",
    "1",
    "EXAMPLE",
    "Example",
    "en",
    "CA",
)
_BY_FORMAT = {
    "date-time": "2025-11-12T10:30:45Z",
    "date": "2025-11-12",
    "time": "10:30:45Z",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "uuid": "6f9619ff-8b86-d011-b42d-00c04fc964ff",
}
_DEEPEST = 16
_MOST_ITEMS = 20
_LONGEST = 10_000


def of(document: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> Any:
    """An example for a schema, or for a subschema of it, with what is required and nothing more.

    It is made from types, constants, enumerations, lengths, bounds, formats and common patterns; the caller validates
    it. Raises Failure(SCHEMA_INVALID) naming the place for which none is known.
    """
    return _Maker(document).make(document if schema is None else schema, "", 0)


class _Maker:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def make(self, schema: Any, path: str, depth: int) -> Any:
        schema = self._merged(schema, path, depth)
        for keyword in ("const", "default"):
            if keyword in schema:
                return schema[keyword]
        for keyword in ("enum", "examples"):
            if schema.get(keyword):
                return schema[keyword][0]
        kind = schema.get("type") or ("object" if "properties" in schema else "string")
        kind = kind if isinstance(kind, str) else next((one for one in kind if one != "null"), "null")
        if kind == "object":
            properties = schema.get("properties", {})
            required = schema.get("required", [])
            return {name: self.make(properties.get(name, {}), f"{path}/{name}", depth + 1) for name in required}
        if kind == "array":
            inner, least = schema.get("items", {}), schema.get("minItems", 0)
            if least > _MOST_ITEMS:
                raise _unknown(path)
            return [self.make(inner, f"{path}/{n}", depth + 1) for n in range(least)]
        if kind == "string":
            return _text(schema, path)
        if kind in ("integer", "number"):
            return _number(schema)
        return {"boolean": False, "null": None}[kind]

    def _merged(self, schema: Any, path: str, depth: int) -> dict[str, Any]:
        """A subschema with its local references and the first of its alternatives written out."""
        if depth > _DEEPEST:
            raise _unknown(path)
        merged = dict(schema) if isinstance(schema, Mapping) else {}
        for _ in range(_DEEPEST):
            reference = merged.pop("$ref", None)
            parts = [*merged.pop("allOf", []), *merged.pop("anyOf", [])[:1], *merged.pop("oneOf", [])[:1]]
            if reference is not None:
                parts.append(self._followed(str(reference), path))
            if not parts:
                break
            for part in parts:
                merged = {**(part if isinstance(part, Mapping) else {}), **merged}
        return merged

    def _followed(self, reference: str, path: str) -> Any:
        target: Any = self._document if reference.startswith("#") else None
        for name in reference.lstrip("#/").split("/") if reference.strip("#/") else []:
            target = target.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
        if not isinstance(target, Mapping):
            raise _unknown(path)
        return target


def _text(schema: Mapping[str, Any], path: str) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10**6)
    candidates = (_BY_FORMAT.get(str(schema.get("format")), _TEXTS[0]), *_TEXTS, "x" * min(least, _LONGEST))
    for candidate in candidates:
        if least <= len(candidate) <= most and _matches(schema.get("pattern", ""), candidate):
            return candidate
    raise _unknown(path)


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:  # one that other languages understand
        return False


def _number(schema: Mapping[str, Any]) -> Any:
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
    return min(least if "minimum" in schema or "exclusiveMinimum" in schema else 1, schema.get("maximum", least + 1))


def _unknown(path: str) -> Failure:
    return Failure(
        Code.SCHEMA_INVALID,
        f"cannot generate an example for {path or 'the schema'}",
        advice="Pass an example document of the source: --example FILE.",
    )
