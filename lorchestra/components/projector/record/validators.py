"""Schemas as validators: whether a record fits, and the rules that its schema states (see `schema`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from lorchestra.base.errors import Code, Failure
from lorchestra.components.projector.record.schema import MOST_COLUMNS, RecordSchema, Rules, rules_from
from lorchestra.records import iglu, violations
from lorchestra.records.schemas import compiled, element_of
from lorchestra.records.violations import Violation

_FIELD = re.compile("[a-z][a-z_]{0,30}")
_RESERVED = frozenset({"title", "body", "type", "date", "before", "after", "is"})


class Validator(RecordSchema):
    """A reading that knows its schema, and so whether a record fits."""

    def __init__(self, schema: iglu.Schema, validator: jsonschema_rs.Validator) -> None:
        super().__init__(str(schema.key), _rules(schema), _properties(schema.document))
        self.sha256 = schema.sha256
        self._validator = validator

    def violation(self, record: Mapping[str, Any]) -> Violation | None:
        """The first violation of its schema, None for a valid record. Raises ValueError for one nested too deep."""
        return None if self._validator.is_valid(record) else violations.first(self._validator, record)


class Validators:
    """The schemas of a registry, each made ready once."""

    def __init__(self, schemas: iglu.SchemaRegistry) -> None:
        self.root = schemas.roots[0]
        self._schemas = schemas
        self._made: dict[str, Validator] = {}

    def get(self, uri: str) -> Validator:
        """The reading of a schema. Raises Failure(SCHEMA_MISSING | SCHEMA_INVALID), which may name the URI."""
        reading = self._made.get(uri)
        if reading is None:
            reading = self._made[uri] = self._make(uri)
        return reading

    def _make(self, uri: str) -> Validator:
        schema = self._schemas.load(uri)
        schema = element_of(schema)
        return Validator(schema, compiled(schema, self._schemas))


def _rules(schema: iglu.Schema) -> Rules:
    said = schema.document
    lists = {name: said.get(f"x-{name}", []) for name in ("key", "volatile", "text")}
    words = {name: said.get(f"x-{name}") for name in ("time", "title")}
    for name, value in lists.items():
        if not (isinstance(value, list) and all(isinstance(item, str) and item for item in value)):
            raise Failure(Code.SCHEMA_INVALID, f"{schema.path}: x-{name} must be a list of property names")
    for name, word in words.items():
        if not (word is None or (isinstance(word, str) and word)):
            raise Failure(Code.SCHEMA_INVALID, f"{schema.path}: x-{name} must be a property's name")
    return rules_from({**lists, **words, "fields": _fields(schema)})


def _fields(schema: iglu.Schema) -> dict[str, list[str]]:
    """The properties of each field that `x-field` names."""
    fields: dict[str, list[str]] = {}
    properties = schema.document.get("properties")
    for name, said in properties.items() if isinstance(properties, dict) else ():
        field = said.get("x-field") if isinstance(said, dict) else None
        if field is None:
            continue
        if not isinstance(field, str) or not _FIELD.fullmatch(field) or field in _RESERVED:
            raise Failure(
                Code.SCHEMA_INVALID, f"{schema.path}: x-field must be a lower-case word that has no other meaning"
            )
        fields.setdefault(field, []).append(name)
    return fields


def _properties(document: Mapping[str, Any]) -> tuple[str, ...]:
    properties = document.get("properties")
    return tuple(properties)[:MOST_COLUMNS] if isinstance(properties, dict) else ()
