"""The findings of one schema: its place, its draft, its references, and what it says about its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring.checks import Finding, attempt
from lorchestra.components.canonizer.record.schemas import Schemas
from lorchestra.components.canonizer.workers.child import Bounded, Died
from lorchestra.records import iglu
from lorchestra.records.schemas import draft_of

_ONE_PROPERTY = ("x-time", "x-title")
_SEVERAL_PROPERTIES = ("x-key", "x-text", "x-volatile")


def check(paths: Sequence[Path], root: Path) -> Iterator[Finding]:
    """The findings of files below a directory of schemas."""
    with closing(
        Bounded(lambda place: [(fault.rule, fault.message) for fault in _faults(paths[place], root)])
    ) as judge:
        for place, path in enumerate(paths):
            try:
                found = judge(place)
            except Died:
                found = [("schema_limit", "checking it takes more time or memory than a worker may use")]
            yield from (Finding(path, 0, rule, message) for rule, message in found)


def judged(call: Callable[[], Any]) -> Any:
    """What a call that walks through schemas returns, a value of JSON. Raises Failure, also where it does not end."""
    try:
        with closing(Bounded(lambda _: call())) as judge:
            return judge()
    except Died:
        pass
    raise Failure(Code.SCHEMA_INVALID, "these schemas take more time or memory than a worker may use")


def named(root: Path, uri: str) -> iglu.Schema:
    """The valid schema of an Iglu URI that a user gave. Raises Failure(USAGE | SCHEMA_MISSING | SCHEMA_INVALID)."""
    if iglu.parse(uri) is None:
        raise Failure(Code.USAGE, "this is not a schema's name", advice="As iglu:org.canonical/email/jsonschema/1-0-0.")
    schema = iglu.SchemaRegistry(root).load(uri)
    require_valid(schema.path, schema.document)
    return schema


def require_valid(path: Path, document: dict[str, Any]) -> None:
    """Raise Failure(SCHEMA_INVALID) where a document is no valid schema of its own draft."""
    fault = next(_draft(path, document), None)
    if fault:
        raise Failure(Code.SCHEMA_INVALID, f"{path}: {fault.message}")


def _faults(path: Path, root: Path) -> Iterator[Finding]:
    key = iglu.parse("iglu:" + path.relative_to(root).as_posix().removesuffix(".json"))
    if key is None:
        yield Finding(path, 0, "schema_path", "its path is not {vendor}/{name}/{format}/{version}")
        return
    schema, failure = attempt(iglu.SchemaRegistry(root).load, str(key))
    if schema is None:
        yield Finding(path, 0, "schema_invalid", failure.message.removeprefix(f"{path}: ") if failure else "")
        return
    if schema.path != path:
        yield Finding(path, 0, "schema_path", f"is never read: {schema.path.name} has the same name")
        return
    faults = [*_self_block(path, key, schema.document), *_draft(path, schema.document)]
    yield from faults or [*_references(path, root, key), *_fields(path, schema.document)]


def _self_block(path: Path, key: iglu.SchemaKey, document: dict[str, Any]) -> Iterator[Finding]:
    block = document.get("self", {})
    if "self" in document and not isinstance(block, dict):
        yield Finding(path, 0, "schema_self", "must be an object")
    elif "self" in document:
        for field, value in key.self_block.items():
            if block.get(field) != value:
                yield Finding(path, 0, "schema_self", f"self.{field}: the path says {value}")


def _draft(path: Path, document: dict[str, Any]) -> Iterator[Finding]:
    draft = draft_of(document)
    unknown: Any = None
    judge: Any = validator_for({"$schema": draft}, default=unknown) if draft else Draft202012Validator
    if judge is None:
        yield Finding(path, 0, "schema_invalid", "its $schema is not a known draft")
        return
    for error in sorted(judge(judge.META_SCHEMA).iter_errors(document), key=lambda error: error.json_path):
        yield Finding(path, 0, "schema_invalid", f"{error.json_path}: violates `{error.validator}` of its draft")


def _references(path: Path, root: Path, key: iglu.SchemaKey) -> Iterator[Finding]:
    _, failure = attempt(Schemas(root).validator, str(key))
    if failure:
        rule = "schema_ref" if failure.code is Code.SCHEMA_MISSING else "schema_invalid"
        yield Finding(path, 0, rule, failure.message.removeprefix(f"{path}: "))


def _fields(path: Path, document: dict[str, Any]) -> Iterator[Finding]:
    properties, required = document.get("properties", {}), document.get("required", [])
    for annotation in (*_ONE_PROPERTY, *_SEVERAL_PROPERTIES):
        named = document.get(annotation)
        if named is None:
            continue
        names = [named] if annotation in _ONE_PROPERTY else named
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            yield Finding(path, 0, "schema_fields", f"{annotation}: must name properties")
            continue
        for name in names:
            if name not in properties:
                yield Finding(path, 0, "schema_fields", f"{annotation}: unknown property {name}")
            elif annotation == "x-key" and name not in required:
                yield Finding(path, 0, "schema_fields", f"{annotation}: {name} is not required")
