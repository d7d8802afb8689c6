"""A JSON Schema from sample records. It holds keys, types and counts of the samples, never a value.

Keys can be data too, such as addresses or ids: objects with many different keys are described as maps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

MOST_KEYS = 200
"""An object with more different keys than this is a map."""
_FEW_KEYS = 20
"""An object with more different keys, none of which occurs in half of the samples, is a map."""


class Shape:
    """What the values at one place of the samples have in common."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.objects = 0
        self.present: Counter[str] = Counter()
        self.properties: dict[str, Shape] = {}
        self.items: Shape | None = None

    def add(self, value: Any) -> None:
        """Take in one value."""
        if isinstance(value, dict):
            self.types.add("object")
            self.objects += 1
            self.present.update(value.keys())
            for name, inner in value.items():
                self.properties.setdefault(name, Shape()).add(inner)
        elif isinstance(value, list):
            self.types.add("array")
            self.items = self.items or Shape()
            for item in value:
                self.items.add(item)
        else:
            self.types.add(_type_of(value))

    def merged(self, other: Shape) -> Shape:
        """This shape, extended by the values of another one."""
        self.types |= other.types
        self.objects += other.objects
        self.present.update(other.present)
        for name, shape in other.properties.items():
            self.properties.setdefault(name, Shape()).merged(shape)
        if other.items:
            self.items = (self.items or Shape()).merged(other.items)
        return self

    @property
    def is_map(self) -> bool:
        """Whether the keys of these objects are data, not names of properties."""
        names = len(self.properties)
        frequent = max(self.present.values(), default=0) * 2 >= self.objects
        return names > MOST_KEYS or (names > _FEW_KEYS and self.objects > 1 and not frequent)

    @property
    def required(self) -> list[str]:
        """The properties that every sample has."""
        return [name for name, count in self.present.items() if count == self.objects]


def shape_of(records: Iterable[dict[str, Any]]) -> Shape:
    """The shape of all records."""
    shape = Shape()
    for record in records:
        shape.add(record)
    return shape


def open_schema(shape: Shape) -> dict[str, Any]:
    """A schema that accepts records which lack a property, have null for it, or have others: for sources."""
    return _schema(shape, closed=False)


def closed_schema(shape: Shape) -> dict[str, Any]:
    """A schema that accepts the properties of the samples only, and requires those that each sample has."""
    return _schema(shape, closed=True)


def _schema(shape: Shape, *, closed: bool, is_record: bool = True) -> dict[str, Any]:
    types = set(shape.types)
    if "number" in types:
        types.discard("integer")
    if not (closed or is_record):
        types.add("null")
    if not types - {"null"}:  # nothing is known but null
        return {}
    schema: dict[str, Any] = {"type": min(types) if len(types) == 1 else sorted(types)}
    if "object" in types:
        schema |= _object(shape, closed=closed)
    if shape.items and shape.items.types:
        schema["items"] = _schema(shape.items, closed=closed, is_record=False)
    return schema


def _object(shape: Shape, *, closed: bool) -> dict[str, Any]:
    if shape.is_map:
        values = Shape()
        for inner in shape.properties.values():
            values.merged(inner)
        return {"additionalProperties": _schema(values, closed=closed, is_record=False)}
    properties = {name: _schema(inner, closed=closed, is_record=False) for name, inner in shape.properties.items()}
    if not closed:
        return {"properties": properties}
    return {"required": shape.required, "additionalProperties": False, "properties": properties}


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds = {int: "integer", float: "number", str: "string", type(None): "null"}
    return kinds[type(value)]
