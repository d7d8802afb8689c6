"""Validators compiled from registry schemas. References lead into the registry or nowhere: nothing is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs

from lorchestra.base import iglu
from lorchestra.base.errors import Code, Failure
from lorchestra.base.iglu import Schema, SchemaKey, SchemaRegistry, parse
from lorchestra.components.canonizer.rules import Rejected, Rule, Stage

# References are resolved as paths below this base, so that relative ones work too: `iglu:` alone has no directories.
_BASE = "registry:///"
_SELF_DESCRIBING = "com.snowplowanalytics.self-desc/"
_NOWHERE = SchemaKey("local", "schema", "jsonschema", 1, 0, 0)
_DRAFT_4 = "http://json-schema.org/draft-04/schema#"


class Validator:
    """One compiled schema."""

    def __init__(self, schema: Schema, compiled: jsonschema_rs.Validator) -> None:
        self.schema = schema
        self._is_valid = compiled.is_valid
        self._compiled = compiled

    def require(self, instance: Any, stage: Stage) -> None:
        """Raises Rejected with the first broken rule: the keyword, and its path in the schema. Never a value."""
        try:
            if self._is_valid(instance):
                return
            rule, path = self._fault(instance)
        except ValueError:
            rule, path = Rule.UNCHECKABLE, None
        raise Rejected(stage, rule, path)

    def _fault(self, instance: Any) -> tuple[str, str | None]:
        for error in self._compiled.iter_errors(instance):
            return error.kind.name, _pointer(error.schema_path)
        return Rule.UNCHECKABLE, None


class Schemas:
    """The schemas of a registry, compiled once each."""

    def __init__(self, root: Path) -> None:
        self._registry = SchemaRegistry(root)
        self._compiled: dict[str, Validator] = {}

    def validator(self, uri: str) -> Validator:
        """The validator of an Iglu URI. Raises Failure(SCHEMA_MISSING | SCHEMA_INVALID)."""
        if uri not in self._compiled:
            self._compiled[uri] = self._compile(self._registry.load(uri))
        return self._compiled[uri]

    def in_file(self, path: Path) -> Validator:
        """The validator of a schema in a file; its references lead into the registry. Raises as `validator` does."""
        schema = iglu.read(path, _NOWHERE)
        schema.document.pop("self", None)  # where the file lies says nothing about what it is
        return self._compile(schema)

    def files(self) -> dict[Path, str]:
        """The SHA-256 of each file that was read, referenced schemas too."""
        return {schema.path: schema.sha256 for schema in self._registry.loaded()}

    def _compile(self, schema: Schema) -> Validator:
        failure: Failure | None = None

        def retrieve(uri: str) -> Any:
            nonlocal failure
            try:
                return self._document(uri, schema.key)
            except Failure as missing:
                failure = missing
                raise

        try:
            compiled = jsonschema_rs.validator_for(prepared(schema), retriever=retrieve, base_uri=_address(schema.key))
        except (ValueError, jsonschema_rs.ReferencingError):
            if failure is None:
                failure = Failure(Code.SCHEMA_INVALID, f"{schema.path}: not a valid JSON Schema of its draft")
        if failure is not None:
            raise failure
        return Validator(schema, compiled)

    def _document(self, uri: str, asked_by: SchemaKey) -> Any:
        name = uri.split("#")[0]
        if name.startswith(_BASE):
            name = "iglu:" + name.removeprefix(_BASE)
        if parse(name) is None:
            raise Failure(Code.SCHEMA_MISSING, f"{asked_by}: a $ref leads out of the registry")
        return prepared(self._registry.load(name))


def prepared(schema: Schema) -> dict[str, Any]:
    """A schema as validators take it: Iglu references as paths, the self-describing meta-schema as the draft it means.

    Raises Failure(SCHEMA_INVALID) where the `self` block names another schema than its place in the registry does.
    """
    _check_self(schema)
    document: dict[str, Any] = _rewritten(schema.document)
    if _SELF_DESCRIBING in str(document.get("$schema", "")):
        document["$schema"] = _DRAFT_4
    return document


def _check_self(schema: Schema) -> None:
    block = schema.document.get("self")
    if block is None:
        return
    key = schema.key
    expected = {"vendor": key.vendor, "name": key.name, "format": key.format, "version": key.version}
    if not isinstance(block, dict) or any(block.get(field) != value for field, value in expected.items()):
        raise Failure(Code.SCHEMA_INVALID, f"{schema.path}: its `self` block names another schema than {key}")


def _rewritten(node: Any) -> Any:
    if isinstance(node, list):
        return [_rewritten(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: value if key in ("const", "enum") else _rewritten(value) for key, value in node.items()}
    for keyword in ("$ref", "$id", "id"):
        reference = copy.get(keyword)
        if isinstance(reference, str) and reference.startswith("iglu:"):
            copy[keyword] = _BASE + reference.removeprefix("iglu:")
    return copy


def _address(key: SchemaKey) -> str:
    return _BASE + str(key).removeprefix("iglu:")


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
