"""Registry schemas compiled to validators. References resolve in the registry or fail: nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
from jsonschema_rs import ReferencingError, ValidationError

from lorchestra.base.errors import Code, Failure
from lorchestra.records.iglu import Schema, SchemaKey, SchemaRegistry, parse

# References are resolved as paths below this base, so that relative ones work too: an `iglu:` URI has no directories.
_BASE = "registry:///"
_SELF_DESCRIBING = "com.snowplowanalytics.self-desc/"
_DRAFT_4 = "http://json-schema.org/draft-04/schema#"
_KEPT = ("$schema", "self", "$defs", "definitions")
_SECURE = "https://json-schema.org/draft-0"  # some write https; the official names of drafts before 2019-09 have http


def compiled(schema: Schema, registry: SchemaRegistry) -> jsonschema_rs.Validator:
    """The validator of a schema. References are Iglu URIs or relative to the schema's own, with or without `.json`.

    Raises Failure(SCHEMA_MISSING) if a reference cannot be resolved, Failure(SCHEMA_INVALID) if the schema is not valid
    in its draft, or if its `self` block contradicts its path in the registry.
    """
    failures: list[Failure] = []

    def retrieve(uri: str) -> Any:
        try:
            return _document(uri, schema.key, registry)
        except Failure as failure:
            failures.append(failure)
            raise

    try:
        validator = jsonschema_rs.validator_for(_prepared(schema), retriever=retrieve, base_uri=_address(schema.key))
    except (ValueError, ReferencingError) as fault:
        refused = isinstance(fault, ValidationError) and fault.kind.name != "$ref"
        failures.append(_failure(schema, refused))
    if failures:
        raise failures[0]
    return validator


def is_array(document: Mapping[str, Any]) -> bool:
    """Whether a schema describes arrays: as an output schema, all records that one input record becomes."""
    return document.get("type") in ("array", ["array"])


def element_of(schema: Schema) -> Schema:
    """The schema of a single record: that of the items if a schema describes arrays, otherwise the schema itself."""
    if not is_array(schema.document):
        return schema
    items = schema.document.get("items")
    reference = items.get("$ref", "") if isinstance(items, dict) else ""
    if isinstance(reference, str) and reference.startswith("#/"):
        items = schema.document
        for part in reference[2:].split("/"):
            items = items.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(items, dict) else None
    kept = {key: value for key, value in schema.document.items() if key in _KEPT or key.startswith("x-")}
    return schema._replace(document={**kept, **(items if isinstance(items, dict) else {})})


def draft_of(document: Mapping[str, Any]) -> str:
    """The URI of a schema's draft as validators know it; draft 4 for a self-describing schema, "" if none is named."""
    draft = str(document.get("$schema", ""))
    if _SELF_DESCRIBING in draft:
        return _DRAFT_4
    return draft.replace("https", "http", 1) if draft.startswith(_SECURE) else draft


def _failure(schema: Schema, refused: bool) -> Failure:
    if refused:
        return Failure(Code.SCHEMA_INVALID, f"{schema.path}: not a valid JSON Schema of its draft")
    return Failure(Code.SCHEMA_MISSING, f"{schema.path}: a $ref cannot be resolved in the registry")


def _document(uri: str, asked_by: SchemaKey, registry: SchemaRegistry) -> Any:
    name = uri.partition("#")[0].removesuffix(".json")
    if name.startswith(_BASE):
        name = "iglu:" + name.removeprefix(_BASE)
    if parse(name) is None:
        raise Failure(Code.SCHEMA_MISSING, f"{asked_by}: a $ref refers to a schema outside the registry")
    return _prepared(registry.load(name))


def _prepared(schema: Schema) -> dict[str, Any]:
    """A schema in the form that validators accept: Iglu references as paths, and the official URI of its draft."""
    _check_self(schema)
    document: dict[str, Any] = _rewritten(schema.document)
    if draft := draft_of(document):
        document["$schema"] = draft
    return document


def _check_self(schema: Schema) -> None:
    block = schema.document.get("self")
    if block is None:
        return
    if not isinstance(block, dict) or any(block.get(field) != value for field, value in schema.key.self_block.items()):
        raise Failure(
            Code.SCHEMA_INVALID,
            f"{schema.path}: the `self` block does not match the path, which stands for {schema.key}",
        )


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
