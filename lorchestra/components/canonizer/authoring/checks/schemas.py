"""The findings of one schema: its place, its draft, its references, and what it says about its records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from lorchestra.base.errors import Code, Failure
from lorchestra.components.canonizer.authoring.checks import Finding, Severity, attempt, lint, versions
from lorchestra.components.canonizer.authoring.checks.versions import Version, key_of
from lorchestra.components.canonizer.record.schemas import Schemas
from lorchestra.components.canonizer.workers.child import Bounded, Died
from lorchestra.records import iglu
from lorchestra.records.schemas import draft_of, element_of

_ONE_PROPERTY = ("x-time", "x-title")
_SEVERAL_PROPERTIES = ("x-key", "x-text", "x-volatile")
_LIMIT = "checking it takes more time or memory than a worker may use"


def check(paths: Sequence[Path], root: Path, roots: Sequence[Path]) -> Iterator[Finding]:
    """The findings of files below a directory of schemas. `roots`: all directories in which schemas are looked up."""

    def faults(number: int) -> list[Finding]:
        return list(_faults(paths[number], root, roots))

    yield from _bounded(faults, paths)
    keys = {key: path for path in reversed(paths) if (key := key_of(path, root))}
    pairs = list(versions.successors(Version(key, path, None) for key, path in keys.items()))
    yield from _bounded(lambda number: list(_versions(*pairs[number], roots)), [new.path for _, new in pairs])


def is_other_format(path: Path, root: Path) -> bool:
    """Whether a file's place is that of a schema in another format than JSON Schema, such as `avro`."""
    key = key_of(path, root)
    return key is not None and key.format != iglu.FORMAT


def _bounded(faults: Callable[[int], list[Finding]], paths: Sequence[Path]) -> Iterator[Finding]:
    with closing(Bounded(lambda number: [(*found[2:],) for found in faults(number)])) as judge:
        for number, path in enumerate(paths):
            try:
                found = judge(number)
            except Died:
                found = [("schema_limit", _LIMIT, None)]
            for rule, message, level in found:
                yield Finding(path, 0, rule, message, Severity(level) if level else None)


def judged(call: Callable[[], Any]) -> Any:
    """The result, a JSON value, of a call that walks through schemas. Raises Failure, also if it does not end."""
    try:
        with closing(Bounded(lambda _: call())) as judge:
            return judge()
    except Died:
        raise Failure(Code.SCHEMA_INVALID, "these schemas take more time or memory than a worker may use") from None


def named(roots: Sequence[Path], uri: str) -> iglu.Schema:
    """The valid schema of an Iglu URI that a user gave. Raises Failure(USAGE | SCHEMA_MISSING | SCHEMA_INVALID)."""
    if iglu.parse(uri) is None:
        raise Failure(Code.USAGE, "this is not a schema's name", advice="As iglu:org.canonical/email/jsonschema/1-0-0.")
    schema = iglu.SchemaRegistry(*roots).load(uri)
    require_valid(schema.path, schema.document)
    return schema


def require_valid(path: Path, document: dict[str, Any]) -> None:
    """Raise Failure(SCHEMA_INVALID) if a document is not a valid schema of its own draft."""
    fault = next(_draft(path, document), None)
    if fault:
        raise Failure(Code.SCHEMA_INVALID, f"{path}: {fault.message}")


def _faults(path: Path, root: Path, roots: Sequence[Path]) -> Iterator[Finding]:
    key = key_of(path, root)
    if key is None:
        yield Finding(path, 0, "schema_path", "its path is not {vendor}/{name}/{format}/{version}")
        return
    schema, failure = attempt(iglu.SchemaRegistry(*roots).load, str(key))
    if schema is None:
        yield Finding(path, 0, "schema_invalid", failure.message.removeprefix(f"{path}: ") if failure else "")
        return
    if schema.path != path:
        if schema.path.parent == path.parent or schema.path.read_bytes() != path.read_bytes():
            first = schema.path.name if schema.path.parent == path.parent else str(schema.path)
            yield Finding(path, 0, "schema_path", f"is never read: {first} has the same name")
        return
    faults = [*_self_block(path, key, schema.document), *_draft(path, schema.document)]
    if faults:
        yield from faults
        return
    linted = [Finding(path, 0, rule, f"{at}: {text}", level) for rule, at, text, level in lint.faults(schema.document)]
    yield from linted
    if not any(found.rule == "schema_pattern" for found in linted):
        yield from _references(path, roots, key)
    yield from _fields(path, element_of(schema).document)


def _versions(old: Version, new: Version, roots: Sequence[Path]) -> Iterator[Finding]:
    old, new = (version._replace(document=_valid(version, roots)) for version in (old, new))
    for message, level in versions.faults(old, new):
        yield Finding(new.path, 0, "schema_version", message, level)


def _valid(version: Version, roots: Sequence[Path]) -> dict[str, Any] | None:
    schema, _ = attempt(named, roots, str(version.key))
    return schema.document if schema else None


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


def _references(path: Path, roots: Sequence[Path], key: iglu.SchemaKey) -> Iterator[Finding]:
    _, failure = attempt(Schemas(roots).validator, str(key))
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
