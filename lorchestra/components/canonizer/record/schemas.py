"""Validators of registry schemas that report which rule a record breaks, and never by which value."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema_rs

from lorchestra.components.canonizer.record.rules import Rejected, Rule, Stage
from lorchestra.records import iglu, violations
from lorchestra.records.iglu import Schema, SchemaKey, SchemaRegistry
from lorchestra.records.schemas import compiled, is_array

_NOWHERE = SchemaKey("local", "schema", iglu.FORMAT, 1, 0, 0)


class Validator:
    """One compiled schema. `takes_array`: it describes arrays, not records."""

    def __init__(self, schema: Schema, compiled: jsonschema_rs.Validator) -> None:
        self.schema = schema
        self.takes_array = is_array(schema.document)
        self._is_valid = compiled.is_valid
        self._compiled = compiled

    def require(self, instance: Any, stage: Stage) -> None:
        """Raises Rejected with the first broken rule: the keyword, and its path in the schema. Never a value."""
        try:
            if self._is_valid(instance):
                return
            violation = violations.first(self._compiled, instance)
        except ValueError:
            violation = None
        raise Rejected(stage, *(violation or (Rule.UNCHECKABLE, None)))


class Schemas:
    """The schemas of a registry, compiled once each. `roots` are the directories that hold them, in their order."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._registry = SchemaRegistry(*roots)
        self._compiled: dict[str, Validator] = {}

    def validator(self, uri: str) -> Validator:
        """The validator of an Iglu URI. Raises Failure(SCHEMA_MISSING | SCHEMA_INVALID)."""
        if uri not in self._compiled:
            self._compiled[uri] = self._validator(self._registry.load(uri))
        return self._compiled[uri]

    def in_file(self, path: Path) -> Validator:
        """The validator of a schema in a file; its references lead into the registry. Raises as `validator` does."""
        schema = iglu.read(path, _NOWHERE)
        schema.document.pop("self", None)  # it names the schema's place in a registry, not that of this file
        return self._validator(schema)

    def files(self) -> dict[Path, str]:
        """The SHA-256 of each file that was read, referenced schemas too."""
        return {schema.path: schema.sha256 for schema in self._registry.loaded()}

    def _validator(self, schema: Schema) -> Validator:
        return Validator(schema, compiled(schema, self._registry))
